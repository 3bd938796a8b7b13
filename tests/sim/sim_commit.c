/* The commits of a simulated engine: actions of core/durable/commit carried
 * out, for each of its pipelines. See sim_durable.h; read sim_commit_pump. */
#include "sim/sim_durable.h"

static struct sim_ledger *commit_ledger(struct commit_member *m)
{
    void *g = (char *)m - offsetof(struct sim_ledger, m);
    return g;
}

/* --- what is to be told --- */

static void commit_forget_fresh(struct sim_ledger *g)
{
    bits_zero(&g->fresh.known);
    bits_zero(&g->fresh.taken);
    g->done_taken = false;
}

void sim_commit_load(struct sim_ledger *g)
{
    commit_trust(&g->m);
    commit_forget_fresh(g);
    bits_zero(&g->fresh.refused);
}

void sim_commit_complete(struct sim_ledger *g)
{
    g->done_pending = true;
    commit_hurry(g->m.c);
    commit_move(&g->m);
}

/* The piece is in the journal and on the medium. */
static void commit_check_told(const struct sim_ledger *g, uint32_t piece)
{
    SIM_CHECK(g->d->s, bits_get(&g->rows.piece, piece));
    SIM_CHECK(g->d->s, sim_platter_has(&g->platter, piece) ||
                           sim_platter_is_forgiven(&g->platter, piece));
}

static void commit_tell_done(struct sim_ledger *g, bool refused)
{
    struct life_event ev = {.type = LIFE_FINISHED};
    g->done_taken = g->done_pending = false;
    if (refused || g->fresh.refused.count > 0) {
        sim_ledger_fail(g, BTC_E_DB);
        return;
    }
    for (uint32_t i = 0; i < g->rows.piece.n; i++) {
        commit_check_told(g, i);
    }
    sim_ledger_input(g, &ev);
}

/* What is told is true. `refused`: not all of it came to the journal. */
static void commit_tell(struct sim_ledger *g, bool refused)
{
    g->d->n_told++;
    BITS_EACH (i, &g->fresh.taken) {
        if (!bits_get(&g->fresh.refused, i)) {
            commit_check_told(g, i);
        }
    }
    bits_zero(&g->fresh.taken);
    if (g->done_taken) {
        commit_tell_done(g, refused);
    }
}

/* --- TAKE --- */

static void commit_take(struct sim_ledger *g)
{
    bool complete = g->st->t != NULL && torrent_is_complete(g->st->t);
    bool active = g->l.state != LIFE_IDLE && g->l.state != LIFE_ERROR;
    BITS_EACH (i, &g->fresh.known) {
        (void)bits_set(&g->fresh.taken, i);
    }
    bits_zero(&g->fresh.known);
    g->done_taken = g->done_pending && complete;
    sim_batch_put(commit_lot(&g->m),
                  (struct sim_op){.of = g,
                                  .kind = SIM_PUT_STAT,
                                  .active = active,
                                  .root_dev = g->root_dev,
                                  .writes = g->l.state == LIFE_RUNNING});
}

/* --- SYNC --- */

/* The fingerprint as the sync found it, and what is owed still. */
static void commit_put_print(struct sim_ledger *g, uint32_t file)
{
    void *lot = commit_lot(&g->m);
    struct sim_op op = {.of = g, .kind = SIM_PUT_FILE, .piece = file};
    uint32_t first, end;
    op.print = sim_platter_print(&g->platter, file);
    if (op.print.exists) {
        sim_batch_put(lot, op);
    }
    layout_file_pieces(&g->st->c->geom, file, &first, &end);
    op.kind = SIM_PUT_OWED;
    for (op.piece = first; op.piece < end; op.piece++) {
        if (bits_get(&g->to_check, op.piece)) {
            sim_batch_put(lot, op);
        }
    }
}

/* Some file has what we have not written, and no sync may vouch for it. */
static bool commit_is_touched(const struct sim_ledger *g)
{
    bool touched = false;
    for (uint32_t i = 0; i < g->st->c->geom.n_files; i++) {
        touched |= sim_platter_is_touched(&g->platter, i);
    }
    return touched && g->d->bug != SIM_BUG_LAUNDER;
}

/* The torrent lies on a device that does not answer. */
static bool commit_hangs(const struct sim_ledger *g)
{
    bool hangs = false;
    for (uint32_t i = 0; i < g->st->c->geom.n_files; i++) {
        hangs |= sim_platter_print(&g->platter, i).dev == g->d->hung_dev;
    }
    return hangs;
}

static void commit_sync_now(struct sim_ledger *g, bool fails)
{
    uint64_t dev = 0;
    if (g->d->bug == SIM_BUG_SYNC_ONE_DEVICE) {
        dev = sim_platter_print(&g->platter, 0).dev;
    }
    sim_platter_sync(&g->platter, dev, fails);
}

