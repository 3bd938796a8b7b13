/* The order flush, sync, commit, tell: a claim never runs ahead of its data.
 * Pure: what happened goes in, what is to be done comes out, the clock is an
 * argument.
 *
 * A pipeline makes one commit after the other for its members, the torrents
 * that have moved since the last one. There is a pipeline per device, so that a
 * drive that hangs holds up nobody but those who are on it; all of them commit
 * to one journal, each in transactions of its own. So nothing orders the facts
 * of two pipelines: those of a member must stay in order, and a member changes
 * its pipeline (commit_change) only when none of its facts is under way in the
 * old one.
 *
 *   FLUSH   per member: write out what has come in. Each write is announced
 *           (commit_begin_write) and ends once (commit_end_write). The next
 *           step waits for those that began before it, not for later ones:
 *           where memory is short there are always some.
 *   TAKE    per member: its facts are its lot from here on, this commit's. The
 *           driver adds rows about them (commit_lot), counts what it will tell.
 *   SYNC    per member that claims data: everything written so far becomes
 *           durable. Before the answer (commit_on_synced) the driver adds the
 *           fingerprints (commit_lot).
 *   DOUBT   a SYNC failed: what the kernel could not write may be gone from its
 *           cache, too, and a later SYNC would succeed. So all claims since the
 *           last good one are dropped, and those to come as well, until the
 *           data has been read back and the member is trusted again
 *           (commit_trust).
 *   COMMIT  all lots and the pipeline's own facts in one transaction.
 *   TELL    per member: what its lot says is true now.
 *
 * A commit that fails is kept whole and tried again with the next one, in the
 * order in which things happened. One that is refused by a rule of the database
 * is given out once more to `isolate`: row by row. Whose rows are refused even
 * so (commit_refuse) is not told of success but of that (REFUSED).
 *
 * A batch is the driver's (journal_batch); here it is a handle with operations.
 */
#ifndef BTC_CORE_DURABLE_COMMIT_H
#define BTC_CORE_DURABLE_COMMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Between two tries of a commit that fails. */
#define COMMIT_RETRY_MAX_MS 10000u

struct commit_batch_ops {
    void *(*make)(void);
    void (*free)(void *b);
    void (*append)(void *dst, void *src); /* behind dst's; src is empty then */
    void (*drop_claims)(void *b); /* what takes claims back stays in it */
    bool (*is_empty)(const void *b);
};

enum commit_state {
    COMMIT_IDLE,
    COMMIT_FLUSHING,
    COMMIT_TAKING,
    COMMIT_SYNCING,
    COMMIT_COMMITTING,
    COMMIT_TELLING
};

enum commit_result {
    COMMIT_DONE,
    COMMIT_FAILED, /* nothing of it happened; it may work another time */
    COMMIT_REFUSED /* a rule of the database forbids something in it */
};

/* Where a member is in the commit under way. */
enum commit_step {
    COMMIT_OUT,     /* not in it */
    COMMIT_CHOSEN,  /* to be flushed and taken */
    COMMIT_TAKEN,   /* its lot is this commit's */
    COMMIT_IN_SYNC, /* a SYNC of it is out */
    COMMIT_DROPPED, /* that SYNC failed */
    COMMIT_BARRED   /* the database refused its rows */
};

/* One torrent; lives inside the driver's object. */
struct commit_member {
    struct commit *c;   /* its pipeline, NULL = none */
    struct commit *to;  /* the one that it is to change to, NULL = none */
    void *facts;        /* owns; since the last TAKE */
    void *lot;          /* owns; of this commit */
    bool dirty;         /* facts claim data that was not synced */
    bool moved;         /* the next commit asks it */
    bool held;          /* a SYNC would miss files: not in a commit now */
    bool doubted;       /* its claims are dropped */
    bool doubt_is_news; /* DOUBT is to be given out */
    bool kept;          /* facts of it are in a commit that failed */
    enum commit_step step;
    struct commit_member *next_moved, *next_chosen;
};

