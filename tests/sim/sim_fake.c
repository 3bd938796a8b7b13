/* Peers that play a script, most of them badly. A fake has every piece unless
 * it is a leech; it accepts connections and may dial. */
#include "model/block.h"
#include "sim/sim_fake_priv.h"

#define FAKE_TICK_MS   1000
#define FAKE_HOLD_MS   200 /* HOLD seems busy */
#define FAKE_MAX_QUEUE 2000

static const char *const fake_names[SIM_N_SCRIPTS] = {
    [SIM_HONEST] = "honest",
    [SIM_LEECH] = "leech",
    [SIM_SQUATTER] = "squatter",
    [SIM_SILENT] = "silent",
    [SIM_MUTE] = "mute",
    [SIM_CHOKER] = "choker",
    [SIM_SLOW] = "slow",
    [SIM_TRICKLE] = "trickle",
    [SIM_LIAR] = "liar",
    [SIM_LIAR_SOME] = "liar of some blocks",
    [SIM_LIAR_PIECES] = "liar of some pieces",
    [SIM_WRONG_HASH] = "wrong hash",
    [SIM_OVERSIZE] = "oversize",
    [SIM_BAD_INDEX] = "bad index",
    [SIM_UNASKED] = "unasked",
    [SIM_TWO_BITFIELDS] = "two bitfields",
    [SIM_HAVE_ALL] = "have all without fast",
    [SIM_HAVES] = "haves",
    [SIM_BAD_REQUESTS] = "bad requests",
    [SIM_REJECTS] = "rejects",
    [SIM_CUTS] = "cuts",
    [SIM_FLOOD] = "flood",
    [SIM_CHURN] = "churn",
    [SIM_GARBAGE] = "garbage",
    [SIM_EXTENDED] = "extended",
    [SIM_STUCK] = "stuck",
    [SIM_HOLD] = "hold",
    [SIM_CREEP] = "creep",
    [SIM_CHAOS] = "chaos",
    [SIM_THIEF] = "thief of a peer id",
    [SIM_FLAP] = "flap",
    [SIM_REFUSER] = "refuser",
    [SIM_NINETY] = "ninety percent",
    [SIM_RARE] = "seldom liar",
    [SIM_REVEAL] = "reveal",
    [SIM_TARDY] = "tardy",
    [SIM_GRANTS] = "grants",
    [SIM_OWNER] = "owner",
    [SIM_TOGGLE] = "toggle",
    [SIM_PICKY] = "picky",
    [SIM_RESETS] = "resets",
};

/* See sim.h. */
const char *sim_script_name(enum sim_script script)
{
    return fake_names[script];
}

/* See sim.h. */
bool sim_script_is_liar(enum sim_script script)
{
    return script == SIM_LIAR || script == SIM_LIAR_SOME ||
           script == SIM_LIAR_PIECES || script == SIM_CHAOS ||
           script == SIM_RARE || script == SIM_OWNER;
}

/* --- out --- */

void sim_fake_send(struct sim_fake_conn *c, const void *p, size_t len)
{
    if (c->link != NULL) {
        (void)sim_send(c->f->s, c->link, c->side, slice_of(p, len));
    }
}

void sim_fake_close(struct sim_fake_conn *c)
{
    if (c->link != NULL) {
        sim_close(c->f->s, c->link, c->side);
        c->link = NULL;
    }
}

void sim_fake_simple(struct sim_fake_conn *c, enum wire_type type)
{
    uint8_t m[WIRE_HEADER_MAX];
    sim_fake_send(c, m, wire_encode_simple(type, m));
}

void sim_fake_piece_idx(struct sim_fake_conn *c, enum wire_type type,
                        uint32_t piece)
{
    uint8_t m[WIRE_HEADER_MAX];
    sim_fake_send(c, m, wire_encode_piece_idx(type, piece, m));
}

