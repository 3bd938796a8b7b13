/* What the scripts do without being asked, once a second. */
#include "model/block.h"
#include "sim/sim_fake_priv.h"

#define FAKE_CREEP_S    13 /* CREEP: likewise */
#define FAKE_SLOW_S     60 /* SLOW: a block in so many ticks */
#define FAKE_CHURN_S    3  /* CHURN: between choke and unchoke */
#define FAKE_FLAP_S     5  /* FLAP: between its chokes */
#define FAKE_REFUSE_S   4  /* REFUSER: between its refusals */
#define FAKE_TARDY_S    6  /* TARDY: between its answers */
#define FAKE_OWNER_S    4  /* OWNER: a block in so many ticks */
#define FAKE_HOLD_TICKS 60 /* HOLD: what it does first */

/* An index that is none. */
static void fake_bad_index(struct sim_fake_conn *c)
{
    uint32_t n = c->f->c->geom.n_pieces;
    switch (sim_below(c->f->s, 5)) {
    case 0:
        sim_fake_piece_idx(c, WIRE_HAVE, n);
        break;
    case 1:
        sim_fake_piece_idx(c, WIRE_HAVE, UINT32_MAX);
        break;
    case 2:
        sim_fake_block_msg(c, WIRE_PIECE, n, 0, 16384);
        break;
    case 3:
        sim_fake_block_msg(c, WIRE_PIECE, 0, 0xfffffff0u, 64);
        break;
    default:
        sim_fake_block_msg(c, WIRE_REJECT, UINT32_MAX, UINT32_MAX, UINT32_MAX);
        sim_fake_piece_idx(c, WIRE_ALLOWED_FAST, UINT32_MAX);
        break;
    }
}

/* Requests that nobody may serve. */
static void fake_bad_request(struct sim_fake_conn *c)
{
    uint32_t n = c->f->c->geom.n_pieces;
    switch (sim_below(c->f->s, 5)) {
    case 0:
        sim_fake_ask(c, 20);
        break;
    case 1:
        sim_fake_block_msg(c, WIRE_REQUEST, 0, 0, 0x7fffffffu);
        break;
    case 2:
        sim_fake_block_msg(c, WIRE_REQUEST, n, 0, 16384);
        break;
    case 3:
        sim_fake_block_msg(c, WIRE_REQUEST, 0, 0xffffff00u, 0x200);
        break;
    default:
        sim_fake_block_msg(c, WIRE_REQUEST, 0, 0, 0);
        break;
    }
}

/* Blocks that nobody asked for, good ones even. */
static void fake_unasked(struct sim_fake_conn *c)
{
    const struct layout *g = &c->f->c->geom;
    for (int i = 0; i < 20 && c->link != NULL; i++) {
        uint32_t piece = sim_below(c->f->s, g->n_pieces);
        uint32_t block = sim_below(c->f->s, layout_n_blocks(g, piece));
        struct wire_block b = {.piece = piece,
                               .begin = block * BLOCK_LEN,
                               .len = layout_block_size(g, piece, block)};
        sim_fake_serve(c, &b);
    }
}

/* Extension handshakes, good and bad ones. */
static void fake_extended(struct sim_fake_conn *c)
{
    static const char *const bodies[] = {"d1:pi0e4:reqqi0ee",
                                         "d1:pi70000e4:reqqi-1ee",
                                         "d1:v3:abce",
                                         "le",
                                         "d1:md11:ut_metadatai300eee",
                                         "i1e"};
    for (int i = 0; i < 20 && c->link != NULL; i++) {
        const char *body = bodies[sim_below(c->f->s, 5)];
        uint8_t m[WIRE_HEADER_MAX];
        struct wire_msg msg = {.type = WIRE_EXTENDED};
        msg.extended.payload = slice_str(body);
        sim_fake_send(c, m, wire_encode(&msg, m));
        sim_fake_send(c, body, strlen(body));
    }
}

