/* Is the database whole? Its pages, its schema, rows that refer to each other,
 * and the rows that each torrent needs.
 *
 * The schema is compared with one that the migrations make in memory, as far as
 * the database has come. What is missing is told by name, and so are views,
 * triggers and indexes that say something else; what somebody has added stays.
 * Those three hold no data, so a repair makes them anew; a table or a column is
 * lost with what stood in it. */
#include "journal/alike.h"
#include "journal/beyond.h"
#include "journal/care.h"
#include "journal/each.h"
#include "journal/ids.h"
#include "journal/internal.h"

#include <stdio.h>
#include <string.h>

/* Counts the rows that a check gives, and hands them on. */
struct journal_complaints {
    journal_row_fn *fn;
    void *ctx;
    size_t n;
};

/* One row of a check; a single 'ok' is no complaint. */
static int journal_complain(void *ctx, const struct journal_value *row,
                            size_t n)
{
    struct journal_complaints *c = ctx;
    if (n == 1 && slice_eq_str(row[0].text, "ok")) {
        return 0;
    }
    c->n++;
    if (c->fn) {
        return c->fn(c->ctx, row, n);
    }
    return 0;
}

/* Gives the rows of such queries that are complaints, and counts them. */
static int journal_check_by(struct journal *db, const char *const *sql,
                            size_t n_sql, struct journal_complaints *c,
                            struct err *e)
{
    int code = 0;
    for (size_t i = 0; code == 0 && i < n_sql; i++) {
        sqlite3_stmt *s = NULL;
        code = journal_prepare(db, sql[i], &s, e);
        if (code == 0) {
            code = journal_each_row(db, s, journal_complain, c, e);
        }
    }
    return code;
}

/* --- the schema --- */

#define CHECK_LOST                                              \
    "go on with a backup (`btc db restore FILE`) or with what " \
    "can be read (`btc db salvage`)"
#define CHECK_REPAIR "`btc db check --repair` makes it anew"

/* A part of the schema that the database lacks or has otherwise: a table,
 * index, view or trigger; or a column, `name` of the table `of`. */
struct check_part {
    const char *type;
    const char *name;
    const char *of;  /* the table that it belongs to */
    const char *sql; /* makes it; NULL: a column */
    bool is_other;   /* it is there, and is another one */
};
typedef int check_part_fn(void *ctx, const struct check_part *part);

/* What it should be, and who hears what is missing. */
struct check_schema {
    struct journal *db;
    sqlite3 *whole; /* owns; in memory */
    check_part_fn *fn;
    void *ctx;
};

/* A table or a column holds data, the others do not. */
static bool check_is_lost(const struct check_part *part)
{
    return part->sql == NULL || strcmp(part->type, "table") == 0;
}

/* Makes the schema of the version that the database has. */
static int check_make_whole(struct check_schema *c, struct err *e)
{
    const struct journal_migration *last =
        &journal_migrations[journal_n_migrations - 1];
    int64_t version = 0;
    int rc = sqlite3_open(":memory:", &c->whole);
    int code = journal_query_int(c->db, "PRAGMA user_version", 0, &version, e);
    if (code != 0) {
        return code;
    }
    if (rc == SQLITE_OK && version == last->version) {
        rc = sqlite3_exec(c->whole, journal_whole_sql, NULL, NULL, NULL);
        version = 0;
    }
    for (size_t i = 0; i < journal_n_migrations && rc == SQLITE_OK; i++) {
        if (journal_migrations[i].version <= version) {
            rc = sqlite3_exec(c->whole, journal_migrations[i].sql, NULL, NULL,
                              NULL);
        }
    }
    if (rc != SQLITE_OK) {
        return err_set(e, BTC_E_INTERNAL, "the schema cannot be made: %s",
                       sqlite3_errmsg(c->whole));
    }
    return 0;
}

/* Whether the database has it, and whether that is the one. */
static int check_find(struct journal *db, const struct check_part *part,
                      bool *has, bool *alike, struct err *e)
{
    sqlite3_stmt *s = NULL;
    const char *sql = "SELECT sql FROM sqlite_schema WHERE type = ?1"
                      " AND name = ?2";
    const char *first = part->type;
    if (part->sql == NULL) {
        sql = "SELECT 1 FROM pragma_table_xinfo(?1) WHERE name = ?2";
        first = part->of;
    }
    int code = journal_prepare(db, sql, &s, e);
    if (code != 0) {
        return code;
    }
    (void)sqlite3_bind_text(s, 1, first, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(s, 2, part->name, -1, SQLITE_STATIC);
    int rc = sqlite3_step(s);
    *has = rc == SQLITE_ROW;
    *alike = *has;
    if (*has && !check_is_lost(part)) {
        const char *now = (const char *)sqlite3_column_text(s, 0);
        *alike = now != NULL && journal_sql_is_alike(now, part->sql);
    } else if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        code = journal_fail(db, e, "cannot read");
    }
    (void)sqlite3_finalize(s);
    return code;
}

