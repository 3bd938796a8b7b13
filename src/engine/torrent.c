/* One torrent of a run: from its rows to the running core and back. */
#include "base/log.h"
#include "base/mem.h"
#include "engine/adopt.h"
#include "engine/internal.h"
#include "engine/judge.h"
#include "model/names.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Out of everything by which the engine finds it. */
static void engine_torrent_unlink(struct engine_torrent *st)
{
    struct engine *s = st->s;
    if (st->touched) {
        LL_DELETE2(s->touched, st, next_touched);
    }
    s->n_limited -= st->limited ? 1 : 0;
    s->unfinished = s->unfinished == st ? NULL : s->unfinished;
    engine_commit_unlink(st);
    heap_remove(&s->due, &st->due);
    HASH_DELETE(hh, s->torrents, st);
}

/* Takes the row's strings over. */
struct engine_torrent *engine_torrent_new(struct engine *s,
                                          struct journal_torrent *row)
{
    struct engine_torrent *st = mem_zalloc(sizeof *st);
    st->s = s;
    st->id = row->id;
    st->row = *row;
    row->name = row->save_path = row->label = NULL;
    st->facts = journal_batch_new();
    st->syncing = journal_batch_new();
    HASH_ADD(hh, s->torrents, id, sizeof st->id, st);
    engine_touch(st);
    return st;
}

/* Frees what engine_torrent_load and _begin made. */
void engine_torrent_unload(struct engine_torrent *st)
{
    engine_close_links(st);
    torrent_free(st->t);
    st->ran = false;
    st->t = NULL;
    if (st->store != NULL) {
        store_tree_free(st->store);
        st->store = NULL;
    }
    metainfo_free(st->meta);
    st->meta = NULL;
    free(st->layout_files);
    st->layout_files = NULL;
    journal_files_free(st->files, st->n_files);
    free(st->pieces);
    free(st->blocks);
    free(st->peers);
    journal_trackers_free(st->trackers, st->n_trackers);
    st->files = NULL;
    st->pieces = NULL;
    st->blocks = NULL;
    st->peers = NULL;
    st->trackers = NULL;
    st->n_files = st->n_pieces = st->n_blocks = st->n_peers = 0;
    st->n_trackers = 0;
    bits_fini(&st->select);
    bits_fini(&st->claimed);
    bits_fini(&st->to_check);
    bits_fini(&st->adopt.strangers);
    bits_fini(&st->adopt.taken);
    st->n_fresh = st->n_fresh_files = 0;
    st->n_collected = st->n_files_collected = 0;
}

void engine_torrent_free(struct engine_torrent *st)
{
    engine_torrent_unload(st);
    engine_torrent_unlink(st);
    for (uint32_t i = 0; i < st->n_links; i++) {
        BTC_ASSERT(st->links[i] == NULL);
    }
    free(st->links);
    journal_batch_free(st->facts);
    journal_batch_free(st->syncing);
    free(st->fresh_pieces);
    free(st->fresh_files);
    free(st->row.name);
    free(st->row.save_path);
    free(st->row.label);
    free(st);
}

/* What was loaded fits together. Not on the database thread: the row may change
 * while that one loads. */
static void engine_torrent_check_load(struct engine_torrent *st)
{
    if (st->load_error.code == 0 &&
        (st->n_files != st->meta->n_files ||
         memcmp(st->meta->info_hash, st->row.info_hash, SHA1_LEN) != 0)) {
        (void)err_set(&st->load_error, BTC_E_DB,
                      "the info dictionary of torrent %lld does not match its "
                      "rows; `btc db check` tells more",
                      (long long)st->id);
    }
}

void engine_torrent_open_store(struct engine_torrent *st)
{
    uint32_t n = st->meta->n_files;
    struct store_file *files = mem_calloc(n > 0 ? n : 1, sizeof *files);
    st->layout_files = mem_calloc(n > 0 ? n : 1, sizeof *st->layout_files);
    bits_fini(&st->adopt.taken);
    (void)bits_init(&st->adopt.taken, n); /* METAINFO_MAX_FILES fits */
    for (uint32_t i = 0; i < n; i++) {
        const struct metainfo_file *m = &st->meta->files[i];
        files[i] = adopt_place(st, i);
        st->layout_files[i] = (struct layout_file){
            .offset = m->offset, .length = m->length, .pad = m->pad};
    }
    st->geom = (struct layout){.total = st->meta->total_size,
                               .piece_length = st->meta->piece_length,
                               .n_pieces = st->meta->n_pieces,
                               .n_files = n,
                               .files = st->layout_files};
    st->let_go = false;
    st->store = store_tree_new(st->s->disk, st->row.save_path, files, n,
                               st->row.alloc_full);
    free(files);
}

