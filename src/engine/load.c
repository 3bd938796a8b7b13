/* The rows of a torrent, read on the database thread and taken over on the
 * loop's. */
#include "engine/internal.h"

#include <stdlib.h>

/* The last run that may have written its files. What this very run has left at
 * rest is journaled to the end. */
static int engine_torrent_load_run(struct engine_torrent *st,
                                   struct journal *db)
{
    struct journal_run *r = &st->loaded.run;
    int err =
        journal_load_run(db, st->loaded.stat.last_run, r, &st->load_error);
    if (err == 0 && r->id == journal_run_id(db)) {
        r->ended_at = r->heartbeat_at;
    }
    return err;
}

void engine_torrent_load(struct engine_torrent *st, struct journal *db)
{
    struct err *e = &st->load_error;
    uint8_t *info = NULL;
    size_t len = 0;
    *e = (struct err){0};
    int err = journal_load_stat(db, st->id, &st->loaded.stat, e);
    st->loaded.known = err == 0;
    if (err == 0) {
        err = engine_torrent_load_run(st, db);
    }
    if (err == 0) {
        err = journal_load_info(db, st->id, &info, &len, e);
    }
    if (err == 0) {
        err = metainfo_parse_info(slice_of(info, len), &st->meta, e);
    }
    if (err == 0) {
        err = journal_load_files(db, st->id, &st->files, &st->n_files, e);
    }
    if (err == 0) {
        err = journal_load_pieces(db, st->id, &st->pieces, &st->n_pieces, e);
    }
    if (err == 0) {
        err = journal_load_blocks(db, st->id, &st->blocks, &st->n_blocks, e);
    }
    if (err == 0) {
        err = journal_load_peers(db, st->id, ENGINE_PEERS_LOADED, &st->peers,
                                 &st->n_peers, e);
    }
    if (err == 0) {
        (void)journal_load_trackers(db, st->id, &st->trackers, &st->n_trackers,
                                    e);
    }
    free(info);
}

void engine_torrent_loaded(struct engine_torrent *st)
{
    st->stat = st->loaded.stat;
    st->last_run = st->loaded.run;
    st->stat_known = st->loaded.known;
}
