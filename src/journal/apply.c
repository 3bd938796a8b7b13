/* Applies a batch in one transaction, with kept statements.
 *
 * How a fact is written stands in facts.c. Ops of a torrent that is gone are
 * skipped: somebody took it away while they were on their way, and they must
 * not hold up the others.
 */
#include "journal/ops.h"
#include "model/names.h"

#include <stdio.h>
#include <string.h>

/* The statement `i` of a fact, ready to bind; it is kept. */
static int apply_stmt(struct journal *db, enum journal_op_kind kind, size_t i,
                      sqlite3_stmt **out, struct err *e)
{
    sqlite3_stmt **kept = &db->facts[kind][i];
    *out = NULL;
    if (*kept == NULL && sqlite3_prepare_v3(db->sql, journal_facts[kind].sql[i],
                                            -1, SQLITE_PREPARE_PERSISTENT, kept,
                                            NULL) != SQLITE_OK) {
        return journal_fail(db, e, "database");
    }
    *out = *kept;
    (void)sqlite3_clear_bindings(*out);
    return 0;
}

/* The torrent, a, b and n, as far as the statement has them. */
static void apply_bind_numbers(sqlite3_stmt *s, const struct journal_op *op)
{
    const int64_t v[] = {op->id, op->a, op->b, op->n};
    int n = sqlite3_bind_parameter_count(s);
    BTC_ASSERT(n <= 4);
    for (int i = 0; i < n; i++) {
        (void)sqlite3_bind_int64(s, i + 1, v[i]);
    }
}

/* Our row in the table run; without one it stays NULL. */
static void apply_bind_run(sqlite3_stmt *s, const struct journal_fact *f,
                           int64_t run_id)
{
    if (f->run_at > 0 && run_id != 0) {
        (void)sqlite3_bind_int64(s, f->run_at, run_id);
    }
}

int journal_apply_op(struct journal *db, const struct journal_op *op,
                     const void *ext, struct err *e)
{
    const struct journal_fact *f = &journal_facts[op->kind];
    int code = 0;
    for (size_t i = 0; i < JOURNAL_FACT_SQL && f->sql[i] != NULL && code == 0;
         i++) {
        sqlite3_stmt *s;
        code = apply_stmt(db, op->kind, i, &s, e);
        if (code != 0) {
            return code;
        }
        if (f->bind == NULL) {
            apply_bind_numbers(s, op);
        } else if (sqlite3_bind_parameter_count(s) > 0) {
            f->bind(s, op, ext);
            apply_bind_run(s, f, db->run_id);
        }
        code = journal_run_stmt(db, s, e);
    }
    return code;
}

void journal_apply_drop(struct journal *db)
{
    for (size_t kind = 0; kind < JOURNAL_N_OPS; kind++) {
        for (size_t i = 0; i < JOURNAL_FACT_SQL; i++) {
            (void)sqlite3_finalize(db->facts[kind][i]);
            db->facts[kind][i] = NULL;
        }
    }
}

int journal_apply_has(struct journal *db, int64_t id, bool *has, struct err *e)
{
    sqlite3_stmt *s = NULL;
    int code = journal_take(db, "SELECT 1 FROM torrent WHERE id = ?1", &s, e);
    if (code != 0) {
        return code;
    }
    (void)sqlite3_bind_int64(s, 1, id);
    int rc = sqlite3_step(s);
    *has = rc == SQLITE_ROW;
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        code = journal_fail(db, e, "database");
    }
    journal_give(db, s);
    return code;
}

int journal_apply_ops(struct journal *db, const struct journal_batch *b,
                      struct err *e)
{
    int64_t id = 0; /* the torrent that `has` is about */
    bool has = true;
    for (size_t i = 0; i < b->n_ops; i++) {
        const struct journal_op *op = &b->ops[i];
        int code = 0;
        if (op->id != id) {
            id = op->id;
            has = true;
            if (id != 0) {
                code = journal_apply_has(db, id, &has, e);
            }
        }
        if (code == 0 && has) {
            const void *ext = b->ext ? b->ext + op->ext : NULL;
            code = journal_apply_op(db, op, ext, e);
        }
        if (code != 0) {
            return code;
        }
    }
    return 0;
}

/* SQLite cannot use the WAL anew while somebody reads what stood there before:
 * a transaction left open in another program lets it grow without an end. */
static int journal_apply_warning(struct journal *db, int64_t wal, struct err *e)
{
    static const char kind[] = "reader";
    const struct journal_op op = {
        .kind = JOURNAL_OP_PUT_EVENT, .a = LEVEL_WARN, .n = journal_now()};
    char text[sizeof(kind) + 256];
    memcpy(text, kind, sizeof(kind));
    (void)snprintf(text + sizeof(kind), sizeof(text) - sizeof(kind),
                   "some program reads this database in one transaction for "
                   "very long: the file beside it that ends in -wal has grown "
                   "to %lld MiB; end that program",
                   (long long)wal >> 20);
    return journal_apply_op(db, &op, text, e);
}

/* Inside the transaction: the ops, and what there is to tell. */
static int journal_apply_all(struct journal *db, const struct journal_batch *b,
                             int64_t wal, struct err *e)
{
    int code = journal_apply_ops(db, b, e);
    if (code == 0 && wal >= db->wal_warn) {
        code = journal_apply_warning(db, wal, e);
    }
    return code;
}

/* Applies a batch: all of it or nothing. */
int journal_apply(struct journal *db, struct journal_batch *b, struct err *e)
{
    if (b->n_ops == 0) {
        return 0;
    }
    int64_t wal = 0;
    int code = journal_lock_check(db, e);
    if (code == 0 && db->lock_fd >= 0) {
        wal = journal_wal_size(db->path);
    }
    if (code == 0) {
        code = journal_begin(db, e);
    }
    if (code == 0) {
        code = journal_end(db, journal_apply_all(db, b, wal, e), e);
    }
    if (code == 0 && wal >= db->wal_warn) {
        db->wal_warn = wal * 2; /* it has been told */
    }
    /* A row that the schema refuses is a bug of ours, not wrong usage. */
    if (code == BTC_E_USAGE) {
        code = err_set_code(e, BTC_E_INTERNAL);
    }
    return code;
}
