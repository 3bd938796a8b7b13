/* A run of the engine from start to end; see engine.h. */
#include "engine/internal.h"

#include "base/log.h"
#include "base/mem.h"
#include "model/names.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define ENGINE_PEER_ID "-BT0100-" /* BEP 20, Azureus style */

struct engine_torrent *engine_find(struct engine *s, int64_t id)
{
    struct engine_torrent *st;
    HASH_FIND(hh, s->torrents, &id, sizeof id, st);
    return st;
}

void engine_touch(struct engine_torrent *st)
{
    if (!st->touched) {
        st->touched = true;
        LL_PREPEND2(st->s->touched, st, next_touched);
    }
    engine_commit_move(st);
}

/* --- the end --- */

/* Graceful: torrents wind down, then one last commit. The first status stays.
 */
void engine_stop(struct engine *s, int status, const char *text)
{
    if (s->stopping) {
        return;
    }
    s->stopping = true;
    s->status = status;
    (void)snprintf(s->error, sizeof s->error, "%s", text != NULL ? text : "");
    s->stop_ms = loop_now_ms(s->loop);
    for (struct engine_torrent *st = s->torrents; st != NULL;
         st = st->hh.next) {
        engine_torrent_stop(st);
    }
    engine_wake(s);
}

/* Nothing is on its way to or from a torrent any more. */
static bool engine_is_quiet(const struct engine *s)
{
    const struct engine_torrent *st;
    for (st = s->torrents; st != NULL; st = st->hh.next) {
        if (st->n_jobs > 0 || st->phase == PHASE_LOADING) {
            return false;
        }
        if (st->phase == PHASE_STOPPING && !s->hurry) {
            return false;
        }
        if (st->t != NULL && !torrent_is_quiet(st->t)) {
            return false;
        }
    }
    return true;
}

/* Once everything is quiet: the last commit, then out. */
static void engine_wind_down(struct engine *s)
{
    if (!s->stopping || s->finished || !engine_is_quiet(s)) {
        return;
    }
    if (!s->journal_final && s->journal == COMMIT_IDLE) {
        s->journal_final = true;
        s->journal_now = true;
        engine_commit_tick(s);
    }
    bool over = s->journal_dead || engine_commit_is_clean(s);
    if (s->journal_final && s->journal == COMMIT_IDLE && over) {
        s->finished = true;
        loop_stop(s->loop);
    }
}

/* What one torrent ended with. Paused or removed by somebody else's wish, it is
 * unfinished. */
static int engine_torrent_outcome(const struct engine_torrent *st,
                                  const char **text)
{
    *text = st->error;
    if (st->status == 0 && !st->announced_done) {
        *text = "stopped by a wish before it was done";
        return BTC_E_INTERRUPTED;
    }
    return st->status;
}

/* What the torrents of this run ended with: the first one's trouble, or SOME.
 * That a check finds other torrents good does not change what it found. */
static int engine_outcome(const struct engine *s, const char **text)
{
    int first = 0;
    bool good = false, mixed = false;
    const struct engine_torrent *st;
    for (st = s->torrents; st != NULL; st = st->hh.next) {
        const char *why = NULL;
        int status = st->asked ? engine_torrent_outcome(st, &why) : 0;
        good |= st->asked && status == 0 && !s->o.check_only;
        mixed |= status != 0 && first != 0 && status != first;
        if (status != 0 && first == 0) {
            first = status;
            *text = why;
        }
    }
    return first != 0 && (good || mixed) ? BTC_E_SOME : first;
}

/* A foreground run ends when all that it was asked for is over. */
static void engine_check_over(struct engine *s)
{
    if (s->stopping || s->o.follow_wishes) {
        return;
    }
    struct engine_torrent *st = s->unfinished;
    if (st != NULL && st->asked && !engine_torrent_is_over(st)) {
        return; /* the one we knew of */
    }
    for (st = s->torrents; st != NULL; st = st->hh.next) {
        if (st->asked && !engine_torrent_is_over(st)) {
            s->unfinished = st;
            return;
        }
    }
    const char *text = NULL;
    int status = engine_outcome(s, &text);
    engine_stop(s, status, text);
}

/* Nothing that was asked for is unfinished: a stop only ends the seeding. */
static bool engine_all_done(const struct engine *s)
{
    const struct engine_torrent *st;
    for (st = s->torrents; st != NULL; st = st->hh.next) {
        if (st->asked && !st->announced_done) {
            return false;
        }
    }
    return !s->o.follow_wishes && !s->o.check_only;
}

