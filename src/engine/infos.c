/* Info dictionaries in memory; see infos.h.
 *
 * They hang in one list, the next to go first: those that were never used, then
 * by their last use. Reading is the database thread's; it counts as a job of
 * the torrent, which keeps its `meta` until that is back.
 */
#include "engine/infos.h"

#include "base/mem.h"
#include "engine/jobs.h"
#include "engine/turn.h"
#include "journal/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A disk job that waits for its digest. */
struct info_wait {
    struct store_job *job;
    uint32_t piece;
    struct info_wait *next;
};

/* A dictionary that is being read, and what waits for it. */
struct info_read {
    struct engine_torrent *st;
    int64_t id;
    struct digest v1; /* it must have this one */
    size_t len;       /* and this length */
    uint8_t *bytes;   /* owns; NULL: it could not be read */
    struct err error;
    struct info_wait *waits; /* owns; in the order of coming */
};

struct infos {
    struct engine_torrent *first; /* whose info dictionary goes next */
    size_t bytes;                 /* of all that are in memory */
    struct bucket reads;          /* for peers */
};

struct infos *infos_new(uint64_t now_ms)
{
    struct infos *i = mem_zalloc(sizeof(*i));
    bucket_init(&i->reads, INFOS_PEERS_RATE, now_ms);
    return i;
}

void infos_free(struct infos *i)
{
    free(i);
}

/* --- what is in memory --- */

static bool infos_has(const struct engine_torrent *st)
{
    return st->meta->info != NULL;
}

static struct slice infos_slice(const struct engine_torrent *st)
{
    return slice_of(st->meta->info, st->meta->info_len);
}

static void infos_link(struct engine_torrent *st)
{
    struct infos *i = st->s->infos;
    DL_PREPEND2(i->first, st, rows.info.prev, rows.info.next);
    i->bytes += st->meta->info_len;
}

static void infos_unlink(struct engine_torrent *st)
{
    struct infos *i = st->s->infos;
    DL_DELETE2(i->first, st, rows.info.prev, rows.info.next);
    i->bytes -= st->meta->info_len;
}

static void infos_drop(struct engine_torrent *st)
{
    infos_unlink(st);
    metainfo_drop_info(st->meta);
    if (st->t != NULL) {
        torrent_give_info(st->t, infos_slice(st));
    }
}

static bool infos_is_active(const struct engine_torrent *st)
{
    return st->rows.info.used_ms != 0 &&
           loop_now_ms(st->s->loop) - st->rows.info.used_ms < INFOS_ACTIVE_MS;
}

void infos_second(struct engine *s)
{
    struct engine_torrent *st;
    while ((st = s->infos->first) != NULL && st->rows.info.next != NULL &&
           s->infos->bytes > INFOS_REST_BYTES && !infos_is_active(st)) {
        infos_drop(st);
    }
}

void infos_add(struct engine_torrent *st)
{
    st->rows.info.used_ms = 0;
    infos_link(st);
    infos_second(st->s);
}

/* It is needed now: the last to go. */
static void infos_use(struct engine_torrent *st)
{
    struct infos *i = st->s->infos;
    st->rows.info.used_ms = loop_now_ms(st->s->loop);
    /* NOLINTBEGIN(clang-analyzer-core.NullDereference): it is in the list */
    DL_DELETE2(i->first, st, rows.info.prev, rows.info.next);
    /* NOLINTEND(clang-analyzer-core.NullDereference) */
    DL_APPEND2(i->first, st, rows.info.prev, rows.info.next);
}

void infos_forget(struct engine_torrent *st)
{
    BTC_ASSERT(st->rows.info.read == NULL);
    if (st->meta != NULL && infos_has(st)) {
        infos_unlink(st);
    }
}

/* --- reading --- */

/* On the database thread. Anybody may have written to the row. */
static void infos_on_read(void *ctx, struct journal *db)
{
    struct info_read *r = ctx;
    size_t len = 0;
    if (journal_load_info(db, r->id, &r->bytes, &len, &r->error) != 0) {
        return;
    }
    struct digest now = digest_sha1(slice_of(r->bytes, len));
    if (len != r->len || !digest_eq(&now, &r->v1)) {
        free(r->bytes);
        r->bytes = NULL;
        (void)err_set(&r->error, BTC_E_DB,
                      "the info dictionary of torrent %lld was changed; `btc "
                      "db check` tells more",
                      (long long)r->id);
    }
}

static void infos_submit_now(struct engine_torrent *st, struct store_job *job,
                             uint32_t piece)
{
    memcpy(job->expected, st->meta->piece_hashes + (size_t)piece * SHA1_LEN,
           SHA1_LEN);
    store_submit(st->s->disk, job);
}

/* What has waited goes on, or fails with why. */
static void infos_serve(struct info_read *r)
{
    struct info_wait *w;
    while ((w = r->waits) != NULL) {
        r->waits = w->next;
        if (infos_has(r->st)) {
            infos_submit_now(r->st, w->job, w->piece);
        } else {
            w->job->result = BTC_E_DB;
            (void)snprintf(w->job->fail.text, sizeof(w->job->fail.text),
                           "%.150s", r->error.msg);
            w->job->done(w->job);
        }
        free(w);
    }
}

/* On the loop thread again. */
static void infos_on_done(void *ctx)
{
    struct info_read *r = ctx;
    struct engine_torrent *st = r->st;
    st->rows.info.read = NULL;
    if (r->bytes != NULL) {
        metainfo_take_info(st->meta, r->bytes);
        infos_link(st);
        infos_use(st);
    }
    if (st->t != NULL) {
        torrent_give_info(st->t, infos_slice(st));
    }
    infos_serve(r);
    jobs_done(st);
    free(r);
    infos_second(st->s);
}

/* Begins to, unless it is under way. */
static struct info_read *infos_read(struct engine_torrent *st)
{
    struct info_read *r = st->rows.info.read;
    if (r != NULL) {
        return r;
    }
    r = mem_zalloc(sizeof(*r));
    r->st = st;
    r->id = st->id;
    r->v1 = st->meta->v1;
    r->len = st->meta->info_len;
    st->rows.info.read = r;
    st->n_jobs++;
    journal_thread_call(st->s->journal_thread, infos_on_read, infos_on_done, r);
    return r;
}

void infos_submit(struct engine_torrent *st, struct store_job *job,
                  uint32_t piece)
{
    struct info_wait *w;
    if (infos_has(st)) {
        infos_use(st);
        infos_submit_now(st, job, piece);
        return;
    }
    w = mem_alloc(sizeof(*w));
    *w = (struct info_wait){.job = job, .piece = piece};
    LL_APPEND(infos_read(st)->waits, w);
}

/* --- peers --- */

/* One dictionary that is larger than all that is allowed is read, too, but then
 * none for as long as that would have taken. */
static bool infos_may_read(struct engine_torrent *st)
{
    struct engine *s = st->s;
    size_t len = st->meta->info_len;
    bool fits =
        s->infos->first == NULL || s->infos->bytes + len <= INFOS_PEERS_BYTES;
    if (!fits ||
        bucket_available(&s->infos->reads, loop_now_ms(s->loop)) == 0) {
        return false;
    }
    bucket_take(&s->infos->reads, len);
    return true;
}

void infos_want(struct engine_torrent *st)
{
    bool comes = st->rows.info.read != NULL;
    if (!comes && !infos_has(st) && infos_may_read(st)) {
        (void)infos_read(st);
        comes = true;
    }
    if (!comes) {
        torrent_give_info(st->t, infos_slice(st));
    }
    turn_touch(st);
}
