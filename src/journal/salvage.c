/* What can be read of a damaged database goes into a new one.
 *
 * Each table is read row by row, from its first key on until the damage, then
 * from its last key back until the damage. Rows that the new schema refuses are
 * left out. Nothing that the damaged file claims about data is believed:
 * everything is marked to be hashed again, so data on the disk is kept and lost
 * rows cost hashing, not fetching. The damaged file stays beside the new one.
 */
#include "journal/care.h"
#include "journal/ids.h"
#include "journal/instance.h"
#include "journal/internal.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Tables in this order: what others refer to comes first. */
static const char *const journal_salvage_tables[] = {
    "torrent",     "torrent_stat", "metainfo",   "file",
    "piece",       "block",        "tracker",    "web_seed",
    "peer",        "dht_node",     "run",        "event",
    "setting",     "history",      "magnet",     "metadata_piece",
    "magnet_file", "reach",        "dht_search", "move",
    "move_file"};

struct journal_salvage_job {
    sqlite3 *old;       /* owns */
    struct journal *db; /* owns; the new one */
    struct journal_salvaged *out;
};

/* The columns that a table has in both, as a list of names; sqlite3_free. NULL
 * when the old file does not show the table. */
static char *journal_salvage_columns(struct journal_salvage_job *j,
                                     const char *table, int *n)
{
    sqlite3_stmt *s = NULL;
    char *probe = sqlite3_mprintf("SELECT * FROM \"%w\" LIMIT 0", table);
    char *list = NULL;
    *n = 0;
    if (sqlite3_prepare_v2(j->old, probe, -1, &s, NULL) == SQLITE_OK) {
        for (int i = 0; i < sqlite3_column_count(s); i++) {
            const char *name = sqlite3_column_name(s, i);
            if (sqlite3_table_column_metadata(j->db->sql, "main", table, name,
                                              NULL, NULL, NULL, NULL,
                                              NULL) != SQLITE_OK) {
                continue;
            }
            char *longer =
                sqlite3_mprintf("%z%s\"%w\"", list, *n > 0 ? ", " : "", name);
            list = longer;
            (*n)++;
        }
    }
    (void)sqlite3_finalize(s);
    sqlite3_free(probe);
    return list;
}

/* Copies the rows of a query until it ends or meets damage; true at its end. */
static bool journal_salvage_rows(struct journal_salvage_job *j,
                                 const char *select, sqlite3_stmt *insert)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(j->old, select, -1, &s, NULL);
    int n = sqlite3_column_count(s);
    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(s);
        if (rc != SQLITE_ROW) {
            break;
        }
        for (int i = 0; i < n; i++) {
            (void)sqlite3_bind_value(insert, i + 1, sqlite3_column_value(s, i));
        }
        int put = sqlite3_step(insert);
        if (put == SQLITE_DONE) {
            j->out->n_rows += sqlite3_changes64(j->db->sql);
        } else {
            j->out->n_refused++;
        }
        (void)sqlite3_reset(insert);
    }
    (void)sqlite3_finalize(s);
    return rc == SQLITE_DONE;
}

/* One table. */
static int journal_salvage_table(struct journal_salvage_job *j,
                                 const char *table, struct err *e)
{
    int n = 0;
    char *columns = journal_salvage_columns(j, table, &n);
    if (!columns) {
        return 0;
    }
    char *marks = mem_alloc((size_t)n * 3 + 1);
    size_t at = 0;
    for (int i = 0; i < n; i++) {
        at += (size_t)snprintf(marks + at, 4, "%s?", i > 0 ? ", " : "");
    }
    /* Nothing but a row that is there already is passed over. */
    char *sql = sqlite3_mprintf("INSERT INTO \"%w\" (%s) VALUES (%s)"
                                " ON CONFLICT DO NOTHING",
                                table, columns, marks);
    sqlite3_stmt *insert = NULL;
    int code = journal_prepare(j->db, sql, &insert, e);
    sqlite3_free(sql);
    if (code == 0) {
        sql =
            sqlite3_mprintf("SELECT %s FROM \"%w\" ORDER BY 1", columns, table);
        bool whole = journal_salvage_rows(j, sql, insert);
        sqlite3_free(sql);
        if (!whole) {
            j->out->n_torn++;
            sql = sqlite3_mprintf("SELECT %s FROM \"%w\" ORDER BY 1 DESC",
                                  columns, table);
            (void)journal_salvage_rows(j, sql, insert);
            sqlite3_free(sql);
        }
    }
    (void)sqlite3_finalize(insert);
    sqlite3_free(columns);
    free(marks);
    return code;
}

/* A torrent without its metainfo cannot be taken up again, and what says that
 * data is there is to be hashed. */
static const char journal_salvage_end[] =
    "UPDATE torrent SET verify_since = max(unixepoch(), 0) + 1;"
    "UPDATE file SET verify_since = 0;";

