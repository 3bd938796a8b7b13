/* Peers that play a script. */
#ifndef BTC_TESTS_SIM_SIM_FAKE_H
#define BTC_TESTS_SIM_SIM_FAKE_H

#include "sim/sim.h"

enum sim_script {
    SIM_HONEST,
    SIM_LEECH,         /* honest, has nothing, asks for everything */
    SIM_SILENT,        /* unchokes and never answers */
    SIM_MUTE,          /* accepts and says nothing at all */
    SIM_CHOKER,        /* never unchokes */
    SIM_SLOW,          /* a block a minute */
    SIM_TRICKLE,       /* a byte a second, in a block */
    SIM_LIAR,          /* every block is bad */
    SIM_LIAR_SOME,     /* one block of eight is bad */
    SIM_LIAR_PIECES,   /* every other piece is bad */
    SIM_WRONG_HASH,    /* of another torrent */
    SIM_OVERSIZE,      /* a length of 2^31 */
    SIM_BAD_INDEX,     /* have, piece, reject beyond the end */
    SIM_UNASKED,       /* blocks nobody asked for */
    SIM_TWO_BITFIELDS, /* again and again, another one each time */
    SIM_HAVE_ALL,      /* without BEP 6 */
    SIM_HAVES,         /* for ever */
    SIM_BAD_REQUESTS,  /* while choked, huge, beyond the end */
    SIM_REJECTS,       /* BEP 6: every request */
    SIM_CUTS,          /* closes in the middle of a block */
    SIM_FLOOD,         /* of requests */
    SIM_CHURN,         /* chokes and unchokes */
    SIM_GARBAGE,
    SIM_EXTENDED, /* bad and endless extension handshakes */
    SIM_STUCK,    /* part of a block, then nothing any more */
    SIM_HOLD,     /* never the last block; others that are long known, often */
    SIM_CREEP,    /* a block just before it would be snubbed */
    SIM_CHAOS,    /* any message at any time, true or false */
    SIM_SQUATTER, /* has nothing, is interested and asks for nothing */
    SIM_THIEF,    /* says an honest one's peer id, and never answers */
    SIM_FLAP,     /* chokes and unchokes as our patience ends; no answers */
    SIM_REFUSER,  /* BEP 6: refuses all that it was asked, some seconds late */
    SIM_NINETY,   /* never the last tenth of a piece */
    SIM_RARE,     /* one block of 200 is bad */
    SIM_REVEAL,   /* one piece more each second, and never a block of it */
    SIM_TARDY,    /* all that it was asked, a moment after our patience */
    SIM_GRANTS,   /* BEP 6: chokes, grants pieces again and again, is silent */
    SIM_OWNER,    /* spoils each piece, then drips */
    SIM_TOGGLE,   /* a LEECH that loses its interest once a second */
    SIM_PICKY,    /* never the first block of a piece; others slowly */
    SIM_RESETS,   /* hangs up before or right after its handshake */
    SIM_N_SCRIPTS
};

struct sim_fake_conn {
    struct sim_fake *f;
    struct sim_link *link; /* NULL: free */
    uint32_t side;
    struct wire_decoder in;
    struct buf bytes;
    bool hello_sent, choking, fast;
    bool unchoked;            /* by the other side */
    struct wire_block *queue; /* owns; asked of us */
    uint32_t n_queue, cap_queue;
    uint32_t trickle; /* bytes left of the block under way */
    bool stuck;
    uint32_t n_ticks;
    struct sim_fake_conn *next;
};

struct sim_fake {
    struct sim *s;
    struct sim_host host;
    struct sim_content *c;
    enum sim_script script;
    bool fast;                    /* speaks BEP 6 */
    const struct sim_fake *guise; /* it says the peer id of this one, or NULL */
    struct bits have;
    const struct sim_host *home; /* dialled again when it hangs up; or NULL */
    struct sim_fake_conn *conns; /* owns */
    uint32_t n_accepted;
    uint64_t n_blocks; /* sent */
    uint64_t bytes_got;
    struct sim_fake *next;
};

/* --- sim_fake.c --- */
struct sim_fake *sim_fake_new(struct sim *s, struct sim_content *c,
                              enum sim_script script, uint64_t rate);
/* It dials the node, too. */
void sim_fake_dial(struct sim_fake *f, const struct sim_host *to);
/* It does so again and again, whenever the connection ends. */
void sim_fake_haunt(struct sim_fake *f, const struct sim_host *to);
void sim_fake_free(struct sim_fake *f);
/* Says that it has the piece now (a fake that began with nothing). */
void sim_fake_give(struct sim_fake *f, uint32_t piece);
const char *sim_script_name(enum sim_script script);
bool sim_script_is_liar(enum sim_script script);

#endif
