/* The inside of a torrent, shared by its files and its tests. */
#ifndef BTC_CORE_TORRENT_INTERNAL_H
#define BTC_CORE_TORRENT_INTERNAL_H

#include "core/torrent/torrent.h"

struct torrent {
    struct torrent_shared *shared; /* borrows */
    struct content *content;       /* owns */
    struct swarm *swarm;           /* owns */
    struct slice info;             /* borrows; of a content that was learned */
    bool learns;                   /* and of which the swarm has not heard */
    struct actions actions;
    enum torrent_state state;
    bool check_only; /* nobody is dialled, let in or announced to */
    bool fetched;    /* a piece, in this run */
    bool told_complete, told_checked;
    uint64_t now_ms;  /* of the last input */
    uint64_t stop_ms; /* STOP came */
};

#endif