void sim_fake_block_msg(struct sim_fake_conn *c, enum wire_type type,
                        uint32_t piece, uint32_t begin, uint32_t len)
{
    uint8_t m[WIRE_HEADER_MAX];
    struct wire_block b = {.piece = piece, .begin = begin, .len = len};
    sim_fake_send(c, m, wire_encode_block(type, &b, m));
}

/* Whose peer id it says: its own, or that of an honest one. */
static const struct sim_fake *fake_guise(const struct sim_fake *f)
{
    const struct sim_fake *guise = f->guise != NULL ? f->guise : f;
    uint32_t n = 0;
    for (const struct sim_fake *q = f->s->fakes; q != NULL; q = q->next) {
        if (f->script == SIM_THIEF && q->script == SIM_HONEST &&
            sim_below(f->s, ++n) == 0) {
            guise = q;
        }
    }
    return guise;
}

static void fake_hello(struct sim_fake_conn *c)
{
    struct sim_fake *f = c->f;
    const struct sim_host *self = &fake_guise(f)->host;
    struct wire_handshake h = {.reserved = {0}};
    uint8_t m[WIRE_HANDSHAKE_LEN];
    if (c->hello_sent || f->script == SIM_MUTE) {
        return;
    }
    c->hello_sent = true;
    wire_set_reserved(&h, false);
    if (!f->fast) {
        h.reserved[7] = 0;
    }
    memcpy(h.info_hash, f->c->info_hash, sizeof h.info_hash);
    if (f->script == SIM_WRONG_HASH) {
        h.info_hash[7] ^= 1;
    }
    memcpy(h.peer_id, "-FK0001-", 8);
    memcpy(h.peer_id + 8, self->addr.ip, 4);
    bytes_put_be16(h.peer_id + 12, self->addr.port);
    sim_fake_send(c, m, wire_encode_handshake(&h, m));
}

void sim_fake_bitfield(struct sim_fake_conn *c, const struct bits *have)
{
    uint8_t m[WIRE_HEADER_MAX];
    struct wire_msg msg = {.type = WIRE_BITFIELD, .bitfield = bits_slice(have)};
    if (have->n > 0) {
        sim_fake_send(c, m, wire_encode(&msg, m));
        sim_fake_send(c, msg.bitfield.p, msg.bitfield.len);
    }
}

/* It asks for blocks whenever it may. */
static bool fake_is_leech(const struct sim_fake *f)
{
    return f->script == SIM_LEECH || f->script == SIM_TOGGLE;
}

/* The first words after the handshakes. */
static void fake_begin(struct sim_fake_conn *c)
{
    struct sim_fake *f = c->f;
    bool all = bits_is_full(&f->have);
    if (f->script == SIM_HAVE_ALL || (c->fast && all && sim_chance(f->s, 2))) {
        sim_fake_simple(c, WIRE_HAVE_ALL);
    } else if (c->fast && f->have.count == 0) {
        sim_fake_simple(c, WIRE_HAVE_NONE);
    } else if (f->have.count > 0) {
        sim_fake_bitfield(c, &f->have);
    }
    if (fake_is_leech(f) || f->script == SIM_FLOOD ||
        f->script == SIM_BAD_REQUESTS || f->script == SIM_SQUATTER) {
        sim_fake_simple(c, WIRE_INTERESTED);
    }
    if (f->script != SIM_CHOKER && !fake_is_leech(f) &&
        f->script != SIM_SQUATTER && f->script != SIM_GRANTS) {
        c->choking = false;
        sim_fake_simple(c, WIRE_UNCHOKE);
    }
}

/* Whether this block of this liar is bad; the same one every time. */
static bool fake_lies(const struct sim_fake *f, const struct wire_block *b)
{
    switch (f->script) {
    case SIM_LIAR:
        return true;
    case SIM_LIAR_SOME:
        return (b->piece * 31 + b->begin / BLOCK_LEN * 7) % 8 == 0;
    case SIM_LIAR_PIECES:
        return b->piece % 2 == 0;
    case SIM_CHAOS:
        return sim_chance(f->s, 8);
    case SIM_RARE:
        return (b->piece * 31 + b->begin / BLOCK_LEN * 7 + f->host.addr.ip[3]) %
                   200 ==
               0;
    case SIM_OWNER:
        return b->begin == 0;
    default:
        return false;
    }
}

