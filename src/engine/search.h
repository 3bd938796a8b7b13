/* When a torrent is looked for next, for each way beside its trackers. */
#ifndef BTC_ENGINE_SEARCH_H
#define BTC_ENGINE_SEARCH_H

#include "core/lan/lan.h"

struct scrape;

struct torrent_search {
    struct scrape *scrapes;  /* owns; those that are out */
    struct lan_turn lan;     /* the local network is told */
    uint64_t dht_ms;         /* the DHT is asked again */
    uint32_t n_dht_searches; /* of this run that have ended */
};

#endif
