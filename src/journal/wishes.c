/* Wishes are read in a few statements, whether all or only the new ones: what
 * they cost must not grow with a statement for each torrent. All rows come in
 * the order of their torrents, so each list is walked once beside the list of
 * torrents.
 *
 * What is new stands in wish_news, numbered. The rows up to the last number
 * have been read; they are taken away when many have gathered, so that a single
 * wish costs the reader no commit of its own. Rows are taken away and counted
 * in one write transaction, because nobody can add one meanwhile.
 */
#include "journal/wishes.h"

#include "base/log.h"
#include "base/mem.h"
#include "journal/internal.h"
#include "journal/load.h"

#include <stdlib.h>
#include <string.h>

/* So many rows of news are taken away. */
#define JOURNAL_NEWS_TRIM 256
/* From so many on the schema adds no more: see wish_news_cap. */
#define JOURNAL_NEWS_MAX 4096

/* The news as they stand. */
struct journal_news {
    int64_t last;  /* the last number that was given out */
    int64_t there; /* rows, from the first to the last */
    int64_t fresh; /* rows behind what has been seen */
};

/* A walk through rows that belong to torrents. */
struct journal_wish_walk {
    struct journal_wishes *w;
    size_t at; /* the torrent of the row before, or one behind it */
    int id_column;
};

/* Reads one row into what belongs to a torrent. */
typedef void journal_wish_fn(sqlite3_stmt *s, struct journal_wish_items *i);

/* One list of what belongs to torrents. */
struct journal_wish_list {
    const char *all;  /* SQL: every row; the last column is the torrent */
    const char *news; /* the same: those that are new, behind number ?1 */
    journal_wish_fn *read;
};

void journal_wish_items_fini(struct journal_wish_items *i)
{
    free(i->files);
    free(i->peers);
    journal_trackers_free(i->trackers, i->n_trackers);
    *i = (struct journal_wish_items){0};
}

void journal_wishes_free(struct journal_wishes *w)
{
    if (!w) {
        return;
    }
    for (size_t i = 0; i < w->n; i++) {
        journal_wish_items_fini(&w->items[i]);
    }
    journal_torrents_free(w->torrents, w->n);
    free(w->items);
    free(w->gone);
    free(w);
}

/* Room for `more` in an array without a capacity: it doubles. */
static void *journal_wish_room(void *p, size_t n, size_t more, size_t size)
{
    size_t cap = 1;
    while (cap < n) {
        cap *= 2;
    }
    if (n > 0 && n + more <= cap) {
        return p;
    }
    while (cap < n + more) {
        cap *= 2;
    }
    return mem_resize(p, cap, size);
}

/* Moves the elements of one array behind those of another. */
static void *journal_wish_move(void *dst, size_t *n_dst, void *src,
                               size_t *n_src, size_t size)
{
    if (*n_src > 0) {
        dst = journal_wish_room(dst, *n_dst, *n_src, size);
        memcpy((char *)dst + *n_dst * size, src, *n_src * size);
    }
    *n_dst += *n_src;
    *n_src = 0;
    free(src);
    return dst;
}

void journal_wish_items_append(struct journal_wish_items *dst,
                               struct journal_wish_items *src)
{
    dst->files = journal_wish_move(dst->files, &dst->n_files, src->files,
                                   &src->n_files, sizeof(*dst->files));
    dst->peers = journal_wish_move(dst->peers, &dst->n_peers, src->peers,
                                   &src->n_peers, sizeof(*dst->peers));
    dst->trackers =
        journal_wish_move(dst->trackers, &dst->n_trackers, src->trackers,
                          &src->n_trackers, sizeof(*dst->trackers));
    *src = (struct journal_wish_items){0};
}

/* The priority of a file. */
static void journal_wish_file(sqlite3_stmt *s, struct journal_wish_items *i)
{
    i->files = journal_wish_room(i->files, i->n_files, 1, sizeof(*i->files));
    i->files[i->n_files++] = (struct journal_wish_file){
        .file = (uint32_t)sqlite3_column_int64(s, 0),
        .priority = (uint8_t)sqlite3_column_int(s, 1)};
}

/* A peer that somebody named. */
static void journal_wish_peer(sqlite3_stmt *s, struct journal_wish_items *i)
{
    i->peers = journal_wish_room(i->peers, i->n_peers, 1, sizeof(*i->peers));
    memset(&i->peers[i->n_peers], 0, sizeof(*i->peers));
    journal_read_peer(s, &i->peers[i->n_peers++]);
}

