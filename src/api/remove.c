/* Taking a torrent away; see btc_remove in btc.h. An engine that runs does it
 * when it has let go of the files. Without one it is done here, under the
 * engine lock, so that none begins in the middle.
 */
#include "api/api.h"
#include "engine/delete.h"

#include "base/mem.h"
#include "journal/load.h"
#include "journal/removal.h"
#include "store/own.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The one job is done. */
static void api_delete_done(struct store_job *job)
{
    loop_stop(job->ctx);
}

/* Deletes the files and the folders that become empty. Storage that is absent
 * keeps its data, so the torrent stays, too: nobody would find the data again.
 */
static int api_remove_data(const char *journal, const struct journal_removal *r,
                           struct err *e)
{
    struct loop *loop = loop_new();
    if (!loop) {
        return err_set(e, BTC_E_LIMIT, "no event loop: too many open files");
    }
    struct store_options options = {.threads = 1};
    struct store *disk = store_new(loop, &options);
    store_set_own(disk, store_own_new(journal));
    struct store_tree *store = delete_store(disk, r, e);
    struct bits select = {0};
    struct fingerprint *owned = delete_owned(r);
    struct store_job job = {.op = STORE_DELETE,
                            .store = store,
                            .done = api_delete_done,
                            .ctx = loop,
                            .select = &select,
                            .remove.owned = owned};
    int code = delete_select(r, &select, e);
    if (!store) {
        code = BTC_E_DB;
    } else if (code == 0) {
        store_submit(disk, &job);
        loop_run(loop);
        code = delete_judge(r, &job, e);
    }
    bits_fini(&select);
    free(owned);
    store_tree_free(store);
    store_free(disk);
    loop_free(loop);
    return code;
}

/* The steps of a removal; see journal_remove_torrent. */
static int api_remove_steps(struct journal *db, int64_t id, struct err *e)
{
    struct journal_removal r;
    int code = journal_remove_torrent(db, id, false, &r, e);
    if (code == 0 && r.step == JOURNAL_REMOVAL_DELETE) {
        code = api_remove_data(journal_path(db), &r, e);
        journal_removal_fini(&r);
        if (!code) {
            code = journal_remove_torrent(db, id, true, &r, e);
        }
    }
    if (code == 0 && r.step == JOURNAL_REMOVAL_KEEP) {
        code = err_set(e, BTC_E_INTERRUPTED,
                       "torrent %lld stays: something else was wished of it "
                       "meanwhile",
                       (long long)id);
    }
    journal_removal_fini(&r);
    return code;
}

/* No engine runs, and none can begin. The wish is written first: if this ends
 * in the middle, the next engine finishes it. */
static int api_remove_now(struct journal *db, const struct journal_torrent *t,
                          bool delete_data, struct err *e)
{
    static const char *const names[] = {"run", "pause", "remove",
                                        "remove-data"};
    int code = journal_set_wish(db, t->id, "wanted",
                                delete_data ? "remove-data" : "remove", e);
    if (code == 0) {
        code = api_remove_steps(db, t->id, e);
    }
    if (code != 0 && code != BTC_E_INTERRUPTED) {
        (void)journal_set_wish(db, t->id, "wanted", names[t->wanted], NULL);
    }
    return code;
}

/* Finds the row, then removes it. */
static int api_remove_find(struct journal *db, int64_t id, bool delete_data,
                           struct err *e)
{
    struct journal_torrent *rows = NULL;
    size_t n = 0, i = 0;
    int code = journal_load_torrents(db, &rows, &n, e);
    while (i < n && rows[i].id != id) {
        i++;
    }
    if (code == 0 && i == n) {
        code = err_set(e, BTC_E_NOTFOUND,
                       "there is no torrent %lld: `btc status` lists them",
                       (long long)id);
    }
    if (code == 0) {
        code = api_remove_now(db, &rows[i], delete_data, e);
    }
    journal_torrents_free(rows, n);
    return code;
}

int btc_remove(struct btc *b, int64_t id, bool delete_data, struct btc_error *e)
{
    struct err err = {0};
    struct journal *db;
    int code = api_db(b, &db, &err);
    if (code == 0) {
        code = journal_lock_engine(db, &err);
        if (code == 0) {
            code = api_remove_find(db, id, delete_data, &err);
            journal_unlock_engine(db);
        } else if (code == BTC_E_LOCKED) {
            code = journal_set_wish(
                db, id, "wanted", delete_data ? "remove-data" : "remove", &err);
        }
    }
    return api_status(e, code, &err);
}
