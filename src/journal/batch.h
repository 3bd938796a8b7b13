/* Inside of a batch: for db_batch.c, which fills it, and db_apply.c. */
#ifndef BTC_JOURNAL_BATCH_H
#define BTC_JOURNAL_BATCH_H

#include "journal/internal.h"

/* Longest text of an event. */
#define DB_EVENT_MAX 1024

enum db_op_kind {
    DB_OP_PUT_PIECE,  /* a: piece, n: verified_at */
    DB_OP_DEL_PIECE,  /* a: piece */
    DB_OP_PUT_BLOCK,  /* a: piece, b: block */
    DB_OP_DEL_BLOCKS, /* a: piece */
    DB_OP_PUT_FILE,   /* ext: struct db_file without path */
    DB_OP_PUT_PEER,   /* ext: struct db_peer */
    DB_OP_DEL_PEER,   /* a: port; ext: address */
    DB_OP_TRIM_PEERS,
    DB_OP_PUT_TRACKER, /* ext: struct db_tracker without url, then the url */
    DB_OP_PUT_STAT,    /* ext: struct db_stat */
    DB_OP_PUT_EVENT,   /* a: level, n: time; ext: kind NUL text */
    DB_OP_VERIFY_DONE,
    DB_OP_ACCEPTED_LOSS,
    DB_OP_HEARTBEAT, /* n: time */
    DB_OP_RUN_END    /* n: time */
};

struct db_op {
    int64_t id; /* torrent, 0 = the engine */
    int64_t n;
    uint32_t a;
    uint32_t b;
    uint32_t ext; /* where its bump memory begins */
    enum db_op_kind kind;
};

struct db_batch {
    struct db_op *ops; /* owns */
    size_t n_ops;
    size_t cap_ops;
    uint64_t *ext; /* owns: the bump buffer */
    size_t n_ext;
    size_t cap_ext;
};

#endif