/* --- limits of time --- */

/* Whether anything comes in, for --stall-timeout. */
static void engine_watch_payload(struct engine *s, uint64_t now)
{
    for (struct engine_torrent *st = s->torrents; st != NULL;
         st = st->hh.next) {
        struct torrent_stats ts;
        if (st->phase == PHASE_LOADING || st->phase == PHASE_STAT ||
            st->phase == PHASE_SCAN || st->phase == PHASE_CREATE) {
            s->payload_ms = now; /* a big file may be long in the making */
        }
        if (st->t == NULL || st->phase != PHASE_RUN) {
            continue;
        }
        torrent_get_stats(st->t, now, &ts);
        if (ts.last_payload_ms > s->payload_ms) {
            s->payload_ms = ts.last_payload_ms;
        }
        if (ts.pieces_checking > 0) {
            s->payload_ms = now; /* hashing is progress, too */
        }
    }
}

/* --max-time and --stall-timeout. */
static void engine_check_time(struct engine *s, uint64_t now)
{
    if (s->stopping) {
        return;
    }
    if (s->o.max_time_s > 0 &&
        now - s->started_ms >= (uint64_t)s->o.max_time_s * 1000) {
        engine_stop(s, engine_all_done(s) ? 0 : BTC_E_STALLED,
                    "the time limit was reached");
    } else if (s->o.stall_timeout_s > 0 &&
               now - s->payload_ms >= (uint64_t)s->o.stall_timeout_s * 1000) {
        engine_stop(s, engine_all_done(s) ? 0 : BTC_E_STALLED,
                    "no data came for the stall timeout");
    }
}

/* Between two STATS. */
static uint32_t engine_tick_ms(const struct engine *s)
{
    return s->o.tick_ms > 0 ? s->o.tick_ms : ENGINE_TICK_MS;
}

/* The soonest thing that is due. */
static uint64_t engine_deadline(const struct engine *s)
{
    uint64_t now = loop_now_ms(s->loop);
    uint64_t at = s->second_ms + ENGINE_SECOND_MS;
    uint64_t tick = s->tick_ms + engine_tick_ms(s);
    at = s->o.on_event != NULL && tick < at ? tick : at;
    uint64_t j = engine_commit_deadline(s);
    at = j < at ? j : at;
    if (engine_is_limited(s) && s->limit_ms + ENGINE_LIMIT_MS < at) {
        at = s->limit_ms + ENGINE_LIMIT_MS;
    }
    const struct heap_node *first = heap_first(&s->due);
    at = first != NULL && first->key < at ? first->key : at;
    return at > now ? at : now;
}

void engine_wake(struct engine *s)
{
    loop_arm_timer(s->loop, engine_deadline(s));
}

/* Those whose time has come. Each is put back when it is settled. */
static void engine_tick_due(struct engine *s, uint64_t now)
{
    struct heap_node *first;
    while ((first = heap_first(&s->due)) != NULL && first->key <= now) {
        void *st = (char *)first - offsetof(struct engine_torrent, due);
        heap_remove(&s->due, first);
        engine_torrent_tick(st);
    }
}

/* What comes by the mere passing of time. */
static void engine_on_second(struct engine *s, uint64_t now)
{
    s->second_ms = now;
    for (struct engine_torrent *st = s->torrents; st != NULL;
         st = st->hh.next) {
        engine_torrent_second(st);
        engine_commit_second(st);
    }
    if (s->o.stall_timeout_s > 0) {
        engine_watch_payload(s, now);
    }
}

/* The loop's one timer. */
static void engine_on_timer(void *ctx)
{
    struct engine *s = ctx;
    uint64_t now = loop_now_ms(s->loop);
    engine_tick_due(s, now);
    if (now - s->second_ms >= ENGINE_SECOND_MS) {
        engine_on_second(s, now);
    }
    engine_incoming_tick(s);
    if (engine_is_limited(s) && now - s->limit_ms >= ENGINE_LIMIT_MS) {
        s->limit_ms = now;
        engine_grant_reads(s);
    }
    engine_commit_tick(s);
    if (now - s->tick_ms >= engine_tick_ms(s)) {
        s->tick_ms = now;
        engine_tell_stats(s, false);
    }
    engine_check_time(s, now);
}

/* Nothing of it is under way, and the journal holds all of it. */
static bool engine_can_restart(const struct engine_torrent *st)
{
    return engine_torrent_rests(st) && st->n_jobs == 0 &&
           engine_commit_has_all(st);
}

