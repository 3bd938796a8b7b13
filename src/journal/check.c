/* Is the database whole? Its pages, its schema, rows that refer to each other,
 * and the rows that each torrent needs.
 *
 * The schema is compared with one that the migrations make in memory, as far as
 * the database has come. What is missing is told by name; what somebody has
 * added stays. Views, triggers and indexes hold no data, so a repair makes them
 * anew; a table or a column is lost with what stood in it. */
#include "journal/care.h"
#include "journal/each.h"
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

/* A part of the schema that the database lacks: a table, index, view or
 * trigger; or a column, `name` of the table `of`. */
struct check_part {
    const char *type;
    const char *name;
    const char *of;  /* the table that it belongs to */
    const char *sql; /* makes it; NULL: a column */
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

/* Whether the database has it. `sql` asks for two names. */
static int check_has(struct journal *db, const char *sql, const char *first,
                     const char *second, bool *has, struct err *e)
{
    sqlite3_stmt *s = NULL;
    int code = journal_prepare(db, sql, &s, e);
    if (code != 0) {
        return code;
    }
    (void)sqlite3_bind_text(s, 1, first, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(s, 2, second, -1, SQLITE_STATIC);
    int rc = sqlite3_step(s);
    *has = rc == SQLITE_ROW;
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
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
        bool has = false;
        code = check_has(c->db,
                         "SELECT 1 FROM pragma_table_xinfo(?1)"
                         " WHERE name = ?2",
                         table, part.name, &has, e);
        if (code == 0 && !has) {
            code = c->fn(c->ctx, &part);
        }
    }
    (void)sqlite3_finalize(s);
    return code;
}

/* One table, index, view or trigger. */
static int check_part(const struct check_schema *c,
                      const struct check_part *part, struct err *e)
{
    bool has = false;
    int code = check_has(c->db,
                         "SELECT 1 FROM sqlite_schema WHERE type = ?1"
                         " AND name = ?2",
                         part->type, part->name, &has, e);
    if (code == 0 && !has) {
        return c->fn(c->ctx, part);
    }
    if (code == 0 && strcmp(part->type, "table") == 0) {
        return check_columns(c, part->name, e);
    }
    return code;
}

/* Gives `fn` what is missing, in an order in which it can be made. */
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
        const struct check_part part = {
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

/* What is missing, counted and told. */
struct check_missing {
    struct journal_complaints c;
    size_t n_lost;
    char first[128]; /* of the worst kind */
};

static int check_tell(void *ctx, const struct check_part *part)
{
    struct check_missing *m = ctx;
    char text[320];
    char name[128];
    bool lost = check_is_lost(part);
    const char *help = CHECK_REPAIR;
    if (part->sql == NULL) {
        (void)snprintf(name, sizeof(name), "the column %s of the table %s",
                       part->name, part->of);
    } else {
        (void)snprintf(name, sizeof(name), "the %s %s", part->type, part->name);
    }
    if (m->c.n == 0 || (lost && m->n_lost == 0)) {
        memcpy(m->first, name, sizeof(m->first));
    }
    if (lost) {
        m->n_lost++;
        help = CHECK_LOST;
    }
    int n = snprintf(text, sizeof(text), "%s is missing: %s", name, help);
    const struct journal_value row = {.column = "missing",
                                      .type = JOURNAL_TEXT,
                                      .text = slice_of(text, (size_t)n)};
    return journal_complain(&m->c, &row, 1);
}

int journal_check_schema(struct journal *db, journal_row_fn *fn, void *ctx,
                         struct err *e)
{
    struct check_missing m = {.c = {fn, ctx, 0}};
    int code = check_walk(db, check_tell, &m, e);
    if (code != 0 || m.c.n == 0) {
        return code;
    }
    char more[48] = "";
    const char *help = CHECK_LOST;
    if (m.c.n > 1) {
        (void)snprintf(more, sizeof(more), " (and %zu parts more)", m.c.n - 1);
    }
    if (m.n_lost == 0) {
        help = CHECK_REPAIR;
    }
    return err_set(e, BTC_E_DB,
                   "%s: somebody has taken something of its schema away: %s%s "
                   "is missing; %s",
                   db->path, m.first, more, help);
}

/* Makes what holds no data. What cannot be made is told by the check after. */
static int check_make(void *ctx, const struct check_part *part)
{
    struct journal *db = ctx;
    if (!check_is_lost(part)) {
        (void)sqlite3_exec(db->sql, part->sql, NULL, NULL, NULL);
    }
    return 0;
}

int journal_check_mend(struct journal *db, struct err *e)
{
    int code = check_walk(db, check_make, db, e);
    if (code == 0) {
        code = journal_check_schema(db, NULL, NULL, e);
    }
    return code;
}

/* --- pages and rows --- */

int journal_check(struct journal *db, journal_row_fn *fn, void *ctx,
                  struct err *e)
{
    const char *const pages = "PRAGMA integrity_check";
    const char *const keys = "PRAGMA foreign_key_check";
    struct journal_complaints c = {fn, ctx, 0};
    int code = journal_check_by(db, &pages, 1, &c, e);
    if (code == 0 && c.n == 0) { /* else nothing is sure */
        code = journal_check_schema(db, fn, ctx, e);
    }
    if (code == 0) {
        code = journal_check_by(db, &keys, 1, &c, e);
    }
    if (code == 0 && c.n > 0) {
        code =
            err_set(e, BTC_E_DB,
                    "%s is damaged (%zu complaints): `btc db check --repair` "
                    "mends rows that belong to nothing; else go on with a "
                    "backup (`btc db restore FILE`) or with what can be "
                    "read (`btc db salvage`)",
                    db->path, c.n);
    }
    return code;
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
    int code = journal_check_by(db, sql, sizeof(sql) / sizeof(*sql), &c, e);
    if (code == 0 && c.n > 0) {
        code = err_set(e, BTC_E_DB,
                       "%s lacks rows without which a torrent cannot run (%zu "
                       "complaints); all others can",
                       db->path, c.n);
    }
    return code;
}