/* The answer to a request. */
void sim_fake_serve(struct sim_fake_conn *c, const struct wire_block *b)
{
    struct sim_fake *f = c->f;
    uint8_t *m = mem_alloc(WIRE_PIECE_HEADER + (size_t)b->len);
    size_t n = wire_encode_block(WIRE_PIECE, b, m);
    struct slice truth = sim_content_block(f->c, b->piece, b->begin, b->len);
    memcpy(m + n, truth.p, truth.len);
    if (fake_lies(f, b)) {
        m[n + sim_below(f->s, b->len)] ^= 0x40;
    }
    n += truth.len;
    f->n_blocks++;
    if (f->script == SIM_CUTS && sim_chance(f->s, 4)) {
        sim_fake_send(c, m, n / 2);
        sim_fake_close(c);
    } else if (f->script == SIM_TRICKLE) {
        sim_fake_send(c, m, WIRE_PIECE_HEADER + 1);
        c->trickle = b->len - 1;
    } else if (f->script == SIM_STUCK ||
               (f->script == SIM_CHAOS && sim_chance(f->s, 40))) {
        sim_fake_send(c, m, n - 1 - sim_below(f->s, b->len));
        c->stuck = true;
    } else {
        sim_fake_send(c, m, n);
    }
    free(m);
}

/* --- in --- */

/* The block that HOLD keeps to itself. */
static bool fake_is_held(const struct sim_fake *f, const struct wire_block *b)
{
    uint32_t piece = f->c->geom.n_pieces - 1;
    return b->piece == piece &&
           b->begin / BLOCK_LEN + 1 == layout_n_blocks(&f->c->geom, piece);
}

/* It keeps what it is asked until it is its time. */
static bool fake_keeps(const struct sim_fake *f)
{
    return f->script == SIM_SLOW || f->script == SIM_TRICKLE ||
           f->script == SIM_CREEP || f->script == SIM_REFUSER ||
           f->script == SIM_TARDY || f->script == SIM_OWNER ||
           f->script == SIM_PICKY;
}

/* It never answers this one. */
static bool fake_is_mum(const struct sim_fake *f, const struct wire_block *b)
{
    uint32_t last = layout_piece_size(&f->c->geom, b->piece);
    switch (f->script) {
    case SIM_SILENT:
    case SIM_THIEF:
    case SIM_FLAP:
    case SIM_REVEAL:
    case SIM_GRANTS:
        return true;
    case SIM_HOLD:
        return fake_is_held(f, b);
    case SIM_PICKY:
        return b->begin == 0;
    case SIM_NINETY:
        return b->begin + b->len > last / 10 * 9;
    case SIM_CHAOS:
        return sim_chance(f->s, 4);
    default:
        return false;
    }
}

/* A request of our core: must be one that a peer can answer. */
static void fake_on_request(struct sim_fake_conn *c, const struct wire_block *b)
{
    struct sim_fake *f = c->f;
    SIM_CHECK(f->s, layout_has_range(&f->c->geom, b->piece, b->begin, b->len,
                                     BLOCK_LEN));
    SIM_CHECK(f->s, bits_get(&f->have, b->piece) ||
                        f->script == SIM_TWO_BITFIELDS ||
                        f->script == SIM_HAVES || f->script == SIM_CHAOS);
    if (f->script == SIM_REJECTS) {
        sim_fake_block_msg(c, WIRE_REJECT, b->piece, b->begin, b->len);
        return;
    }
    if (c->choking || c->stuck || fake_is_mum(f, b)) {
        return;
    }
    if (fake_keeps(f)) {
        SIM_CHECK(f->s, c->n_queue < FAKE_MAX_QUEUE);
        if (c->n_queue == c->cap_queue) {
            c->cap_queue = c->cap_queue > 0 ? c->cap_queue * 2 : 16;
            c->queue = mem_resize(c->queue, c->cap_queue, sizeof(*c->queue));
        }
        c->queue[c->n_queue++] = *b;
        return;
    }
    sim_fake_serve(c, b);
}

