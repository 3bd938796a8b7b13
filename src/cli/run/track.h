/* The torrents of a run as the last event showed them: copies, since an event's
 * strings end with its callback. */
#ifndef BTC_CLI_RUN_TRACK_H
#define BTC_CLI_RUN_TRACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "btc/btc.h"

struct cli_torrent {
    struct btc_progress p;     /* owns its strings */
    bool done;                 /* DONE came */
    bool missed;               /* something missed since the last DONE */
    int status;                /* of its last ERROR, 0 = none */
    char *message;             /* owns */
    uint64_t first_downloaded; /* when it was first seen */
    int64_t first_ms;
    int64_t done_ms; /* 0 = not yet */
    int64_t line_ms; /* the last plain line, 0 = none */
};

struct cli_track {
    struct cli_torrent *items; /* owns; by id */
    size_t n;
    uint32_t cap;
    size_t next; /* where the next one asked for stands, most likely */
};

/* Sums over all torrents. */
struct cli_totals {
    uint64_t bytes_done, bytes_total, down_rate, up_rate;
    uint32_t peers;
    size_t n_done;
    int64_t eta_s; /* -1 unknown */
    bool is_known; /* how much all of it is: no magnet is still asking */
};

void cli_track_fini(struct cli_track *t);
/* Takes facts over; adds the torrent when it is new. Valid until the next one.
 */
struct cli_torrent *cli_track_update(struct cli_track *t,
                                     const struct btc_progress *p,
                                     int64_t now_ms);
struct cli_torrent *cli_track_find(const struct cli_track *t, int64_t id);
void cli_track_fail(struct cli_torrent *item, int status, const char *message);
struct cli_totals cli_track_totals(const struct cli_track *t);
/* Everything wanted is here. */
bool cli_track_is_done(const struct btc_progress *p);
/* "downloading", "checking 37 %" ... */
const char *cli_track_state(const struct btc_progress *p, char buf[64]);

#endif