/* The columns of a table that is there. */
static int check_columns(const struct check_schema *c, const char *table,
                         struct err *e)
{
    sqlite3_stmt *s = NULL;
    int code = 0;
    (void)sqlite3_prepare_v2(
        c->whole, "SELECT name FROM pragma_table_xinfo(?1)", -1, &s, NULL);
    (void)sqlite3_bind_text(s, 1, table, -1, SQLITE_STATIC);
    while (code == 0 && sqlite3_step(s) == SQLITE_ROW) {
        const struct check_part part = {
            .type = "column",
            .name = (const char *)sqlite3_column_text(s, 0),
            .of = table};
        bool has = false, alike;
        code = check_find(c->db, &part, &has, &alike, e);
        if (code == 0 && !has) {
            code = c->fn(c->ctx, &part);
        }
    }
    (void)sqlite3_finalize(s);
    return code;
}

/* One table, index, view or trigger. */
static int check_part(const struct check_schema *c, struct check_part *part,
                      struct err *e)
{
    bool has = false, alike = false;
    int code = check_find(c->db, part, &has, &alike, e);
    part->is_other = has;
    if (code == 0 && !alike) {
        return c->fn(c->ctx, part);
    }
    if (code == 0 && strcmp(part->type, "table") == 0) {
        return check_columns(c, part->name, e);
    }
    return code;
}

/* Gives `fn` what is missing or another, in an order in which it can be made.
 */
static int check_walk(struct journal *db, check_part_fn *fn, void *ctx,
                      struct err *e)
{
    struct check_schema c = {.db = db, .fn = fn, .ctx = ctx};
    sqlite3_stmt *s = NULL;
    int code = check_make_whole(&c, e);
    if (code == 0) {
        (void)sqlite3_prepare_v2(
            c.whole,
            "SELECT type, name, tbl_name, sql FROM sqlite_schema"
            " WHERE sql NOT NULL AND name NOT GLOB 'sqlite_*' ORDER BY"
            " CASE type WHEN 'table' THEN 0 WHEN 'index' THEN 1"
            " WHEN 'view' THEN 2 ELSE 3 END, rowid",
            -1, &s, NULL);
    }
    while (code == 0 && sqlite3_step(s) == SQLITE_ROW) {
        struct check_part part = {
            .type = (const char *)sqlite3_column_text(s, 0),
            .name = (const char *)sqlite3_column_text(s, 1),
            .of = (const char *)sqlite3_column_text(s, 2),
            .sql = (const char *)sqlite3_column_text(s, 3)};
        code = check_part(&c, &part, e);
    }
    (void)sqlite3_finalize(s);
    (void)sqlite3_close(c.whole);
    return code;
}

/* The part, for people. */
static void check_name(const struct check_part *part, char *out, size_t size)
{
    if (part->sql == NULL) {
        (void)snprintf(out, size, "the column %s of the table %s", part->name,
                       part->of);
    } else {
        (void)snprintf(out, size, "the %s %s", part->type, part->name);
    }
}

/* One more sentence. */
static int check_say(struct journal_complaints *c, const char *column,
                     const char *text)
{
    const struct journal_value row = {
        .column = column, .type = JOURNAL_TEXT, .text = slice_str(text)};
    return journal_complain(c, &row, 1);
}

/* What is wrong, counted and told. */
struct check_wrong {
    struct journal_complaints c;
    size_t n_lost;
    char first[128]; /* of the worst kind */
    const char *how; /* is that wrong */
};

static int check_tell(void *ctx, const struct check_part *part)
{
    struct check_wrong *w = ctx;
    char text[320];
    char name[128];
    bool lost = check_is_lost(part);
    const char *help = CHECK_REPAIR;
    const char *how = "is missing";
    check_name(part, name, sizeof(name));
    if (part->is_other) {
        how = "is another one";
    }
    if (w->c.n == 0 || (lost && w->n_lost == 0)) {
        memcpy(w->first, name, sizeof(w->first));
        w->how = how;
    }
    if (lost) {
        w->n_lost++;
        help = CHECK_LOST;
    }
    (void)snprintf(text, sizeof(text), "%s %s: %s", name, how, help);
    return check_say(&w->c, "missing", text);
}

int journal_check_schema(struct journal *db, journal_row_fn *fn, void *ctx,
                         struct err *e)
{
    struct check_wrong w = {.c = {fn, ctx, 0}};
    int code = check_walk(db, check_tell, &w, e);
    if (code != 0 || w.c.n == 0) {
        return code;
    }
    char more[48] = "";
    const char *help = CHECK_LOST;
    if (w.c.n > 1) {
        (void)snprintf(more, sizeof(more), " (and %zu parts more)", w.c.n - 1);
    }
    if (w.n_lost == 0) {
        help = CHECK_REPAIR;
    }
    return err_set(e, BTC_E_DB,
                   "%s: somebody has changed its schema: %s%s %s; %s", db->path,
                   w.first, more, w.how, help);
}

/* What is made anew, and who hears of it. */
struct check_made {
    struct journal *db;
    struct journal_complaints c;
};

