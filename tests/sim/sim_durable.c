/* The simulated engine: its process, and the life of its torrents; see
 * sim_durable.h. Read begin, tick, ledger_do. */
#include "sim/sim_durable.h"

#define TICK_MS 50
#define WISH_MS 300 /* until a process hears of a wish */

const char *sim_bug_name(enum sim_bug bug)
{
    static const char *const names[] = {"none",
                                        "commit-before-sync",
                                        "claim-before-write",
                                        "trust-older",
                                        "drop-failed-sync",
                                        "forget-late",
                                        "sync-one-device",
                                        "other-pipeline",
                                        "tell-refused",
                                        "launder"};
    return bug < SIM_N_BUGS ? names[bug] : "?";
}

int64_t sim_durable_unix(const struct sim_durable *d)
{
    return SIM_UNIX + (int64_t)(d->s->now_ms / 1000);
}

bool sim_durable_runs(const struct sim_durable *d)
{
    return d->epoch % 2 == 1;
}

/* --- answers that take a while; those to a dead process are lost --- */

void sim_durable_later(struct sim_durable *d, sim_fn *fn, void *of, int result)
{
    struct sim_event *e =
        sim_at(d->s, 1 + sim_below(d->s, d->delay_ms + 1), fn, d);
    e->id = d->epoch;
    e->result = result;
    e->data = mem_dup(&of, sizeof of);
    e->len = sizeof of;
}

bool sim_durable_is_stale(const struct sim_event *e)
{
    const struct sim_durable *d = e->ctx;
    return e->id != d->epoch;
}

void *sim_durable_of(const struct sim_event *e)
{
    void *of;
    memcpy(&of, e->data, sizeof of);
    return of;
}

static void ledger_on_step(struct sim *s, struct sim_event *e)
{
    struct sim_ledger *g = sim_durable_of(e);
    struct life_event ev = {.type = (enum life_event_type)e->result};
    (void)s;
    if (sim_durable_is_stale(e)) {
        return;
    }
    if (ev.type == LIFE_KEPT) {
        ev.wanted = g->rows.wanted;
    }
    sim_ledger_input(g, &ev);
}

static void ledger_on_stat(struct sim *s, struct sim_event *e)
{
    struct sim_ledger *g = sim_durable_of(e);
    struct life_event ev = {.type = LIFE_STATED};
    (void)s;
    if (sim_durable_is_stale(e)) {
        return;
    }
    if (!sim_judge(g)) {
        ev = (struct life_event){.type = LIFE_FAILED, .code = BTC_E_STORAGE};
    }
    sim_ledger_input(g, &ev);
}

/* --- life --- */

static void ledger_start(struct sim_ledger *g)
{
    struct sim_torrent *st = g->st;
    sim_torrent_close(st);
    st->t = torrent_new(&st->config, g->d->s->now_ms);
    st->timer_ms = UINT64_MAX;
    sim_judge_start(g);
    g->done_pending = false;
    sim_start(st);
    for (struct sim_fake *f = g->d->s->fakes; f != NULL; f = f->next) {
        if (f->c == st->c) {
            sim_add_peer(st, &f->host);
        }
    }
}

