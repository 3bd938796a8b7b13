/* See delete.h. The rows of the files are all that is needed: a torrent goes
 * whose info dictionary cannot be read. */
#include "engine/delete.h"

#include "base/mem.h"
#include "journal/removal.h"
#include "store/home.h"

#include <stdlib.h>

/* Most rows of the log about what stays of one torrent. */
#define DELETE_NOTES_MAX 100u
#define REMOVAL_HINT     "or remove the torrent without its data"

/* A run that was killed had taken it to its place, or made it there, and not
 * journaled that. */
static bool delete_may_be_home(const struct journal_removal *r,
                               const struct journal_file *f)
{
    bool may_be = f->state.has_print || r->made_ns != 0;
    return f->part != NULL && may_be && !f->pad && store_path_is_clean(f->path);
}

/* The journal has seen each file that btc made or took over. Of the others
 * nothing is known, so they are somebody's. */
struct fingerprint *delete_owned(const struct journal_removal *r)
{
    struct fingerprint *own = mem_calloc(r->n_files + 1, sizeof(*own));
    for (size_t i = 0; i < r->n_files; i++) {
        own[i] = journal_file_print(&r->files[i].state);
    }
    return own;
}

struct store_tree *delete_store(struct store *d,
                                const struct journal_removal *r, struct err *e)
{
    struct store_tree *s = NULL;
    size_t n = 0;
    struct store_file *list = mem_calloc(r->n_files + 1, sizeof(*list));
    struct fingerprint *owned = delete_owned(r);
    while (n < r->n_files &&
           (r->files[n].pad ||
            store_path_is_clean(journal_file_place(&r->files[n])))) {
        list[n] = (struct store_file){.path = journal_file_place(&r->files[n]),
                                      .offset = r->files[n].offset,
                                      .length = r->files[n].length,
                                      .pad = r->files[n].pad};
        if (delete_may_be_home(r, &r->files[n])) {
            list[n].home = r->files[n].path;
            list[n].own = &owned[n];
        }
        n++;
    }
    if (n == r->n_files) {
        s = store_tree_new(d, r->save_path, list, (uint32_t)n, false);
        store_tree_expect_made(s, r->made_ns);
    } else {
        (void)err_set(e, BTC_E_DB,
                      "the row of file %zu leads out of the save path: nothing "
                      "is deleted; mend it, " REMOVAL_HINT,
                      n);
    }
    free(owned);
    free(list);
    return s;
}

int delete_select(const struct journal_removal *r, struct bits *out,
                  struct err *e)
{
    int code = bits_init(out, (uint32_t)r->n_files);
    for (uint32_t i = 0; code == 0 && i < r->n_files; i++) {
        if (!r->shared[i]) {
            bits_set(out, i);
        }
    }
    if (code == 0) {
        return 0;
    }
    return err_set(e, code, "too many files to delete");
}

/* See removal.h. A drive that is not mounted leaves an empty folder: when none
 * of the files is there and the folder is on another filesystem than the data
 * was, then the data was not found, it is not gone. */
int delete_judge(const struct journal_removal *r, const struct store_job *job,
                 struct err *e)
{
    if (job->result == BTC_E_STORAGE) {
        return err_set(e, job->result,
                       "the data cannot be deleted: %s; bring it "
                       "back, " REMOVAL_HINT,
                       job->fail.text);
    }
    if (job->result == BTC_E_EXISTS) {
        return err_set(e, job->result,
                       "cannot delete: %s; move it away; or if it is the "
                       "torrent's data, `btc verify %lld` takes it "
                       "over; " REMOVAL_HINT,
                       job->fail.text, (long long)r->id);
    }
    if (job->result != 0) {
        return err_set(e, job->result,
                       "cannot delete: %s; mend that, " REMOVAL_HINT,
                       job->fail.text);
    }
    if (job->remove.n_removed == 0 && r->root_dev != 0 &&
        job->root.dev != r->root_dev) {
        return err_set(e, BTC_E_STORAGE,
                       "%.200s lies on another drive than the data, which "
                       "cannot be deleted; mount that one, " REMOVAL_HINT,
                       r->save_path);
    }
    return 0;
}

/* The torrent's own rows of the log go with it, these do not. */
void delete_note(struct journal_batch *b, const struct store_stays *stays)
{
    for (size_t i = 0; i < stays->n && i < DELETE_NOTES_MAX; i++) {
        char *text = mem_printf("%s stays: %s", stays->items[i].path,
                                stays->items[i].why);
        journal_put_event(b, 0, LEVEL_INFO, "stays", text);
        free(text);
    }
    if (stays->n > DELETE_NOTES_MAX) {
        char *text = mem_printf("and %zu more", stays->n - DELETE_NOTES_MAX);
        journal_put_event(b, 0, LEVEL_INFO, "stays", text);
        free(text);
    }
}
