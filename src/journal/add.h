/* What a front writes: torrents and wishes. Each call is a transaction of its
 * own, at once.
 */
#ifndef BTC_JOURNAL_ADD_H
#define BTC_JOURNAL_ADD_H

#include "journal/journal.h"
#include "journal/rows.h"

struct journal_add {
    struct journal_torrent torrent; /* id ignored */
    uint64_t root_dev;   /* filesystem of the save path; 0 = none to tell */
    const uint8_t *info; /* exact info dictionary -> metainfo */
    size_t info_len;
    const struct journal_file *files;
    const struct journal_tracker *trackers; /* url, tier */
    uint32_t n_trackers;
    char *const *web_seeds;
    uint32_t n_web_seeds;
    const struct journal_peer *peers; /* address, port, source */
    uint32_t n_peers;
    const struct journal_magnet *magnet; /* magnet.h; NULL: info is there */
};
/* *id and 0; BTC_E_EXISTS with *id of the torrent that has the hash. */
int journal_add_torrent(struct journal *db, const struct journal_add *a,
                        int64_t *id, struct err *e);
/* Adds trackers, peers that are not there yet to a known torrent. */
int journal_add_sources(struct journal *db, int64_t id,
                        const struct journal_add *a, struct err *e);
/* A wish: `column` is one of the wish columns of `torrent` (checked against a
 * list); the value is bound as text or int by the schema's guards: a refused
 * one gives BTC_E_USAGE with SQLite's reason. */
int journal_set_wish(struct journal *db, int64_t id, const char *column,
                     const char *value, struct err *e);
int journal_set_file_priority(struct journal *db, int64_t id, uint32_t file,
                              uint8_t priority, struct err *e);
/* Those of all files at once (pads are left alone), in one transaction. */
int journal_set_priorities(struct journal *db, int64_t id,
                           const uint8_t *priority, uint32_t n_files,
                           struct err *e);
/* The newest torrent, 0 when there is none; and the log's lines of all that
 * were added behind one. */
int journal_last_added(struct journal *db, int64_t *id, struct err *e);
int journal_log_added(struct journal *db, int64_t last, struct err *e);
int journal_event_now(struct journal *db, int64_t torrent_id, enum level level,
                      const char *kind, const char *text, struct err *e);

#endif
