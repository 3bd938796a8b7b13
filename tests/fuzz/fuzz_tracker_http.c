/* Tracker replies under hostile bytes; the same bytes also stand for an
 * announce URL and a tracker id. */
#include "proto/tracker/http.h"

#include <stdlib.h>
#include <string.h>

/* libFuzzer names it. NOLINTNEXTLINE(readability-identifier-naming) */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A built URL has printable ASCII only, and no fragment. */
static void fuzz_tracker_http_url(const uint8_t *data, size_t size)
{
    struct tracker_request r = {
        .event = (enum tracker_event)(size % (TRACKER_EVENT_STOPPED + 1)),
        .partial_seed = size % 8 > 3};
    char *announce = malloc(size + 1);
    struct buf out;
    int rc = 0;

    BTC_ASSERT(announce != NULL);
    if (size > 0) {
        memcpy(announce, data, size);
        memcpy(r.tracker_id, data,
               size < TRACKER_ID_MAX ? size : TRACKER_ID_MAX - 1);
    }
    announce[size] = '\0';
    buf_init(&out, 6 * size + 1024);
    rc = tracker_http_url(announce, &r, &out);
    BTC_ASSERT(rc == 0);
    for (size_t i = 0; i < buf_len(&out); i++) {
        uint8_t c = buf_slice(&out).p[i];

        BTC_ASSERT(c > 0x20 && c < 0x7f && c != '#');
    }
    buf_fini(&out);
    free(announce);
}

/* What holds for every reply. */
static void fuzz_tracker_http_check(const struct tracker_reply *r)
{
    bool ended = memchr(r->failure, '\0', sizeof r->failure) != NULL &&
                 memchr(r->warning, '\0', sizeof r->warning) != NULL &&
                 memchr(r->tracker_id, '\0', sizeof r->tracker_id) != NULL;

    BTC_ASSERT(ended);
    BTC_ASSERT(r->interval <= TRACKER_MAX_INTERVAL);
    BTC_ASSERT(r->min_interval <= TRACKER_MAX_INTERVAL);
    BTC_ASSERT(r->retry_in >= -1 && r->retry_in <= TRACKER_MAX_INTERVAL);
    BTC_ASSERT(r->seeders >= -1 && r->leechers >= -1 && r->downloaded >= -1);
    BTC_ASSERT(r->n_peers <= TRACKER_MAX_PEERS);
    for (uint32_t i = 0; i < r->n_peers; i++) {
        bool dialable = addr_is_dialable(&r->peers[i]);

        BTC_ASSERT(dialable);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tracker_reply r;
    struct err e = {0};
    int rc = tracker_http_parse(slice_of(data, size), &r, &e);

    BTC_ASSERT(rc == 0 ? e.code == 0 : e.code == rc && e.msg[0] != '\0');
    fuzz_tracker_http_check(&r);
    tracker_reply_fini(&r);
    fuzz_tracker_http_url(data, size);
    rc = tracker_http_scrape_parse(
        slice_of(data, size), (const uint8_t *)"aaaaaaaaaaaaaaaaaaaa", &r, &e);
    BTC_ASSERT(rc == 0 || rc == BTC_E_PROTO);
    fuzz_tracker_http_check(&r);
    BTC_ASSERT(r.n_peers == 0);
    return 0;
}