void engine_torrent_prioritize(struct engine_torrent *st)
{
    uint8_t *prio = mem_calloc(st->n_files + 1, 1);
    for (size_t i = 0; i < st->n_files; i++) {
        prio[i] = st->files[i].priority;
    }
    torrent_set_priorities(st->t, prio);
    free(prio);
}

/* The core's object with what the journal knows but for pieces and blocks,
 * which the startup verification decides on. */
static void engine_torrent_open_core(struct engine_torrent *st)
{
    struct engine *s = st->s;
    struct torrent_config c = {.shared = &s->shared,
                               .geom = &st->geom,
                               .info_hash = st->meta->info_hash,
                               .max_peers = st->row.max_peers > 0
                                                ? (uint32_t)st->row.max_peers
                                                : s->o.max_peers,
                               .sequential = st->row.sequential,
                               .is_private = st->row.is_private,
                               .up_limit = (uint64_t)st->row.up_limit,
                               .downloaded = st->stat.downloaded,
                               .uploaded = st->stat.uploaded,
                               .wasted = st->stat.wasted};
    st->t = torrent_new(&c, loop_now_ms(s->loop));
    st->ran = false;
    bucket_init(&st->down_bucket, (uint64_t)st->row.down_limit,
                loop_now_ms(s->loop));
    engine_torrent_prioritize(st);
    for (size_t i = 0; i < st->n_trackers; i++) {
        int at = torrent_add_tracker(st->t, st->trackers[i].url,
                                     st->trackers[i].tier);
        if (at >= 0) {
            torrent_restore_tracker(st->t, (uint32_t)at,
                                    st->trackers[i].tracker_id);
        }
    }
    for (size_t i = 0; i < st->n_peers; i++) {
        const struct journal_peer *p = &st->peers[i];
        struct addr a;
        struct peerset_entry old = {.bytes_down = (uint64_t)p->bytes_down,
                                    .bytes_up = (uint64_t)p->bytes_up,
                                    .last_seen = p->last_seen,
                                    .failures = (uint32_t)p->failures,
                                    .is_seed = p->is_seed,
                                    .banned = p->banned};
        bool user = strcmp(p->source, "user") == 0; /* not dialled yet, maybe */
        if (addr_parse_ip(slice_str(p->address), p->port, &a) &&
            (p->connectable || p->banned || user)) {
            torrent_add_peer(
                st->t, &a, user ? PEER_SOURCE_USER : PEER_SOURCE_RESUME, &old);
        }
    }
    if (s->o.check_only) {
        torrent_set_check_only(st->t);
    }
}

void engine_torrent_begin(struct engine_torrent *st)
{
    engine_touch(st);
    engine_torrent_check_load(st);
    if (st->load_error.code != 0) {
        engine_torrent_fail(st, st->load_error.code, st->load_error.msg);
        return;
    }
    st->tainted = false;
    st->announced_done = st->done_pending = st->goal_reached = false;
    engine_torrent_open_store(st);
    engine_torrent_open_core(st);
    if (!st->told_added) {
        st->told_added = true;
        engine_tell_type(st, BTC_EVENT_ADDED);
    }
    engine_startup_begin(st);
}

void engine_torrent_run(struct engine_torrent *st)
{
    st->phase = PHASE_RUN;
    st->ran = true;
    st->status = 0; /* what it waited for has come */
    st->error[0] = '\0';
    st->retry_ms = 0;
    st->seeding_ms = 0;
    st->stat.writes |= !st->s->o.check_only && !torrent_is_complete(st->t);
    struct event ev = {.type = EVENT_START};
    engine_event(st, &ev);
    struct torrent_stats ts;
    torrent_get_stats(st->t, loop_now_ms(st->s->loop), &ts);
    if (ts.pieces_checking > 0) {
        engine_tell_type(st, BTC_EVENT_CHECKING);
    }
    st->stat_dirty = true;
    if (st->row.verify_since > st->verify_taken && !st->s->o.check_only) {
        engine_startup_verify(st, st->row.verify_since); /* came meanwhile */
    }
}

