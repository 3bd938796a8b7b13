/* The startup of a simulated torrent: what of its data is trusted. See
 * sim_durable.h; read sim_judge, then judge_apply. */
#include "sim/sim_durable.h"

static struct trust_run judge_run(const struct sim_ledger *g)
{
    const struct sim_durable *d = g->d;
    const struct sim_rows *r = &g->rows;
    struct trust_run run = {.known = r->last.id != 0,
                            .clean = r->last.ended_at != 0 ||
                                     r->last.id == d->run.id,
                            .same_boot = r->last.boot == d->boot,
                            .interval_s = SIM_DURABLE_INTERVAL_MS / 1000,
                            .started_at = r->last.started_at,
                            .heartbeat_at = r->last.heartbeat_at,
                            .now = sim_durable_unix(d),
                            .root_dev = r->root_dev};
    if (!r->active && r->updated_at < run.heartbeat_at) {
        run.heartbeat_at = r->updated_at;
    }
    return run;
}

/* What the judge needs of each file; `file` is filled in parallel. */
static size_t judge_collect(struct sim_ledger *g, struct trust_file *out,
                            uint32_t *file)
{
    const struct layout *l = &g->st->c->geom;
    size_t n = 0;
    for (uint32_t i = 0; i < l->n_files; i++) {
        uint32_t first, end;
        if (l->files[i].pad || l->files[i].length == 0) {
            continue;
        }
        layout_file_pieces(l, i, &first, &end);
        bool blocks = false;
        for (uint32_t k = first; k < end; k++) {
            blocks |= g->rows.block[k].count > 0;
        }
        file[n] = i;
        out[n++] = (struct trust_file){
            .length = l->files[i].length,
            .claimed = blocks || bits_next_set(&g->claimed, first) < end,
            .whole = bits_next_clear(&g->claimed, first) >= end,
            .has_journal = g->rows.has_print[i],
            .journal = g->rows.print[i],
            .now = sim_platter_print(&g->platter, i)};
    }
    return n;
}

/* A planted mistake: the judge is overruled. */
static enum trust_verdict judge_verdict(const struct sim_durable *d,
                                        const struct trust_file *f)
{
    bool older = f->has_journal && f->now.ino == f->journal.ino &&
                 f->now.size == f->journal.size &&
                 f->now.mtime_ns <= f->journal.mtime_ns;
    if ((d->bug == SIM_BUG_TRUST_OLDER && f->verdict == TRUST_RECHECK &&
         older) ||
        (d->bug == SIM_BUG_FORGET_LATE && f->verdict == TRUST_LATE)) {
        return TRUST_TRUST;
    }
    return f->verdict;
}

static void judge_lose(struct sim_ledger *g, uint32_t piece)
{
    void *facts = commit_facts(&g->m);
    struct sim_op op = {.of = g, .kind = SIM_DEL_PIECE, .piece = piece};
    (void)bits_set(&g->dropped, piece);
    if (bits_clear(&g->claimed, piece)) {
        sim_batch_put(facts, op);
    }
    op.kind = SIM_DEL_BLOCKS;
    sim_batch_put(facts, op);
}

static void judge_apply(struct sim_ledger *g, const struct trust_file *f,
                        uint32_t file)
{
    enum trust_verdict verdict = judge_verdict(g->d, f);
    bool doubt = verdict == TRUST_RECHECK || verdict == TRUST_LATE;
    uint32_t first, end;
    layout_file_pieces(&g->st->c->geom, file, &first, &end);
    for (uint32_t i = first; i < end; i++) {
        if (verdict == TRUST_LOST) {
            judge_lose(g, i);
        } else if (doubt && bits_get(&g->claimed, i)) {
            (void)bits_set(&g->to_check, i);
        }
    }
    g->beyond |= f->beyond;
    /* A doubt is no claim: it must not be dropped when a SYNC fails. */
    sim_batch_put(commit_facts(&g->m), (struct sim_op){.of = g,
                                                       .kind = SIM_PUT_DOUBT,
                                                       .piece = file,
                                                       .print = f->now,
                                                       .owes = doubt});
}

