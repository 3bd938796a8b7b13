/* Answers of UDP trackers under hostile bytes, and URLs of any kind. */
#include "proto/tracker/udp.h"

#include <stdlib.h>
#include <string.h>

/* libFuzzer names it. NOLINTNEXTLINE(readability-identifier-naming) */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_url(const uint8_t *data, size_t size)
{
    struct tracker_udp_url u;
    char *url = malloc(size + 7);
    BTC_ASSERT(url != NULL);
    memcpy(url, "udp://", 6);
    memcpy(url + 6, data, size);
    url[size + 6] = '\0';
    if (tracker_udp_url_parse(url, &u)) {
        struct tracker_request r = {.event = TRACKER_EVENT_STARTED};
        struct buf out;
        bool sane = u.port != 0 && u.host[0] != '\0';
        BTC_ASSERT(sane);
        buf_init(&out, TRACKER_UDP_REQUEST_MAX);
        tracker_udp_put_announce(1, 2, &r, u.path, &out);
        buf_fini(&out);
    }
    free(url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_of(data, size);
    struct tracker_udp_head head;
    struct tracker_reply r;
    uint64_t id = 0;
    (void)tracker_udp_head_parse(in, &head);
    (void)tracker_udp_connect_parse(in, &id);
    (void)tracker_udp_scrape_parse(in, &r);
    (void)tracker_udp_error_parse(in, &r);
    for (int v6 = 0; v6 < 2; v6++) {
        (void)tracker_udp_announce_parse(in, v6 ? ADDR_V6 : ADDR_V4, &r);
        for (uint32_t i = 0; i < r.n_peers; i++) {
            bool ok = addr_is_dialable(&r.peers[i]);
            BTC_ASSERT(ok);
        }
        tracker_reply_fini(&r);
    }
    fuzz_url(data, size);
    return 0;
}
