/* See owed.h. */
#include "journal/owed.h"

#include "journal/internal.h"

/* A file that came with its neighbours is whole, but out of sight (part); one
 * without bytes lacks none, but nobody has made it as long as it has no
 * fingerprint. */
static const char owed_sql[] =
    "SELECT verify_since <> 0 OR accept_loss <> 0 OR overwrite <> 0 OR EXISTS"
    " (SELECT 1 FROM file WHERE torrent_id = ?1 AND NOT pad AND priority > 0"
    " AND (bytes_done < length OR part IS NOT NULL"
    " OR (length = 0 AND ino IS NULL)))"
    " OR EXISTS (SELECT 1 FROM torrent_stat WHERE torrent_id = ?1"
    " AND keep_owed NOT NULL) FROM torrent WHERE id = ?1";

bool journal_is_owed(struct journal *db, int64_t id)
{
    sqlite3_stmt *s = NULL;
    bool owed = true;
    if (journal_prepare(db, owed_sql, &s, NULL) != 0) {
        return true;
    }
    (void)sqlite3_bind_int64(s, 1, id);
    if (sqlite3_step(s) == SQLITE_ROW) {
        owed = sqlite3_column_int(s, 0) != 0;
    }
    (void)sqlite3_finalize(s);
    return owed;
}
