/* Taking a torrent away; see btc_remove in btc.h. An engine that runs does it
 * when it has let go of the files. Without one it is done here, under the
 * engine lock, so that none begins in the middle.
 */
#include "app/api.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The files of a torrent, to be deleted by the disk's own DELETE. */
struct api_delete {
    struct loop *loop;
    struct err *e;
    int code;
};

/* The one job is done. */
static void api_delete_done(struct disk_job *job)
{
    struct api_delete *d = job->ctx;
    if (job->result != 0) {
        d->code = err_set(d->e, job->result, "cannot delete: %s", job->error);
    }
    loop_stop(d->loop);
}

/* Deletes the files and the folders that become empty. */
static int api_delete_files(const char *save_path, const struct db_file *files,
                            size_t n, struct err *e)
{
    struct api_delete d = {.loop = loop_new(), .e = e};
    if (!d.loop) {
        return err_set(e, BTC_E_LIMIT, "no event loop: too many open files");
    }
    struct disk_options options = {.threads = 1};
    struct disk *disk = disk_new(d.loop, &options);
    struct disk_file *list = mem_calloc(n > 0 ? n : 1, sizeof(*list));
    for (size_t i = 0; i < n; i++) {
        list[i] = (struct disk_file){.path = files[i].path,
                                     .offset = files[i].offset,
                                     .length = files[i].length,
                                     .pad = files[i].pad};
    }
    struct disk_store *store =
        disk_store_new(disk, save_path, list, (uint32_t)n, false);
    struct disk_job job = {
        .op = DISK_DELETE, .store = store, .done = api_delete_done, .ctx = &d};
    disk_submit(disk, &job);
    loop_run(d.loop);
    disk_store_free(store);
    disk_free(disk);
    loop_free(d.loop);
    free(list);
    return d.code;
}

/* The data of a torrent. Storage that is absent keeps its data, so the torrent
 * stays, too: nobody would find the data again. */
static int api_remove_data(struct db *db, const struct db_torrent *t,
                           struct err *e)
{
    struct db_file *files = NULL;
    struct stat st;
    size_t n = 0;
    if (stat(t->save_path, &st) != 0) {
        return err_set(e, BTC_E_STORAGE,
                       "%.300s is not there, so the data cannot be deleted; "
                       "bring it back, or remove the torrent without its data",
                       t->save_path);
    }
    int code = db_load_files(db, t->id, &files, &n, e);
    if (code == 0) {
        code = api_delete_files(t->save_path, files, n, e);
    }
    db_files_free(files, n);
    return code;
}

/* The rows of a torrent. */
static int api_remove_rows(struct db *db, int64_t id, struct err *e)
{
    struct db_batch *batch = db_batch_new();
    db_del_torrent(batch, id);
    int code = db_apply(db, batch, e);
    db_batch_free(batch);
    return code;
}

/* No engine runs, and none can begin. The wish is written first: if this ends
 * in the middle, the next engine finishes it. */
static int api_remove_now(struct db *db, const struct db_torrent *t,
                          bool delete_data, struct err *e)
{
    static const char *const names[] = {"run", "pause", "remove",
                                        "remove-data"};
    if (delete_data) {
        int code = db_set_wish(db, t->id, "wanted", "remove-data", e);
        if (code == 0) {
            code = api_remove_data(db, t, e);
        }
        if (code != 0) {
            (void)db_set_wish(db, t->id, "wanted", names[t->wanted], NULL);
            return code;
        }
    }
    return api_remove_rows(db, t->id, e);
}

/* Finds the row, then removes it. */
static int api_remove_find(struct db *db, int64_t id, bool delete_data,
                           struct err *e)
{
    struct db_torrent *rows = NULL;
    size_t n = 0, i = 0;
    int code = db_load_torrents(db, &rows, &n, e);
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
    db_torrents_free(rows, n);
    return code;
}

/* See btc.h. */
int btc_remove(struct btc *b, int64_t id, bool delete_data, struct btc_error *e)
{
    struct err err = {0};
    struct db *db;
    int code = api_db(b, &db, &err);
    if (code == 0) {
        code = db_lock_engine(db, &err);
        if (code == 0) {
            code = api_remove_find(db, id, delete_data, &err);
            db_unlock_engine(db);
        } else if (code == BTC_E_LOCKED) {
            code = db_set_wish(db, id, "wanted",
                               delete_data ? "remove-data" : "remove", &err);
        }
    }
    return api_status(e, code, &err);
}