static void ledger_do(struct sim_ledger *g, enum life_action a)
{
    struct sim_durable *d = g->d;
    switch (a) {
    case LIFE_DO_LOAD:
        sim_torrent_close(g->st);
        sim_commit_load(g);
        sim_durable_later(d, ledger_on_step, g, LIFE_LOADED);
        break;
    case LIFE_DO_STAT:
        sim_durable_later(d, ledger_on_stat, g, 0);
        break;
    case LIFE_DO_SCAN:
        sim_judge_scan(g);
        sim_durable_later(d, ledger_on_step, g, LIFE_SCANNED);
        break;
    case LIFE_DO_CREATE:
        sim_platter_create(&g->platter);
        sim_durable_later(d, ledger_on_step, g, LIFE_CREATED);
        break;
    case LIFE_DO_START:
        ledger_start(g);
        break;
    case LIFE_DO_STOP:
        sim_stop(g->st);
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

void sim_ledger_input(struct sim_ledger *g, const struct life_event *ev)
{
    (void)life_input(&g->l, ev, g->d->s->now_ms);
    ledger_do(g, life_next_action(&g->l));
    if (life_takes_news(&g->l)) {
        commit_move(&g->m);
    }
}

static void ledger_say(struct sim_ledger *g, enum life_event_type type)
{
    struct life_event ev = {.type = type};
    sim_ledger_input(g, &ev);
}

void sim_ledger_fail(struct sim_ledger *g, int code)
{
    struct life_event ev = {.type = LIFE_FAILED, .code = code};
    sim_ledger_input(g, &ev);
}

void sim_durable_notify(struct sim_torrent *st, const struct action *a)
{
    if (a->notify.type == NOTIFY_ERROR) {
        st->error = a->notify.result;
    } else if (a->notify.type == NOTIFY_COMPLETE) {
        sim_commit_complete(st->ledger);
    }
}

/* An error, outside of the core's drain. */
static void ledger_watch_core(struct sim_ledger *g)
{
    struct sim_torrent *st = g->st;
    if (st->t == NULL) {
        return;
    }
    if (st->error != 0) {
        int code = st->error;
        st->error = 0;
        sim_ledger_fail(g, code);
    }
    if (g->l.state == LIFE_STOPPING && sim_is_stopped(st)) {
        st->started = false;
        commit_hurry(g->m.c);
        ledger_say(g, LIFE_STOPPED);
    }
}

static bool ledger_is_settled(const struct sim_ledger *g)
{
    return (g->st->t == NULL || torrent_is_quiet(g->st->t)) &&
           commit_has_all(&g->m);
}

/* A bit of time has passed. */
static void ledger_tick(struct sim_ledger *g)
{
    ledger_watch_core(g);
    if (life_deadline(&g->l) <= g->d->s->now_ms) {
        ledger_say(g, LIFE_CLOCK);
    }
    if (life_awaits_settling(&g->l) && ledger_is_settled(g)) {
        ledger_say(g, LIFE_SETTLED);
    }
}

/* --- the process --- */

static void durable_clock(struct sim_durable *d)
{
    for (uint32_t i = 0; i < d->n_ledgers; i++) {
        sim_platter_clock(&d->ledgers[i]->platter);
    }
}

/* Ends in order: all at rest, then the last commits, then out. */
static void durable_tick_leaving(struct sim_durable *d)
{
    for (uint32_t i = 0; i < d->n_ledgers; i++) {
        const struct sim_ledger *g = d->ledgers[i];
        if (!life_rests(&g->l) || !ledger_is_settled(g)) {
            return;
        }
    }
    if (sim_commit_wind_down(d)) {
        sim_durable_die(d, false);
    }
}

static void durable_on_tick(struct sim *s, struct sim_event *e)
{
    struct sim_durable *d = e->ctx;
    if (sim_durable_is_stale(e)) {
        return;
    }
    durable_clock(d);
    for (uint32_t i = 0; i < d->n_ledgers; i++) {
        ledger_tick(d->ledgers[i]);
    }
    if (d->leaving) {
        durable_tick_leaving(d);
    }
    if (!sim_durable_runs(d)) {
        return;
    }
    for (struct pipeline *p = d->pipes.first; p != NULL; p = p->next) {
        commit_on_clock(&p->c, s->now_ms);
    }
    sim_commit_pump(d);
    struct sim_event *next = sim_at(s, TICK_MS, durable_on_tick, d);
    next->id = d->epoch;
}

void sim_durable_begin(struct sim_durable *d)
{
    SIM_CHECK(d->s, !sim_durable_runs(d));
    durable_clock(d);
    d->epoch++;
    d->leaving = false;
    d->run = (struct sim_run_row){.id = d->run.id + 1,
                                  .boot = d->boot,
                                  .started_at = sim_durable_unix(d),
                                  .heartbeat_at = sim_durable_unix(d)};
    pipeline_open(&d->pipes, &sim_batch_ops, SIM_DURABLE_INTERVAL_MS,
                  d->s->now_ms);
    for (uint32_t i = 0; i < d->n_ledgers; i++) {
        struct sim_ledger *g = d->ledgers[i];
        commit_join(&d->pipes.first->c, &g->m);
        life_init(&g->l, g->rows.wanted, g->rows.starts, true);
        ledger_say(g, LIFE_ADDED);
    }
    struct sim_event *e = sim_at(d->s, TICK_MS, durable_on_tick, d);
    e->id = d->epoch;
}

void sim_durable_leave(struct sim_durable *d)
{
    d->leaving = true;
    for (uint32_t i = 0; i < d->n_ledgers; i++) {
        ledger_say(d->ledgers[i], LIFE_ENDING);
    }
}

/* What is under way ends anyhow. */
static void durable_break_off(struct sim_torrent *st)
{
    st->dying = true;
    if (st->t != NULL) {
        sim_stop(st);
        sim_disk_abort(st);
    }
    sim_torrent_close(st);
    st->dying = false;
    st->error = 0;
}

/* Another boot; maybe its devices have other numbers. */
static void durable_reboot(struct sim_durable *d)
{
    d->boot++;
    d->hung_dev = 0;
    d->dev_base += sim_chance(d->s, 3) ? 10 : 0;
    for (uint32_t i = 0; i < d->n_ledgers; i++) {
        sim_platter_cut(&d->ledgers[i]->platter);
        sim_platter_number(&d->ledgers[i]->platter, d->dev_base);
    }
}

void sim_durable_die(struct sim_durable *d, bool power)
{
    if (!sim_durable_runs(d)) {
        return;
    }
    durable_clock(d);
    d->epoch++;
    for (uint32_t i = 0; i < d->n_ledgers; i++) {
        durable_break_off(d->ledgers[i]->st);
    }
    sim_commit_break_off(d);
    if (power) {
        durable_reboot(d);
    }
    d->n_cuts += power ? 1 : 0;
    d->n_kills += power ? 0 : 1;
    sim_rows_check(d);
}

/* --- the world --- */

static struct sim_ledger *durable_any(struct sim_durable *d)
{
    return d->ledgers[sim_below(d->s, d->n_ledgers)];
}

void sim_durable_stranger(struct sim_durable *d)
{
    struct sim_ledger *g = durable_any(d);
    uint32_t file = sim_below(d->s, g->st->c->geom.n_files);
    durable_clock(d);
    if (sim_durable_runs(d)) {
        sim_platter_scribble(&g->platter, file);
    } else {
        sim_platter_stranger(&g->platter, file);
    }
}

void sim_durable_move(struct sim_ledger *g)
{
    durable_clock(g->d);
    for (uint32_t i = 0; i < g->st->c->geom.n_files; i++) {
        sim_platter_move(&g->platter, i);
    }
}

void sim_durable_refuse(struct sim_durable *d)
{
    uint32_t kinds[] = {1u << SIM_PUT_PIECE, 1u << SIM_PUT_BLOCK,
                        1u << SIM_PUT_FILE | 1u << SIM_PUT_DOUBT,
                        1u << SIM_PUT_STAT};
    d->rule.of = durable_any(d);
    d->rule.kinds = kinds[sim_below(d->s, 4)] | kinds[sim_below(d->s, 4)];
    d->rule.one_in = 1 + sim_below(d->s, 3);
}

void sim_durable_allow(struct sim_durable *d)
{
    d->rule = (struct sim_rule){0};
}

void sim_durable_hang(struct sim_durable *d, uint64_t dev)
{
    d->hung_dev = dev;
}

void sim_durable_lock(struct sim_durable *d, uint32_t ms)
{
    d->locked_ms = d->s->now_ms + ms;
}

static void ledger_on_wish(struct sim *s, struct sim_event *e)
{
    struct sim_ledger *g = sim_durable_of(e);
    struct life_event ev = {.type = LIFE_WISHED,
                            .wanted = g->rows.wanted,
                            .starts = g->rows.starts};
    (void)s;
    if (!sim_durable_is_stale(e)) {
        sim_ledger_input(g, &ev);
    }
}

void sim_durable_wish(struct sim_ledger *g, enum wanted wanted)
{
    struct sim_durable *d = g->d;
    g->rows.wanted = wanted;
    g->rows.starts += wanted == WANTED_RUN ? 1 : 0;
    if (sim_durable_runs(d)) {
        struct sim_event *e =
            sim_at(d->s, sim_below(d->s, WISH_MS), ledger_on_wish, d);
        e->id = d->epoch;
        e->data = mem_dup(&g, sizeof(void *));
        e->len = sizeof(void *);
    }
}

bool sim_ledger_is_done(void *ctx)
{
    const struct sim_ledger *g = ctx;
    return sim_durable_runs(g->d) && g->l.state == LIFE_RUNNING &&
           g->l.finished;
}

bool sim_durable_is_done(void *ctx)
{
    const struct sim_durable *d = ctx;
    bool done = true;
    for (uint32_t i = 0; i < d->n_ledgers; i++) {
        done &= sim_ledger_is_done(d->ledgers[i]);
    }
    return done;
}

bool sim_ledger_is_paused(void *ctx)
{
    const struct sim_ledger *g = ctx;
    return g->l.wanted == WANTED_PAUSE && life_rests(&g->l) && g->l.let_go;
}

bool sim_durable_is_gone(void *ctx)
{
    return !sim_durable_runs(ctx);
}

/* --- made and freed --- */

struct sim_durable *sim_durable_new(struct sim *s, enum sim_bug bug)
{
    struct sim_durable *d = mem_zalloc(sizeof *d);
    d->s = s;
    d->bug = bug;
    d->node = sim_node_new(s, 4u << 20, 1u << 20);
    d->delay_ms = 50;
    return d;
}

struct sim_ledger *sim_durable_add(struct sim_durable *d, struct sim_content *c)
{
    struct sim_ledger *g = mem_zalloc(sizeof *g);
    SIM_CHECK(d->s, d->n_ledgers < SIM_MAX_LEDGERS && !sim_durable_runs(d));
    g->d = d;
    g->st = sim_torrent_new(d->node, c, NULL, false);
    sim_torrent_close(g->st);
    g->st->ledger = g;
    sim_platter_init(&g->platter, &g->st->disk);
    g->st->disk.lossy = true; /* strangers come, see the rules here */
    g->st->disk.delay_ms = d->delay_ms;
    sim_rows_init(&g->rows, c);
    struct bits *sets[] = {&g->claimed,     &g->dropped,     &g->to_check,
                           &g->fresh.known, &g->fresh.taken, &g->fresh.refused};
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        (void)bits_init(sets[i], c->geom.n_pieces);
    }
    d->ledgers[d->n_ledgers++] = g;
    return g;
}

static void ledger_free(struct sim_ledger *g)
{
    struct bits *sets[] = {&g->claimed,     &g->dropped,     &g->to_check,
                           &g->fresh.known, &g->fresh.taken, &g->fresh.refused};
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        bits_fini(sets[i]);
    }
    sim_rows_fini(&g->rows, g->st->c);
    sim_platter_fini(&g->platter);
    free(g);
}

void sim_durable_free(struct sim_durable *d)
{
    SIM_CHECK(d->s, !sim_durable_runs(d));
    for (uint32_t i = 0; i < d->n_ledgers; i++) {
        ledger_free(d->ledgers[i]);
    }
    free(d);
}
