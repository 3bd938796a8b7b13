/* Applies a batch row by row, for one that a rule of the database forbids: a
 * trigger or an index that somebody made. The rows that are refused are left
 * out, everything else is committed, in one transaction as ever.
 *
 * Each op is a part of the transaction, so that what it did before it was
 * refused is undone. A trigger may roll the whole transaction back
 * (RAISE(ROLLBACK)): then that row is left out and all begins anew. Rows that
 * break a deferred foreign key would be refused only by COMMIT: they are known
 * by the count of keys that are not satisfied.
 *
 * Where a piece was refused, or the withdrawal of one, the rows of its torrent
 * that count pieces are left out, too: they would say more than the journal
 * holds, or vouch for a file whose claim stands and is not true. So pieces and
 * blocks are tried before all else. Whoever gave the batch counts anew.
 */
#include "journal/ops.h"

#include "base/bits.h"
#include "base/mem.h"
#include "base/vec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So often the transaction may be rolled back; then its kind of row goes. */
#define ISOLATE_ROUNDS 64

_Static_assert(JOURNAL_N_OPS <= 32, "a set of op kinds is one int");

/* A pass over a batch. */
struct isolate {
    struct journal *db;
    struct journal_batch *b;
    struct bits skip;    /* owns; ops that rolled everything back */
    unsigned skip_kinds; /* a set of op kinds: the same */
    uint32_t n_rounds;
    bool rolled_back;
};

/* --- what was refused --- */

const struct journal_refused *
journal_batch_refused(const struct journal_batch *b, size_t *n)
{
    *n = b->n_refused;
    return b->refused;
}

/* The bump memory of an op, NULL when there is none at all. */
static const void *isolate_ext(const struct journal_batch *b,
                               const struct journal_op *op)
{
    if (b->ext == NULL) {
        return NULL;
    }
    return b->ext + op->ext;
}

/* The row that an op would write, for people. */
static void isolate_name(const struct journal_batch *b,
                         const struct journal_op *op, struct journal_refused *r)
{
    const struct journal_fact *f = &journal_facts[op->kind];
    (void)snprintf(r->row, sizeof(r->row), "%s", f->table);
    if (f->name != NULL) {
        f->name(r->row, sizeof(r->row), op, isolate_ext(b, op));
    }
}

/* Notes that op `i` was refused, and why. */
static void isolate_note(struct journal_batch *b, size_t i, const char *reason)
{
    const struct journal_op *op = &b->ops[i];
    b->refused = vec_room(b->refused, b->n_refused, &b->cap_refused,
                          sizeof(*b->refused));
    struct journal_refused *r = &b->refused[b->n_refused++];
    *r = (struct journal_refused){.id = op->id,
                                  .weighs = journal_facts[op->kind].weighs,
                                  .is_piece = op->kind == JOURNAL_OP_PUT_PIECE,
                                  .is_withdrawal =
                                      op->kind == JOURNAL_OP_DEL_PIECE,
                                  .piece = op->a};
    isolate_name(b, op, r);
    journal_clean_text(r->reason, sizeof(r->reason), reason);
}

/* A piece of the torrent was refused, or its withdrawal. */
static bool isolate_differs(const struct journal_batch *b, int64_t id)
{
    for (size_t i = 0; i < b->n_refused; i++) {
        const struct journal_refused *r = &b->refused[i];
        if (r->id == id && (r->is_piece || r->is_withdrawal)) {
            return true;
        }
    }
    return false;
}

/* It would count pieces as they are not. */
static bool isolate_counts(const struct journal_batch *b,
                           const struct journal_op *op)
{
    return journal_facts[op->kind].is_count && isolate_differs(b, op->id);
}

/* --- the pass --- */

/* A row is at fault, and not the disk, a lock or damage. */
static bool isolate_is_refusal(int code)
{
    return code == BTC_E_USAGE || code == BTC_E_INTERNAL;
}

/* The op leaves a foreign key open that COMMIT would refuse. */
static bool isolate_breaks_key(struct journal *db)
{
    int open = 0, high = 0;
    int rc = sqlite3_db_status(db->sql, SQLITE_DBSTATUS_DEFERRED_FKS, &open,
                               &high, 0);
    return rc == SQLITE_OK && open > 0;
}

