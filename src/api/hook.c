/* Commands that a front runs beside the engine: what is owed of them, and that
 * one failed. See btc_hook_ended in btc.h. */
#include "api/api.h"

#include "journal/batch.h"
#include "journal/load.h"

/* What there is to say, in one batch. */
static void api_hook_put(struct journal_batch *b, int64_t id, bool paid,
                         const char *failure)
{
    if (paid) {
        journal_put_owed(b, id, false);
    }
    if (failure != NULL) {
        journal_put_event(b, id, LEVEL_WARN, "hook", failure);
    }
}

int api_hook_owe(struct journal *db, int64_t id, struct err *e)
{
    struct journal_batch *batch = journal_batch_new();
    journal_put_owed(batch, id, true);
    int code = journal_apply(db, batch, e);
    journal_batch_free(batch);
    return code;
}

bool btc_hook_is_owed(struct btc *b, int64_t id)
{
    struct journal *db;
    struct journal_stat stat = {0};
    struct err e = {0};
    return api_db(b, &db, &e) == 0 &&
           journal_load_stat(db, id, &stat, &e) == 0 && stat.done_owed;
}

int btc_hook_ended(struct btc *b, int64_t id, bool paid, const char *failure,
                   struct btc_error *e)
{
    struct err err = {0};
    struct journal_batch *batch = journal_batch_new();
    int code = 0;
    api_hook_put(batch, id, paid, failure);
    if (b->run != NULL) {
        engine_put_free(b->run, batch);
    } else {
        struct journal *db = NULL;
        code = api_db(b, &db, &err);
        if (code == 0) {
            code = journal_apply(db, batch, &err);
        }
    }
    journal_batch_free(batch);
    return api_status(e, code, &err);
}
