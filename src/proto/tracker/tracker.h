/* What is said to a tracker and what it answers, whatever the scheme.
 *
 * An announce is a request and a reply (BEP 3). HTTP trackers (http.h) and UDP
 * trackers (BEP 15) carry the same numbers, so whoever decides when to announce
 * and what to do with the answer needs to know neither URLs nor status codes.
 */
#ifndef BTC_PROTO_TRACKER_TRACKER_H
#define BTC_PROTO_TRACKER_TRACKER_H

#include "base/addr.h"

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
    uint32_t key;        /* the same for all announces of a run (BEP 7) */
    uint16_t port;       /* where we listen; 0 = nowhere */
    uint64_t uploaded;   /* bytes since `started` */
    uint64_t downloaded; /* bytes since `started` */
    uint64_t left;       /* bytes of the whole torrent that are missing */
    enum tracker_event event;
    bool partial_seed; /* wants nothing more but is not whole (BEP 21) */
    uint32_t numwant;
    char tracker_id[TRACKER_ID_MAX]; /* from an earlier reply; "" = none */
};

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

/* Frees the peers. */
void tracker_reply_fini(struct tracker_reply *r);

#endif
