/* See owner.h. */
#include "journal/owner.h"

#include "journal/internal.h"
#include "journal/removal.h"

#include "base/file.h"
#include "base/vec.h"

#include <stdlib.h>
#include <string.h>

/* ?1 dev, ?2 ino, ?3 the torrent, ?4 size, ?5 mtime_ns. */
static const char owner_sql[] = JOURNAL_OWNER_DEVICES
    "SELECT f.torrent_id FROM device AS d CROSS JOIN file AS f"
    " ON f.dev = d.dev AND f.ino = ?2 WHERE f.torrent_id <> ?3 AND NOT f.pad"
    " AND f.bytes_done > 0"
    " AND (f.dev = ?1 OR (f.size = ?4 AND f.mtime_ns = ?5))"
    " ORDER BY f.torrent_id LIMIT 1";

/* Which file on disk. */
static void journal_owner_bind(sqlite3_stmt *s, int64_t id,
                               const struct fingerprint *print)
{
    (void)sqlite3_bind_int64(s, 1, (int64_t)print->dev);
    (void)sqlite3_bind_int64(s, 2, (int64_t)print->ino);
    (void)sqlite3_bind_int64(s, 3, id);
    (void)sqlite3_bind_int64(s, 4, (int64_t)print->size);
    (void)sqlite3_bind_int64(s, 5, print->mtime_ns);
}

int64_t journal_owner(struct journal *db, int64_t id,
                      const struct fingerprint *print)
{
    sqlite3_stmt *s = NULL;
    int64_t owner = 0;
    if (journal_prepare(db, owner_sql, &s, NULL) != 0) {
        return 0;
    }
    journal_owner_bind(s, id, print);
    if (sqlite3_step(s) == SQLITE_ROW) {
        owner = sqlite3_column_int64(s, 0);
    }
    (void)sqlite3_finalize(s);
    return owner;
}

/* And ?6, the file of the torrent. */
static const char others_sql[] = JOURNAL_OWNER_DEVICES
    "SELECT f.torrent_id, t.save_path, coalesce(f.part, f.path),"
    " f.dev = ?1 OR (f.size = ?4 AND f.mtime_ns = ?5)"
    " FROM device AS d CROSS JOIN file AS f ON f.dev = d.dev AND f.ino = ?2"
    " JOIN torrent AS t ON t.id = f.torrent_id WHERE NOT f.pad"
    " AND (f.torrent_id <> ?3 OR f.file <> ?6) AND t.wanted <> 'remove'"
    " AND (f.bytes_done > 0 OR EXISTS (SELECT 1 FROM block AS b"
    " WHERE b.torrent_id = f.torrent_id)) ORDER BY f.torrent_id, f.file";

/* A row. */
static void journal_owner_add(struct journal_others *out, sqlite3_stmt *s,
                              const struct journal_owned *ask)
{
    const char *folder = (const char *)sqlite3_column_text(s, 1);
    const char *path = (const char *)sqlite3_column_text(s, 2);
    out->list = vec_room(out->list, out->n, &out->cap, sizeof(*out->list));
    out->list[out->n++] =
        (struct journal_other){.file = ask->file,
                               .likely = sqlite3_column_int(s, 3) != 0,
                               .id = sqlite3_column_int64(s, 0),
                               .path = file_join(folder, path)};
}

int journal_owner_others(struct journal *db, int64_t id,
                         const struct journal_owned *ask, size_t n_ask,
                         struct journal_others *out)
{
    sqlite3_stmt *s = NULL;
    int rc = SQLITE_DONE;
    int code = journal_prepare(db, others_sql, &s, NULL);
    for (size_t i = 0; code == 0 && rc == SQLITE_DONE && i < n_ask; i++) {
        journal_owner_bind(s, id, &ask[i].print);
        (void)sqlite3_bind_int64(s, 6, ask[i].file);
        while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
            journal_owner_add(out, s, &ask[i]);
        }
        (void)sqlite3_reset(s);
    }
    (void)sqlite3_finalize(s);
    if (code == 0 && rc != SQLITE_DONE) {
        code = journal_fail(db, NULL, "cannot read");
    }
    return code;
}

void journal_others_fini(struct journal_others *o)
{
    for (size_t i = 0; i < o->n; i++) {
        free(o->list[i].path);
    }
    free(o->list);
    *o = (struct journal_others){0};
}

/* Who claims nothing has no bytes in it any more, so each is found once. */
int journal_owner_unclaim(struct journal *db, int64_t id,
                          const struct fingerprint *print, struct err *e)
{
    int code = 0;
    int64_t owner = journal_owner(db, id, print);
    while (code == 0 && owner != 0) {
        int64_t last = owner;
        code = journal_removal_unclaim(db, owner, e);
        owner = journal_owner(db, id, print);
        if (owner == last) {
            break; /* a rule of somebody's keeps it so */
        }
    }
    return code;
}
