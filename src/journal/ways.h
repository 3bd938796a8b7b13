/* How peers are looked for beside trackers: which ways a run uses, our place in
 * the DHT, and what its searches found. */
#ifndef BTC_JOURNAL_WAYS_H
#define BTC_JOURNAL_WAYS_H

#include "base/addr.h"
#include "journal/journal.h"

#define JOURNAL_SEARCHES_MAX 64 /* written in one call */

/* Our place in the DHT of one family. */
struct journal_place {
    bool is_known;              /* loading: there is an id */
    uint8_t id[20];             /* ours */
    struct addr ip;             /* ours as others see it, port 0; or NONE */
    uint32_t nodes, good_nodes; /* saving: in the table */
};

/* What a search of the DHT found. */
struct journal_search {
    int64_t torrent_id;
    uint32_t answers, peers, announced;
};

/* The ways of the run that begins. */
int journal_set_ways(struct journal *db, bool dht4, bool dht6, bool pex,
                     bool lsd, struct err *e);
/* IPv4 first. What makes no sense is not known. */
int journal_load_places(struct journal *db, struct journal_place out[2],
                        struct err *e);
int journal_save_places(struct journal *db, const struct journal_place in[2],
                        struct err *e);
/* Of torrents that are gone nothing is written. */
int journal_save_searches(struct journal *db, const struct journal_search *s,
                          size_t n, struct err *e);

#endif
