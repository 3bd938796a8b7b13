/* Peer exchange (BEP 11): what to tell a peer, and what to take of what it
 * tells.
 *
 * Two values per connection, both small. `pex_out` knows which peers the other
 * side was told of, so that a message holds only the difference to those that
 * are connected now. `pex_in` bounds what one sender may make us dial: the
 * number in a message, messages in a time, and addresses of one host. Pure: the
 * time comes in, and the payload's codec is proto/peer/ut_pex.
 *
 * A private torrent (BEP 27) has neither: the owner makes no pex_out, offers no
 * ut_pex, and pex_in_take refuses.
 */
#ifndef BTC_CORE_SWARM_PEX_H
#define BTC_CORE_SWARM_PEX_H

#include "proto/peer/ut_pex.h"

#define PEX_INTERVAL_MS 60000 /* at most one message in this time (BEP 11) */
#define PEX_MESSAGE_MAX 50    /* added, and as many dropped (BEP 11) */
#define PEX_TOLD_MAX    1000  /* peers that one side is told of at a time */

#define PEX_EARLY_MS   45000 /* closer messages are not looked at */
#define PEX_EARLY_MAX  10    /* that many of them are no accident */
#define PEX_RECENT_MAX 200   /* hosts of one sender that are remembered */

struct pex_out {
    struct addr *told; /* owns; ascending */
    uint32_t n_told;
    uint64_t next_ms; /* not before; 0 = at once */
};

void pex_out_init(struct pex_out *o);
void pex_out_fini(struct pex_out *o);
/* Brings the connected peers into the order that pex_out_next wants. */
void pex_sort(struct ut_pex_peer *live, uint32_t n);
/* Fills the next message: of `live`, which is sorted, whoever was not told
 * yet, and whoever was told and is not in it. `self` is the peer that
 * we tell it to, which is left out (family NONE: not known). False when it is
 * too early or there is nothing to tell. What was filled counts as told. */
bool pex_out_next(struct pex_out *o, const struct ut_pex_peer *live,
                  uint32_t n_live, const struct addr *self, uint64_t now_ms,
                  struct ut_pex *msg);

struct pex_in {
    uint64_t last_ms;              /* of the last message taken */
    uint32_t n_messages;           /* taken */
    uint32_t n_early;              /* not looked at */
    uint64_t host[PEX_RECENT_MAX]; /* hashes of addresses; a ring */
    uint32_t n_hosts;              /* ever put into the ring */
};

/* Which addresses may be taken. */
struct pex_rules {
    bool is_private;    /* the torrent is: nothing is taken */
    bool allow_local;   /* the user said so: whatever can be dialled */
    struct addr sender; /* its address */
};

void pex_in_init(struct pex_in *in);
/* The peers worth a try, at most PEX_MESSAGE_MAX, into `out`. One port per
 * host, no host that this sender named lately, no loopback address, and no
 * local address from a sender that is not local itself. Gives their number;
 * BTC_E_PROTO for a private torrent and for a sender that floods. */
int pex_in_take(struct pex_in *in, const struct ut_pex *msg,
                const struct pex_rules *rules, uint64_t now_ms,
                struct ut_pex_peer out[PEX_MESSAGE_MAX]);

#endif
