/* Transactions. One of many wishes is made of parts, so that a wish that is
 * refused takes only its own rows back; only the whole is made durable.
 */
#include "journal/internal.h"

/* KiB of pages that SQLite keeps: as it does by itself, and so many that it
 * does not write those of a long transaction ahead, to read and write them
 * again. */
#define JOURNAL_CACHE      "-2000"
#define JOURNAL_CACHE_MANY "-8000"

/* Ends what is left of a transaction; a full disk may have done so already. */
static void journal_rollback(struct journal *db)
{
    if (!sqlite3_get_autocommit(db->sql)) {
        (void)sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL);
    }
}

/* Runs one of the words of a transaction. */
static int journal_word(struct journal *db, const char *sql, struct err *e)
{
    sqlite3_stmt *s = NULL;
    int code = journal_take(db, sql, &s, e);
    if (code == 0) {
        code = journal_run_stmt(db, s, e);
        journal_give(db, s);
    }
    return code;
}

/* Begins a part of a transaction, unless that has been undone as a whole: what
 * followed would be written without it. A part of a part is no savepoint of its
 * own, which would cost a copy of every page it changes. */
static int journal_begin_part(struct journal *db, struct err *e)
{
    int code = 0;
    if (sqlite3_get_autocommit(db->sql)) {
        return err_set(e, BTC_E_IO,
                       "%s: the transaction was undone by a failure before",
                       db->path);
    }
    if (db->depth == 1) {
        code = journal_word(db, "SAVEPOINT part", e);
    }
    db->depth += code == 0;
    return code;
}

/* Begins a transaction that may write, or a part of one. */
int journal_begin(struct journal *db, struct err *e)
{
    if (db->depth > 0) {
        return journal_begin_part(db, e);
    }
    int code = journal_word(db, "BEGIN IMMEDIATE", e);
    if (code == 0) {
        db->depth = 1;
    } else {
        journal_rollback(db);
    }
    return code;
}

int journal_begin_many(struct journal *db, struct err *e)
{
    int code = journal_exec(db,
                            "PRAGMA temp_store = MEMORY;"
                            "PRAGMA cache_size = " JOURNAL_CACHE_MANY,
                            e);
    if (code != 0) {
        return code;
    }
    db->is_many = true;
    return journal_begin(db, e);
}

/* Ends a part. */
static int journal_end_part(struct journal *db, int code, struct err *e)
{
    db->depth--;
    if (db->depth > 1) {
        return code;
    }
    if (code == 0) {
        code = journal_word(db, "RELEASE part", e);
    }
    if (code != 0 && !sqlite3_get_autocommit(db->sql)) {
        (void)sqlite3_exec(db->sql, "ROLLBACK TO part; RELEASE part", NULL,
                           NULL, NULL);
    }
    return code;
}

/* Commits, or rolls back when something failed. */
int journal_end(struct journal *db, int code, struct err *e)
{
    if (db->depth > 1) {
        return journal_end_part(db, code, e);
    }
    db->depth = 0;
    if (code == 0) {
        code = journal_word(db, "COMMIT", e);
    }
    if (code != 0) {
        journal_rollback(db);
    }
    if (db->is_many) {
        db->is_many = false;
        (void)journal_exec(db, "PRAGMA cache_size = " JOURNAL_CACHE, NULL);
        (void)sqlite3_db_release_memory(db->sql); /* few are read again */
    }
    return code;
}