/* What is owed by claims that are none any more is not owed; what is trusted
 * must be true. */
static void judge_check(struct sim_ledger *g)
{
    for (uint32_t i = 0; i < g->claimed.n; i++) {
        if (!bits_get(&g->claimed, i)) {
            (void)bits_clear(&g->to_check, i);
        } else if (!bits_get(&g->to_check, i)) {
            SIM_CHECK(g->d->s, sim_platter_reads(&g->platter, i));
        }
    }
}

/* The storage is gone, and nobody has said yet that this is accepted; else all
 * claims go. */
static bool judge_accept_loss(struct sim_ledger *g, struct trust_file *files,
                              size_t n)
{
    if (!g->accept_loss) {
        g->accept_loss = true; /* somebody will say so before long */
        return false;
    }
    for (uint32_t i = 0; i < g->claimed.n; i++) {
        judge_lose(g, i);
    }
    for (size_t i = 0; i < n; i++) {
        files[i].verdict = TRUST_NOTHING;
    }
    return true;
}

/* The pipeline of the devices that its files lie on. */
static void judge_place(struct sim_ledger *g, uint64_t root)
{
    struct sim_durable *d = g->d;
    uint64_t dev_min = root, dev_max = root;
    for (uint32_t i = 0; i < g->st->c->geom.n_files; i++) {
        uint64_t dev = sim_platter_print(&g->platter, i).dev;
        dev_min = dev < dev_min ? dev : dev_min;
        dev_max = dev > dev_max ? dev : dev_max;
    }
    const struct pipeline *before = pipeline_of(&g->m);
    (void)pipeline_place(&d->pipes, &g->m, dev_min, dev_max, d->s->now_ms);
    d->n_changes += g->m.to != NULL || pipeline_of(&g->m) != before ? 1 : 0;
}

bool sim_judge(struct sim_ledger *g)
{
    struct trust_run run = judge_run(g);
    struct fingerprint root = {.exists = true,
                               .dev = sim_platter_root(&g->platter)};
    struct trust_file files[SIM_MAX_FILES];
    uint32_t map[SIM_MAX_FILES];
    bits_copy(&g->claimed, &g->rows.piece);
    bits_copy(&g->to_check, &g->rows.owed);
    bits_zero(&g->dropped);
    g->beyond = false;
    judge_place(g, root.dev);
    sim_platter_learn(&g->platter);
    size_t n = judge_collect(g, files, map);
    if (!trust_judge(&run, &root, files, n) &&
        !judge_accept_loss(g, files, n)) {
        return false;
    }
    g->accept_loss = false;
    g->root_dev = root.dev;
    for (size_t i = 0; i < n; i++) {
        judge_apply(g, &files[i], map[i]);
    }
    judge_check(g);
    return true;
}

void sim_judge_scan(struct sim_ledger *g)
{
    for (uint32_t i = 0; g->beyond && i < g->claimed.n; i++) {
        if (bits_is_full(&g->st->disk.written[i]) &&
            !bits_get(&g->claimed, i)) {
            (void)bits_set(&g->to_check, i);
        }
    }
}

void sim_judge_start(struct sim_ledger *g)
{
    struct sim_torrent *st = g->st;
    for (uint32_t i = 0; i < g->claimed.n; i++) {
        bool claimed = bits_get(&g->claimed, i);
        for (uint32_t b = 0; !claimed && b < g->rows.block[i].n; b++) {
            if (bits_get(&g->rows.block[i], b) && !bits_get(&g->dropped, i)) {
                torrent_restore_block(st->t, i, b);
            }
        }
        if (bits_get(&g->to_check, i)) {
            torrent_check_piece(st->t, i, claimed);
        } else if (claimed) {
            torrent_restore_piece(st->t, i);
        }
    }
}
