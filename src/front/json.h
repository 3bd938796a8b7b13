/* JSON for programs: the same names as the columns of the views; null for what
 * is not known. Made with jansson; every function gives a new reference. */
#ifndef BTC_FRONT_JSON_H
#define BTC_FRONT_JSON_H

#include <jansson.h>
#include <stdio.h>

#include "btc/btc.h"
#include "front/rows.h"

#define FRONT_JSON_DIGITS JSON_REAL_PRECISION(12)

json_t *front_json_text(const char *s); /* NULL: null; mends UTF-8 */
json_t *front_json_uint(uint64_t n);
json_t *front_json_known(int64_t n); /* less than 0: null */
json_t *front_json_id(int64_t n);    /* 0: null */
json_t *front_json_row(const struct btc_value *v, size_t n);
json_t *front_json_progress(const struct btc_progress *p);
json_t *front_json_info(const struct btc_source_info *i);
/* {"status", "message", "retryable"} */
json_t *front_json_error(int status, const char *message);
/* {"schema", "status", "retryable", "error": {...}} */
json_t *front_json_failure(int status, const char *message);
/* {"event": "error", ...} */
json_t *front_json_failure_event(int status, const char *message);
/* An event as --ndjson streams it. */
json_t *front_json_event(const struct btc_event *ev);
/* {"schema": "btc/1"} */
json_t *front_json_object(void);

/* Both take the reference. Indented, and as one line that is flushed. */
void front_json_print(FILE *f, json_t *j);
void front_json_line(FILE *f, json_t *j);
/* (json_rows.c) Either way, and last in the object the rows under `key`. */
void front_json_print_rows(FILE *f, json_t *head, const char *key,
                           const struct front_rows *rows, bool line);

#endif
