/* A survey: many files are looked at by their paths, links not followed, and
 * nothing is opened. Each drive has a thread of its own, so that one that does
 * not answer keeps nobody waiting: neither the other drives nor the caller, who
 * may leave it behind. */
#ifndef BTC_STORE_SURVEY_H
#define BTC_STORE_SURVEY_H

#include "model/fingerprint.h"

#include <stddef.h>
#include <stdint.h>

/* Drives that have a thread of their own; more of them share the last one. */
#define SURVEY_DRIVES_MAX 16u

struct survey;

enum survey_answer {
    SURVEY_SILENT, /* none yet */
    SURVEY_SEEN,   /* the print is as it is; it does not exist, or it does */
    SURVEY_FAILED  /* the system could not say */
};

struct survey *survey_new(void);
/* Ends it. Threads that wait for a drive go on and free what is theirs. */
void survey_free(struct survey *v);
/* The next place, before the survey begins; the path is copied. `drive` tells
 * the drives apart, 0 is one of them. */
void survey_add(struct survey *v, const char *path, uint64_t drive);
/* 0, or an error number: no thread can be had. */
int survey_begin(struct survey *v);
/* Waits for so long at most. True: there is nothing left to wait for. */
bool survey_wait(struct survey *v, unsigned ms);
/* Places that have been looked at until now. */
size_t survey_count(struct survey *v);
/* Of the place that was added as number `at`. */
enum survey_answer survey_get(struct survey *v, size_t at,
                              struct fingerprint *out);

#endif
