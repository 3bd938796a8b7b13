/* The inside of a batch, its operations: for batch.c, which fills it, apply.c
 * and isolate.c.
 */
#ifndef BTC_JOURNAL_OPS_H
#define BTC_JOURNAL_OPS_H

#include "journal/batch.h"
#include "journal/facts.h"
#include "journal/internal.h"
#include "journal/refused.h"

/* Longest text of an event. */
#define JOURNAL_EVENT_MAX 1024

struct journal_batch {
    struct journal_op *ops; /* owns */
    size_t n_ops;
    size_t cap_ops;
    uint64_t *ext; /* owns: the bump buffer */
    size_t n_ext;
    size_t cap_ext;
    struct journal_refused *refused; /* owns; by the last journal_apply_each */
    size_t n_refused;
    uint32_t cap_refused;
};

/* --- apply.c --- */
/* One op with its bump memory, inside a transaction of the caller's. */
int journal_apply_op(struct journal *db, const struct journal_op *op,
                     const void *ext, struct err *e);
/* Whether a torrent is there. */
int journal_apply_has(struct journal *db, int64_t id, bool *has, struct err *e);

#endif
