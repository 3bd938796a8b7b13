/* SQLite in small pieces: its results as ours, statements, values in and out of
 * rows.
 */
#include "journal/ids.h"
#include "journal/internal.h"
#include "journal/refused.h"
#include "model/names.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The last errno of one of its files; `op` asks for the file. */
static int journal_file_errno(sqlite3 *sql, int op)
{
    sqlite3_file *f = NULL;
    int os = 0;
    if (sqlite3_file_control(sql, "main", op, (void *)&f) == SQLITE_OK && f &&
        f->pMethods && f->pMethods->xFileControl) {
        (void)f->pMethods->xFileControl(f, SQLITE_FCNTL_LAST_ERRNO, &os);
    }
    return os;
}

/* The errno behind a result, 0: none is known. When a COMMIT fails the
 * connection does not note it, the file does: the WAL, mostly. What SQLite
 * cannot read (EIO) it calls malformed. */
static int journal_errno(sqlite3 *sql, int rc)
{
    int os = 0;
    if (sql && ((rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CORRUPT)) {
        os = journal_file_errno(sql, SQLITE_FCNTL_JOURNAL_POINTER);
        if (os == 0) {
            os = journal_file_errno(sql, SQLITE_FCNTL_FILE_POINTER);
        }
    }
    if (sql && os == 0 && (rc & 0xff) != SQLITE_CORRUPT) {
        os = sqlite3_system_errno(sql);
    }
    return os;
}

/* Code for a result of SQLite. */
int journal_code(sqlite3 *sql, int rc)
{
    int os = journal_errno(sql, rc);
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL: /* it could not lock for ten seconds */
        return BTC_E_LOCKED;
    case SQLITE_NOMEM:
        return BTC_E_LIMIT;
    case SQLITE_FULL:
        return BTC_E_NOSPACE;
    case SQLITE_IOERR: /* a quota, or no room for the shared memory */
        return os == ENOSPC || os == EDQUOT ? BTC_E_NOSPACE : BTC_E_IO;
    case SQLITE_CORRUPT:
        return os == EIO ? BTC_E_IO : BTC_E_DB;
    case SQLITE_NOTADB:
        return BTC_E_DB;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return BTC_E_PERMISSION;
    case SQLITE_CANTOPEN:
        if (os != 0) {
            return err_from_errno(os);
        }
        return BTC_E_IO;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
        return BTC_E_USAGE;
    default:
        return BTC_E_INTERNAL;
    }
}

/* What helps after an error of SQLite, "" when there is nothing to say. */
static const char *journal_advice(int code)
{
    switch (code) {
    case BTC_E_LOCKED:
        return "; another program holds it in a transaction: end that and try "
               "again";
    case BTC_E_NOSPACE:
        return "; make room and try again, nothing is lost";
    case BTC_E_DB:
        return "; go on with a backup (`btc db restore FILE`), or with what "
               "can "
               "be read of it (`btc db salvage`)";
    case BTC_E_PERMISSION:
        return "; change the rights of the file and its folder, or name "
               "another with --db FILE";
    case BTC_E_INTERNAL: /* mostly: no such table, no such column */
        return "; `btc db check` tells whether its schema is whole";
    default:
        return "";
    }
}