/* Makes what holds no data. What cannot be made is told by the check after. */
static int check_make(void *ctx, const struct check_part *part)
{
    struct check_made *m = ctx;
    sqlite3 *sql = m->db->sql;
    char name[128];
    if (check_is_lost(part)) {
        return 0;
    }
    if (part->is_other) {
        char *drop = sqlite3_mprintf("DROP %s \"%w\"", part->type, part->name);
        (void)sqlite3_exec(sql, drop, NULL, NULL, NULL);
        sqlite3_free(drop);
    }
    if (sqlite3_exec(sql, part->sql, NULL, NULL, NULL) != SQLITE_OK) {
        return 0;
    }
    check_name(part, name, sizeof(name));
    return check_say(&m->c, "made", name);
}

int journal_check_mend(struct journal *db, journal_row_fn *fn, void *ctx,
                       struct err *e)
{
    struct check_made m = {.db = db, .c = {fn, ctx, 0}};
    int code = check_walk(db, check_make, &m, e);
    if (code == 0) {
        code = journal_check_schema(db, NULL, NULL, e);
    }
    return code;
}

/* --- pages and rows --- */

/* The pages and the schema; complaints are counted. */
static int check_form(struct journal *db, struct journal_complaints *c,
                      struct err *e)
{
    const char *const pages = "PRAGMA integrity_check";
    int code = journal_check_by(db, &pages, 1, c, e);
    if (code == 0 && c->n == 0) { /* else nothing is sure */
        code = journal_check_schema(db, c->fn, c->ctx, e);
    }
    return code;
}

/* What the complaints come to. */
static int check_verdict(const struct journal *db,
                         const struct journal_complaints *c, struct err *e)
{
    if (c->n == 0) {
        return 0;
    }
    return err_set(e, BTC_E_DB,
                   "%s is damaged (%zu complaints): `btc db check --repair` "
                   "mends rows that belong to nothing; else go on with a "
                   "backup (`btc db restore FILE`) or with what can be "
                   "read (`btc db salvage`)",
                   db->path, c->n);
}

int journal_check_form(struct journal *db, journal_row_fn *fn, void *ctx,
                       struct err *e)
{
    struct journal_complaints c = {fn, ctx, 0};
    int code = check_form(db, &c, e);
    if (code == 0) {
        code = check_verdict(db, &c, e);
    }
    return code;
}

int journal_check(struct journal *db, journal_row_fn *fn, void *ctx,
                  struct err *e)
{
    const char *const rows[] = {"PRAGMA foreign_key_check", journal_beyond_sql};
    struct journal_complaints c = {fn, ctx, 0};
    int code = check_form(db, &c, e);
    if (code == 0) {
        code = journal_check_by(db, rows, sizeof(rows) / sizeof(*rows), &c, e);
    }
    if (code == 0) {
        code = check_verdict(db, &c, e);
    }
    return code;
}

/* How many complaints the queries gave; `what` they mean is the error. */
static int check_rows(struct journal *db, const char *const *sql, size_t n_sql,
                      struct journal_complaints *c, const char *what,
                      struct err *e)
{
    int code = journal_check_by(db, sql, n_sql, c, e);
    if (code == 0 && c->n > 0) {
        code = err_set(e, BTC_E_DB, "%s %s (%zu complaints)", db->path, what,
                       c->n);
    }
    return code;
}

int journal_check_ids(struct journal *db, journal_row_fn *fn, void *ctx,
                      struct err *e)
{
    const char *const sql = journal_ids_sql;
    struct journal_complaints c = {fn, ctx, 0};
    return check_rows(db, &sql, 1, &c,
                      "takes no further rows until `btc db check --repair`", e);
}

int journal_check_torrents(struct journal *db, journal_row_fn *fn, void *ctx,
                           struct err *e)
{
    const char *const sql[] = {
        /* A magnet, of piece length 0, has neither yet. */
        "SELECT 'torrent ' || t.id || ' (' || t.name || ') has lost its info'"
        " || ' dictionary: `btc rm ' || t.id || '` leaves its data, add its'"
        " || ' .torrent again' FROM torrent AS t WHERE t.piece_length > 0"
        " AND t.id NOT IN (SELECT torrent_id FROM metainfo)",
        "SELECT 'torrent ' || id || ' (' || name || ') has ' || n_files"
        " || ' files and ' || n || ' rows of them: `btc rm ' || id"
        " || '` leaves its data, add its .torrent again'"
        " FROM (SELECT t.*, (SELECT count(*) FROM file AS f"
        "                    WHERE f.torrent_id = t.id) AS n"
        "       FROM torrent AS t WHERE t.piece_length > 0)"
        " WHERE n <> n_files",
        "SELECT 'torrent ' || t.id || ' (' || t.name || ') has lost its row'"
        " || ' of torrent_stat: `btc db check --repair` makes it anew'"
        " FROM torrent AS t WHERE t.id NOT IN"
        " (SELECT torrent_id FROM torrent_stat)"};
    struct journal_complaints c = {fn, ctx, 0};
    return check_rows(
        db, sql, sizeof(sql) / sizeof(*sql), &c,
        "lacks rows without which a torrent cannot run; all others can", e);
}