/* A map of chance. */
static void fake_two_bitfields(struct sim_fake_conn *c)
{
    struct bits b;
    (void)bits_init(&b, c->f->c->geom.n_pieces);
    for (uint32_t i = 0; i < b.n; i++) {
        if (sim_chance(c->f->s, 2)) {
            (void)bits_set(&b, i);
        }
    }
    sim_fake_bitfield(c, &b);
    if (c->fast && sim_chance(c->f->s, 4)) {
        sim_fake_simple(c, sim_chance(c->f->s, 2) ? WIRE_HAVE_ALL
                                                  : WIRE_HAVE_NONE);
    }
    bits_fini(&b);
}

/* One block of the queue; TRICKLE: one byte of it. */
static void fake_slow(struct sim_fake_conn *c)
{
    static const uint8_t byte = 0;
    if (c->trickle > 0) {
        c->trickle--;
        sim_fake_send(c, &byte, 1);
        return;
    }
    uint32_t every = c->f->script == SIM_TRICKLE ? 1
                     : c->f->script == SIM_CREEP ? FAKE_CREEP_S
                     : c->f->script == SIM_OWNER ? FAKE_OWNER_S
                     : c->f->script == SIM_PICKY ? FAKE_OWNER_S
                                                 : FAKE_SLOW_S;
    if (c->n_queue > 0 && c->n_ticks % every == every - 1) {
        struct wire_block b = c->queue[0];
        memmove(c->queue, c->queue + 1, --c->n_queue * sizeof(*c->queue));
        sim_fake_serve(c, &b);
    }
}

/* Makes itself owed blocks (a choke takes requests back), then pays with the
 * first one, again and again. */
static void fake_hold(struct sim_fake_conn *c)
{
    const struct wire_block first = {
        .len = layout_block_size(&c->f->c->geom, 0, 0)};
    if (c->n_ticks < FAKE_HOLD_TICKS) {
        c->choking = c->n_ticks / 6 % 2 == 0;
        sim_fake_simple(c, c->choking ? WIRE_CHOKE : WIRE_UNCHOKE);
    } else {
        sim_fake_serve(c, &first);
    }
}

/* A message of chance that is sound by itself. */
static void fake_any_message(struct sim_fake_conn *c)
{
    static const enum wire_type simple[] = {
        WIRE_CHOKE,          WIRE_UNCHOKE,  WIRE_UNCHOKE,  WIRE_INTERESTED,
        WIRE_NOT_INTERESTED, WIRE_HAVE_ALL, WIRE_KEEPALIVE};
    static const enum wire_type indexed[] = {WIRE_HAVE, WIRE_ALLOWED_FAST,
                                             WIRE_SUGGEST};
    static const enum wire_type ranged[] = {WIRE_REQUEST, WIRE_CANCEL,
                                            WIRE_REJECT};
    struct sim *s = c->f->s;
    const struct layout *g = &c->f->c->geom;
    uint32_t piece = sim_below(s, g->n_pieces);
    uint32_t block = sim_below(s, layout_n_blocks(g, piece));
    enum wire_type type;
    switch (sim_below(s, 4)) {
    case 0:
        type = simple[sim_below(s, 7)];
        if (type != WIRE_HAVE_ALL || c->fast) {
            sim_fake_simple(c, type);
        }
        c->choking = type == WIRE_CHOKE || (c->choking && type != WIRE_UNCHOKE);
        break;
    case 1:
        type = c->fast ? indexed[sim_below(s, 3)] : WIRE_HAVE;
        sim_fake_piece_idx(c, type, piece);
        break;
    case 2:
        type = ranged[sim_below(s, c->fast ? 3 : 2)];
        sim_fake_block_msg(c, type, piece, block * BLOCK_LEN,
                           layout_block_size(g, piece, block));
        break;
    default:
        fake_two_bitfields(c);
        break;
    }
}

/* A handful of them; now and then what no protocol allows. */
static void fake_chaos(struct sim_fake_conn *c)
{
    struct sim *s = c->f->s;
    for (uint32_t n = sim_below(s, 40); n > 0 && !c->stuck; n--) {
        fake_any_message(c);
    }
    switch (c->stuck ? 100 : sim_below(s, 100)) {
    case 0:
        fake_bad_index(c);
        break;
    case 1:
        fake_bad_request(c);
        break;
    case 2:
        fake_unasked(c);
        break;
    case 3:
        fake_extended(c);
        break;
    case 4:
        sim_fake_close(c);
        break;
    default:
        break;
    }
}

