/* The journal of a simulated engine: batches, rows, and the rule that holds for
 * them. */
#include "sim/sim_durable.h"

struct sim_batch {
    struct sim_op *ops; /* owns */
    size_t n, cap;
};

static void *batch_make(void)
{
    return mem_zalloc(sizeof(struct sim_batch));
}

static void batch_free(void *b)
{
    free(((struct sim_batch *)b)->ops);
    free(b);
}

void sim_batch_put(void *batch, struct sim_op op)
{
    struct sim_batch *b = batch;
    if (b->n == b->cap) {
        b->cap = b->cap > 0 ? b->cap * 2 : 16;
        b->ops = mem_resize(b->ops, b->cap, sizeof *b->ops);
    }
    b->ops[b->n++] = op;
}

static void batch_append(void *dst, void *src)
{
    struct sim_batch *s = src;
    for (size_t i = 0; i < s->n; i++) {
        sim_batch_put(dst, s->ops[i]);
    }
    s->n = 0;
}

static void batch_drop_claims(void *batch)
{
    struct sim_batch *b = batch;
    size_t kept = 0;
    for (size_t i = 0; i < b->n; i++) {
        if (b->ops[i].kind > SIM_PUT_FILE) {
            b->ops[kept++] = b->ops[i];
        }
    }
    b->n = kept;
}

static bool batch_is_empty(const void *b)
{
    return ((const struct sim_batch *)b)->n == 0;
}

const struct commit_batch_ops sim_batch_ops = {
    .make = batch_make,
    .free = batch_free,
    .append = batch_append,
    .drop_claims = batch_drop_claims,
    .is_empty = batch_is_empty,
};

/* --- rows --- */

void sim_rows_init(struct sim_rows *r, const struct sim_content *c)
{
    *r = (struct sim_rows){.wanted = WANTED_RUN, .starts = 1};
    (void)bits_init(&r->piece, c->geom.n_pieces);
    (void)bits_init(&r->owed, c->geom.n_pieces);
    r->block = mem_calloc(c->geom.n_pieces, sizeof(*r->block));
    for (uint32_t i = 0; i < c->geom.n_pieces; i++) {
        (void)bits_init(&r->block[i], layout_n_blocks(&c->geom, i));
    }
}

void sim_rows_fini(struct sim_rows *r, const struct sim_content *c)
{
    for (uint32_t i = 0; i < c->geom.n_pieces; i++) {
        bits_fini(&r->block[i]);
    }
    free(r->block);
    bits_fini(&r->piece);
    bits_fini(&r->owed);
}

static void rows_apply_file(struct sim_durable *d, const struct sim_op *op)
{
    struct sim_rows *r = &d->rows;
    uint32_t first, end;
    r->print[op->piece] = op->print;
    r->has_print[op->piece] = op->print.exists;
    layout_file_pieces(&d->st->c->geom, op->piece, &first, &end);
    for (uint32_t i = first; op->owes && i < end; i++) {
        (void)bits_set(&r->owed, i);
    }
}

/* One row. A piece that was verified is nobody's fault any more. */
static void rows_apply(struct sim_durable *d, const struct sim_op *op,
                       int64_t now)
{
    struct sim_rows *r = &d->rows;
    switch (op->kind) {
    case SIM_PUT_PIECE:
        (void)bits_set(&r->piece, op->piece);
        bits_zero(&r->block[op->piece]);
        (void)bits_clear(&r->owed, op->piece);
        (void)bits_clear(&d->platter.forgiven, op->piece);
        break;
    case SIM_PUT_BLOCK:
        (void)bits_set(&r->block[op->piece], op->block);
        break;
    case SIM_PUT_FILE:
    case SIM_PUT_DOUBT:
        rows_apply_file(d, op);
        break;
    case SIM_DEL_PIECE:
        (void)bits_clear(&r->piece, op->piece);
        break;
    case SIM_DEL_BLOCKS:
        bits_zero(&r->block[op->piece]);
        break;
    case SIM_PUT_STAT:
        r->active = op->active;
        r->updated_at = now;
        if (op->writes) {
            r->last = r->run;
        }
        break;
    }
}

void sim_rows_apply(struct sim_durable *d, const void *batch, int64_t now)
{
    const struct sim_batch *b = batch;
    for (size_t i = 0; i < b->n; i++) {
        rows_apply(d, &b->ops[i], now);
    }
    d->rows.run.heartbeat_at = now;
    if (d->rows.last.id == d->rows.run.id) {
        d->rows.last = d->rows.run;
    }
    d->n_commits++;
}

void sim_rows_check(const struct sim_durable *d)
{
    const struct sim_rows *r = &d->rows;
    for (uint32_t i = 0; i < r->piece.n; i++) {
        if (bits_get(&d->platter.forgiven, i)) {
            continue;
        }
        if (bits_get(&r->piece, i)) {
            SIM_CHECK(d->s, sim_platter_has(&d->platter, i));
        }
        BITS_EACH (b, &r->block[i]) {
            SIM_CHECK(d->s, sim_platter_has_block(&d->platter, i, b));
        }
    }
}
