/* See owner.h. */
#include "journal/owner.h"

#include "journal/internal.h"
#include "journal/removal.h"

static const char owner_sql[] =
    "SELECT torrent_id FROM file WHERE dev = ?1 AND ino = ?2"
    " AND torrent_id <> ?3 AND NOT pad AND bytes_done > 0"
    " ORDER BY torrent_id LIMIT 1";

int64_t journal_owner(struct journal *db, int64_t id, uint64_t dev,
                      uint64_t ino)
{
    sqlite3_stmt *s = NULL;
    int64_t owner = 0;
    if (journal_prepare(db, owner_sql, &s, NULL) != 0) {
        return 0;
    }
    (void)sqlite3_bind_int64(s, 1, (int64_t)dev);
    (void)sqlite3_bind_int64(s, 2, (int64_t)ino);
    (void)sqlite3_bind_int64(s, 3, id);
    if (sqlite3_step(s) == SQLITE_ROW) {
        owner = sqlite3_column_int64(s, 0);
    }
    (void)sqlite3_finalize(s);
    return owner;
}

/* Who claims nothing has no bytes in it any more, so each is found once. */
int journal_owner_unclaim(struct journal *db, int64_t id, uint64_t dev,
                          uint64_t ino, struct err *e)
{
    int code = 0;
    int64_t owner = journal_owner(db, id, dev, ino);
    while (code == 0 && owner != 0) {
        int64_t last = owner;
        code = journal_removal_unclaim(db, owner, e);
        owner = journal_owner(db, id, dev, ino);
        if (owner == last) {
            break; /* a rule of somebody's keeps it so */
        }
    }
    return code;
}
