/* The .torrent of a torrent; see torrent_file.h. */
#include "engine/torrent_file.h"

#include "base/mem.h"
#include "journal/load.h"
#include "proto/metainfo/metainfo.h"

#include <stdlib.h>

/* What stands around the info dictionary. */
struct torrent_file {
    struct journal_tracker *rows; /* owns */
    size_t n_rows;
    struct metainfo_url *trackers; /* owns; the texts are those of the rows */
    char **web_seeds;              /* owns, and the texts */
    size_t n_web_seeds;
};

static void torrent_file_fini(struct torrent_file *f)
{
    journal_trackers_free(f->rows, f->n_rows);
    free(f->trackers);
    for (size_t i = 0; i < f->n_web_seeds; i++) {
        free(f->web_seeds[i]);
    }
    free(f->web_seeds);
}

static int torrent_file_load(struct journal *db, int64_t id,
                             struct torrent_file *f, struct err *e)
{
    int code = journal_load_trackers(db, id, &f->rows, &f->n_rows, e);
    f->trackers = mem_calloc(f->n_rows + 1, sizeof(*f->trackers));
    for (size_t i = 0; i < f->n_rows; i++) {
        f->trackers[i] = (struct metainfo_url){
            .url = f->rows[i].url, .tier = (uint32_t)f->rows[i].tier};
    }
    if (code == 0) {
        code =
            journal_load_web_seeds(db, id, &f->web_seeds, &f->n_web_seeds, e);
    }
    return code;
}

int torrent_file_make(struct journal *db, int64_t id, struct buf *out,
                      struct err *e)
{
    struct torrent_file f = {0};
    uint8_t *info = NULL;
    size_t len = 0;
    int code = journal_load_info(db, id, &info, &len, e);
    if (code == 0) {
        code = torrent_file_load(db, id, &f, e);
    }
    if (code == 0) {
        struct metainfo_spec spec = {.trackers = f.trackers,
                                     .n_trackers = (uint32_t)f.n_rows,
                                     .web_seeds = f.web_seeds,
                                     .n_web_seeds = (uint32_t)f.n_web_seeds};
        code = metainfo_wrap(slice_of(info, len), &spec, out);
    }
    torrent_file_fini(&f);
    free(info);
    return code;
}
