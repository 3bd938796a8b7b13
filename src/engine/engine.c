/* A run of the engine is opened, run and closed; see engine.h. Read run.c for
 * its turns, then torrent.c (one torrent from its rows to running and back),
 * startup.c (what of the data on disk is trusted), drive.c (actions into io,
 * results into events), commit.c (the order write, sync, commit).
 */
#include "engine/engine.h"

#include "base/limit.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/commit.h"
#include "engine/inbound.h"
#include "engine/infos.h"
#include "engine/internal.h"
#include "engine/limits.h"
#include "engine/links.h"
#include "engine/load.h"
#include "engine/pipes.h"
#include "engine/reach.h"
#include "engine/run.h"
#include "engine/silence.h"
#include "engine/tracker_hosts.h"
#include "engine/trackers.h"
#include "engine/turn.h"
#include "engine/wishes.h"
#include "journal/add.h"
#include "journal/load.h"
#include "journal/owed.h"
#include "store/own.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define ENGINE_PEER_ID     "-BT0100-" /* BEP 20, Azureus style */
#define ENGINE_JOURNAL_MS  1000u
#define ENGINE_CACHE_BYTES (29u << 20)
#define ENGINE_CELL_FULL   8u /* of btc_cell.done */

/* Options with their defaults; what all torrents share. */
static void engine_init(struct engine *s, struct journal *db,
                        const struct btc_run_options *o)
{
    s->o = *o;
    s->db = db;
    if (o->journal_interval_ms > 0) {
        s->commit.interval_ms = o->journal_interval_ms;
    } else {
        s->commit.interval_ms = ENGINE_JOURNAL_MS;
    }
    rng_init(&s->rng, rng_seed_system());
    pool_init(&s->pool,
              o->cache_bytes > 0 ? o->cache_bytes : ENGINE_CACHE_BYTES);
    uint64_t now = loop_now_ms(s->loop);
    s->clock.started_ms = s->clock.tick_ms = s->clock.second_ms = now;
    s->clock.payload_ms = now;
    bucket_init(&s->net.down_bucket, o->down_limit, now);
    s->shared.content.rng = s->shared.swarm.rng = &s->rng;
    s->shared.content.pool = s->shared.swarm.pool = &s->pool;
    bucket_init(&s->shared.swarm.up, o->up_limit, now);
    memcpy(s->shared.swarm.peer_id, ENGINE_PEER_ID, 8);
    for (size_t i = 8; i < sizeof(s->shared.swarm.peer_id); i++) {
        static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
        s->shared.swarm.peer_id[i] = (uint8_t)digits[rng_below(&s->rng, 36)];
    }
    s->shared.swarm.key = (uint32_t)rng_u64(&s->rng);
    s->shared.swarm.client = "btc " BTC_VERSION;
    pipes_open(s);
    s->infos = infos_new(now);
    if (o->seed != NULL) {
        (void)seed_goal_parse(o->seed, &s->seed, NULL);
    }
}

/* --bind: an address or an interface. */
static void engine_bind(const struct engine *s, struct tcp_host_options *h,
                        struct http_options *w)
{
    (void)snprintf(w->user_agent, sizeof(w->user_agent), "btc/%s", BTC_VERSION);
    if (s->o.bind == NULL || s->o.bind[0] == '\0') {
        return;
    }
    struct addr a;
    (void)snprintf(w->interface, sizeof(w->interface), "%s", s->o.bind);
    if (!addr_parse_ip(slice_str(s->o.bind), 0, &a)) {
        (void)snprintf(h->device, sizeof(h->device), "%s", s->o.bind);
    } else if (a.family == ADDR_V4) {
        h->bind4 = a;
    } else {
        h->bind6 = a;
    }
}

/* Files and connections share one limit: take what the system gives. */
static void engine_raise_files(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
        if (r.rlim_max < 65536) {
            r.rlim_cur = r.rlim_max;
        } else {
            r.rlim_cur = 65536;
        }
        (void)setrlimit(RLIMIT_NOFILE, &r);
    }
}

