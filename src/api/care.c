/* Care of the database: check, repair, backup, restore, salvage. */
#include "journal/care.h"
#include "api/api.h"

#include "base/mem.h"

#include <stdlib.h>

int btc_db_check(struct btc *b, btc_row_fn *fn, void *ctx, struct btc_error *e)
{
    struct err err = {0};
    struct api_rows rows = {.fn = fn, .ctx = ctx};
    struct journal *db;
    int code = api_db(b, &db, &err);
    if (code == 0) {
        code = journal_check(db, api_row, &rows, &err);
    }
    if (code == 0 && rows.stop == 0) {
        code = journal_check_ids(db, api_row, &rows, &err);
    }
    if (code == 0 && rows.stop == 0) {
        code = journal_check_torrents(db, api_row, &rows, &err);
    }
    if (rows.stop != 0) {
        return rows.stop;
    }
    return api_status(e, code, &err);
}

int btc_db_mend(struct btc *b, btc_row_fn *fn, void *ctx, int64_t *n_deleted,
                struct btc_error *e)
{
    struct err err = {0};
    struct api_rows rows = {.fn = fn, .ctx = ctx};
    struct journal *db;
    *n_deleted = 0;
    int code = api_db(b, &db, &err);
    if (code == 0) {
        code = journal_lock_engine(db, &err);
    }
    if (code == 0) {
        code = journal_repair(db, fn ? api_row : NULL, &rows, n_deleted, &err);
        journal_unlock_engine(db);
    }
    if (rows.stop != 0) {
        return rows.stop;
    }
    return api_status(e, code, &err);
}

int btc_db_repair(struct btc *b, int64_t *n_deleted, struct btc_error *e)
{
    return btc_db_mend(b, NULL, NULL, n_deleted, e);
}

int btc_db_backup(struct btc *b, const char *to, struct btc_error *e)
{
    struct err err = {0};
    struct journal *db;
    int code = api_db(b, &db, &err);
    if (code == 0) {
        code = journal_backup(db, to, &err);
    }
    return api_status(e, code, &err);
}

/* The path that a call means, or NULL and the error. */
static char *care_path(const char *path, struct err *e)
{
    char *own = NULL;
    if (path) {
        own = mem_strdup(path);
    } else {
        own = btc_default_db();
    }
    if (!own) {
        (void)err_set(e, BTC_E_USAGE,
                      "no place for the database: neither HOME nor "
                      "XDG_STATE_HOME is set; name it with --db FILE");
    }
    return own;
}

/* Flags of btc_open as the journal knows them. */
static unsigned care_flags(unsigned flags)
{
    if (flags & BTC_OPEN_NETWORK) {
        return JOURNAL_NETWORK;
    }
    return 0;
}

int btc_db_restore(const char *path, const char *from, unsigned flags,
                   char **kept, struct btc_error *e)
{
    struct err err = {0};
    int code = BTC_E_USAGE;
    char *own = care_path(path, &err);
    *kept = NULL;
    if (own) {
        code = journal_restore(own, from, care_flags(flags), kept, &err);
    }
    free(own);
    return api_status(e, code, &err);
}

int btc_db_salvage(const char *path, unsigned flags, struct btc_salvaged *out,
                   struct btc_error *e)
{
    struct err err = {0};
    struct journal_salvaged s = {0};
    int code = BTC_E_USAGE;
    char *own = care_path(path, &err);
    if (own) {
        code = journal_salvage(own, care_flags(flags), &s, &err);
    }
    free(own);
    *out = (struct btc_salvaged){.kept = s.aside,
                                 .n_torrents = s.n_torrents,
                                 .n_rows = s.n_rows,
                                 .n_refused = s.n_refused,
                                 .n_torn = s.n_torn};
    return api_status(e, code, &err);
}

const char *btc_db_schema(void)
{
    return journal_schema_text();
}