/* Who rests keeps no file open: a drive can be unmounted, and a file that is
 * deleted gives its space back. True while that waits for the journal. */
static bool engine_let_go(struct engine_torrent *st)
{
    if (st->store == NULL || st->let_go || !engine_torrent_rests(st)) {
        return false;
    }
    st->let_go = st->n_jobs == 0 && engine_commit_has_all(st);
    if (st->let_go) {
        store_tree_rest(st->store);
    }
    return !st->let_go;
}

/* The check of one torrent left room for that of another. */
static void engine_share_hashing(struct engine *s)
{
    struct event ev = {.type = EVENT_TICK};
    struct engine_torrent *st = s->hash_free ? s->torrents : NULL;
    s->hash_free = false;
    for (; st != NULL &&
           s->shared.content.hash_busy < s->shared.content.hash_jobs;
         st = st->hh.next) {
        if (st->phase == PHASE_RUN && torrent_waits_to_hash(st->t)) {
            engine_event(st, &ev);
        }
    }
}

/* When it wants to be woken, and whether it has a limit of its own. */
static void engine_settle_time(struct engine *s, struct engine_torrent *st)
{
    uint64_t at = engine_torrent_deadline(st);
    bool limited = st->down_bucket.rate > 0 && st->phase == PHASE_RUN;
    if (at == UINT64_MAX) {
        heap_remove(&s->due, &st->due);
    } else {
        heap_put(&s->due, &st->due, at);
    }
    if (limited != st->limited) {
        st->limited = limited;
        s->n_limited += limited ? 1 : UINT32_MAX;
    }
}

/* Wishes whose time has come. True while one waits for the journal or a job. */
static bool engine_settle_wish(struct engine *s, struct engine_torrent *st)
{
    bool waits = engine_let_go(st);
    if (st->restart && !s->stopping && engine_can_restart(st)) {
        engine_torrent_reload(st);
    }
    if (st->remove && engine_torrent_rests(st) && st->n_jobs == 0 &&
        !st->deleting) {
        engine_torrent_delete(st);
    }
    return waits || st->restart || st->remove;
}

/* What was touched in this turn. */
static void engine_settle(struct engine *s)
{
    struct engine_torrent *waiting = NULL, *st;
    while ((st = s->touched) != NULL) {
        LL_DELETE2(s->touched, st, next_touched);
        st->touched = false;
        engine_settle_time(s, st);
        if (engine_settle_wish(s, st) && !st->touched) {
            st->touched = true;
            LL_PREPEND2(waiting, st, next_touched);
        }
    }
    s->touched = waiting; /* looked at in the next turn */
}

/* After each batch of events: settle what follows, arm the timer. */
static void engine_on_idle(void *ctx)
{
    struct engine *s = ctx;
    engine_share_hashing(s);
    engine_settle(s);
    engine_check_over(s);
    engine_wind_down(s);
    if (!s->finished) {
        engine_wake(s);
    }
}

/* btc_signal, on the loop thread. */
static void engine_on_wakeup(void *ctx)
{
    struct engine *s = ctx;
    int stops = atomic_exchange(&s->b->n_stop, 0);
    if (stops > 0 && !s->stopping) {
        int status = engine_all_done(s) ? 0 : BTC_E_INTERRUPTED;
        engine_stop(s, status, "interrupted");
        stops--;
    }
    if (stops > 0 && s->stopping) {
        s->hurry = true;
    }
    if (atomic_exchange(&s->b->n_stats, 0) > 0) {
        engine_tell_stats(s, true);
    }
    if (atomic_exchange(&s->b->n_reload, 0) > 0) {
        struct btc_event ev = {.type = BTC_EVENT_RELOAD, .at = loop_unix_now()};
        if (s->o.on_event != NULL) {
            s->o.on_event(s->o.ctx, &ev);
        }
    }
}

/* --- the beginning --- */