/* Opens the io objects. */
static int engine_open_io(struct engine *s, struct err *e)
{
    struct tcp_host_options host = {0};
    struct http_options web = {0};
    engine_bind(s, &host, &web);
    store_set_own(s->disk, store_own_new(journal_path(s->db)));
    s->shared.content.hash_jobs = store_threads(s->disk) * 2;
    s->net.host = tcp_host_new(s->loop, &host);
    s->net.http = http_new(s->loop, &web);
    s->net.hosts = tracker_hosts_new();
    s->wakeup = loop_wakeup_new(s->loop, run_on_signal, s);
    atomic_store(&s->signals->wakeup, s->wakeup);
    loop_set_timer_fn(s->loop, run_on_timer, s);
    loop_set_idle_fn(s->loop, run_on_idle, s);
    int err = 0;
    if (!s->o.check_only) {
        err = inbound_listen(s, e);
    }
    s->reach = reach_open(s, &host);
    if (err == 0) {
        err = journal_begin_run(s->db, &s->before, e);
    }
    return err;
}

/* An earlier run left nothing to be done: all is here, is not to be served,
 * nobody wishes for more since, and no command is owed. */
static bool engine_was_done(struct engine *s, const struct engine_torrent *st)
{
    enum seed_mode mode = st->row.seed_mode;
    if (s->o.seed != NULL) {
        mode = s->seed.mode;
    }
    if (s->o.owes_done && st->stat.done_owed) {
        return false;
    }
    return st->ledger.stat_known && st->stat.state == BTC_STATE_COMPLETE &&
           mode == SEED_MODE_NONE && !journal_is_owed(s->db, st->id);
}

static bool engine_has_id(const int64_t *ids, size_t n, int64_t id)
{
    size_t i = 0;
    while (i < n && ids[i] != id) {
        i++;
    }
    return i < n;
}

/* It is to go, and no run has come to that. */
static bool engine_is_unwanted(const struct engine_torrent *st)
{
    return st->row.wanted == WANTED_REMOVE ||
           st->row.wanted == WANTED_REMOVE_DATA;
}

/* The torrent is one of those that this run is for. */
static bool engine_is_asked(struct engine *s, const struct engine_torrent *st)
{
    const struct journal_torrent *row = &st->row;
    if (s->o.metadata_only && row->piece_length > 0) {
        return false;
    }
    if (s->o.n_ids == 0 && s->o.check_only) {
        return row->wanted == WANTED_RUN || row->wanted == WANTED_PAUSE;
    }
    if (s->o.n_ids == 0 && engine_is_unwanted(st)) {
        return true;
    }
    if (s->o.n_ids == 0) {
        return row->wanted == WANTED_RUN &&
               (s->o.follow_wishes || !engine_was_done(s, st) ||
                engine_has_id(s->o.also.ids, s->o.also.n, row->id));
    }
    return engine_has_id(s->o.ids, s->o.n_ids, row->id);
}

/* A check of everything becomes a wish in the database, so that an interrupted
 * one goes on where it stopped (pieces verified since then stand). --full
 * starts over. */
static int engine_wish_verify(struct engine *s, struct engine_torrent *st,
                              struct err *e)
{
    bool full = s->o.verify == BTC_VERIFY_FULL;
    st->startup.verify_all =
        full || (s->o.check_only && s->o.older_than_s == 0);
    st->startup.verify_more =
        st->row.verify_since != 0 && !(full && s->o.check_only);
    if (!st->startup.verify_all || st->startup.verify_more) {
        return 0;
    }
    char text[24];
    st->row.verify_since = journal_since_now(loop_unix_now());
    (void)snprintf(text, sizeof(text), "%lld", (long long)st->row.verify_since);
    return journal_set_wish(s->db, st->id, "verify_since", text, e);
}