/* Asks for whatever the other side has, as much as it likes. */
void sim_fake_ask(struct sim_fake_conn *c, uint32_t n)
{
    const struct layout *g = &c->f->c->geom;
    for (uint32_t i = 0; i < n && g->n_pieces > 0; i++) {
        uint32_t piece = sim_below(c->f->s, g->n_pieces);
        uint32_t block = sim_below(c->f->s, layout_n_blocks(g, piece));
        sim_fake_block_msg(c, WIRE_REQUEST, piece, block * BLOCK_LEN,
                           layout_block_size(g, piece, block));
    }
}

static void fake_on_message(struct sim_fake_conn *c, const struct wire_msg *m)
{
    switch (m->type) {
    case WIRE_HANDSHAKE:
        c->fast = wire_has_fast(&m->handshake) && c->f->fast;
        fake_hello(c);
        if (c->hello_sent) {
            fake_begin(c);
        }
        break;
    case WIRE_REQUEST:
        fake_on_request(c, &m->block);
        break;
    case WIRE_CANCEL:
        for (uint32_t i = 0; i < c->n_queue; i++) {
            if (c->queue[i].piece == m->block.piece &&
                c->queue[i].begin == m->block.begin) {
                memmove(c->queue + i, c->queue + i + 1,
                        (--c->n_queue - i) * sizeof(*c->queue));
                break;
            }
        }
        break;
    case WIRE_UNCHOKE:
        c->unchoked = true;
        if (fake_is_leech(c->f)) {
            sim_fake_ask(c, 8);
        }
        break;
    case WIRE_CHOKE:
        c->unchoked = false;
        break;
    case WIRE_PAYLOAD:
        c->f->bytes_got += m->payload.data.len;
        if (m->payload.left == 0 && c->unchoked && fake_is_leech(c->f)) {
            sim_fake_ask(c, 1);
        }
        break;
    default:
        break;
    }
}

static void fake_on_data(void *ctx, struct sim *s, struct slice data)
{
    struct sim_fake_conn *c = ctx;
    int rc = buf_append_slice(&c->bytes, data);
    SIM_CHECK(s, rc == 0); /* else it is sent too much */
    while (c->link != NULL && buf_len(&c->bytes) > 0) {
        struct wire_msg m;
        ptrdiff_t n = wire_decode(&c->in, buf_slice(&c->bytes), &m);
        SIM_CHECK(s, n >= 0); /* our core speaks the protocol */
        if (n == 0) {
            return;
        }
        fake_on_message(c, &m);
        buf_consume(&c->bytes, (size_t)n);
    }
}

/* Back again. */
static void fake_on_return(struct sim *s, struct sim_event *e)
{
    struct sim_fake *f = e->ctx;
    (void)s;
    if (f->home != NULL) {
        sim_fake_dial(f, f->home);
    }
}

static void fake_on_close(void *ctx, struct sim *s, int result)
{
    struct sim_fake_conn *c = ctx;
    (void)result;
    c->link = NULL;
    if (c->f->home != NULL) {
        sim_at(s, 50 + sim_below(s, 1000), fake_on_return, c->f);
    }
}

/* RESETS: the end comes right after the connection, or after the handshake. */
static void fake_reset(struct sim_fake_conn *c)
{
    struct sim_fake *f = c->f;
    if (sim_chance(f->s, 2)) {
        fake_hello(c);
    }
    sim_fake_close(c);
    if (f->home != NULL) {
        sim_at(f->s, 50 + sim_below(f->s, 1000), fake_on_return, f);
    }
}

static void fake_on_open(void *ctx, struct sim *s)
{
    struct sim_fake_conn *c = ctx;
    (void)s;
    if (c->f->script == SIM_RESETS) {
        fake_reset(c);
    } else {
        fake_hello(c);
    }
}

