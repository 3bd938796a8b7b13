/* The facts: all that the engine writes down, one entry of a table for each.
 *
 * To add one: its name in this list, its entry in facts.c, and the function in
 * batch.c that gathers it. Nothing else needs to know of it.
 */
#ifndef BTC_JOURNAL_FACTS_H
#define BTC_JOURNAL_FACTS_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What an op carries beside its torrent. `ext`: in the bump memory. */
enum journal_op_kind {
    JOURNAL_OP_PUT_PIECE,  /* a: piece, n: verified_at */
    JOURNAL_OP_DEL_PIECE,  /* a: piece */
    JOURNAL_OP_PUT_BLOCK,  /* a: piece, b: block */
    JOURNAL_OP_DEL_BLOCKS, /* a: piece */
    JOURNAL_OP_PUT_FILE,   /* a: file, b: 1 = it has a print, n: verify_since;
                              ext: struct journal_file_fact */
    JOURNAL_OP_PUT_DOUBT,  /* the same, but its claims are in doubt */
    JOURNAL_OP_PUT_LESS,   /* a: file, n: bytes_done at most */
    JOURNAL_OP_PUT_PART,   /* a: file; ext: the path, or nothing */
    JOURNAL_OP_PUT_PEER,   /* ext: struct journal_peer */
    JOURNAL_OP_DEL_PEER,   /* a: port; ext: address */
    JOURNAL_OP_TRIM_PEERS,
    JOURNAL_OP_PUT_TRACKER, /* ext: struct journal_tracker without url, then the
                               url */
    JOURNAL_OP_PUT_STAT,    /* ext: struct journal_stat without its error, then
                               that */
    JOURNAL_OP_PUT_SILENCE, /* n: since, 0 = it answers; ext: state NUL error */
    JOURNAL_OP_PUT_OWED,    /* a: 1 = yes */
    JOURNAL_OP_PUT_KEPT,
    JOURNAL_OP_PUT_MAKING,  /* n: since, 0 = all that was made is told */
    JOURNAL_OP_PUT_EVENT,   /* a: level, n: time; ext: kind NUL text */
    JOURNAL_OP_VERIFY_DONE, /* n: unless wished for later than this */
    JOURNAL_OP_ACCEPTED_LOSS,
    JOURNAL_OP_OVERWRITTEN,
    JOURNAL_OP_HEARTBEAT, /* n: time */
    JOURNAL_OP_ALIVE,     /* n: time */
    JOURNAL_OP_RUN_END,   /* n: time */
    JOURNAL_N_OPS
};

struct journal_op {
    int64_t id; /* torrent, 0 = the engine */
    int64_t n;
    uint32_t a;
    uint32_t b;
    uint32_t ext; /* where its bump memory begins */
    enum journal_op_kind kind;
};

/* What changes of a file: of a torrent of many all of them may be under way. */
struct journal_file_fact {
    uint64_t dev, ino, size;
    int64_t mtime_ns;
    int64_t ctime_ns;
    uint64_t bytes_done;
};

/* Most statements that one fact takes. */
#define JOURNAL_FACT_SQL 3

struct journal_fact {
    /* Run one after the other, each with what `bind` binds; NULL behind the
     * last one. */
    const char *sql[JOURNAL_FACT_SQL];
    /* NULL: ?1 is the torrent, ?2 to ?4 are a, b and n, as far as the statement
     * has them. */
    void (*bind)(sqlite3_stmt *s, const struct journal_op *op, const void *ext);
    int run_at; /* the parameter that gets our row in the table run; 0: none */
    /* Which row it would write, for people; NULL: the name of the table. */
    void (*name)(char *dst, size_t cap, const struct journal_op *op,
                 const void *ext);
    const char *table;
    bool comes_first; /* row by row, before what may count it */
    bool is_claim;    /* that data is there: not told when a sync failed */
    bool is_count;    /* vouches for pieces: not told when one was refused */
    bool weighs;      /* it tells of the torrent itself, not of the world */
};
extern const struct journal_fact journal_facts[JOURNAL_N_OPS];

#endif