static void commit_on_sync(struct sim *s, struct sim_event *e)
{
    struct sim_durable *d = e->ctx;
    struct sim_ledger *g = sim_durable_of(e);
    bool good = e->result == 0;
    (void)s;
    if (sim_durable_is_stale(e)) {
        return;
    }
    if (commit_hangs(g)) {
        sim_durable_later(d, commit_on_sync, g, e->result);
        return;
    }
    commit_sync_now(g, !good);
    if (d->bug == SIM_BUG_COMMIT_BEFORE_SYNC) {
        return;
    }
    good =
        (good || d->bug == SIM_BUG_DROP_FAILED_SYNC) && !commit_is_touched(g);
    for (uint32_t i = 0; good && i < g->st->c->geom.n_files; i++) {
        commit_put_print(g, i);
    }
    sim_batch_mark(commit_lot(&g->m), g->platter.n_spoilt);
    commit_on_synced(&g->m, good);
    sim_commit_pump(d);
}

static void commit_sync(struct sim_ledger *g)
{
    struct sim_durable *d = g->d;
    sim_durable_later(d, commit_on_sync, g, sim_chance(d->s, d->sync_fails));
    if (d->bug == SIM_BUG_COMMIT_BEFORE_SYNC) {
        commit_on_synced(&g->m, true);
    }
}

/* --- COMMIT --- */

static void commit_refused(const struct sim_op *op)
{
    struct sim_ledger *g = op->of;
    if (g->d->bug == SIM_BUG_TELL_REFUSED) {
        return;
    }
    commit_refuse(&g->m);
    if (op->kind == SIM_PUT_PIECE) {
        (void)bits_set(&g->fresh.refused, op->piece);
    }
}

/* The answer to COMMIT: e->result is an enum commit_result. */
static void commit_on_commit(struct sim *s, struct sim_event *e)
{
    struct sim_durable *d = e->ctx;
    struct pipeline *p = sim_durable_of(e);
    enum commit_result result = (enum commit_result)e->result;
    (void)s;
    if (sim_durable_is_stale(e)) {
        return;
    }
    if (d->s->now_ms < d->locked_ms) {
        sim_durable_later(d, commit_on_commit, p, e->result);
        return;
    }
    if (result == COMMIT_DONE) {
        result = sim_rows_apply(d, p->c.batch, p->c.isolate, commit_refused);
    }
    if (result == COMMIT_DONE) {
        if (p->c.last && p == d->pipes.first) {
            sim_rows_end_run(d);
        }
        sim_rows_check(d);
    }
    commit_on_committed(&p->c, result, d->s->now_ms);
    sim_commit_pump(d);
}

/* Of an empty last one nobody but the first pipeline has to say anything. */
static void commit_commit(struct sim_durable *d, struct pipeline *p)
{
    int result = COMMIT_DONE;
    if (sim_batch_ops.is_empty(p->c.batch) && p != d->pipes.first) {
        commit_on_committed(&p->c, COMMIT_DONE, d->s->now_ms);
        return;
    }
    if (sim_chance(d->s, d->commit_fails)) {
        result = COMMIT_FAILED + (int)sim_below(d->s, 2);
    }
    sim_durable_later(d, commit_on_commit, p, result);
}

/* --- what is to be done --- */

static void commit_do_member(struct sim_ledger *g, enum commit_action_type type)
{
    switch (type) {
    case COMMIT_DO_FLUSH:
        if (g->st->t != NULL && g->l.state == LIFE_RUNNING) {
            torrent_flush(g->st->t);
            sim_wake(g->st);
        }
        break;
    case COMMIT_DO_TAKE:
        commit_take(g);
        break;
    case COMMIT_DO_SYNC:
        commit_sync(g);
        break;
    case COMMIT_DO_DOUBT:
        commit_forget_fresh(g);
        g->done_pending = false;
        sim_ledger_fail(g, BTC_E_IO);
        break;
    case COMMIT_DO_TELL:
        commit_tell(g, false);
        break;
    case COMMIT_DO_REFUSED:
        commit_tell(g, true);
        break;
    case COMMIT_DO_COMMIT:
        break;
    }
}

void sim_commit_pump(struct sim_durable *d)
{
    struct commit_action a;
    for (struct pipeline *p = d->pipes.first; p != NULL; p = p->next) {
        while (commit_next(&p->c, &a, d->s->now_ms)) {
            if (a.member != NULL) {
                commit_do_member(commit_ledger(a.member), a.type);
            } else {
                commit_commit(d, p);
            }
        }
    }
}

/* --- facts in --- */

/* A claim; or, by a planted mistake, what the pipeline to which the torrent
 * changes takes for true at once. */