/* What the disk said, for SQLite says no more of it than that it did. */
static const char *journal_reason(int rc, int os, char *text, size_t size)
{
    bool disk = (rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN ||
                (rc & 0xff) == SQLITE_CORRUPT;
    text[0] = '\0';
    if (disk && os != 0) {
        char why[96];
        (void)snprintf(text, size, " (%s%s)", strerror_r(os, why, sizeof(why)),
                       os == EMFILE ? ", ulimit -n" : "");
    }
    return text;
}

/* SQLite says that the disk is full, and it is not. */
static bool journal_fail_ids(struct journal *db, struct err *e)
{
    char table[64];
    if (!journal_ids_used_up(db, table, sizeof(table))) {
        return false;
    }
    (void)err_set(e, BTC_E_DB,
                  "%s: somebody has used up the numbers of the table %s, which "
                  "takes no row any more: `btc db check --repair` gives them "
                  "back",
                  db->path, table);
    return true;
}

/* SQLite's last error as ours. */
int journal_fail(struct journal *db, struct err *e, const char *what)
{
    char reason[128];
    int rc = sqlite3_extended_errcode(db->sql);
    int os = journal_errno(db->sql, rc);
    int code = journal_code(db->sql, rc);
    if (code == 0) {
        code = BTC_E_INTERNAL;
    }
    const char *advice = journal_advice(code);
    if (rc == SQLITE_PROTOCOL) {
        advice = "; its file system gave no lock for ten seconds: try again";
    }
    code = err_set(e, code, "%s: %s: %s%s%s", db->path, what,
                   sqlite3_errmsg(db->sql),
                   journal_reason(rc, os, reason, sizeof(reason)), advice);
    if ((rc & 0xff) == SQLITE_FULL && journal_fail_ids(db, e)) {
        code = BTC_E_DB;
    }
    return code;
}

int journal_refusal(const struct journal *db, int code, struct err *e)
{
    if (code != BTC_E_USAGE) {
        return code;
    }
    return err_set(e, BTC_E_DB,
                   "%s: the database refuses a row (%.150s); take that rule "
                   "away and try again",
                   db->path, sqlite3_errmsg(db->sql));
}

/* Runs SQL that gives no rows. */
int journal_exec(struct journal *db, const char *sql, struct err *e)
{
    if (sqlite3_exec(db->sql, sql, NULL, NULL, NULL) != SQLITE_OK) {
        return journal_fail(db, e, "database");
    }
    return 0;
}

/* One statement for one use. */
int journal_prepare(struct journal *db, const char *sql, sqlite3_stmt **out,
                    struct err *e)
{
    if (sqlite3_prepare_v2(db->sql, sql, -1, out, NULL) != SQLITE_OK) {
        return journal_fail(db, e, "database");
    }
    return 0;
}

/* Runs a statement that gives no rows, then resets it. */
int journal_run_stmt(struct journal *db, sqlite3_stmt *s, struct err *e)
{
    int rc = sqlite3_step(s);
    int code = rc == SQLITE_DONE || rc == SQLITE_ROW
                   ? 0
                   : journal_fail(db, e, "database");
    (void)sqlite3_reset(s); /* repeats the error of the step */
    return code;
}

/* The first integer that a query gives. */
int journal_query_int(struct journal *db, const char *sql, int64_t none,
                      int64_t *out, struct err *e)
{
    sqlite3_stmt *s = NULL;
    *out = none;
    int code = journal_prepare(db, sql, &s, e);
    if (code == 0) {
        int rc = sqlite3_step(s);
        if (rc == SQLITE_ROW) {
            *out = sqlite3_column_int64(s, 0);
        } else if (rc != SQLITE_DONE) {
            code = journal_fail(db, e, "database");
        }
    }
    (void)sqlite3_finalize(s);
    return code;
}

/* Text, NULL when there is none. */
void journal_bind_text(sqlite3_stmt *s, int i, const char *text)
{
    if (text && *text) {
        (void)sqlite3_bind_text(s, i, text, -1, SQLITE_TRANSIENT);
    } else {
        (void)sqlite3_bind_null(s, i);
    }
}

/* A time, NULL for never. */
void journal_bind_time(sqlite3_stmt *s, int i, int64_t t)
{
    journal_bind_count(s, i, t > 0 ? t : -1);
}

/* A count, NULL for unknown. */
void journal_bind_count(sqlite3_stmt *s, int i, int64_t n)
{
    if (n < 0) {
        (void)sqlite3_bind_null(s, i);
    } else {
        (void)sqlite3_bind_int64(s, i, n);
    }
}

/* A size. */
void journal_bind_u64(sqlite3_stmt *s, int i, uint64_t v)
{
    (void)sqlite3_bind_int64(s, i, v > INT64_MAX ? INT64_MAX : (int64_t)v);
}

/* Any 64 bits. */
void journal_bind_bits(sqlite3_stmt *s, int i, uint64_t v)
{
    int64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    (void)sqlite3_bind_int64(s, i, bits);
}

/* Copies text that may come from the network. */
void journal_clean_text(char *dst, size_t cap, const char *src)
{
    size_t len = 0;
    if (src) {
        len = strnlen(src, cap - 1);
    }
    bool utf8 = bytes_is_utf8(slice_of(src, len));
    /* A character that the buffer's end cuts makes it invalid: drop that. */
    for (size_t cut = 0; !utf8 && cut < 3 && len > 0 && src[len] != '\0' &&
                         ((unsigned char)src[len] & 0xc0) == 0x80;
         cut++) {
        len--;
        utf8 = bytes_is_utf8(slice_of(src, len));
    }
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)src[i];
        dst[i] = src[i];
        if (c < 0x20 || c == 0x7f || (!utf8 && c >= 0x80)) {
            dst[i] = '?';
        }
    }
    dst[len] = '\0';
}

/* A numeric address and a port that the schema takes. */
bool journal_is_address(const char *address, uint16_t port)
{
    size_t len = strlen(address);
    return port != 0 && len >= 2 && len <= 47 &&
           strspn(address, "0123456789abcdefABCDEF.:") == len;
}