/* Options with their defaults; what all torrents share. */
static void engine_init(struct engine *s, struct btc *b,
                        const struct btc_run_options *o)
{
    s->b = b;
    s->o = *o;
    s->db = b->db;
    s->journal_interval_ms =
        o->journal_interval_ms > 0 ? o->journal_interval_ms : ENGINE_JOURNAL_MS;
    rng_init(&s->rng, rng_seed_system());
    pool_init(&s->pool,
              o->cache_bytes > 0 ? o->cache_bytes : ENGINE_CACHE_BYTES);
    uint64_t now = loop_now_ms(s->loop);
    s->started_ms = s->tick_ms = s->second_ms = now;
    s->journal_ms = s->payload_ms = now;
    bucket_init(&s->down_bucket, o->down_limit, now);
    s->shared.content.rng = s->shared.swarm.rng = &s->rng;
    s->shared.content.pool = s->shared.swarm.pool = &s->pool;
    bucket_init(&s->shared.swarm.up, o->up_limit, now);
    memcpy(s->shared.swarm.peer_id, ENGINE_PEER_ID, 8);
    for (size_t i = 8; i < sizeof s->shared.swarm.peer_id; i++) {
        static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
        s->shared.swarm.peer_id[i] = (uint8_t)digits[rng_below(&s->rng, 36)];
    }
    s->shared.swarm.key = (uint32_t)rng_u64(&s->rng);
    s->shared.swarm.client = "btc " BTC_VERSION;
    s->batch = journal_batch_new();
}

/* --bind: an address or an interface. */
static void engine_bind(const struct engine *s, struct tcp_host_options *h,
                        struct http_options *w)
{
    (void)snprintf(w->user_agent, sizeof w->user_agent, "btc/%s", BTC_VERSION);
    if (s->o.bind == NULL || s->o.bind[0] == '\0') {
        return;
    }
    struct addr a;
    (void)snprintf(w->interface, sizeof w->interface, "%s", s->o.bind);
    if (!addr_parse_ip(slice_str(s->o.bind), 0, &a)) {
        (void)snprintf(h->device, sizeof h->device, "%s", s->o.bind);
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
        r.rlim_cur = r.rlim_max < 65536 ? r.rlim_max : 65536;
        (void)setrlimit(RLIMIT_NOFILE, &r);
    }
}

/* This boot's id, to tell a killed process from a power cut. */
bool engine_same_boot(const struct journal_run *run)
{
    char id[40] = "";
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (f != NULL) {
        if (fgets(id, sizeof id, f) == NULL) {
            id[0] = '\0';
        }
        (void)fclose(f);
    }
    id[strcspn(id, "\n")] = '\0';
    return id[0] != '\0' && strcmp(id, run->boot_id) == 0;
}

/* Opens the io objects. */
static int engine_open(struct engine *s, struct err *e)
{
    struct tcp_host_options host = {0};
    struct http_options web = {0};
    struct store_options disk = {0};
    engine_bind(s, &host, &web);
    engine_raise_files();
    s->disk = store_new(s->loop, &disk);
    s->shared.content.hash_jobs = store_threads(s->disk) * 2;
    s->host = tcp_host_new(s->loop, &host);
    s->http = http_new(s->loop, &web);
    s->wakeup = loop_wakeup_new(s->loop, engine_on_wakeup, s);
    atomic_store(&s->b->wakeup, s->wakeup);
    loop_set_timer_fn(s->loop, engine_on_timer, s);
    loop_set_idle_fn(s->loop, engine_on_idle, s);
    int err = s->o.check_only ? 0 : engine_listen(s, e);
    if (err == 0) {
        err = journal_begin_run(s->db, &s->before, e);
    }
    return err;
}

/* A file is wanted and not all here. */
static bool engine_misses_file(struct engine *s, int64_t id)
{
    struct journal_file *files = NULL;
    size_t n = 0;
    bool missing = journal_load_files(s->db, id, &files, &n, NULL) != 0;
    for (size_t i = 0; i < n && !missing; i++) {
        missing = !files[i].pad && files[i].priority > 0 &&
                  files[i].bytes_done < files[i].length;
    }
    journal_files_free(files, n);
    return missing;
}

/* An earlier run left nothing to be done: all is here, is not to be served, and
 * nobody wishes for more since. */
static bool engine_was_done(struct engine *s, const struct engine_torrent *st)
{
    enum seed_mode mode = st->row.seed_mode;
    int64_t goal;
    if (s->o.seed != NULL) {
        (void)api_parse_seed(s->o.seed, &mode, &goal, NULL);
    }
    return st->stat_known && strcmp(st->stat.state, "complete") == 0 &&
           mode == SEED_MODE_NONE && st->row.verify_since == 0 &&
           !engine_misses_file(s, st->id);
}