/* A tracker. */
static void journal_wish_tracker(sqlite3_stmt *s, struct journal_wish_items *i)
{
    i->trackers =
        journal_wish_room(i->trackers, i->n_trackers, 1, sizeof(*i->trackers));
    memset(&i->trackers[i->n_trackers], 0, sizeof(*i->trackers));
    journal_read_tracker(s, &i->trackers[i->n_trackers++]);
}

/* CROSS JOIN: the news are where to begin. */
static const struct journal_wish_list journal_wish_lists[] = {
    {.all = "SELECT file, priority, torrent_id FROM file"
            " ORDER BY torrent_id, file",
     .news = "SELECT f.file, f.priority, f.torrent_id FROM wish_news AS n"
             " CROSS JOIN file AS f ON f.torrent_id = n.torrent_id"
             " AND f.file = n.number WHERE n.seq > ?1 AND n.what = 'file'"
             " ORDER BY f.torrent_id",
     .read = journal_wish_file},
    {.all = "SELECT " JOURNAL_PEER_COLUMNS ", torrent_id FROM peer"
            " WHERE source = 'user' ORDER BY torrent_id",
     .news = "SELECT " JOURNAL_PEER_COLUMNS ", p.torrent_id"
             " FROM wish_news AS n CROSS JOIN peer AS p"
             " ON p.torrent_id = n.torrent_id AND p.address = n.name"
             " AND p.port = n.number WHERE n.seq > ?1 AND n.what = 'peer'"
             " AND p.source = 'user' ORDER BY p.torrent_id",
     .read = journal_wish_peer},
    {.all = "SELECT " JOURNAL_TRACKER_COLUMNS ", torrent_id FROM tracker"
            " ORDER BY torrent_id, tier, id",
     .news = "SELECT " JOURNAL_TRACKER_COLUMNS ", r.torrent_id"
             " FROM wish_news AS n CROSS JOIN tracker AS r ON r.id = n.number"
             " WHERE n.seq > ?1 AND n.what = 'tracker'"
             " ORDER BY r.torrent_id, r.tier, r.id",
     .read = journal_wish_tracker}};

/* The walk goes on to a torrent; false when there is none with that id. */
static bool journal_wish_reach(struct journal_wish_walk *x, int64_t id)
{
    while (x->at < x->w->n && x->w->torrents[x->at].id < id) {
        x->at++;
    }
    return x->at < x->w->n && x->w->torrents[x->at].id == id;
}

/* The rows of a list, new ones only unless all are wanted. */
static int journal_wish_rows(struct journal *db, struct journal_wishes *w,
                             const struct journal_wish_list *list, int64_t seen,
                             struct err *e)
{
    struct journal_wish_walk x = {.w = w};
    const char *sql = list->news;
    sqlite3_stmt *s = NULL;
    int rc = SQLITE_DONE;
    if (w->whole) {
        sql = list->all;
    }
    int code = journal_prepare(db, sql, &s, e);
    if (code != 0) {
        return code;
    }
    if (!w->whole) {
        (void)sqlite3_bind_int64(s, 1, seen);
    }
    x.id_column = sqlite3_column_count(s) - 1;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        if (journal_wish_reach(&x, sqlite3_column_int64(s, x.id_column))) {
            list->read(s, &w->items[x.at]);
        }
    }
    if (rc != SQLITE_DONE) {
        code = journal_fail(db, e, "cannot read");
    }
    (void)sqlite3_finalize(s);
    return code;
}

/* The ids in the news that have no row. */
static int journal_wish_gone(struct journal *db, struct journal_wishes *w,
                             int64_t seen, struct err *e)
{
    sqlite3_stmt *s = NULL;
    int code = journal_prepare(
        db,
        "SELECT DISTINCT torrent_id FROM wish_news AS n WHERE seq > ?1"
        " AND NOT EXISTS (SELECT 1 FROM torrent WHERE id = n.torrent_id)",
        &s, e);
    if (code != 0) {
        return code;
    }
    int rc;
    (void)sqlite3_bind_int64(s, 1, seen);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        w->gone = journal_wish_room(w->gone, w->n_gone, 1, sizeof(*w->gone));
        w->gone[w->n_gone++] = sqlite3_column_int64(s, 0);
    }
    if (rc != SQLITE_DONE) {
        code = journal_fail(db, e, "cannot read");
    }
    (void)sqlite3_finalize(s);
    return code;
}

/* Wishes, inside a transaction. */
static int journal_load_wish_rows(struct journal *db, struct journal_wishes *w,
                                  int64_t seen, struct err *e)
{
    int code = 0;
    if (w->whole) {
        code = journal_load_torrents(db, &w->torrents, &w->n, e);
    } else {
        code = journal_load_news(db, seen, &w->torrents, &w->n, e);
    }
    if (code == 0 && !w->whole) {
        code = journal_wish_gone(db, w, seen, e);
    }
    w->items = mem_calloc(w->n, sizeof(*w->items));
    for (size_t i = 0; code == 0 && i < sizeof(journal_wish_lists) /
                                            sizeof(journal_wish_lists[0]);
         i++) {
        code = journal_wish_rows(db, w, &journal_wish_lists[i], seen, e);
    }
    return code;
}

