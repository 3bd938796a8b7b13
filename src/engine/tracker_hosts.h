/* What is known of the hosts of HTTP trackers, shared by all torrents.
 *
 * Ten thousand torrents mostly have a handful of trackers. While a host does
 * not answer, a few announces probe it and the rest wait for what comes of
 * them: when one is answered, all go; when it fails, all fail, and for a while
 * every further announce fails without a connection. The torrents' own back-off
 * goes on as if each had tried.
 *
 * A host is unknown at first, up once it has answered anything at all, in doubt
 * after a failure, and down after a failure while it was unknown or in doubt.
 * Pure: times come in.
 */
#ifndef BTC_ENGINE_TRACKER_HOSTS_H
#define BTC_ENGINE_TRACKER_HOSTS_H

#include "base/map.h"

#include <stdbool.h>
#include <stdint.h>

#define TRACKER_HOSTS_MAX      1000u   /* remembered; more are not shared */
#define TRACKER_HOST_PROBES    4u      /* announces out while it is not up */
#define TRACKER_HOST_DOWN_MS   5000u   /* after the first failure, doubles */
#define TRACKER_HOST_DOWN_LAST 300000u /* the longest */

enum tracker_host_state {
    TRACKER_HOST_DOUBT, /* unknown, or it failed once */
    TRACKER_HOST_UP,
    TRACKER_HOST_DOWN
};

enum tracker_host_verdict {
    TRACKER_HOST_ASK,  /* send it; tracker_host_over comes behind it */
    TRACKER_HOST_WAIT, /* in `waiting`, until the probes tell */
    TRACKER_HOST_FAIL  /* it fails as the last one did: code and error */
};

struct announcing;

struct tracker_host {
    char *origin; /* owns; scheme, name and port */
    UT_hash_handle hh;
    enum tracker_host_state state;
    uint32_t n_out;    /* announces that are out */
    uint32_t failures; /* times that it went down, in a row */
    uint64_t retry_ms; /* while it is down: not before this */
    int code;          /* of the last failure */
    char error[160];
    struct announcing *waiting; /* the caller's list; empty while it is up */
};

struct tracker_hosts; /* all of them */

struct tracker_hosts *tracker_hosts_new(void);
void tracker_hosts_free(struct tracker_hosts *h); /* NULL allowed */
/* The host of an announce URL; NULL: too many are known. */
struct tracker_host *tracker_hosts_get(struct tracker_hosts *h,
                                       const char *url);

enum tracker_host_verdict tracker_host_ask(struct tracker_host *h,
                                           uint64_t now_ms);
/* One that was asked is over, answered or failed. The state tells what becomes
 * of those that wait: up, all may go; down, all fail; in doubt, ask again. */
void tracker_host_answered(struct tracker_host *h);
void tracker_host_failed(struct tracker_host *h, int code, const char *error,
                         uint64_t now_ms);
/* One that was asked was given up: it tells nothing. */
void tracker_host_cancelled(struct tracker_host *h);

#endif
