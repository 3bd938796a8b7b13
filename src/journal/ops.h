/* The inside of a batch, its operations: for batch.c, which fills it, apply.c
 * and isolate.c.
 */
#ifndef BTC_JOURNAL_OPS_H
#define BTC_JOURNAL_OPS_H

#include "journal/batch.h"
#include "journal/internal.h"
#include "journal/refused.h"

/* Longest text of an event. */
#define JOURNAL_EVENT_MAX 1024

enum journal_op_kind {
    JOURNAL_OP_PUT_PIECE,  /* a: piece, n: verified_at */
    JOURNAL_OP_DEL_PIECE,  /* a: piece */
    JOURNAL_OP_PUT_BLOCK,  /* a: piece, b: block */
    JOURNAL_OP_DEL_BLOCKS, /* a: piece */
    JOURNAL_OP_PUT_FILE,   /* b: 1 = it doubts its claims; ext: struct
                            journal_file without path */
    JOURNAL_OP_PUT_PART,   /* a: file; ext: the path, or nothing */
    JOURNAL_OP_PUT_PEER,   /* ext: struct journal_peer */
    JOURNAL_OP_DEL_PEER,   /* a: port; ext: address */
    JOURNAL_OP_TRIM_PEERS,
    JOURNAL_OP_PUT_TRACKER, /* ext: struct journal_tracker without url, then the
                               url */
    JOURNAL_OP_PUT_STAT,    /* ext: struct journal_stat */
    JOURNAL_OP_PUT_SILENCE, /* n: since, 0 = it answers; ext: state NUL error */
    JOURNAL_OP_PUT_OWED,    /* a: 1 = yes */
    JOURNAL_OP_PUT_EVENT,   /* a: level, n: time; ext: kind NUL text */
    JOURNAL_OP_VERIFY_DONE,
    JOURNAL_OP_ACCEPTED_LOSS,
    JOURNAL_OP_OVERWRITTEN,
    JOURNAL_OP_HEARTBEAT, /* n: time */
    JOURNAL_OP_ALIVE,     /* n: time */
    JOURNAL_OP_RUN_END    /* n: time */
};

struct journal_op {
    int64_t id; /* torrent, 0 = the engine */
    int64_t n;
    uint32_t a;
    uint32_t b;
    uint32_t ext; /* where its bump memory begins */
    enum journal_op_kind kind;
};

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
