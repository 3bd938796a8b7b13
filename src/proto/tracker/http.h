/* HTTP trackers: announce URLs and replies (BEP 3, 7, 21, 23, 24, 27, 31). */
#ifndef BTC_PROTO_TRACKER_HTTP_H
#define BTC_PROTO_TRACKER_HTTP_H

#include "base/addr.h"
#include "base/buf.h"
#include "base/err.h"

#define TRACKER_MAX_PEERS    2000       /* taken of one reply */
#define TRACKER_MAX_REPLY    (2u << 20) /* bytes */
#define TRACKER_MIN_INTERVAL 30u        /* seconds; lower ones are raised */
#define TRACKER_MAX_INTERVAL 86400u
#define TRACKER_DEF_INTERVAL 1800u
#define TRACKER_TEXT_MAX     256
#define TRACKER_ID_MAX       256

enum tracker_event {
    TRACKER_EVENT_NONE,
    TRACKER_EVENT_STARTED,
    TRACKER_EVENT_COMPLETED,
    TRACKER_EVENT_STOPPED
};

struct tracker_request {
    uint8_t info_hash[20];
    uint8_t peer_id[20];
    uint16_t port;
    uint64_t uploaded;
    uint64_t downloaded;
    uint64_t left;
    enum tracker_event event;
    bool partial_seed; /* wants nothing more but is not whole (BEP 21) */
    uint32_t numwant;
    uint32_t key;            /* same for all announces of a run (BEP 7) */
    struct slice tracker_id; /* from an earlier reply, may be empty */
};

/* The announce URL with its query appended ('?' or '&' as needed; a fragment is
 * dropped). compact=1 always. BTC_E_LIMIT when `out` is too small. */
int tracker_http_url(const char *announce, const struct tracker_request *r,
                     struct buf *out);

struct tracker_reply {
    char failure[TRACKER_TEXT_MAX]; /* "" = none; printable UTF-8 */
    char warning[TRACKER_TEXT_MAX];
    char tracker_id[TRACKER_ID_MAX];
    uint32_t interval;     /* seconds, clamped; 0 = not said */
    uint32_t min_interval; /* seconds, clamped; 0 = not said */
    int64_t retry_in;      /* seconds (BEP 31 minutes), -1 = never, 0 = none */
    int64_t seeders;       /* complete; -1 = not said */
    int64_t leechers;      /* incomplete; -1 = not said */
    int64_t downloaded;    /* -1 = not said */
    struct addr external_ip; /* BEP 24; family NONE = not said */
    struct addr *peers;      /* owns; dialable ones only, without doubles */
    uint32_t n_peers;
};

/* Parses a reply body. 0 (also with a failure text), or BTC_E_PROTO when it is
 * not a bencoded dict, with the reason in `e` (names HTML when it is that).
 * tracker_reply_fini frees the peers in any case. */
int tracker_http_parse(struct slice body, struct tracker_reply *out,
                       struct err *e);
void tracker_reply_fini(struct tracker_reply *r);

#endif
