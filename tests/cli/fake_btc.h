/* A libbtc with scripted data for the tests of the command line. Tests fill
 * `fake` before they call cli_main; the program btc-fake plays a download. */
#ifndef BTC_TESTS_CLI_FAKE_BTC_H
#define BTC_TESTS_CLI_FAKE_BTC_H

#include "btc/btc.h"

#define FAKE_TORRENTS 4
#define FAKE_CALLS    4096

struct fake_btc {
    bool ready;         /* fake_reset was called */
    int64_t engine_pid; /* 0 = no engine runs */
    bool is_stopped;    /* that engine, by ^Z */
    int open_status;    /* what btc_open gives */
    int run_status;     /* what btc_run gives in the end */
    bool has_source;    /* the torrent's info dictionary is known */
    bool locked;        /* btc_run finds another engine */
    size_t n_torrents;  /* rows in the database */
    struct btc_progress torrents[FAKE_TORRENTS];
    const char *wanted[FAKE_TORRENTS];
    bool owed;              /* more is wished of each than a run has done */
    int seen;               /* enum btc_seen of each that is complete */
    const char *stays;      /* what a removal of data leaves, or NULL */
    bool slow;              /* a run takes its time, as a real one */
    uint32_t n_left_out;    /* of what btc_create was asked to share */
    unsigned steps;         /* STATS events of a run; 0 = 10 */
    size_t n_dht_bootstrap; /* of the last run */
    char dht_bootstrap[64]; /* the first of them */
    char calls[FAKE_CALLS]; /* "open add run ..." in their order */
};
extern struct fake_btc fake;

/* Everything at its beginning: one torrent, no engine. */
void fake_reset(void);

#endif
