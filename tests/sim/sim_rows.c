/* The journal of a simulated engine: batches, rows, rules, and what must hold
 * for the rows. */
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

void sim_batch_mark(void *batch, uint32_t seen)
{
    struct sim_batch *b = batch;
    for (size_t i = 0; i < b->n; i++) {
        b->ops[i].seen = seen;
    }
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

static void rows_apply_file(const struct sim_op *op)
{
    struct sim_ledger *g = op->of;
    uint32_t first, end;
    g->rows.print[op->piece] = op->print;
    g->rows.has_print[op->piece] = op->print.exists;
    layout_file_pieces(&g->st->c->geom, op->piece, &first, &end);
    for (uint32_t i = first; op->owes && i < end; i++) {
        (void)bits_set(&g->rows.owed, i);
    }
}

/* One row. A piece that was synced after the last change by a stranger is
 * nobody's fault any more. */
static void rows_apply(const struct sim_durable *d, const struct sim_op *op)
{
    struct sim_ledger *g = op->of;
    struct sim_rows *r = &g->rows;
    switch (op->kind) {
    case SIM_PUT_PIECE:
        (void)bits_set(&r->piece, op->piece);
        bits_zero(&r->block[op->piece]);
        (void)bits_clear(&r->owed, op->piece);
        sim_platter_blame(&g->platter, op->piece, op->seen);
        break;
    case SIM_PUT_BLOCK:
        (void)bits_set(&r->block[op->piece], op->block);
        break;
    case SIM_PUT_FILE:
    case SIM_PUT_DOUBT:
        rows_apply_file(op);
        break;
    case SIM_PUT_OWED:
        (void)bits_set(&r->owed, op->piece);
        break;
    case SIM_DEL_PIECE:
        (void)bits_clear(&r->piece, op->piece);
        break;
    case SIM_DEL_BLOCKS:
        bits_zero(&r->block[op->piece]);
        break;
    case SIM_PUT_STAT:
        r->active = op->active;
        r->updated_at = sim_durable_unix(d);
        r->root_dev = op->root_dev;
        if (op->writes) {
            r->last = d->run;
        }
        break;
    }
}

/* The row of the run is that of whoever wrote in it, too. */
static void rows_share_run(struct sim_durable *d)
{
    for (uint32_t i = 0; i < d->n_ledgers; i++) {
        if (d->ledgers[i]->rows.last.id == d->run.id) {
            d->ledgers[i]->rows.last = d->run;
        }
    }
}

void sim_rows_end_run(struct sim_durable *d)
{
    d->run.ended_at = sim_durable_unix(d);
    rows_share_run(d);
}

/* --- rules --- */

static bool rows_refuse(const struct sim_durable *d, const struct sim_op *op)
{
    const struct sim_rule *r = &d->rule;
    return r->of == op->of && (r->kinds & 1u << op->kind) != 0 &&
           op->piece % r->one_in == 0;
}

/* It counts pieces, and one of the same torrent before it was refused. */
static bool rows_count(const struct sim_durable *d, const struct sim_batch *b,
                       size_t at)
{
    const struct sim_op *op = &b->ops[at];
    bool lacks = false;
    for (size_t i = 0; i < at && !lacks; i++) {
        lacks = b->ops[i].of == op->of && b->ops[i].kind == SIM_PUT_PIECE &&
                rows_refuse(d, &b->ops[i]);
    }
    return lacks && (op->kind == SIM_PUT_FILE || op->kind == SIM_PUT_STAT);
}

static bool rows_refuse_any(const struct sim_durable *d,
                            const struct sim_batch *b)
{
    size_t i = 0;
    while (i < b->n && !rows_refuse(d, &b->ops[i])) {
        i++;
    }
    return i < b->n;
}

enum commit_result sim_rows_apply(struct sim_durable *d, const void *batch,
                                  bool row_by_row,
                                  void (*refused)(const struct sim_op *op))
{
    const struct sim_batch *b = batch;
    if (!row_by_row && rows_refuse_any(d, b)) {
        return COMMIT_REFUSED;
    }
    for (size_t i = 0; i < b->n; i++) {
        if (rows_refuse(d, &b->ops[i])) {
            d->n_refused++;
            refused(&b->ops[i]);
        } else if (!rows_count(d, b, i)) {
            rows_apply(d, &b->ops[i]);
        }
    }
    d->run.heartbeat_at = sim_durable_unix(d);
    rows_share_run(d);
    d->n_commits++;
    return COMMIT_DONE;
}

/* --- what must hold --- */

static void rows_check(const struct sim_ledger *g)
{
    const struct sim_rows *r = &g->rows;
    for (uint32_t i = 0; i < r->piece.n; i++) {
        if (sim_platter_is_forgiven(&g->platter, i)) {
            continue;
        }
        if (bits_get(&r->piece, i)) {
            SIM_CHECK(g->d->s, sim_platter_has(&g->platter, i));
        }
        BITS_EACH (b, &r->block[i]) {
            SIM_CHECK(g->d->s, sim_platter_has_block(&g->platter, i, b));
        }
    }
}

void sim_rows_check(const struct sim_durable *d)
{
    for (uint32_t i = 0; i < d->n_ledgers; i++) {
        rows_check(d->ledgers[i]);
    }
}
