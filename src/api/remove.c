/* Taking a torrent away; see btc_remove in btc.h. An engine that runs does it
 * when it has let go of the files. Without one it is done here, under the
 * engine lock, so that none begins in the middle.
 */
#include "api/api.h"
#include "engine/delete.h"

#include "base/limit.h"
#include "base/mem.h"
#include "journal/load.h"
#include "journal/removal.h"
#include "store/own.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What is to be done, and who hears of what stays. */
struct api_remove {
    struct journal *db; /* borrows */
    int64_t id;
    bool data;
    btc_stays_fn *fn;
    void *ctx;
};

/* What is not the torrent's own: told to the caller and to the log. */
static void api_remove_tell(const struct api_remove *a,
                            struct store_stays *stays)
{
    struct journal_batch *b = journal_batch_new();
    for (size_t i = 0; a->fn && i < stays->n; i++) {
        a->fn(a->ctx, stays->items[i].path, stays->items[i].why);
    }
    delete_note(b, stays);
    (void)journal_apply(a->db, b, NULL);
    journal_batch_free(b);
    store_stays_fini(stays);
}

/* The one job is done. */
static void api_delete_done(struct store_job *job)
{
    loop_stop(job->ctx);
}

/* Does the job, and waits for it. With `look` nothing goes. */
static void api_delete(struct store *disk, struct store_job *job, bool look)
{
    job->remove.look = look;
    store_submit(disk, job);
    loop_run(job->ctx);
}

/* No claim outlives what is deleted, even if this ends in the middle. */
static int api_remove_unclaim(const struct api_remove *a, struct store *disk,
                              const struct store_job *job, struct err *e)
{
    struct store_job look = *job;
    api_delete(disk, &look, true);
    if (look.remove.n_removed == 0) {
        return 0;
    }
    return journal_removal_unclaim(a->db, a->id, e);
}

/* Deletes the files and the folders that become empty. Storage that is absent
 * keeps its data, so the torrent stays, too: nobody would find the data again.
 */
static int api_remove_data(const struct api_remove *a,
                           const struct journal_removal *r, struct err *e)
{
    struct loop *loop = loop_new();
    if (!loop) {
        return limit_files(e);
    }
    struct store_options options = {.threads = 1};
    struct store *disk = store_new(loop, &options);
    if (!disk) {
        loop_free(loop);
        return limit_threads(e);
    }
    store_set_own(disk, store_own_new(journal_path(a->db)));
    struct store_tree *store = delete_store(disk, r, e);
    struct bits select = {0};
    struct fingerprint *owned = delete_owned(r);
    struct store_job job = {.op = STORE_DELETE,
                            .store = store,
                            .done = api_delete_done,
                            .ctx = loop,
                            .select = &select,
                            .remove = {.owned = owned, .made_ns = r->made_ns}};
    int code = delete_select(r, &select, e);
    if (!store) {
        code = BTC_E_DB;
    } else if (code == 0) {
        code = api_remove_unclaim(a, disk, &job, e);
    }
    if (code == 0) {
        api_delete(disk, &job, false);
        code = delete_judge(r, &job, e);
        api_remove_tell(a, &job.remove.stays);
    }
    bits_fini(&select);
    free(owned);
    store_tree_free(store);
    store_free(disk);
    loop_free(loop);
    return code;
}

/* The steps of a removal; see journal_remove_torrent. */
static int api_remove_steps(const struct api_remove *a, struct err *e)
{
    struct journal_removal r;
    int code = journal_remove_torrent(a->db, a->id, false, &r, e);
    if (code == 0 && r.step == JOURNAL_REMOVAL_DELETE) {
        code = api_remove_data(a, &r, e);
        journal_removal_fini(&r);
        if (!code) {
            code = journal_remove_torrent(a->db, a->id, true, &r, e);
        }
    }
    if (code == 0 && r.step == JOURNAL_REMOVAL_KEEP) {
        code = err_set(e, BTC_E_INTERRUPTED,
                       "torrent %lld stays: something else was wished of it "
                       "meanwhile",
                       (long long)a->id);
    }
    journal_removal_fini(&r);
    return code;
}

static const char *api_remove_wish(const struct api_remove *a)
{
    if (a->data) {
        return "remove-data";
    }
    return "remove";
}

/* No engine runs, and none can begin. The wish is written first: if this ends
 * in the middle, the next engine finishes it. */
static int api_remove_now(const struct api_remove *a,
                          const struct journal_torrent *t, struct err *e)
{
    static const char *const names[] = {"run", "pause", "remove",
                                        "remove-data"};
    int code = journal_set_wish(a->db, t->id, "wanted", api_remove_wish(a), e);
    if (code == 0) {
        code = api_remove_steps(a, e);
    }
    if (code != 0 && code != BTC_E_INTERRUPTED) {
        (void)journal_set_wish(a->db, t->id, "wanted", names[t->wanted], NULL);
    }
    return code;
}

/* Finds the row, then removes it. */
static int api_remove_find(const struct api_remove *a, struct err *e)
{
    struct journal_torrent *rows = NULL;
    size_t n = 0, i = 0;
    int code = journal_load_torrents(a->db, &rows, &n, e);
    while (i < n && rows[i].id != a->id) {
        i++;
    }
    if (code == 0 && i == n) {
        code = err_set(e, BTC_E_NOTFOUND,
                       "there is no torrent %lld: `btc status` lists them",
                       (long long)a->id);
    }
    if (code == 0) {
        code = api_remove_now(a, &rows[i], e);
    }
    journal_torrents_free(rows, n);
    return code;
}

static int api_remove(struct btc *b, struct api_remove *a, struct btc_error *e)
{
    struct err err = {0};
    int code = api_db(b, &a->db, &err);
    if (code == 0) {
        code = journal_lock_engine(a->db, &err);
        if (code == 0) {
            code = api_remove_find(a, &err);
            journal_unlock_engine(a->db);
        } else if (code == BTC_E_LOCKED) {
            code = journal_set_wish(a->db, a->id, "wanted", api_remove_wish(a),
                                    &err);
        }
    }
    return api_status(e, code, &err);
}

int btc_remove(struct btc *b, int64_t id, bool delete_data, struct btc_error *e)
{
    struct api_remove a = {.id = id, .data = delete_data};
    return api_remove(b, &a, e);
}

int btc_remove_data(struct btc *b, int64_t id, btc_stays_fn *fn, void *ctx,
                    struct btc_error *e)
{
    struct api_remove a = {.id = id, .data = true, .fn = fn, .ctx = ctx};
    return api_remove(b, &a, e);
}