struct commit {
    const struct commit_batch_ops *ops;
    enum commit_state state;
    uint64_t since_ms;            /* when the state began: to say what hangs */
    void *facts;                  /* owns; those that speak of no data */
    void *kept;                   /* owns; a commit that failed, NULL = none */
    void *batch;                  /* owns; under way, NULL = none */
    struct commit_member *moved;  /* a list */
    struct commit_member *chosen; /* a list: those in this commit */
    struct commit_member *cursor; /* the next one of `chosen` */
    uint32_t interval_ms;
    uint64_t due_ms;
    bool hurried;         /* before the interval is over */
    bool insists;         /* COMMIT is given out although it is empty */
    bool last;            /* the last commit of the run */
    bool isolate;         /* the batch is to be given out row by row */
    bool given;           /* COMMIT was given out */
    uint32_t n_failures;  /* in a row */
    uint32_t n_syncs;     /* out */
    uint32_t n_doubts;    /* DOUBT to be given out */
    uint32_t n_writes[2]; /* out, by the turn they began in */
    unsigned turn;        /* 0 or 1, changed by each flush */
    bool turned;          /* by the flush under way */
};

enum commit_action_type {
    COMMIT_DO_FLUSH,
    COMMIT_DO_TAKE,
    COMMIT_DO_SYNC,
    COMMIT_DO_DOUBT,
    COMMIT_DO_COMMIT,
    COMMIT_DO_TELL,
    COMMIT_DO_REFUSED
};

struct commit_action {
    enum commit_action_type type;
    struct commit_member *member; /* all but COMMIT */
    void *batch;  /* COMMIT: lent until commit_on_committed; may be added to */
    bool isolate; /* COMMIT: row by row; commit_refuse those that cannot be */
    bool last;    /* COMMIT: of the run */
};

void commit_init(struct commit *c, const struct commit_batch_ops *ops,
                 uint32_t interval_ms, uint64_t now_ms);
void commit_fini(struct commit *c); /* its members have left */
void commit_join(struct commit *c, struct commit_member *m);
/* From now on, or as soon as none of its facts is under way, another pipeline
 * has it. Its writes end in the one in which they began. */
void commit_change(struct commit_member *m, struct commit *to);
/* No SYNC of it is out. What it had to say is dropped, but for what is on its
 * way already. */
void commit_leave(struct commit_member *m);

/* --- what there is to say --- */

/* The batch for facts that are true whatever the disk does. */
void *commit_free_facts(struct commit *c);
/* The batch for facts of a member; it has moved. */
void *commit_facts(struct commit_member *m);
/* The same for facts that claim data: a SYNC comes first. */
void *commit_claims(struct commit_member *m);
/* From TAKE until the next step: something was written that no fact speaks of
 * (a write that failed half way). Its fingerprint is to be that of a SYNC, or
 * the next run takes our own change for somebody else's. */
void commit_owe_sync(struct commit_member *m);
/* Only between TAKE and COMMIT: what belongs to this commit. */
void *commit_lot(struct commit_member *m);
/* It may have something to say: ask it in the next commit. */
void commit_move(struct commit_member *m);
/* What it had to say is of no interest any more, but for what is on its way
 * already. */
void commit_forget(struct commit_member *m);
/* Its files are being deleted, or not any more. */
void commit_hold(struct commit_member *m, bool held);
/* It has begun anew: its data was, or will be, read back. */
void commit_trust(struct commit_member *m);

/* --- what happened --- */

/* The turn to end the write with. */
unsigned commit_begin_write(struct commit *c);
void commit_end_write(struct commit *c, unsigned turn);
void commit_on_synced(struct commit_member *m, bool good);
/* The rows of this member were refused one by one; before on_committed. */
void commit_refuse(struct commit_member *m);
void commit_on_committed(struct commit *c, enum commit_result r,
                         uint64_t now_ms);
/* Begins one when it is due. */
void commit_on_clock(struct commit *c, uint64_t now_ms);
/* The one that begins next, or is under way, is given out with an empty batch,
 * too. */
void commit_insist(struct commit *c);
/* The next one is due at once. After a failure only the last one hurries. */
void commit_hurry(struct commit *c);
/* The last one: every member is asked. */
void commit_set_last(struct commit *c, struct commit_member *const *members,
                     size_t n);

/* --- what is to be done --- */

/* After each of the above, until it gives false. */
bool commit_next(struct commit *c, struct commit_action *out, uint64_t now_ms);
uint64_t commit_deadline(const struct commit *c); /* UINT64_MAX = none */

/* The journal says all there is to say of it, as far as is known here. */
bool commit_has_all(const struct commit_member *m);
/* The same of the pipeline and all its members that have moved. */
bool commit_is_clean(const struct commit *c);
/* The last commit has been made. */
bool commit_is_over(const struct commit *c);

#endif
