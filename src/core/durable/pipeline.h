/* The pipelines of a run (commit.h): one for each set of devices on which
 * torrents lie, so that a drive that hangs holds up only those who are on it.
 * The first one is the run's own: it has the facts that speak of no data, and
 * the torrents whose devices are not known yet. A pipeline that was made stays
 * until the end; its number is its place in the list, 0 = the run's own.
 */
#ifndef BTC_CORE_DURABLE_PIPELINE_H
#define BTC_CORE_DURABLE_PIPELINE_H

#include "core/durable/commit.h"

struct pipeline {
    struct commit c;
    uint64_t dev_min, dev_max; /* 0 = the run's own: no files */
    uint64_t bytes;            /* payload since its last commit: the driver's */
    struct pipeline *next;
};

struct pipeline_set {
    struct pipeline *first; /* owns; the run's own */
    const struct commit_batch_ops *ops;
    uint32_t interval_ms;
};

void pipeline_open(struct pipeline_set *set, const struct commit_batch_ops *ops,
                   uint32_t interval_ms, uint64_t now_ms);
void pipeline_close(struct pipeline_set *set); /* all members have left */
/* Where the commits of a member are made. */
struct pipeline *pipeline_of(const struct commit_member *m);
/* The one whose batch is under way; NULL: none. */
struct pipeline *pipeline_of_batch(const struct pipeline_set *set,
                                   const void *batch);
/* The files of the member lie on devices from dev_min to dev_max: it belongs to
 * their pipeline from now on, or as soon as nothing of it is under way in the
 * old one. Returns the number of that pipeline. */
uint32_t pipeline_place(struct pipeline_set *set, struct commit_member *m,
                        uint64_t dev_min, uint64_t dev_max, uint64_t now_ms);
/* The next commit of all comes soon. */
void pipeline_hurry(const struct pipeline_set *set);
/* When the next one is due; UINT64_MAX = none is. */
uint64_t pipeline_deadline(const struct pipeline_set *set);

/* A write of the member: between the two calls its next commit waits for it.
 * The ticket names the pipeline, which the member may leave meanwhile. */
uint32_t pipeline_begin_write(const struct pipeline_set *set,
                              const struct commit_member *m);
void pipeline_end_write(const struct pipeline_set *set, uint32_t ticket);

#endif
