/* Reading for people: the views. */
#include "journal/views.h"

#include "journal/each.h"
#include "journal/internal.h"

#include <stdio.h>
#include <string.h>

struct journal_view {
    const char *name;
    const char *sql; /* ?1: torrent or 0, ?2: rows or -1 */
};

/* Where the torrent is given, the view is asked with a plain equality, so that
 * its tables' keys are used; so each query is there twice. */
#define JOURNAL_VIEW(name, column, order)                                \
    {#name,                                                              \
     "SELECT * FROM " #name " WHERE " column " = ?1" order " LIMIT ?2"}, \
    {                                                                    \
#name, "SELECT * FROM " #name order " LIMIT ?2"                  \
    }

/* clang-format off */
static const struct journal_view journal_views[] = {
    JOURNAL_VIEW(progress, "id", " ORDER BY id"),
    JOURNAL_VIEW(file_progress, "torrent_id", " ORDER BY torrent_id, file"),
    JOURNAL_VIEW(piece_map, "torrent_id", ""), /* comes in order by itself */
    JOURNAL_VIEW(peer_list, "torrent_id",
            " ORDER BY torrent_id, connected DESC, bytes_down DESC, address"),
    JOURNAL_VIEW(tracker_list, "torrent_id", " ORDER BY torrent_id, tier, id"),
    {"log", "SELECT * FROM (SELECT * FROM log WHERE torrent_id = ?1"
            " ORDER BY id DESC LIMIT ?2) ORDER BY id"},
    {"log", "SELECT * FROM (SELECT * FROM log ORDER BY id DESC LIMIT ?2)"
            " ORDER BY id"},
    JOURNAL_VIEW(way_list, "torrent_id", ""),
    JOURNAL_VIEW(storage_list, "torrent_id", ""),
    JOURNAL_VIEW(why, "torrent_id", ""),
};
/* clang-format on */

/* What becomes of a column when no engine runs. */
enum journal_role {
    JOURNAL_ROLE_NONE,
    JOURNAL_ROLE_LIVE, /* a count of what only an engine can have */
    JOURNAL_ROLE_ETA,
    JOURNAL_ROLE_STATE,
    JOURNAL_ROLE_WANTED
};

/* A row function that first mends what no SQL can know. */
struct journal_mend {
    journal_row_fn *fn;
    void *ctx;
    bool known;    /* the roles: the first row tells them for all */
    size_t wanted; /* its column; JOURNAL_COLUMNS_MAX when there is none */
    enum journal_role roles[JOURNAL_COLUMNS_MAX];
};

/* What a torrent is that nobody works on, by what it did when somebody last
 * did. */
static void journal_mend_state(struct journal_value *v, bool paused)
{
    if (slice_eq_str(v->text, "complete")) {
        return;
    }
    if (paused) {
        v->text = slice_str("paused");
    } else if (slice_eq_str(v->text, "checking") ||
               slice_eq_str(v->text, "downloading")) {
        v->text = slice_str("queued");
    } else if (slice_eq_str(v->text, "seeding")) {
        v->text = slice_str("complete");
    }
}

/* The role of a column, by its name. */
static enum journal_role journal_role(const char *column)
{
    static const struct {
        const char *column;
        enum journal_role role;
    } roles[] = {
        {"down_rate", JOURNAL_ROLE_LIVE}, {"up_rate", JOURNAL_ROLE_LIVE},
        {"peers", JOURNAL_ROLE_LIVE},     {"seeds", JOURNAL_ROLE_LIVE},
        {"connected", JOURNAL_ROLE_LIVE}, {"eta_s", JOURNAL_ROLE_ETA},
        {"state", JOURNAL_ROLE_STATE},    {"wanted", JOURNAL_ROLE_WANTED}};
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        if (strcmp(roles[i].column, column) == 0) {
            return roles[i].role;
        }
    }
    return JOURNAL_ROLE_NONE;
}