static void *commit_claims_of(struct sim_ledger *g)
{
    if (g->d->bug == SIM_BUG_OTHER_PIPELINE && g->m.to != NULL) {
        return commit_free_facts(g->m.to);
    }
    return commit_claims(&g->m);
}

/* What was in doubt is hashed again, and comes again. */
static void commit_remember(struct sim_ledger *g, uint32_t piece, bool has)
{
    (void)bits_clear(&g->to_check, piece);
    (void)bits_clear(&g->fresh.refused, piece);
    (void)bits_clear(&g->fresh.known, piece);
    if (!has) {
        (void)bits_clear(&g->fresh.taken, piece);
    } else if (!g->m.doubted) {
        (void)bits_set(&g->fresh.known, piece);
    }
}

void sim_durable_fact(struct sim_torrent *st, const struct action *a)
{
    struct sim_ledger *g = st->ledger;
    struct sim_op op = {.of = g, .piece = a->piece};
    if (st->dying) {
        return;
    }
    switch (a->fact.type) {
    case FACT_PIECE:
        op.kind = SIM_PUT_PIECE;
        commit_remember(g, a->piece, true);
        sim_batch_put(commit_claims_of(g), op);
        break;
    case FACT_BLOCK:
        op.kind = SIM_PUT_BLOCK;
        op.block = a->fact.block;
        sim_batch_put(commit_claims_of(g), op);
        break;
    case FACT_PIECE_LOST:
        op.kind = SIM_DEL_PIECE;
        commit_remember(g, a->piece, false);
        sim_batch_put(commit_facts(&g->m), op);
        break;
    case FACT_BLOCKS_LOST:
        op.kind = SIM_DEL_BLOCKS;
        sim_batch_put(commit_facts(&g->m), op);
        break;
    case FACT_EVENT:
    case FACT_PEER:
    case FACT_TRACKER:
    case FACT_METADATA:
    case FACT_METADATA_LOST:
        break;
    }
}

/* The planted mistake: claimed when the write begins. */
void sim_durable_writes(struct sim_torrent *st, const struct action *a)
{
    struct sim_ledger *g = st->ledger;
    bool early = g->d->bug == SIM_BUG_CLAIM_BEFORE_WRITE;
    for (uint32_t b = 0; early && b < a->write.n_blocks; b++) {
        if (a->write.blocks[b] != NULL) {
            sim_batch_put(commit_claims(&g->m),
                          (struct sim_op){.of = g,
                                          .kind = SIM_PUT_BLOCK,
                                          .piece = a->piece,
                                          .block = b});
        }
    }
}

uint32_t sim_durable_begin_write(struct sim_torrent *st)
{
    return pipeline_begin_write(&st->ledger->d->pipes, &st->ledger->m);
}

void sim_durable_end_write(struct sim_torrent *st, uint32_t ticket)
{
    struct sim_durable *d = st->ledger->d;
    pipeline_end_write(&d->pipes, ticket);
    sim_commit_pump(d);
}

/* --- the end --- */

/* Every member of the pipeline has its last word. */
static bool commit_end(struct sim_durable *d, struct pipeline *p)
{
    if (!p->c.last) {
        commit_set_last(&p->c, NULL, 0);
        for (uint32_t i = 0; i < d->n_ledgers; i++) {
            if (pipeline_of(&d->ledgers[i]->m) == p) {
                commit_move(&d->ledgers[i]->m);
            }
        }
    }
    return commit_is_over(&p->c);
}

bool sim_commit_wind_down(struct sim_durable *d)
{
    bool over = true;
    for (struct pipeline *p = d->pipes.first->next; p != NULL; p = p->next) {
        over &= commit_end(d, p);
    }
    return over && commit_end(d, d->pipes.first) && d->run.ended_at != 0;
}

static void commit_break_off_member(struct sim_ledger *g)
{
    if (g->m.step == COMMIT_IN_SYNC) {
        g->m.step = COMMIT_TAKEN; /* nobody waits for it any more */
    }
    commit_leave(&g->m);
    g->done_pending = false;
    commit_forget_fresh(g);
}

static void commit_forget_refused(const struct sim_op *op)
{
    (void)op; /* nobody is left who would want to know */
}

void sim_commit_break_off(struct sim_durable *d)
{
    for (struct pipeline *p = d->pipes.first; p != NULL; p = p->next) {
        if (p->c.state == COMMIT_COMMITTING && p->c.given &&
            sim_chance(d->s, 2)) {
            (void)sim_rows_apply(d, p->c.batch, p->c.isolate,
                                 commit_forget_refused);
        }
    }
    for (uint32_t i = 0; i < d->n_ledgers; i++) {
        commit_break_off_member(d->ledgers[i]);
    }
    pipeline_close(&d->pipes);
}
