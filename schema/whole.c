/* Makes a .c of the schema as all migrations leave it:
 *
 *   whole OUT.c 001_a.sql 002_b.sql ...
 *
 * A new database is made from that. The way through all versions costs several
 * times as much, because each ALTER TABLE reads the whole schema again. Only
 * the schema is told so: a migration that puts rows into an empty database
 * would be lost, and is refused here. Part of the build. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

/* In an order in which they can be made; SQLite makes its own tables itself. */
static const char whole_objects[] =
    "SELECT sql FROM sqlite_schema WHERE sql NOT NULL AND name NOT GLOB "
    "'sqlite_*' ORDER BY CASE type WHEN 'table' THEN 0 WHEN 'index' THEN 1 "
    "WHEN 'view' THEN 2 ELSE 3 END, rowid";
static const char whole_tables[] =
    "SELECT name FROM sqlite_schema WHERE type = 'table'";

/* Says what went wrong, and ends. */
static void whole_fail(const char *what, const char *why)
{
    (void)fprintf(stderr, "whole: %s: %s\n", what, why);
    exit(1);
}

/* Runs SQL; ends with a sentence when it fails. */
static void whole_exec(sqlite3 *db, const char *name, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        whole_fail(name, sqlite3_errmsg(db));
    }
}

/* A file as a string; the caller frees it. */
static char *whole_read(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        whole_fail(path, "cannot be opened");
    }
    size_t len = 0, cap = 65536;
    char *text = malloc(cap + 1);
    while (text && (len += fread(text + len, 1, cap - len, f)) == cap) {
        cap *= 2;
        text = realloc(text, cap + 1);
    }
    if (!text || ferror(f)) {
        whole_fail(path, "cannot be read");
    }
    (void)fclose(f);
    text[len] = '\0';
    return text;
}

/* A query's statement. */
static sqlite3_stmt *whole_query(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK) {
        whole_fail(sql, sqlite3_errmsg(db));
    }
    return s;
}

/* No table has a row. */
static void whole_check(sqlite3 *db)
{
    sqlite3_stmt *tables = whole_query(db, whole_tables);
    while (sqlite3_step(tables) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(tables, 0);
        char *sql = sqlite3_mprintf("SELECT 1 FROM \"%w\"", name);
        sqlite3_stmt *rows = whole_query(db, sql);
        if (sqlite3_step(rows) == SQLITE_ROW) {
            whole_fail(name, "a migration has put rows into it");
        }
        (void)sqlite3_finalize(rows);
        sqlite3_free(sql);
    }
    (void)sqlite3_finalize(tables);
}

/* The pragmas that stand in the file; user_version is set with each migration.
 */
static char *whole_header(sqlite3 *db)
{
    sqlite3_stmt *s = whole_query(db, "PRAGMA application_id");
    if (sqlite3_step(s) != SQLITE_ROW) {
        whole_fail("application_id", sqlite3_errmsg(db));
    }
    char *sql = sqlite3_mprintf("PRAGMA application_id = %lld;\n",
                                sqlite3_column_int64(s, 0));
    (void)sqlite3_finalize(s);
    return sql;
}

/* Bytes instead of string literals, as in embed.cmake. */
static void whole_put(FILE *out, const char *text)
{
    for (size_t i = 0; text[i]; i++) {
        (void)fprintf(out, "%s0x%02x,", i % 16 == 0 ? "\n" : "",
                      (unsigned)(unsigned char)text[i]);
    }
}

/* Writes the .c. */
static void whole_write(sqlite3 *db, const char *path)
{
    FILE *out = fopen(path, "w");
    if (!out) {
        whole_fail(path, "cannot be written");
    }
    (void)fputs("/* Made by schema/whole.c. */\n"
                "#include \"journal/internal.h\"\n\n"
                "const char journal_whole_sql[] = {",
                out);
    char *header = whole_header(db);
    whole_put(out, header);
    sqlite3_free(header);
    sqlite3_stmt *s = whole_query(db, whole_objects);
    while (sqlite3_step(s) == SQLITE_ROW) {
        whole_put(out, (const char *)sqlite3_column_text(s, 0));
        whole_put(out, ";\n");
    }
    (void)sqlite3_finalize(s);
    (void)fputs("0x00};\n", out);
    if (ferror(out) | fclose(out)) {
        whole_fail(path, "cannot be written");
    }
}

int main(int argc, char **argv)
{
    sqlite3 *db = NULL;
    if (argc < 3 || sqlite3_open(":memory:", &db) != SQLITE_OK) {
        whole_fail("OUT.c FILE.sql...", "wanted");
    }
    for (int i = 2; i < argc; i++) {
        char *sql = whole_read(argv[i]);
        whole_exec(db, argv[i], sql);
        free(sql);
    }
    whole_check(db);
    whole_write(db, argv[1]);
    (void)sqlite3_close(db);
    return 0;
}
