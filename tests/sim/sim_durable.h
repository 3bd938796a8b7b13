/* A whole engine in the simulated world, as far as it keeps promises: it lives
 * by core/durable (life, commit, trust) and core/torrent, over a disk that
 * knows synced from unsynced and a journal that may refuse. The process may
 * die, and the power go, at any step.
 *
 * The rules, checked at every commit and at every start:
 * - What the journal claims, the medium has, unless a stranger has changed it
 *   since and nobody was there to see.
 * - What is trusted at a start is true.
 * - What is told as complete is in the journal, on the medium, and true.
 * - The last wish is carried out, and nothing is outstanding for ever.
 */
#ifndef BTC_TESTS_SIM_SIM_DURABLE_H
#define BTC_TESTS_SIM_SIM_DURABLE_H

#include "core/durable/commit.h"
#include "core/durable/life.h"
#include "core/durable/trust.h"
#include "sim/sim_fake.h"
#include "sim/sim_platter.h"

/* Mistakes that are planted between the core and the world. */
enum sim_bug {
    SIM_BUG_NONE,
    SIM_BUG_COMMIT_BEFORE_SYNC, /* SYNC is answered before it is done */
    SIM_BUG_CLAIM_BEFORE_WRITE, /* a block is claimed when its write begins */
    SIM_BUG_TRUST_OLDER,        /* an older time is as good as the same */
    SIM_BUG_DROP_FAILED_SYNC,   /* a SYNC that failed counts as good */
    SIM_BUG_FORGET_LATE,        /* what changed after the heartbeat is ours */
    SIM_N_BUGS
};
const char *sim_bug_name(enum sim_bug bug);

/* A fact on its way. */
enum sim_op_kind {
    SIM_PUT_PIECE, /* the first three claim data */
    SIM_PUT_BLOCK,
    SIM_PUT_FILE,
    SIM_PUT_DOUBT, /* like PUT_FILE */
    SIM_DEL_PIECE,
    SIM_DEL_BLOCKS,
    SIM_PUT_STAT
};

struct sim_op {
    enum sim_op_kind kind;
    uint32_t piece, block; /* PUT_FILE: the file is `piece` */
    struct fingerprint print;
    bool owes;           /* PUT_DOUBT: its claims are to be hashed again */
    bool active, writes; /* PUT_STAT */
};

struct sim_run_row {
    int64_t id; /* 0 = none */
    uint32_t boot;
    int64_t started_at, heartbeat_at, ended_at;
};

/* What is committed. */
struct sim_rows {
    struct bits piece;
    struct bits *block; /* owns; per piece */
    struct bits owed;   /* claims that are to be hashed again */
    struct fingerprint print[SIM_MAX_FILES];
    bool has_print[SIM_MAX_FILES];
    enum wanted wanted;
    int64_t starts;
    bool active; /* as the stat row says */
    int64_t updated_at;
    struct sim_run_row run, last; /* the newest, and the last that wrote */
};

struct sim_durable {
    struct sim *s;
    struct sim_torrent *st;
    struct sim_platter platter;
    struct sim_rows rows;
    struct commit c;
    struct commit_member m;
    struct life l;
    enum sim_bug bug;
    uint32_t epoch; /* of the process; odd while one runs */
    uint32_t boot;
    bool leaving;      /* the process ends in order */
    bool done_pending; /* complete, not journaled */
    bool done_taken;   /* this commit makes it so */
    bool accept_loss;
    struct bits claimed, to_check, dropped; /* verdicts of a startup */
    bool beyond;
    uint32_t sync_fails, commit_fails; /* one in so many, 0 = never */
    uint32_t delay_ms;                 /* of SYNC, commits and jobs */
    uint32_t n_told, n_cuts, n_kills, n_commits;
};

struct sim_durable *sim_durable_new(struct sim *s, struct sim_content *c,
                                    enum sim_bug bug);
void sim_durable_free(struct sim_durable *d); /* no process runs */
/* A process begins; ends in order (takes its time); dies with or without the
 * power. */
void sim_durable_begin(struct sim_durable *d);
void sim_durable_leave(struct sim_durable *d);
void sim_durable_die(struct sim_durable *d, bool power);
/* Somebody changes a file while no process runs. */
void sim_durable_stranger(struct sim_durable *d);
bool sim_durable_runs(const struct sim_durable *d);
/* Somebody writes the wish; a running process hears of it a little later. */
void sim_durable_wish(struct sim_durable *d, enum wanted wanted);
/* For sim_run_until: complete, told, and still so. No process runs. */
bool sim_durable_is_done(void *d);
bool sim_durable_is_gone(void *d);
bool sim_durable_is_paused(void *d); /* heard of it, at rest, files closed */

/* What sim_node.c and sim_disk.c pass on. */
void sim_durable_fact(struct sim_torrent *st, const struct action *a);
void sim_durable_notify(struct sim_torrent *st, const struct action *a);
void sim_durable_writes(struct sim_torrent *st, const struct action *a);
unsigned sim_durable_begin_write(struct sim_torrent *st);
void sim_durable_end_write(struct sim_torrent *st, unsigned turn);

/* --- sim_rows.c --- */
extern const struct commit_batch_ops sim_batch_ops;
void sim_batch_put(void *batch, struct sim_op op);
void sim_rows_init(struct sim_rows *r, const struct sim_content *c);
void sim_rows_fini(struct sim_rows *r, const struct sim_content *c);
/* In one transaction, at `now`. */
void sim_rows_apply(struct sim_durable *d, const void *batch, int64_t now);
/* Every claim is on the medium. */
void sim_rows_check(const struct sim_durable *d);

#endif