/* A connection, in the memory of one that ended when there is one. */
static struct sim_fake_conn *fake_conn(struct sim_fake *f, struct sim_link *l,
                                       uint32_t side)
{
    struct sim_fake_conn *c = mem_zalloc(sizeof *c);
    c->next = f->conns;
    f->conns = c;
    c->f = f;
    c->link = l;
    c->side = side;
    c->choking = true;
    wire_decoder_init(&c->in);
    wire_decoder_set_pieces(&c->in, f->c->geom.n_pieces);
    buf_init(&c->bytes, 4u << 20);
    l->side[side].on_open = fake_on_open;
    l->side[side].on_data = fake_on_data;
    l->side[side].on_close = fake_on_close;
    l->side[side].ctx = c;
    return c;
}

static void fake_on_accept(void *ctx, struct sim *s, struct sim_link *l)
{
    struct sim_fake *f = ctx;
    (void)s;
    f->n_accepted++;
    struct sim_fake_conn *c = fake_conn(f, l, 1);
    if (f->script == SIM_RESETS) {
        fake_reset(c);
    }
}

/* --- time --- */

static void fake_on_tick(struct sim *s, struct sim_event *e)
{
    struct sim_fake *f = e->ctx;
    for (struct sim_fake_conn *c = f->conns; c != NULL; c = c->next) {
        if (c->link != NULL && c->hello_sent && c->in.handshaken && !c->stuck) {
            c->n_ticks++;
            sim_fake_act(c);
            if (c->n_ticks % 60 == 0 && c->trickle == 0) {
                sim_fake_simple(c, WIRE_KEEPALIVE);
            }
        }
    }
    sim_at(s, f->script == SIM_HOLD ? FAKE_HOLD_MS : FAKE_TICK_MS, fake_on_tick,
           f);
}

/* See sim.h. */
struct sim_fake *sim_fake_new(struct sim *s, struct sim_content *c,
                              enum sim_script script, uint64_t rate)
{
    struct sim_fake *f = mem_zalloc(sizeof *f);
    f->s = s;
    f->c = c;
    f->script = script;
    f->fast =
        script == SIM_REJECTS || script == SIM_REFUSER ||
        script == SIM_GRANTS ||
        (script != SIM_HAVE_ALL && script != SIM_HOLD && sim_chance(s, 2));
    sim_host_init(s, &f->host, rate);
    f->host.on_accept = fake_on_accept;
    f->host.ctx = f;
    (void)bits_init(&f->have, c->geom.n_pieces);
    if (!fake_is_leech(f) && script != SIM_FLOOD && script != SIM_SQUATTER &&
        script != SIM_REVEAL) {
        bits_fill(&f->have);
    }
    f->next = s->fakes;
    s->fakes = f;
    sim_at(s, sim_below(s, FAKE_TICK_MS), fake_on_tick, f);
    return f;
}

/* See sim.h. */
void sim_fake_dial(struct sim_fake *f, const struct sim_host *to)
{
    (void)fake_conn(f, sim_dial(f->s, &f->host, &to->addr), 0);
}

/* See sim_fake.h. */
void sim_fake_haunt(struct sim_fake *f, const struct sim_host *to)
{
    f->home = to;
    sim_fake_dial(f, to);
}

/* See sim.h. */
void sim_fake_give(struct sim_fake *f, uint32_t piece)
{
    (void)bits_set(&f->have, piece);
    for (struct sim_fake_conn *c = f->conns; c != NULL; c = c->next) {
        if (c->link != NULL && c->hello_sent && c->in.handshaken) {
            sim_fake_piece_idx(c, WIRE_HAVE, piece);
        }
    }
}

/* See sim.h. */
void sim_fake_free(struct sim_fake *f)
{
    while (f->conns != NULL) {
        struct sim_fake_conn *c = f->conns;
        f->conns = c->next;
        buf_fini(&c->bytes);
        free(c->queue);
        free(c);
    }
    bits_fini(&f->have);
    free(f);
}