/* Reads the torrents and begins those that are to run. */
static int engine_load_all(struct engine *s, struct err *e)
{
    struct journal_torrent *rows = NULL;
    size_t n = 0;
    int err = journal_load_torrents(s->db, &rows, &n, e);
    for (size_t i = 0; err == 0 && i < n; i++) {
        struct engine_torrent *st = engine_load_new(s, &rows[i]);
        st->ledger.stat_known =
            journal_load_stat(s->db, st->id, &st->stat, NULL) == 0;
        st->asked = engine_is_asked(s, st);
        if (st->asked && s->o.check_only) {
            /* Paused ones are checked, too. */
            life_init(&st->life, WANTED_RUN, st->row.starts, false);
        }
        if (st->asked) {
            err = engine_wish_verify(s, st, e);
        }
    }
    journal_torrents_free(rows, n);
    return err;
}

/* Done already in an earlier run: over, unless it is to seed. What an earlier
 * run was to remove and did not come to goes now. */
static void engine_begin_all(struct engine *s)
{
    for (struct engine_torrent *st = s->torrents; st != NULL;
         st = st->hh.next) {
        if (st->asked || engine_is_unwanted(st)) {
            turn_post(st, LIFE_ADDED);
        }
    }
}

/* --- signals --- */

/* Only atomics and uv_async_send. */
void engine_signal(struct engine_signals *g, enum btc_signal s)
{
    switch (s) {
    case BTC_SIGNAL_STOP:
        (void)atomic_fetch_add(&g->n_stop, 1);
        break;
    case BTC_SIGNAL_STATS:
        (void)atomic_fetch_add(&g->n_stats, 1);
        break;
    case BTC_SIGNAL_RELOAD:
        (void)atomic_fetch_add(&g->n_reload, 1);
        break;
    }
    (void)atomic_fetch_add(&g->n_sending, 1);
    struct loop_wakeup *w = atomic_load(&g->wakeup);
    if (w != NULL) {
        loop_wakeup_send(w);
    }
    (void)atomic_fetch_sub(&g->n_sending, 1);
}

void engine_signals_clear(struct engine_signals *g)
{
    atomic_store(&g->n_stop, 0);
    atomic_store(&g->n_stats, 0);
    atomic_store(&g->n_reload, 0);
}

/* From now on engine_signal does not touch the loop. Whoever counted himself in
 * before the store may still send; a handler on this thread has ended by now,
 * so the wait is short. */
static void engine_signals_forget(struct engine_signals *g)
{
    atomic_store(&g->wakeup, (struct loop_wakeup *)NULL);
    while (atomic_load(&g->n_sending) > 0) {
        (void)sched_yield();
    }
}

/* --- the whole --- */

void engine_close(struct engine *s)
{
    if (s == NULL) {
        return;
    }
    engine_signals_forget(s->signals);
    for (struct engine_torrent *st = s->torrents; st != NULL;
         st = st->hh.next) {
        links_close_all(st);
        trackers_cancel(st);
    }
    inbound_free(s);
    http_free(s->net.http);
    tracker_hosts_free(s->net.hosts);
    reach_close(s->reach);
    tcp_listener_close(s->net.listener);
    tcp_host_free(s->net.host);
    if (!silence_has_left(s)) {
        store_free(s->disk);
    }
    if (silence_has_left_journal(s)) {
        return; /* its thread has the connection */
    }
    if (s->journal_thread != NULL) {
        s->db = journal_thread_stop(s->journal_thread);
    }
    if (silence_has_left(s)) {
        return; /* threads that wait for a drive may still use the rest */
    }
    while (s->torrents != NULL) {
        engine_load_free(s->torrents);
    }
    heap_fini(&s->turn.due);
    loop_wakeup_close(s->wakeup);
    loop_free(s->loop);
    pipes_close(s);
    pool_fini(&s->pool);
    free(s->progress.all);
    infos_free(s->infos);
    free(s->removed.ids);
    free(s->commit.schema);
    free(s);
}

bool engine_has_left_journal(const struct engine *s)
{
    return s != NULL && silence_has_left_journal(s);
}