/* Op `i` was refused, and maybe the whole transaction is undone. */
static void isolate_refuse(struct isolate *it, size_t i, const char *reason)
{
    enum journal_op_kind kind = it->b->ops[i].kind;
    if (sqlite3_get_autocommit(it->db->sql)) {
        it->rolled_back = true;
        (void)bits_set(&it->skip, (uint32_t)i);
        if (it->n_rounds >= ISOLATE_ROUNDS) {
            it->skip_kinds |= 1u << kind;
        }
    }
    isolate_note(it->b, i, reason);
}

static int isolate_op(struct isolate *it, size_t i, struct err *e)
{
    const struct journal_op *op = &it->b->ops[i];
    int code = journal_begin(it->db, e);
    if (code != 0) {
        return code;
    }
    code = journal_apply_op(it->db, op, isolate_ext(it->b, op), e);
    if (code == 0 && isolate_breaks_key(it->db)) {
        code = BTC_E_USAGE;
        isolate_refuse(it, i, "a foreign key is not satisfied");
    } else if (isolate_is_refusal(code)) {
        isolate_refuse(it, i, sqlite3_errmsg(it->db->sql));
    }
    bool refused = isolate_is_refusal(code);
    code = journal_end(it->db, code, e);
    if (refused) {
        code = 0;
    }
    return code;
}

static bool isolate_skips(const struct isolate *it, size_t i)
{
    return bits_get(&it->skip, (uint32_t)i) ||
           isolate_counts(it->b, &it->b->ops[i]);
}

/* One op, unless it is left out. */
static int isolate_try(struct isolate *it, size_t i, struct err *e)
{
    const struct journal_op *op = &it->b->ops[i];
    bool has = true;
    int code = 0;
    if (isolate_skips(it, i)) {
        return 0;
    }
    if (it->skip_kinds & 1u << op->kind) {
        isolate_note(it->b, i, "so were too many others of its kind");
        return 0;
    }
    if (op->id != 0) {
        code = journal_apply_has(it->db, op->id, &has, e);
    }
    if (code == 0 && has) {
        code = isolate_op(it, i, e);
    }
    return code;
}

/* Those that come first, or those that do not, inside the transaction. */
static int isolate_sweep(struct isolate *it, bool first, struct err *e)
{
    int code = 0;
    for (size_t i = 0; i < it->b->n_ops && code == 0 && !it->rolled_back; i++) {
        if (journal_facts[it->b->ops[i].kind].comes_first == first) {
            code = isolate_try(it, i, e);
        }
    }
    return code;
}

static int isolate_pass(struct isolate *it, struct err *e)
{
    it->rolled_back = false;
    int code = isolate_sweep(it, true, e);
    if (code == 0) {
        code = isolate_sweep(it, false, e);
    }
    return code;
}

/* What was noted in passes that were rolled back stays noted only for the ops
 * that are skipped now. */
static void isolate_forget_pass(struct journal_batch *b, size_t before)
{
    if (b->n_refused > before + 1) {
        b->refused[before] = b->refused[b->n_refused - 1];
        b->n_refused = before + 1;
    }
}

static int isolate_round(struct isolate *it, struct err *e)
{
    size_t before = it->b->n_refused;
    int code = journal_begin(it->db, e);
    if (code != 0) {
        return code;
    }
    code = isolate_pass(it, e);
    if (!it->rolled_back) {
        return journal_end(it->db, code, e);
    }
    (void)journal_end(it->db, BTC_E_INTERNAL, NULL);
    isolate_forget_pass(it->b, before);
    return code;
}

int journal_apply_each(struct journal *db, struct journal_batch *b,
                       struct err *e)
{
    struct isolate it = {.db = db, .b = b};
    int code = journal_lock_check(db, e);
    if (code == 0) {
        code = bits_init(&it.skip, (uint32_t)b->n_ops);
    }
    b->n_refused = 0;
    do {
        it.n_rounds++;
        if (code == 0) {
            code = isolate_round(&it, e);
        }
    } while (code == 0 && it.rolled_back);
    bits_fini(&it.skip);
    return code;
}