/* Graceful; engine_torrent_stopped follows, maybe at once. */
void engine_torrent_stop(struct engine_torrent *st)
{
    engine_touch(st);
    switch (st->phase) {
    case PHASE_RUN: {
        st->phase = PHASE_STOPPING;
        store_cancel_low(st->s->disk, st->store);
        struct event ev = {.type = EVENT_STOP};
        engine_event(st, &ev);
        break;
    }
    case PHASE_STORAGE:
    case PHASE_SPACE:
    case PHASE_ERROR:
        st->phase = PHASE_IDLE;
        break;
    case PHASE_IDLE:
    case PHASE_LOADING:
    case PHASE_STAT:
    case PHASE_SCAN:
    case PHASE_CREATE:
    case PHASE_STOPPING:
        break; /* startup jobs see that the wish has changed */
    }
}

/* Where a torrent that does not run stands: by what ended it. NOSPACE and
 * STORAGE are looked at again after a while. */
static void engine_torrent_rest(struct engine_torrent *st)
{
    uint64_t wait = st->status == BTC_E_NOSPACE   ? ENGINE_SPACE_MS * 10
                    : st->status == BTC_E_STORAGE ? ENGINE_STORAGE_MS
                                                  : ENGINE_ERROR_MS;
    st->retry_ms = loop_now_ms(st->s->loop) + wait;
    st->phase = st->status == BTC_E_STORAGE   ? PHASE_STORAGE
                : st->status == BTC_E_NOSPACE ? PHASE_SPACE
                : st->status != 0             ? PHASE_ERROR
                                              : PHASE_IDLE;
}

/* The core has wound down. Its facts stay for the next commit. */
void engine_torrent_stopped(struct engine_torrent *st)
{
    if (st->phase != PHASE_STOPPING) {
        return;
    }
    engine_torrent_rest(st);
    st->stat_dirty = true;
    engine_tell_state(st);
    st->s->journal_now = true;
}

/* The check of existing data ended: what was owed is done. */
void engine_torrent_checked(struct engine_torrent *st)
{
    judge_checked(st);
    journal_put_verify_done(st->facts, st->id, st->verify_taken);
    if (st->row.verify_since <= st->verify_taken) {
        st->row.verify_since = 0;
    }
    if (st->s->o.check_only) {
        st->done_pending = true;
        st->s->journal_now = true;
    }
}

/* btc verify: the outcome over what is wanted. */
static void engine_torrent_verified(struct engine_torrent *st)
{
    uint32_t missing = picker_n_wanted_left(torrent_picker(st->t));
    st->announced_done = st->goal_reached = true;
    if (missing > 0) {
        (void)snprintf(st->error, sizeof st->error,
                       "%u of %u pieces are bad or missing; `btc resume` "
                       "fetches them",
                       missing, st->geom.n_pieces);
        st->status = BTC_E_VERIFY;
        engine_tell_error(st->s, st, BTC_E_VERIFY, st->error);
    }
    engine_torrent_stop(st);
}

/* Complete, and the journal says so: that is what DONE means. */
void engine_torrent_done(struct engine_torrent *st)
{
    if (st->s->o.check_only) {
        engine_torrent_verified(st);
        return;
    }
    if (st->announced_done || !torrent_is_complete(st->t)) {
        return;
    }
    st->announced_done = true;
    st->goal_reached = engine_torrent_goal(st);
    engine_tell_state(st);
    engine_commit_event(st, LEVEL_INFO, "complete",
                        "everything wanted is verified and durable");
    engine_tell_type(st, BTC_EVENT_DONE);
    if (st->goal_reached && st->s->o.follow_wishes) {
        engine_torrent_stop(st);
    }
}

/* The torrent cannot go on by itself. NOSPACE and STORAGE wait for better times
 * where the run lives on. */
