/* Schema versions: schema/NNN_name.sql, applied in order.
 *
 * Each migration is one transaction that also raises user_version, so a file is
 * always wholly of one version. A database that already held something is
 * copied to FILE.backup-vN first. Foreign keys are off meanwhile (a migration
 * may rebuild a table) and checked before the commit. So is the check that
 * ALTER TABLE makes of all views: one of somebody's own may stand on a view of
 * ours that is being made anew.
 *
 * A new database is made at once from what all of them lead to (see
 * schema/whole.c): the way through the versions is five times as long.
 */
#include "journal/care.h"
#include "journal/internal.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

/* The file is not of the schema that it says: another try fares no better, and
 * a check finds nothing. */
static int journal_migrate_misfit(struct journal *db, struct err *e)
{
    return err_set(e, BTC_E_DB,
                   "%s: its tables are not of the schema that it says it has "
                   "(%s): `btc db salvage` makes a new database of what it "
                   "holds",
                   db->path, sqlite3_errmsg(db->sql));
}

/* Rows that refer to what is not there. */
static int journal_migrate_broken(struct journal *db, int64_t *n, struct err *e)
{
    return journal_query_int(
        db, "SELECT count(*) FROM pragma_foreign_key_check", 0, n, e);
}

/* One migration inside the transaction that journal_migrate_step opened. What
 * was broken in tables that somebody has added is his. */
static int journal_migrate_apply(struct journal *db,
                                 const struct journal_migration *m,
                                 struct err *e)
{
    char pragma[64];
    int64_t before = 0, broken = 0;
    int code = journal_migrate_broken(db, &before, e);
    if (code == 0) {
        code = journal_exec(db, m->sql, e);
    }
    if (code == BTC_E_INTERNAL) {
        code = journal_migrate_misfit(db, e);
    }
    if (code == 0) {
        (void)snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %d",
                       m->version);
        code = journal_exec(db, pragma, e);
    }
    int64_t healed = 0;
    if (code == 0) {
        code = journal_heal_orphans(db, &healed, e);
    }
    if (code == 0) {
        code = journal_migrate_broken(db, &broken, e);
    }
    if (code == 0 && broken > before) {
        code = err_set(e, BTC_E_DB,
                       "%s: %lld rows belong to nothing: go on with a backup "
                       "(`btc db restore FILE`)",
                       db->path, (long long)(broken - before));
    }
    return code;
}

/* One migration in one transaction, unless somebody else has just done it. */
static int journal_migrate_step(struct journal *db,
                                const struct journal_migration *m,
                                struct err *e)
{
    int64_t version = 0;
    int code = journal_begin(db, e);
    if (code != 0) {
        return code;
    }
    code = journal_query_int(db, "PRAGMA user_version", 0, &version, e);
    if (code == 0 && version < m->version) {
        code = journal_migrate_apply(db, m, e);
        if (code != 0) {
            (void)err_prefix(e, "migration %s", m->name);
        }
    }
    return journal_end(db, code, e);
}

/* What this program writes. */
static int journal_newest_version(void)
{
    return journal_migrations[journal_n_migrations - 1].version;
}

/* All of a new database in one transaction, so that who looks while it is made
 * sees nothing of it or everything. *version: what it has then; somebody else
 * may have been quicker. */
static int journal_migrate_fresh(struct journal *db,
                                 const struct journal_migration *list, size_t n,
                                 int64_t *version, struct err *e)
{
    const struct journal_migration whole = {journal_newest_version(),
                                            "the whole", journal_whole_sql};
    int code = journal_begin(db, e);
    if (code != 0) {
        return code;
    }
    if (list == journal_migrations && n == journal_n_migrations) {
        list = &whole;
        n = 1;
    }
    code = journal_query_int(db, "PRAGMA user_version", 0, version, e);
    for (size_t i = 0; code == 0 && *version == 0 && i < n; i++) {
        code = journal_migrate_apply(db, &list[i], e);
        if (code != 0) {
            (void)err_prefix(e, "migration %s", list[i].name);
        }
    }
    if (code == 0 && *version == 0) {
        *version = list[n - 1].version;
    }
    return journal_end(db, code, e);
}

/* The copy of an older database, and the right to change it: not under an
 * engine of an older btc. */
static int journal_migrate_prepare(struct journal *db, int64_t version,
                                   struct err *e)
{
    if (db->lock_fd < 0) {
        int code = journal_lock_take(db, e);
        if (code != 0) {
            return code;
        }
    }
    char *to = mem_printf("%s.backup-v%lld", db->path, (long long)version);
    int code = journal_copy_to(db, to, true, e);
    free(to);
    return code;
}

/* The error for a version that this program does not write. */
static int journal_migrate_refuse(struct journal *db, int64_t version,
                                  int known, struct err *e)
{
    if (version > known) {
        return err_set(e, BTC_E_DB,
                       "%s has schema %lld, this btc knows up to %d: use the "
                       "newer btc that wrote it, or another file with --db "
                       "FILE",
                       db->path, (long long)version, known);
    }
    return err_set(e, BTC_E_DB,
                   "%s has schema %lld, this btc reads %d: `btc resume` "
                   "brings it up to date (and keeps a backup)",
                   db->path, (long long)version, known);
}

/* Runs what is missing. */
int journal_migrate(struct journal *db, const struct journal_migration *list,
                    size_t n, struct err *e)
{
    int known = list[n - 1].version;
    int64_t version = 0;
    int code = journal_query_int(db, "PRAGMA user_version", 0, &version, e);
    bool any = db->flags & JOURNAL_ANY_VERSION;
    if (code != 0 || version == known || (any && version < known)) {
        return code;
    }
    if (version > known || (db->flags & JOURNAL_READ_ONLY)) {
        return journal_migrate_refuse(db, version, known, e);
    }
    bool had_lock = db->lock_fd >= 0;
    if (version > 0) {
        code = journal_migrate_prepare(db, version, e);
    }
    if (code == 0) {
        code = journal_exec(db,
                            "PRAGMA foreign_keys = OFF;"
                            "PRAGMA legacy_alter_table = ON",
                            e);
    }
    if (code == 0 && version == 0) {
        code = journal_migrate_fresh(db, list, n, &version, e);
    }
    for (size_t i = 0; code == 0 && i < n; i++) {
        if (list[i].version > version) {
            code = journal_migrate_step(db, &list[i], e);
        }
    }
    int back = journal_exec(db,
                            "PRAGMA legacy_alter_table = OFF;"
                            "PRAGMA foreign_keys = ON",
                            code ? NULL : e);
    if (!had_lock) {
        journal_lock_drop(db);
    }
    if (code) {
        return code;
    }
    return back;
}

/* All migrations: `btc db schema | sqlite3 new.db` makes an empty journal. */
const char *journal_schema_text(void)
{
    return journal_all_sql;
}