/* The roles of all columns. */
static void journal_mend_learn(struct journal_mend *m,
                               const struct journal_value *row, size_t n)
{
    m->known = true;
    m->wanted = JOURNAL_COLUMNS_MAX;
    for (size_t i = 0; i < n; i++) {
        m->roles[i] = journal_role(row[i].column);
        if (m->roles[i] == JOURNAL_ROLE_WANTED) {
            m->wanted = i;
        }
    }
}

/* No engine holds the lock: nothing is connected, nothing moves, even when the
 * last run was killed a moment ago. */
static int journal_mend_row(void *ctx, const struct journal_value *row,
                            size_t n)
{
    struct journal_mend *m = ctx;
    struct journal_value copy[JOURNAL_COLUMNS_MAX];
    if (!m->known) {
        journal_mend_learn(m, row, n);
    }
    bool paused = m->wanted < n && slice_eq_str(row[m->wanted].text, "pause");
    memcpy(copy, row, n * sizeof(*row));
    for (size_t i = 0; i < n; i++) {
        if (m->roles[i] == JOURNAL_ROLE_LIVE) {
            copy[i].i = 0;
        } else if (m->roles[i] == JOURNAL_ROLE_ETA) {
            copy[i].type = JOURNAL_NULL;
        } else if (m->roles[i] == JOURNAL_ROLE_STATE) {
            journal_mend_state(&copy[i], paused);
        }
    }
    return m->fn(m->ctx, copy, n);
}

/* The view's query: the first of its two with a torrent, else the second. */
static const char *journal_view_sql(const char *view, bool all)
{
    for (size_t i = 0; i < sizeof(journal_views) / sizeof(journal_views[0]);
         i++) {
        if (strcmp(journal_views[i].name, view) == 0) {
            return journal_views[i + (all ? 1 : 0)].sql;
        }
    }
    return NULL;
}

/* A view that this version of the database has not got, or that somebody has
 * dropped. */
static int journal_view_absent(struct journal *db, const char *view,
                               struct err *e)
{
    int64_t version = 0;
    char made[64];
    int code = journal_query_int(db, "PRAGMA user_version", 0, &version, e);
    if (code != 0) {
        return code;
    }
    (void)snprintf(made, sizeof(made), "CREATE VIEW %s AS", view);
    if (version < journal_migrations[journal_n_migrations - 1].version ||
        !strstr(journal_whole_sql, made)) {
        return err_set(e, BTC_E_UNSUPPORTED, "%s has no view '%s' yet",
                       db->path, view);
    }
    return err_set(e, BTC_E_DB,
                   "%s has lost its view '%s': `btc db check --repair` makes "
                   "it anew",
                   db->path, view);
}

/* SELECT * FROM a view. Seven parameters: each is said in a word, none goes
 * with another. NOLINTNEXTLINE(readability-function-size) */
int journal_query_view(struct journal *db, const char *view, int64_t id,
                       int64_t limit, journal_row_fn *fn, void *ctx,
                       struct err *e)
{
    const char *sql = journal_view_sql(view, id == 0);
    int64_t has = 0;
    char look[96];
    if (!sql) {
        return err_set(e, BTC_E_USAGE, "there is no view '%s'", view);
    }
    (void)snprintf(look, sizeof(look),
                   "SELECT 1 FROM sqlite_schema WHERE type = 'view'"
                   " AND name = '%s'",
                   view);
    int code = journal_query_int(db, look, 0, &has, e);
    if (code == 0 && has == 0) {
        code = journal_view_absent(db, view, e);
    }
    sqlite3_stmt *s = NULL;
    if (code == 0) {
        code = journal_prepare(db, sql, &s, e);
    }
    if (code != 0) {
        return code;
    }
    if (id != 0) {
        (void)sqlite3_bind_int64(s, 1, id);
    }
    (void)sqlite3_bind_int64(s, 2, limit > 0 ? limit : -1);
    struct journal_mend mend = {.fn = fn, .ctx = ctx};
    bool live = strcmp(view, "progress") == 0 || strcmp(view, "peer_list") == 0;
    if (live && db->lock_fd < 0 && journal_engine_pid(db->path) == 0) {
        return journal_each_row(db, s, journal_mend_row, &mend, e);
    }
    return journal_each_row(db, s, fn, ctx, e);
}
