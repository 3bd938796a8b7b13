/* What a torrent keeps of its rows; see rows.h. */
#include "engine/rows.h"

#include "base/mem.h"
#include "journal/load.h"
#include "journal/wishes.h"
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

/* Frees the rows of the files, in either form. */
static void rows_free_files(struct torrent_rows *r)
{
    if (r->files != NULL) {
        journal_files_free(r->files, r->n_files);
    }
    for (size_t i = 0; r->parked != NULL && i < r->n_files; i++) {
        free(r->parked[i].path);
        free(r->parked[i].part);
    }
    free(r->parked);
    free(r->state);
}

void rows_free(struct torrent_rows *r)
{
    rows_free_files(r);
    free(r->pieces);
    free(r->blocks);
    free(r->peers);
    journal_trackers_free(r->trackers, r->n_trackers);
    if (r->kept != NULL) {
        journal_wish_items_fini(r->kept);
        free(r->kept);
    }
    *r = (struct torrent_rows){0};
}

size_t rows_n_parts(const struct torrent_rows *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n_files; i++) {
        n += r->files[i].part != NULL ? 1 : 0;
    }
    return n;
}

/* Takes the texts of a file that is parked, or was. */
static void rows_park(struct torrent_parked *to, struct journal_file *f,
                      const char *name)
{
    to->part = f->part;
    f->part = NULL;
    if (f->path != NULL && strcmp(f->path, name) != 0) {
        to->path = f->path;
        f->path = NULL;
    }
}

void rows_shrink(struct torrent_rows *r, const struct store_tree *store)
{
    r->state = mem_calloc(r->n_files, sizeof(*r->state));
    if (rows_n_parts(r) > 0) {
        r->parked = mem_calloc(r->n_files, sizeof(*r->parked));
    }
    for (uint32_t i = 0; i < r->n_files; i++) {
        r->state[i] = r->files[i].state;
        if (r->parked != NULL) {
            rows_park(&r->parked[i], &r->files[i], store_tree_name(store, i));
        }
    }
    journal_files_free(r->files, r->n_files);
    r->files = NULL;
}