void engine_torrent_fail(struct engine_torrent *st, int code, const char *text)
{
    struct engine *s = st->s;
    bool told = st->status == code;
    engine_touch(st);
    st->status = code;
    if (text != st->error) { /* a failed job's text may stand there already */
        (void)snprintf(st->error, sizeof st->error, "%s", text);
    }
    st->stat_dirty = true;
    if (!told) {
        /* Who follows the run hears of it as an event: not twice. */
        if (s->o.on_event != NULL) {
            journal_put_event(s->batch, st->id, LEVEL_ERROR, err_name(code),
                              text);
        } else {
            engine_commit_event(st, LEVEL_ERROR, err_name(code), text);
        }
        engine_tell_error(s, st, code, text);
    }
    if (st->phase == PHASE_RUN) {
        engine_torrent_stop(st);
        return;
    }
    if (st->phase != PHASE_STOPPING) { /* then it comes to rest by itself */
        engine_torrent_rest(st);
    }
    engine_tell_state(st);
}

/* --- what a wish or a goal makes of it --- */

/* The seeding goal: the run's own option beats the torrent's wish. */
bool engine_torrent_goal(const struct engine_torrent *st)
{
    enum seed_mode mode = st->row.seed_mode;
    int64_t goal = st->row.seed_goal;
    if (st->s->o.seed != NULL) {
        (void)api_parse_seed(st->s->o.seed, &mode, &goal, NULL);
    }
    struct torrent_stats ts;
    torrent_get_stats(st->t, loop_now_ms(st->s->loop), &ts);
    switch (mode) {
    case SEED_MODE_NONE:
        return true;
    case SEED_MODE_FOREVER:
        return false;
    case SEED_MODE_RATIO:
        return (double)ts.uploaded * 1000.0 >=
               (double)ts.bytes_total * (double)goal;
    case SEED_MODE_TIME:
        return st->stat.seeding_s >= goal;
    }
    return true;
}

bool engine_torrent_rests(const struct engine_torrent *st)
{
    return st->phase == PHASE_IDLE || st->phase == PHASE_STORAGE ||
           st->phase == PHASE_SPACE || st->phase == PHASE_ERROR;
}

bool engine_torrent_is_over(const struct engine_torrent *st)
{
    if (st->restart) {
        return false; /* it only stopped to begin anew */
    }
    switch (st->phase) {
    case PHASE_RUN:
        return st->announced_done && st->goal_reached;
    case PHASE_IDLE:
    case PHASE_STORAGE:
    case PHASE_SPACE:
    case PHASE_ERROR:
        return true;
    case PHASE_LOADING:
    case PHASE_STAT:
    case PHASE_SCAN:
    case PHASE_CREATE:
    case PHASE_STOPPING:
        return false;
    }
    return false;
}

/* No peer, no hope of one: a foreground run says so instead of waiting. */
static void engine_torrent_hopeless(struct engine_torrent *st, uint64_t now)
{
    struct torrent_stats ts;
    torrent_get_stats(st->t, now, &ts);
    const struct announce *a = torrent_announce(st->t);
    if (st->s->o.follow_wishes || st->s->o.check_only || ts.had_peer ||
        ts.peers + ts.connecting > 0 || ts.pieces_checking > 0 ||
        torrent_state(st->t) != TORRENT_DOWNLOADING) {
        return;
    }
    const struct announce_tracker *spoken = NULL;
    for (uint32_t i = 0; i < announce_count(a); i++) {
        const struct announce_tracker *k = announce_get(a, i);
        if (k->state != ANNOUNCE_UNSUPPORTED && k->state != ANNOUNCE_DISABLED) {
            spoken = spoken == NULL ? k : spoken;
            if (k->failures < ENGINE_TRACKER_TRIES) {
                return;
            }
        }
    }
    for (uint32_t i = 0; i < peerset_count(torrent_peerset(st->t)); i++) {
        const struct peerset_entry *e = peerset_at(torrent_peerset(st->t), i);
        if (e->connectable && !e->banned && !e->is_self &&
            e->failures < ENGINE_TRACKER_TRIES) {
            return;
        }
    }
    char text[256];
    if (spoken == NULL) {
        (void)snprintf(text, sizeof text,
                       "no tracker that btc speaks to and no peer answers; "
                       "name a peer with --peer HOST:PORT");
    } else {
        (void)snprintf(text, sizeof text,
                       "no tracker answers and no peer is known (%.90s: %.90s)",
                       spoken->url, spoken->error);
    }
    engine_torrent_fail(st, BTC_E_NETWORK, text);
}

