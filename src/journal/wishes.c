/* Everything that is wished, read in four statements: what it costs must not
 * grow with a statement for each torrent. All rows come in the order of their
 * torrents, so each list is walked once beside the list of torrents. */
#include "journal/internal.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* A walk through rows that belong to torrents. */
struct journal_wish_walk {
    struct journal_wishes *w;
    size_t at; /* the torrent of the row before, or one behind it */
    int id_column;
};

/* Reads one row into what belongs to torrent `at`. */
typedef void journal_wish_fn(sqlite3_stmt *s, struct journal_wishes *w,
                             size_t at);

/* Frees wishes. */
void journal_wishes_free(struct journal_wishes *w)
{
    if (!w) {
        return;
    }
    for (size_t i = 0; i < w->n; i++) {
        free(w->files[i].priority);
        free(w->peers[i].p);
        journal_trackers_free(w->trackers[i].t, w->trackers[i].n);
    }
    journal_torrents_free(w->torrents, w->n);
    free(w->files);
    free(w->peers);
    free(w->trackers);
    free(w);
}

/* Room for one more in an array without a capacity: it doubles. */
static void *journal_wish_room(void *p, size_t n, size_t size)
{
    if (n == 0) {
        return mem_resize(p, 1, size);
    }
    return (n & (n - 1)) == 0 ? mem_resize(p, n * 2, size) : p;
}

/* The priority of a file. */
static void journal_wish_file(sqlite3_stmt *s, struct journal_wishes *w,
                              size_t at)
{
    struct journal_wish_files *f = &w->files[at];
    f->priority = journal_wish_room(f->priority, f->n, 1);
    f->priority[f->n++] = (uint8_t)sqlite3_column_int(s, 0);
}

/* A peer that somebody named. */
static void journal_wish_peer(sqlite3_stmt *s, struct journal_wishes *w,
                              size_t at)
{
    struct journal_wish_peers *p = &w->peers[at];
    p->p = journal_wish_room(p->p, p->n, sizeof(*p->p));
    memset(&p->p[p->n], 0, sizeof(*p->p));
    journal_read_peer(s, &p->p[p->n++]);
}

/* A tracker. */
static void journal_wish_tracker(sqlite3_stmt *s, struct journal_wishes *w,
                                 size_t at)
{
    struct journal_wish_trackers *t = &w->trackers[at];
    t->t = journal_wish_room(t->t, t->n, sizeof(*t->t));
    memset(&t->t[t->n], 0, sizeof(*t->t));
    journal_read_tracker(s, &t->t[t->n++]);
}

/* The walk goes on to a torrent; false when there is none with that id. */
static bool journal_wish_reach(struct journal_wish_walk *x, int64_t id)
{
    while (x->at < x->w->n && x->w->torrents[x->at].id < id) {
        x->at++;
    }
    return x->at < x->w->n && x->w->torrents[x->at].id == id;
}

/* Runs a query whose last column is the torrent, in that order. */
static int journal_wish_rows(struct journal *db, struct journal_wishes *w,
                             const char *sql, journal_wish_fn *fn,
                             struct err *e)
{
    struct journal_wish_walk x = {.w = w};
    sqlite3_stmt *s = NULL;
    int rc = SQLITE_DONE;
    int code = journal_prepare(db, sql, &s, e);
    if (code != 0) {
        return code;
    }
    x.id_column = sqlite3_column_count(s) - 1;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        if (journal_wish_reach(&x, sqlite3_column_int64(s, x.id_column))) {
            fn(s, w, x.at);
        }
    }
    if (rc != SQLITE_DONE) {
        code = journal_fail(db, e, "cannot read");
    }
    (void)sqlite3_finalize(s);
    return code;
}

/* Everything as it is wished now, inside a read transaction. */
static int journal_load_wish_rows(struct journal *db, struct journal_wishes *w,
                                  struct err *e)
{
    size_t n = 0;
    int code = journal_load_torrents(db, &w->torrents, &n, e);
    w->files = mem_calloc(n, sizeof(*w->files));
    w->peers = mem_calloc(n, sizeof(*w->peers));
    w->trackers = mem_calloc(n, sizeof(*w->trackers));
    w->n = n;
    if (code == 0) {
        code = journal_wish_rows(db, w,
                                 "SELECT priority, torrent_id FROM file"
                                 " ORDER BY torrent_id, file",
                                 journal_wish_file, e);
    }
    if (code == 0) {
        code = journal_wish_rows(db, w,
                                 "SELECT " JOURNAL_PEER_COLUMNS
                                 ", torrent_id FROM peer WHERE source = 'user'"
                                 " ORDER BY torrent_id",
                                 journal_wish_peer, e);
    }
    if (code == 0) {
        code = journal_wish_rows(db, w,
                                 "SELECT " JOURNAL_TRACKER_COLUMNS
                                 ", torrent_id FROM tracker"
                                 " ORDER BY torrent_id, tier, id",
                                 journal_wish_tracker, e);
    }
    return code;
}

/* Everything as it is wished now, of one moment. NULL on failure. */
struct journal_wishes *journal_load_wishes(struct journal *db, struct err *e)
{
    struct journal_wishes *w = mem_zalloc(sizeof(*w));
    int code = journal_exec(db, "BEGIN", e);
    if (code == 0) {
        code = journal_end(db, journal_load_wish_rows(db, w, e), e);
    }
    if (code != 0) {
        journal_wishes_free(w);
        return NULL;
    }
    return w;
}
