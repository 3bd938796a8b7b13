/* The simulated engine; see sim_durable.h. Read begin, tick, do_action (life),
 * do_commit (commit), judge (trust). */
#include "sim/sim_durable.h"

#define TICK_MS     50
#define INTERVAL_MS 1000
#define WISH_MS     300 /* until a process hears of a wish */

const char *sim_bug_name(enum sim_bug bug)
{
    static const char *const names[] = {
        "none",        "commit-before-sync", "claim-before-write",
        "trust-older", "drop-failed-sync",   "forget-late"};
    return bug < SIM_N_BUGS ? names[bug] : "?";
}

static int64_t durable_unix(const struct sim_durable *d)
{
    return SIM_UNIX + (int64_t)(d->s->now_ms / 1000);
}

static void durable_clock(struct sim_durable *d)
{
    d->platter.unix_ns =
        SIM_UNIX * 1000000000LL + (int64_t)d->s->now_ms * 1000000 + 1;
}

bool sim_durable_runs(const struct sim_durable *d)
{
    return d->epoch % 2 == 1;
}

/* --- answers that take a while; those to a dead process are lost --- */

static void durable_input(struct sim_durable *d, const struct life_event *ev);
static void durable_pump(struct sim_durable *d);

static void durable_later(struct sim_durable *d, sim_fn *fn, int result)
{
    struct sim_event *e =
        sim_at(d->s, 1 + sim_below(d->s, d->delay_ms + 1), fn, d);
    e->id = d->epoch;
    e->result = result;
}

static bool durable_is_stale(const struct sim_event *e)
{
    const struct sim_durable *d = e->ctx;
    return e->id != d->epoch;
}

static void durable_on_step(struct sim *s, struct sim_event *e)
{
    struct sim_durable *d = e->ctx;
    struct life_event ev = {.type = (enum life_event_type)e->result};
    (void)s;
    if (durable_is_stale(e)) {
        return;
    }
    if (ev.type == LIFE_KEPT) {
        ev.wanted = d->rows.wanted;
    }
    durable_input(d, &ev);
}

/* --- trust --- */

static struct trust_run durable_run(const struct sim_durable *d)
{
    const struct sim_rows *r = &d->rows;
    struct trust_run run = {.known = r->last.id != 0,
                            .clean = r->last.ended_at != 0 ||
                                     r->last.id == r->run.id,
                            .same_boot = r->last.boot == d->boot,
                            .interval_s = INTERVAL_MS / 1000,
                            .started_at = r->last.started_at,
                            .heartbeat_at = r->last.heartbeat_at,
                            .now = durable_unix(d),
                            .root_dev = 1};
    if (!r->active && r->updated_at < run.heartbeat_at) {
        run.heartbeat_at = r->updated_at;
    }
    return run;
}

/* What the judge needs of each file; `file` is filled in parallel. */
static size_t durable_collect(struct sim_durable *d, struct trust_file *out,
                              uint32_t *file)
{
    const struct layout *g = &d->st->c->geom;
    size_t n = 0;
    for (uint32_t i = 0; i < g->n_files; i++) {
        uint32_t first, end;
        if (g->files[i].pad || g->files[i].length == 0) {
            continue;
        }
        layout_file_pieces(g, i, &first, &end);
        bool blocks = false;
        for (uint32_t k = first; k < end; k++) {
            blocks |= d->rows.block[k].count > 0;
        }
        file[n] = i;
        out[n++] = (struct trust_file){
            .length = g->files[i].length,
            .claimed = blocks || bits_next_set(&d->claimed, first) < end,
            .whole = bits_next_clear(&d->claimed, first) >= end,
            .has_journal = d->rows.has_print[i],
            .journal = d->rows.print[i],
            .now = d->platter.now[i]};
    }
    return n;
}