/* How many news there are, read at the ends of the table's tree. Whoever
 * changed numbers by hand is believed: the next one comes behind all of them.
 */
static int journal_news_look(struct journal *db, int64_t seen,
                             struct journal_news *out, struct err *e)
{
    sqlite3_stmt *s = NULL;
    int code = journal_prepare(
        db,
        "SELECT max(coalesce((SELECT max(seq) FROM sqlite_sequence"
        "                     WHERE name = 'wish_news'), 0),"
        "           coalesce((SELECT max(seq) FROM wish_news), 0)),"
        " coalesce((SELECT max(seq) FROM wish_news)"
        "          - (SELECT min(seq) FROM wish_news) + 1, 0),"
        " (SELECT count(*) FROM wish_news WHERE seq > ?1)",
        &s, e);
    if (code != 0) {
        return code;
    }
    (void)sqlite3_bind_int64(s, 1, seen);
    if (sqlite3_step(s) == SQLITE_ROW) {
        out->last = sqlite3_column_int64(s, 0);
        out->there = sqlite3_column_int64(s, 1);
        out->fresh = sqlite3_column_int64(s, 2);
    } else {
        code = journal_fail(db, e, "cannot read the news");
    }
    (void)sqlite3_finalize(s);
    return code;
}

/* They tell everything that was written since. */
static bool journal_news_are_whole(const struct journal_news *n, int64_t seen)
{
    return seen != JOURNAL_SEEN_NOTHING && n->there < JOURNAL_NEWS_MAX &&
           n->last - seen == n->fresh;
}

/* A read transaction; a write transaction when rows are to be taken away and
 * nobody is in the way of that. */
static int journal_news_begin(struct journal *db, bool *trim, struct err *e)
{
    if (*trim) {
        *trim = journal_exec(db, "BEGIN IMMEDIATE", NULL) == 0;
    }
    if (*trim) {
        return 0;
    }
    return journal_exec(db, "BEGIN", e);
}

/* All of it, inside the transaction. Without readable news every look is one at
 * everything. */
static int journal_news_read(struct journal *db, struct journal_wishes *w,
                             bool trim, int64_t *seen, struct err *e)
{
    struct journal_news news = {0};
    struct err why = {0};
    bool readable = journal_news_look(db, *seen, &news, &why) == 0;
    if (!readable) {
        log_write(LOG_WARN, "db", "%s: all wishes are read", why.msg);
    }
    w->whole = !readable || !journal_news_are_whole(&news, *seen);
    int code = journal_load_wish_rows(db, w, *seen, e);
    if (code == 0 && readable && trim) {
        code = journal_exec(db, "DELETE FROM wish_news", e);
    }
    *seen = JOURNAL_SEEN_NOTHING;
    if (code == 0 && readable) {
        *seen = news.last;
    }
    return code;
}

/* More than a few rows are there. */
static bool journal_news_are_many(struct journal *db)
{
    int64_t n = 0;
    return journal_query_int(db,
                             "SELECT (SELECT max(seq) FROM wish_news)"
                             " - (SELECT min(seq) FROM wish_news) + 1",
                             0, &n, NULL) == 0 &&
           n > JOURNAL_NEWS_TRIM;
}

/* One transaction. */
static int journal_wishes_try(struct journal *db, struct journal_wishes *w,
                              bool trim, int64_t *seen, struct err *e)
{
    int code = journal_news_begin(db, &trim, e);
    if (code == 0) {
        code = journal_end(db, journal_news_read(db, w, trim, seen, e), e);
    }
    if (code != 0) {
        *seen = JOURNAL_SEEN_NOTHING;
    }
    return code;
}

struct journal_wishes *journal_load_wishes(struct journal *db, int64_t *seen,
                                           struct err *e)
{
    struct journal_wishes *w = mem_zalloc(sizeof(*w));
    bool trim = journal_news_are_many(db);
    int code = journal_wishes_try(db, w, trim, seen, e);
    if (code != 0 && trim) { /* the disk may be full: reading needs none */
        journal_wishes_free(w);
        w = mem_zalloc(sizeof(*w));
        code = journal_wishes_try(db, w, false, seen, e);
    }
    if (code != 0) {
        journal_wishes_free(w);
        return NULL;
    }
    return w;
}