int engine_open(struct journal *db, struct engine_signals *g,
                const struct btc_run_options *o, struct engine **out,
                struct err *e)
{
    struct engine *s = mem_zalloc(sizeof(*s));
    *out = NULL;
    s->signals = g;
    s->loop = loop_new();
    if (s->loop == NULL) {
        free(s);
        return limit_files(e);
    }
    engine_raise_files();
    s->disk = store_new(s->loop, &(const struct store_options){0});
    if (s->disk == NULL) {
        loop_free(s->loop);
        free(s);
        return limit_threads(e);
    }
    engine_init(s, db, o);
    int rc = engine_open_io(s, e);
    if (rc == 0) {
        rc = engine_load_all(s, e);
    }
    if (rc != 0) {
        engine_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

/* A run that could not begin is no killed one. */
static void engine_end_run(struct engine *s)
{
    struct journal_batch *b = journal_batch_new();
    journal_put_run_end(b);
    (void)journal_apply(s->db, b, NULL);
    journal_batch_free(b);
}

int engine_run(struct engine *s, struct err *e)
{
    static const struct journal_thread_callbacks callbacks = {
        .on_committed = engine_commit_committed,
        .on_wishes = wishes_read,
        .on_schema = engine_commit_schema};
    s->journal_thread = journal_thread_start(s->db, s->loop, &callbacks, s);
    if (s->journal_thread == NULL) {
        engine_end_run(s);
        return limit_threads(e);
    }
    s->db = NULL;
    engine_begin_all(s);
    if (atomic_load(&s->signals->n_stop) + atomic_load(&s->signals->n_reload) >
        0) {
        loop_wakeup_send(s->wakeup); /* it came before we listened */
    }
    run_on_idle(s);
    if (s->end.phase != END_OVER) {
        loop_run(s->loop);
    }
    int rc = s->end.status;
    const char *text = s->end.error;
    if ((rc == 0 || rc == BTC_E_INTERRUPTED) && s->commit.schema_cost) {
        rc = BTC_E_DB;
        text = s->commit.schema;
    }
    if (rc != 0) {
        (void)err_set(e, rc, "%s", text[0] != '\0' ? text : err_text(rc));
    }
    return rc;
}

void engine_put_free(struct engine *s, struct journal_batch *b)
{
    journal_batch_append(pipes_free_facts(s), b);
    pipes_hurry(s);
}

void engine_set_limits(struct engine *s, uint64_t down, uint64_t up)
{
    uint64_t now = loop_now_ms(s->loop);
    bucket_set_rate(&s->shared.swarm.up, up, now);
    bucket_set_rate(&s->net.down_bucket, down, now);
    limits_grant(s);
}

/* One cell over pieces [from, to). */
static struct btc_cell engine_cell(const struct picker *p, uint32_t from,
                                   uint32_t to)
{
    struct btc_cell cell = {0};
    uint32_t have = 0;
    for (uint32_t i = from; i < to; i++) {
        enum picker_state state = picker_state(p, i);
        have += state == PICKER_HAVE;
        cell.active |= state == PICKER_ACTIVE || state == PICKER_FULL;
        cell.checking |= state == PICKER_CHECKING;
    }
    cell.done = (uint8_t)((uint64_t)have * ENGINE_CELL_FULL / (to - from));
    return cell;
}

/* A torrent with fewer pieces than cells has some twice. */
int engine_map(const struct engine *s, int64_t id, struct btc_cell *cells,
               size_t n)
{
    const struct engine_torrent *st = engine_load_find(s, id);
    memset(cells, 0, n * sizeof(*cells));
    if (st == NULL || st->t == NULL) {
        return BTC_E_NOTFOUND;
    }
    uint64_t pieces = 0;
    if (st->meta != NULL) {
        pieces = st->geom.n_pieces;
    }
    for (size_t c = 0; c < n && pieces > 0; c++) {
        uint32_t from = (uint32_t)(pieces * c / n);
        uint32_t to = (uint32_t)(pieces * (c + 1) / n);
        if (to <= from) {
            to = from + 1;
        }
        cells[c] = engine_cell(torrent_picker(st->t), from, to);
    }
    return 0;
}