/* A planted mistake: the judge is overruled. */
static enum trust_verdict durable_verdict(const struct sim_durable *d,
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

static void durable_lose(struct sim_durable *d, uint32_t i)
{
    void *facts = commit_facts(&d->m);
    (void)bits_set(&d->dropped, i);
    if (bits_clear(&d->claimed, i)) {
        sim_batch_put(facts,
                      (struct sim_op){.kind = SIM_DEL_PIECE, .piece = i});
    }
    sim_batch_put(facts, (struct sim_op){.kind = SIM_DEL_BLOCKS, .piece = i});
}

static void durable_apply(struct sim_durable *d, const struct trust_file *f,
                          uint32_t file)
{
    enum trust_verdict verdict = durable_verdict(d, f);
    bool doubt = verdict == TRUST_RECHECK || verdict == TRUST_LATE;
    uint32_t first, end;
    layout_file_pieces(&d->st->c->geom, file, &first, &end);
    for (uint32_t i = first; i < end; i++) {
        if (verdict == TRUST_LOST) {
            durable_lose(d, i);
        } else if (doubt && bits_get(&d->claimed, i)) {
            (void)bits_set(&d->to_check, i);
        }
    }
    d->beyond |= f->beyond;
    /* A doubt is no claim: it must not be dropped when a SYNC fails. */
    sim_batch_put(commit_facts(&d->m), (struct sim_op){.kind = SIM_PUT_DOUBT,
                                                       .piece = file,
                                                       .print = f->now,
                                                       .owes = doubt});
}

/* All claims go, when the storage is gone and that is accepted. */
static void durable_forget(struct sim_durable *d)
{
    for (uint32_t i = 0; i < d->claimed.n; i++) {
        durable_lose(d, i);
    }
}

/* False: the storage is gone. */
static bool durable_judge(struct sim_durable *d)
{
    struct trust_run run = durable_run(d);
    struct fingerprint root = {.exists = true, .dev = 1};
    struct trust_file files[SIM_MAX_FILES];
    uint32_t map[SIM_MAX_FILES];
    bits_copy(&d->claimed, &d->rows.piece);
    bits_copy(&d->to_check, &d->rows.owed);
    bits_zero(&d->dropped);
    d->beyond = false;
    size_t n = durable_collect(d, files, map);
    if (!trust_judge(&run, &root, files, n)) {
        if (!d->accept_loss) {
            d->accept_loss = true; /* somebody will say so before long */
            return false;
        }
        durable_forget(d);
        for (size_t i = 0; i < n; i++) {
            files[i].verdict = TRUST_NOTHING;
        }
    }
    d->accept_loss = false;
    for (size_t i = 0; i < n; i++) {
        durable_apply(d, &files[i], map[i]);
    }
    for (uint32_t i = 0; i < d->to_check.n; i++) {
        if (bits_get(&d->to_check, i) && !bits_get(&d->claimed, i)) {
            (void)bits_clear(&d->to_check, i);
        }
    }
    return true;
}

static void durable_on_stat(struct sim *s, struct sim_event *e)
{
    struct sim_durable *d = e->ctx;
    struct life_event ev = {.type = LIFE_STATED};
    (void)s;
    if (durable_is_stale(e)) {
        return;
    }
    if (!durable_judge(d)) {
        ev = (struct life_event){.type = LIFE_FAILED, .code = BTC_E_STORAGE};
    }
    durable_input(d, &ev);
}

/* --- life --- */

/* Data that nobody claims. */
static void durable_scan(struct sim_durable *d)
{
    for (uint32_t i = 0; d->beyond && i < d->claimed.n; i++) {
        if (bits_is_full(&d->st->disk.written[i]) &&
            !bits_get(&d->claimed, i)) {
            (void)bits_set(&d->to_check, i);
        }
    }
}

/* The core has what is trusted, which must be true, and what is to be hashed.
 */
static void durable_start(struct sim_durable *d)
{
    struct sim_torrent *st = d->st;
    sim_torrent_close(st);
    st->t = torrent_new(&st->config, d->s->now_ms);
    st->timer_ms = UINT64_MAX;
    for (uint32_t i = 0; i < d->claimed.n; i++) {
        bool claimed = bits_get(&d->claimed, i);
        for (uint32_t b = 0; !claimed && b < d->rows.block[i].n; b++) {
            if (bits_get(&d->rows.block[i], b) && !bits_get(&d->dropped, i)) {
                torrent_restore_block(st->t, i, b);
            }
        }
        if (bits_get(&d->to_check, i)) {
            torrent_check_piece(st->t, i, claimed);
        } else if (claimed) {
            SIM_CHECK(d->s, sim_platter_reads(&d->platter, i));
            torrent_restore_piece(st->t, i);
        }
    }
    d->done_pending = false;
    sim_start(st);
    for (struct sim_fake *f = d->s->fakes; f != NULL; f = f->next) {
        sim_add_peer(st, &f->host);
    }
}

static void durable_do(struct sim_durable *d, enum life_action a)
{
    switch (a) {
    case LIFE_DO_LOAD:
        sim_torrent_close(d->st);
        commit_trust(&d->m);
        durable_later(d, durable_on_step, LIFE_LOADED);
        break;
    case LIFE_DO_STAT:
        durable_later(d, durable_on_stat, 0);
        break;
    case LIFE_DO_SCAN:
        durable_scan(d);
        durable_later(d, durable_on_step, LIFE_SCANNED);
        break;
    case LIFE_DO_CREATE:
        sim_platter_create(&d->platter);
        durable_later(d, durable_on_step, LIFE_CREATED);
        break;
    case LIFE_DO_START:
        durable_start(d);
        break;
    case LIFE_DO_STOP:
        sim_stop(d->st);
        break;
    case LIFE_DO_ASK: /* nobody wishes for a removal here */
    case LIFE_DO_DELETE:
    case LIFE_DO_FORGET:
        SIM_CHECK(d->s, a == LIFE_DO_NOTHING);
        break;
    case LIFE_DO_NOTHING:
    case LIFE_DO_LET_GO:
        break;
    }
}

static void durable_input(struct sim_durable *d, const struct life_event *ev)
{
    (void)life_input(&d->l, ev, d->s->now_ms);
    durable_do(d, life_next_action(&d->l));
    if (life_takes_news(&d->l)) {
        commit_move(&d->m);
    }
}

static void durable_say(struct sim_durable *d, enum life_event_type type)
{
    struct life_event ev = {.type = type};
    durable_input(d, &ev);
}

void sim_durable_notify(struct sim_torrent *st, const struct action *a)
{
    struct sim_durable *d = st->durable;
    if (a->notify.type == NOTIFY_ERROR) {
        st->error = a->notify.result;
    } else if (a->notify.type == NOTIFY_COMPLETE) {
        d->done_pending = true;
        commit_hurry(&d->c);
        commit_move(&d->m);
    }
}

/* An error, outside of the core's drain. */
static void durable_watch_core(struct sim_durable *d)
{
    struct sim_torrent *st = d->st;
    if (st->t == NULL) {
        return;
    }
    if (st->error != 0) {
        struct life_event ev = {.type = LIFE_FAILED, .code = st->error};
        st->error = 0;
        durable_input(d, &ev);
    }
    if (d->l.state == LIFE_STOPPING && sim_is_stopped(st)) {
        st->started = false;
        durable_say(d, LIFE_STOPPED);
    }
}

/* --- commit --- */

static void durable_on_synced(struct sim *s, struct sim_event *e)
{
    struct sim_durable *d = e->ctx;
    (void)s;
    if (durable_is_stale(e)) {
        return;
    }
    bool good = e->result == 0;
    sim_platter_sync(&d->platter, !good);
    if (d->bug == SIM_BUG_COMMIT_BEFORE_SYNC) {
        return;
    }
    good |= d->bug == SIM_BUG_DROP_FAILED_SYNC;
    for (uint32_t i = 0; good && i < d->st->c->geom.n_files; i++) {
        if (d->platter.now[i].exists) {
            sim_batch_put(commit_lot(&d->m),
                          (struct sim_op){.kind = SIM_PUT_FILE,
                                          .piece = i,
                                          .print = d->platter.now[i]});
        }
    }
    commit_on_synced(&d->m, good);
    durable_pump(d);
}

/* The answer to COMMIT: e->result is an enum commit_result. */
static void durable_on_committed(struct sim *s, struct sim_event *e)
{
    struct sim_durable *d = e->ctx;
    (void)s;
    if (durable_is_stale(e)) {
        return;
    }
    if (e->result == COMMIT_DONE) {
        sim_rows_apply(d, d->c.batch, durable_unix(d));
        if (d->c.last) {
            d->rows.run.ended_at = durable_unix(d);
            if (d->rows.last.id == d->rows.run.id) {
                d->rows.last = d->rows.run;
            }
        }
        sim_rows_check(d);
    }
    commit_on_committed(&d->c, (enum commit_result)e->result, d->s->now_ms);
    durable_pump(d);
}

static void durable_take(struct sim_durable *d)
{
    bool complete = d->st->t != NULL && torrent_is_complete(d->st->t);
    bool active = d->l.state != LIFE_IDLE && d->l.state != LIFE_ERROR;
    d->done_taken = d->done_pending && complete;
    sim_batch_put(commit_lot(&d->m),
                  (struct sim_op){.kind = SIM_PUT_STAT,
                                  .active = active,
                                  .writes = d->l.state == LIFE_RUNNING});
}

/* What is told is true. */
static void durable_tell(struct sim_durable *d)
{
    d->n_told++;
    if (!d->done_taken) {
        return;
    }
    d->done_taken = d->done_pending = false;
    for (uint32_t i = 0; i < d->rows.piece.n; i++) {
        SIM_CHECK(d->s, bits_get(&d->rows.piece, i));
        SIM_CHECK(d->s, sim_platter_has(&d->platter, i));
    }
    durable_say(d, LIFE_FINISHED);
}

static void durable_do_commit(struct sim_durable *d,
                              const struct commit_action *a)
{
    struct sim *s = d->s;
    struct life_event failed = {.type = LIFE_FAILED, .code = BTC_E_IO};
    switch (a->type) {
    case COMMIT_DO_FLUSH:
        if (d->st->t != NULL && d->l.state == LIFE_RUNNING) {
            torrent_flush(d->st->t);
            sim_wake(d->st);
        }
        break;
    case COMMIT_DO_TAKE:
        durable_take(d);
        break;
    case COMMIT_DO_SYNC:
        durable_later(d, durable_on_synced, sim_chance(s, d->sync_fails));
        if (d->bug == SIM_BUG_COMMIT_BEFORE_SYNC) {
            commit_on_synced(&d->m, true);
        }
        break;
    case COMMIT_DO_DOUBT:
        d->done_taken = d->done_pending = false;
        durable_input(d, &failed);
        break;
    case COMMIT_DO_COMMIT:
        durable_later(d, durable_on_committed,
                      sim_chance(s, d->commit_fails)
                          ? COMMIT_FAILED + (int)sim_below(s, 2)
                          : COMMIT_DONE);
        break;
    case COMMIT_DO_TELL:
        durable_tell(d);
        break;
    case COMMIT_DO_REFUSED:
        break;
    }
}

static void durable_pump(struct sim_durable *d)
{
    struct commit_action a;
    while (commit_next(&d->c, &a, d->s->now_ms)) {
        durable_do_commit(d, &a);
    }
}

void sim_durable_fact(struct sim_torrent *st, const struct action *a)
{
    struct sim_durable *d = st->durable;
    struct sim_op op = {.piece = a->piece};
    bool claim = a->fact.type == FACT_PIECE || a->fact.type == FACT_BLOCK;
    if (st->dying) {
        return;
    }
    switch (a->fact.type) {
    case FACT_PIECE:
        op.kind = SIM_PUT_PIECE;
        break;
    case FACT_BLOCK:
        op.kind = SIM_PUT_BLOCK;
        op.block = a->fact.block;
        break;
    case FACT_PIECE_LOST:
        op.kind = SIM_DEL_PIECE;
        break;
    case FACT_BLOCKS_LOST:
        op.kind = SIM_DEL_BLOCKS;
        break;
    case FACT_EVENT:
    case FACT_PEER:
    case FACT_TRACKER:
    case FACT_METADATA:
    case FACT_METADATA_LOST:
        return;
    }
    sim_batch_put(claim ? commit_claims(&d->m) : commit_facts(&d->m), op);
}

/* The planted mistake: claimed when the write begins. */
void sim_durable_writes(struct sim_torrent *st, const struct action *a)
{
    struct sim_durable *d = st->durable;
    for (uint32_t b = 0;
         d->bug == SIM_BUG_CLAIM_BEFORE_WRITE && b < a->write.n_blocks; b++) {
        if (a->write.blocks[b] != NULL) {
            sim_batch_put(commit_claims(&d->m),
                          (struct sim_op){.kind = SIM_PUT_BLOCK,
                                          .piece = a->piece,
                                          .block = b});
        }
    }
}

unsigned sim_durable_begin_write(struct sim_torrent *st)
{
    return commit_begin_write(&st->durable->c);
}

void sim_durable_end_write(struct sim_torrent *st, unsigned turn)
{
    commit_end_write(&st->durable->c, turn);
    durable_pump(st->durable);
}

/* --- the process --- */

static bool durable_is_settled(const struct sim_durable *d)
{
    return (d->st->t == NULL || torrent_is_quiet(d->st->t)) &&
           commit_has_all(&d->m);
}

/* Ends in order: at rest, then the last commit, then out. */
static void durable_tick_leaving(struct sim_durable *d)
{
    struct commit_member *all[] = {&d->m};
    if (d->rows.run.ended_at != 0 && d->c.state == COMMIT_IDLE) {
        sim_durable_die(d, false);
    } else if (!life_rests(&d->l) || !durable_is_settled(d)) {
        return;
    } else if (!d->c.last) {
        commit_set_last(&d->c, all, 1);
    } else {
        commit_hurry(&d->c);
    }
}

/* A bit of time has passed. */
static void durable_on_tick(struct sim *s, struct sim_event *e)
{
    struct sim_durable *d = e->ctx;
    struct life_event clock = {.type = LIFE_CLOCK};
    if (durable_is_stale(e)) {
        return;
    }
    durable_clock(d);
    durable_watch_core(d);
    if (life_deadline(&d->l) <= s->now_ms) {
        durable_input(d, &clock);
    }
    if (life_awaits_settling(&d->l) && durable_is_settled(d)) {
        durable_say(d, LIFE_SETTLED);
    }
    if (d->leaving) {
        durable_tick_leaving(d);
    }
    if (!sim_durable_runs(d)) {
        return;
    }
    commit_on_clock(&d->c, s->now_ms);
    durable_pump(d);
    struct sim_event *next = sim_at(s, TICK_MS, durable_on_tick, d);
    next->id = d->epoch;
}

void sim_durable_begin(struct sim_durable *d)
{
    struct sim_rows *r = &d->rows;
    SIM_CHECK(d->s, !sim_durable_runs(d));
    durable_clock(d);
    d->epoch++;
    d->leaving = false;
    r->run = (struct sim_run_row){.id = r->run.id + 1,
                                  .boot = d->boot,
                                  .started_at = durable_unix(d),
                                  .heartbeat_at = durable_unix(d)};
    commit_init(&d->c, &sim_batch_ops, INTERVAL_MS, d->s->now_ms);
    commit_join(&d->c, &d->m);
    life_init(&d->l, r->wanted, r->starts, true);
    durable_say(d, LIFE_ADDED);
    struct sim_event *e = sim_at(d->s, TICK_MS, durable_on_tick, d);
    e->id = d->epoch;
}

void sim_durable_leave(struct sim_durable *d)
{
    d->leaving = true;
    durable_say(d, LIFE_ENDING);
}

/* What is under way ends anyhow; a commit and a SYNC may just have made it. */
static void durable_break_off(struct sim_durable *d, bool power)
{
    struct sim_torrent *st = d->st;
    st->dying = true;
    if (st->t != NULL) {
        sim_stop(st);
        sim_disk_abort(st);
    }
    sim_torrent_close(st);
    st->dying = false;
    st->error = 0;
    if (d->c.state == COMMIT_COMMITTING && d->c.given && sim_chance(d->s, 2)) {
        sim_rows_apply(d, d->c.batch, durable_unix(d));
    }
    if (power) {
        sim_platter_cut(&d->platter);
        d->boot++;
    }
}

void sim_durable_die(struct sim_durable *d, bool power)
{
    if (!sim_durable_runs(d)) {
        return;
    }
    durable_clock(d);
    d->epoch++;
    durable_break_off(d, power);
    d->n_cuts += power ? 1 : 0;
    d->n_kills += power ? 0 : 1;
    if (d->m.step == COMMIT_IN_SYNC) {
        d->m.step = COMMIT_TAKEN; /* nobody waits for it any more */
    }
    commit_leave(&d->m);
    commit_fini(&d->c);
    d->done_pending = d->done_taken = false;
    sim_rows_check(d);
}

void sim_durable_stranger(struct sim_durable *d)
{
    durable_clock(d);
    sim_platter_stranger(&d->platter, sim_below(d->s, d->st->c->geom.n_files));
}

static void durable_on_wish(struct sim *s, struct sim_event *e)
{
    struct sim_durable *d = e->ctx;
    struct life_event ev = {.type = LIFE_WISHED,
                            .wanted = d->rows.wanted,
                            .starts = d->rows.starts};
    (void)s;
    if (!durable_is_stale(e)) {
        durable_input(d, &ev);
    }
}

void sim_durable_wish(struct sim_durable *d, enum wanted wanted)
{
    d->rows.wanted = wanted;
    d->rows.starts += wanted == WANTED_RUN ? 1 : 0;
    if (sim_durable_runs(d)) {
        struct sim_event *e =
            sim_at(d->s, sim_below(d->s, WISH_MS), durable_on_wish, d);
        e->id = d->epoch;
    }
}

bool sim_durable_is_done(void *ctx)
{
    const struct sim_durable *d = ctx;
    return sim_durable_runs(d) && d->l.state == LIFE_RUNNING && d->l.finished;
}

bool sim_durable_is_paused(void *ctx)
{
    const struct sim_durable *d = ctx;
    return d->l.wanted == WANTED_PAUSE && life_rests(&d->l) && d->l.let_go;
}

bool sim_durable_is_gone(void *ctx)
{
    return !sim_durable_runs(ctx);
}

struct sim_durable *sim_durable_new(struct sim *s, struct sim_content *c,
                                    enum sim_bug bug)
{
    struct sim_durable *d = mem_zalloc(sizeof *d);
    struct sim_node *n = sim_node_new(s, 4u << 20, 1u << 20);
    d->s = s;
    d->bug = bug;
    d->st = sim_torrent_new(n, c, NULL, false);
    sim_torrent_close(d->st);
    d->st->durable = d;
    sim_platter_init(&d->platter, &d->st->disk);
    d->st->disk.lossy = true; /* strangers come, see the rules here */
    sim_rows_init(&d->rows, c);
    (void)bits_init(&d->claimed, c->geom.n_pieces);
    (void)bits_init(&d->to_check, c->geom.n_pieces);
    (void)bits_init(&d->dropped, c->geom.n_pieces);
    d->delay_ms = 50;
    return d;
}

void sim_durable_free(struct sim_durable *d)
{
    SIM_CHECK(d->s, !sim_durable_runs(d));
    sim_rows_fini(&d->rows, d->st->c);
    sim_platter_fini(&d->platter);
    bits_fini(&d->claimed);
    bits_fini(&d->to_check);
    bits_fini(&d->dropped);
    free(d);
}