/* Chokes for a moment whenever its requests are about to be others', too. */
static void fake_flap(struct sim_fake_conn *c)
{
    bool choke = c->n_ticks % FAKE_FLAP_S == 0;
    if (choke != c->choking) {
        c->choking = choke;
        sim_fake_simple(c, choke ? WIRE_CHOKE : WIRE_UNCHOKE);
    }
}

/* Answers or refuses all that was asked, in one go, now and then. */
static void fake_all_at_once(struct sim_fake_conn *c, uint32_t every)
{
    uint32_t n = c->n_ticks % every == 0 ? c->n_queue : 0;
    for (uint32_t i = 0; i < n && c->link != NULL; i++) {
        const struct wire_block *b = &c->queue[i];
        if (c->f->script == SIM_REFUSER) {
            sim_fake_block_msg(c, WIRE_REJECT, b->piece, b->begin, b->len);
        } else {
            sim_fake_serve(c, b);
        }
    }
    if (n > 0) {
        memmove(c->queue, c->queue + n, (c->n_queue - n) * sizeof(*c->queue));
        c->n_queue -= n;
    }
}

static void fake_leech(struct sim_fake_conn *c)
{
    if (c->unchoked) {
        sim_fake_ask(c, 1);
    }
}

static void fake_grants(struct sim_fake_conn *c)
{
    for (int i = 0; i < 40; i++) {
        sim_fake_piece_idx(c, WIRE_ALLOWED_FAST,
                           sim_below(c->f->s, c->f->c->geom.n_pieces));
    }
}

/* What the script does without being asked. */
void sim_fake_act(struct sim_fake_conn *c)
{
    static const uint8_t oversize[] = {0x7f, 0xff, 0xff, 0xff, 20, 0, 0};
    uint8_t noise[64];
    switch (c->f->script) {
    case SIM_OVERSIZE:
        sim_fake_send(c, oversize, sizeof oversize);
        break;
    case SIM_BAD_INDEX:
        fake_bad_index(c);
        break;
    case SIM_UNASKED:
        fake_unasked(c);
        break;
    case SIM_TWO_BITFIELDS:
        fake_two_bitfields(c);
        break;
    case SIM_HAVES:
        for (uint32_t i = 0; i < 200; i++) {
            sim_fake_piece_idx(c, WIRE_HAVE,
                               sim_below(c->f->s, c->f->c->geom.n_pieces));
        }
        break;
    case SIM_BAD_REQUESTS:
        fake_bad_request(c);
        break;
    case SIM_FLOOD:
        sim_fake_ask(c, 500);
        break;
    case SIM_CHURN:
        if (c->n_ticks % FAKE_CHURN_S == 0) {
            c->choking = !c->choking;
            sim_fake_simple(c, c->choking ? WIRE_CHOKE : WIRE_UNCHOKE);
        }
        break;
    case SIM_GARBAGE:
        rng_bytes(&c->f->s->rng, noise, sizeof noise);
        sim_fake_send(c, noise, sizeof noise);
        break;
    case SIM_EXTENDED:
        fake_extended(c);
        break;
    case SIM_HOLD:
        fake_hold(c);
        break;
    case SIM_CHAOS:
        fake_chaos(c);
        break;
    case SIM_FLAP:
        fake_flap(c);
        break;
    case SIM_REFUSER:
        fake_all_at_once(c, FAKE_REFUSE_S);
        break;
    case SIM_TARDY:
        fake_all_at_once(c, FAKE_TARDY_S);
        break;
    case SIM_GRANTS:
        fake_grants(c);
        break;
    case SIM_REVEAL:
        sim_fake_give(c->f, sim_below(c->f->s, c->f->c->geom.n_pieces));
        break;
    case SIM_TOGGLE:
        sim_fake_simple(c, WIRE_NOT_INTERESTED);
        sim_fake_simple(c, WIRE_INTERESTED);
        fake_leech(c);
        break;
    case SIM_LEECH:
        fake_leech(c);
        break;
    default:
        fake_slow(c);
        break;
    }
}