static int journal_salvage_all(struct journal_salvage_job *j, struct err *e)
{
    int64_t n_orphans = 0;
    size_t n = sizeof(journal_salvage_tables) / sizeof(char *);
    (void)sqlite3_db_config(j->db->sql, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0,
                            NULL);
    int code = journal_exec(j->db, "PRAGMA foreign_keys = OFF", e);
    if (code == 0) {
        code = journal_begin(j->db, e);
    }
    if (code != 0) {
        return code;
    }
    for (size_t i = 0; code == 0 && i < n; i++) {
        code = journal_salvage_table(j, journal_salvage_tables[i], e);
    }
    if (code == 0) {
        code = journal_heal(j->db, &n_orphans, e);
        j->out->n_refused += n_orphans;
    }
    if (code == 0) {
        code = journal_heal_stats(j->db, e);
    }
    if (code == 0) {
        code = journal_exec(j->db, journal_ids_mend_sql, e);
    }
    if (code == 0) {
        code = journal_exec(j->db, journal_salvage_end, e);
    }
    if (code == 0) {
        code = journal_query_int(j->db, "SELECT count(*) FROM torrent", 0,
                                 &j->out->n_torrents, e);
    }
    if (code == 0 && j->out->n_torrents == 0) {
        code = err_set(e, BTC_E_DB,
                       "no torrent can be read from the file: nothing was "
                       "changed. Take a backup (`btc db restore FILE`), or add "
                       "the torrents again: data that is there is kept");
    }
    return journal_end(j->db, code, e);
}

/* Opens what is to be read. A log that is another file's is left alone; that of
 * a file which is too damaged to say whose it is holds what was written last.
 */
static int journal_salvage_open(const char *path, sqlite3 **out, struct err *e)
{
    bool ours = !journal_instance_is_other(path);
    char *uri = journal_immutable_uri(path);
    int rc = SQLITE_CANTOPEN;
    if (ours) {
        rc = sqlite3_open_v2(path, out,
                             SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    }
    if (rc == SQLITE_OK) {
        rc =
            sqlite3_exec(*out, "SELECT 1 FROM sqlite_schema", NULL, NULL, NULL);
    }
    if (rc != SQLITE_OK) {
        (void)sqlite3_close(*out);
        rc = sqlite3_open_v2(
            uri, out,
            SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
    }
    free(uri);
    if (rc != SQLITE_OK) {
        return err_set(e, journal_code(*out, rc),
                       "%s: nothing of it can be read: %s", path,
                       sqlite3_errmsg(*out));
    }
    (void)sqlite3_db_config(*out, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    /* A schema that is damaged itself is read as far as it goes. */
    (void)sqlite3_exec(*out, "PRAGMA writable_schema = ON", NULL, NULL, NULL);
    return 0;
}

/* The new database beside the old one. */
static int journal_salvage_into(const char *path, const char *tmp,
                                struct journal_salvaged *out, struct err *e)
{
    struct journal_salvage_job j = {.out = out};
    int code = journal_salvage_open(path, &j.old, e);
    if (code == 0) {
        code = journal_open(
            tmp, JOURNAL_CREATE | JOURNAL_ENGINE | JOURNAL_NETWORK, &j.db, e);
    }
    if (code == 0) {
        code = journal_salvage_all(&j, e);
    }
    (void)sqlite3_close(j.old);
    if (code == 0 && !journal_empty_wal(j.db)) {
        code = journal_fail(j.db, e, "cannot finish the new database");
    }
    journal_close(j.db);
    return code;
}

int journal_salvage(const char *path, unsigned flags,
                    struct journal_salvaged *out, struct err *e)
{
    struct journal *held = NULL;
    *out = (struct journal_salvaged){0};
    if (access(path, F_OK) != 0 && errno != ENOENT && errno != ENOTDIR) {
        return err_set_errno(e, errno, "%s: cannot look at it", path);
    }
    if (access(path, F_OK) != 0) {
        return err_set(e, BTC_E_NOTFOUND, "there is no database %s", path);
    }
    int code = journal_hold(path, flags, &held, e);
    if (code != 0) {
        return code;
    }
    char *tmp = mem_printf("%s" JOURNAL_MADE_SALVAGE, held->path);
    journal_clean_files(tmp); /* of one that was killed */
    code = journal_salvage_into(held->path, tmp, out, e);
    if (code == 0) {
        code = journal_sync_path(tmp, e);
    }
    if (code == 0) {
        code = journal_replace(held, tmp, JOURNAL_WORD_DAMAGED, &out->aside, e);
    }
    if (code == 0) {
        journal_lock_forget(held);
    }
    journal_clean_files(tmp);
    free(tmp);
    journal_close(held);
    return code;
}