/* The torrent is one of those that this run is for. */
static bool engine_is_asked(struct engine *s, const struct engine_torrent *st)
{
    const struct journal_torrent *row = &st->row;
    if (s->o.n_ids == 0 && s->o.check_only) {
        return row->wanted == WANTED_RUN || row->wanted == WANTED_PAUSE;
    }
    if (s->o.n_ids == 0) {
        return row->wanted == WANTED_RUN &&
               (s->o.follow_wishes || !engine_was_done(s, st));
    }
    for (size_t i = 0; i < s->o.n_ids; i++) {
        if (s->o.ids[i] == row->id) {
            return true;
        }
    }
    return false;
}

/* A check of everything becomes a wish in the database, so that an interrupted
 * one goes on where it stopped (pieces verified since then stand). --full
 * starts over. */
static int engine_wish_verify(struct engine *s, struct engine_torrent *st,
                              struct err *e)
{
    bool full = s->o.verify == BTC_VERIFY_FULL;
    st->verify_all = full || (s->o.check_only && s->o.older_than_s == 0);
    st->verify_more = st->row.verify_since != 0 && !(full && s->o.check_only);
    if (!st->verify_all || st->verify_more) {
        return 0;
    }
    char text[24];
    st->row.verify_since = loop_unix_now() + 1;
    (void)snprintf(text, sizeof text, "%lld", (long long)st->row.verify_since);
    return journal_set_wish(s->db, st->id, "verify_since", text, e);
}

/* Reads the torrents and begins those that are to run. */
static int engine_load(struct engine *s, struct err *e)
{
    struct journal_torrent *rows = NULL;
    size_t n = 0;
    int err = journal_load_torrents(s->db, &rows, &n, e);
    for (size_t i = 0; err == 0 && i < n; i++) {
        struct engine_torrent *st = engine_torrent_new(s, &rows[i]);
        st->stat_known = journal_load_stat(s->db, st->id, &st->stat, NULL) == 0;
        st->asked = engine_is_asked(s, st);
        if (st->asked) {
            err = engine_wish_verify(s, st, e);
            engine_torrent_load(st, s->db);
            engine_torrent_loaded(st);
        }
    }
    journal_torrents_free(rows, n);
    return err;
}

/* Done already in an earlier run: over, unless it is to seed. */
static void engine_begin_all(struct engine *s)
{
    for (struct engine_torrent *st = s->torrents; st != NULL;
         st = st->hh.next) {
        if (st->asked) {
            engine_torrent_begin(st);
        } else if (st->row.wanted == WANTED_REMOVE ||
                   st->row.wanted == WANTED_REMOVE_DATA) {
            engine_wish_remove(st); /* an earlier run did not come to it */
        }
    }
}

/* Closes what engine_open opened and gives the database back. */
static void engine_close(struct engine *s)
{
    api_forget_wakeup(s->b);
    for (struct engine_torrent *st = s->torrents; st != NULL;
         st = st->hh.next) {
        engine_close_links(st);
    }
    engine_incoming_free(s);
    http_free(s->http);
    tcp_listener_close(s->listener);
    tcp_host_free(s->host);
    store_free(s->disk);
    if (s->journal_thread != NULL) {
        s->db = journal_thread_stop(s->journal_thread);
    }
    while (s->torrents != NULL) {
        engine_torrent_free(s->torrents);
    }
    heap_fini(&s->due);
    loop_wakeup_close(s->wakeup);
    loop_free(s->loop);
    journal_batch_free(s->batch);
    journal_batch_free(s->failed);
    pool_fini(&s->pool);
    free(s->progress);
    free(s->removed);
}

int engine_run(struct btc *b, const struct btc_run_options *o, struct err *e)
{
    static const struct journal_thread_callbacks callbacks = {
        .on_committed = engine_commit_committed, .on_wishes = engine_wishes};
    struct engine *s = mem_zalloc(sizeof *s);
    s->loop = loop_new();
    engine_init(s, b, o);
    b->run = s;
    int err = engine_open(s, e);
    if (err == 0) {
        err = engine_load(s, e);
    }
    if (err == 0) {
        s->journal_thread = journal_thread_start(s->db, s->loop, &callbacks, s);
        s->db = NULL;
        engine_begin_all(s);
        if (atomic_load(&b->n_stop) + atomic_load(&b->n_reload) > 0) {
            loop_wakeup_send(s->wakeup); /* it came before we listened */
        }
        engine_on_idle(s);
        if (!s->finished) {
            loop_run(s->loop);
        }
        err = s->status;
        if (err != 0) {
            (void)err_set(e, err, "%s",
                          s->error[0] != '\0' ? s->error : err_text(err));
        }
    }
    engine_close(s);
    b->db = s->db;
    b->run = NULL;
    free(s);
    return err;
}