/* It will be looked at again. */
static bool engine_torrent_waits(const struct engine_torrent *st)
{
    return st->retry_ms > 0 && st->s->o.follow_wishes && !st->s->stopping &&
           !st->restart && st->phase != PHASE_IDLE && engine_torrent_rests(st);
}

/* The storage or the space may be back. */
static void engine_torrent_retry(struct engine_torrent *st, uint64_t now)
{
    if (!engine_torrent_waits(st) || now < st->retry_ms) {
        return;
    }
    st->retry_ms = now + ENGINE_STORAGE_MS;
    if (st->row.wanted == WANTED_RUN && !st->data_gone) {
        st->restart = true;
    } else if (st->row.wanted != WANTED_PAUSE || st->data_gone) {
        engine_wish_remove(st);
    }
}

uint64_t engine_min_free(const struct engine *s)
{
    if (s->o.min_free == UINT64_MAX) {
        return 0;
    }
    return s->o.min_free > 0 ? s->o.min_free : ENGINE_MIN_FREE;
}

/* Answer to the look at free space while data comes in. */
static void engine_torrent_spaced(struct store_job *job)
{
    struct engine_torrent *st = job->ctx;
    struct engine *s = st->s;
    engine_job_done(st);
    st->space_busy = false;
    uint64_t floor = engine_min_free(s);
    if (job->result == 0 && job->bytes_free < floor && st->phase == PHASE_RUN &&
        torrent_state(st->t) == TORRENT_DOWNLOADING) {
        char text[400];
        (void)snprintf(text, sizeof text,
                       "%.300s: less than %llu MiB are free (--min-free); make "
                       "room, then `btc resume`",
                       st->row.save_path, (unsigned long long)(floor >> 20));
        engine_torrent_fail(st, BTC_E_NOSPACE, text);
    }
    engine_job_free(job);
    engine_wake(s);
}

/* Stops before the disk is full, so that the journal can still be written. */
static void engine_torrent_watch_space(struct engine_torrent *st, uint64_t now)
{
    if (torrent_state(st->t) != TORRENT_DOWNLOADING || st->space_busy ||
        now - st->space_ms < ENGINE_SPACE_MS || engine_min_free(st->s) == 0) {
        return;
    }
    st->space_ms = now;
    st->space_busy = true;
    store_submit(st->s->disk,
                 engine_job(st, STORE_SPACE, engine_torrent_spaced));
}

/* The core waits for a time. */
static bool engine_torrent_is_live(const struct engine_torrent *st)
{
    return st->t != NULL &&
           (st->phase == PHASE_RUN || st->phase == PHASE_STOPPING);
}

void engine_torrent_tick(struct engine_torrent *st)
{
    uint64_t now = loop_now_ms(st->s->loop);
    engine_touch(st);
    engine_torrent_retry(st, now);
    if (engine_torrent_is_live(st) && now >= torrent_deadline(st->t)) {
        struct event ev = {.type = EVENT_TICK};
        engine_event(st, &ev);
    }
}

void engine_torrent_second(struct engine_torrent *st)
{
    uint64_t now = loop_now_ms(st->s->loop);
    if (st->phase != PHASE_RUN) {
        return;
    }
    if (torrent_state(st->t) == TORRENT_SEEDING) {
        uint64_t since = st->seeding_ms > 0 ? now - st->seeding_ms : 0;
        if (st->seeding_ms == 0 || since >= 1000) {
            st->stat.seeding_s += (int64_t)(since / 1000);
            st->seeding_ms = now;
        }
    }
    if (st->announced_done && !st->goal_reached && engine_torrent_goal(st)) {
        st->goal_reached = true;
        if (st->s->o.follow_wishes) {
            engine_torrent_stop(st);
        }
    }
    engine_torrent_watch_space(st, now);
    engine_torrent_hopeless(st, now);
}

uint64_t engine_torrent_deadline(const struct engine_torrent *st)
{
    uint64_t at = UINT64_MAX;
    if (engine_torrent_is_live(st)) {
        at = torrent_deadline(st->t);
    }
    if (engine_torrent_waits(st) && st->retry_ms < at) {
        at = st->retry_ms;
    }
    return at;
}
