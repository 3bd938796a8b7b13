/* A whole engine in the simulated world, as far as it keeps promises: it lives
 * by core/durable (life, commit, pipelines, trust) and core/torrent, with some
 * torrents whose files lie on several devices, over disks that know synced from
 * unsynced and a journal that may fail, or refuse a row. The process may die,
 * and the power go, at any step; strangers write to files, also while it runs.
 *
 * Vocabulary: a ledger is one torrent with its platter, its rows and what the
 * engine knows of both. A rule is somebody's constraint in the journal: it
 * refuses some rows of one ledger as long as it is there.
 *
 * What must hold, checked at every commit and at every start:
 * - What the journal claims, the medium has, unless a stranger has changed it
 *   since and nobody was there to see.
 * - What is trusted at a start is true.
 * - What is told of as durable is in the journal and on the medium; what is
 *   told of as complete is so as a whole.
 * - The last wish is carried out, and nothing is outstanding for ever. A row
 *   that is refused holds up no other; a device that hangs holds up only those
 *   who are on it.
 *
 * sim_durable.c has the process and the life, sim_judge.c the startup,
 * sim_commit.c the commits, sim_rows.c the journal.
 */
#ifndef BTC_TESTS_SIM_SIM_DURABLE_H
#define BTC_TESTS_SIM_SIM_DURABLE_H

#include "core/durable/life.h"
#include "core/durable/pipeline.h"
#include "core/durable/trust.h"
#include "sim/sim_fake.h"
#include "sim/sim_platter.h"

#define SIM_DURABLE_INTERVAL_MS 1000
#define SIM_MAX_LEDGERS         3

/* Mistakes that are planted between the core and the world. */
enum sim_bug {
    SIM_BUG_NONE,
    SIM_BUG_COMMIT_BEFORE_SYNC, /* SYNC is answered before it is done */
    SIM_BUG_CLAIM_BEFORE_WRITE, /* a block is claimed when its write begins */
    SIM_BUG_TRUST_OLDER,        /* an older time is as good as the same */
    SIM_BUG_DROP_FAILED_SYNC,   /* a SYNC that failed counts as good */
    SIM_BUG_FORGET_LATE,        /* what changed after the heartbeat is ours */
    SIM_BUG_SYNC_ONE_DEVICE,    /* of several that a torrent lies on */
    SIM_BUG_OTHER_PIPELINE,     /* who changes gives its claims to the new one's
                                 * commit, while the old one still syncs */
    SIM_BUG_TELL_REFUSED,       /* a row that was refused counts as journaled */
    SIM_BUG_LAUNDER,            /* SYNC vouches for what others wrote */
    SIM_N_BUGS
};
const char *sim_bug_name(enum sim_bug bug);

/* A fact on its way. */
enum sim_op_kind {
    SIM_PUT_PIECE, /* the first three claim data */
    SIM_PUT_BLOCK,
    SIM_PUT_FILE,
    SIM_PUT_DOUBT, /* like PUT_FILE */
    SIM_PUT_OWED,  /* a claim is to be hashed again */
    SIM_DEL_PIECE,
    SIM_DEL_BLOCKS,
    SIM_PUT_STAT
};

struct sim_ledger;

struct sim_op {
    struct sim_ledger *of;
    enum sim_op_kind kind;
    uint32_t piece, block; /* PUT_FILE: the file is `piece` */
    uint32_t seen;         /* claims: changes by strangers until their SYNC */
    struct fingerprint print;
    bool owes;           /* PUT_DOUBT: all its claims are to be hashed again */
    bool active, writes; /* PUT_STAT */
    uint64_t root_dev;   /* PUT_STAT */
};

struct sim_run_row {
    int64_t id; /* 0 = none */
    uint32_t boot;
    int64_t started_at, heartbeat_at, ended_at;
};

/* What is committed of a torrent. */
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
    uint64_t root_dev;
    struct sim_run_row last; /* the last run that wrote */
};

struct sim_rule {
    const struct sim_ledger *of; /* NULL: there is no rule */
    uint32_t kinds;              /* a set of op kinds */
    uint32_t one_in;             /* of the rows with such a number */
};

/* Numbers of pieces that are to be told of, as the engine remembers them. */
struct sim_fresh {
    struct bits known, taken; /* since the last commit; in this one */
    struct bits refused;      /* the journal would not have them */
};

struct sim_ledger {
    struct sim_durable *d;
    struct sim_torrent *st;
    struct sim_platter platter;
    struct sim_rows rows;
    struct commit_member m;
    struct life l;
    bool done_pending; /* complete, not journaled */
    bool done_taken;   /* this commit makes it so */
    bool accept_loss;
    struct bits claimed, dropped; /* verdicts of a startup */
    struct bits to_check;         /* the same, until they are hashed */
    bool beyond;
    uint64_t root_dev;
    struct sim_fresh fresh;
};

struct sim_durable {
    struct sim *s;
    struct sim_node *node;
    struct sim_ledger *ledgers[SIM_MAX_LEDGERS]; /* owns */
    uint32_t n_ledgers;
    struct pipeline_set pipes;
    struct sim_run_row run; /* the newest */
    struct sim_rule rule;
    enum sim_bug bug;
    uint32_t epoch; /* of the process; odd while one runs */
    uint32_t boot;
    uint64_t dev_base;                 /* devices are numbered from here */
    uint64_t hung_dev;                 /* its SYNCs do not end; 0 = none */
    uint64_t locked_ms;                /* no commit ends before */
    bool leaving;                      /* the process ends in order */
    uint32_t sync_fails, commit_fails; /* one in so many, 0 = never */
    uint32_t delay_ms;                 /* of SYNC, commits and jobs */
    uint32_t n_told, n_cuts, n_kills, n_commits, n_refused, n_changes;
};

struct sim_durable *sim_durable_new(struct sim *s, enum sim_bug bug);
/* Another torrent; no process runs. */
struct sim_ledger *sim_durable_add(struct sim_durable *d,
                                   struct sim_content *c);
void sim_durable_free(struct sim_durable *d); /* no process runs */
/* A process begins; ends in order (takes its time); dies with or without the
 * power. */
void sim_durable_begin(struct sim_durable *d);
void sim_durable_leave(struct sim_durable *d);
void sim_durable_die(struct sim_durable *d, bool power);
/* Somebody changes a file of some torrent; while a process runs he does so in
 * place. */
void sim_durable_stranger(struct sim_durable *d);
/* Files of the torrent, which rests, go to other devices. */
void sim_durable_move(struct sim_ledger *g);
/* Somebody makes a rule; sim_durable_allow takes it away. */
void sim_durable_refuse(struct sim_durable *d);
void sim_durable_allow(struct sim_durable *d);
/* A device hangs; 0: none. */
void sim_durable_hang(struct sim_durable *d, uint64_t dev);
/* Another program holds the journal in a transaction for so long. */
void sim_durable_lock(struct sim_durable *d, uint32_t ms);
bool sim_durable_runs(const struct sim_durable *d);
/* Somebody writes the wish; a running process hears of it a little later. */
void sim_durable_wish(struct sim_ledger *g, enum wanted wanted);
/* For sim_run_until, of all torrents: complete, told, and still so. */
bool sim_durable_is_done(void *d);
bool sim_durable_is_gone(void *d); /* no process runs */
bool sim_ledger_is_done(void *g);
bool sim_ledger_is_paused(void *g); /* heard of it, at rest, files closed */

/* What sim_node.c and sim_disk.c pass on. */
void sim_durable_fact(struct sim_torrent *st, const struct action *a);
void sim_durable_notify(struct sim_torrent *st, const struct action *a);
void sim_durable_writes(struct sim_torrent *st, const struct action *a);
uint32_t sim_durable_begin_write(struct sim_torrent *st);
void sim_durable_end_write(struct sim_torrent *st, uint32_t ticket);

/* --- sim_durable.c, for the files below --- */
int64_t sim_durable_unix(const struct sim_durable *d);
/* An answer that takes a while; one to a dead process is lost. */
void sim_durable_later(struct sim_durable *d, sim_fn *fn, void *of, int result);
bool sim_durable_is_stale(const struct sim_event *e);
void *sim_durable_of(const struct sim_event *e);
void sim_ledger_input(struct sim_ledger *g, const struct life_event *ev);
void sim_ledger_fail(struct sim_ledger *g, int code);

/* --- sim_judge.c: startup --- */
/* False: the storage is gone. */
bool sim_judge(struct sim_ledger *g);
/* Data that nobody claims is to be hashed. */
void sim_judge_scan(struct sim_ledger *g);
/* The core has what is trusted, and what is to be hashed. */
void sim_judge_start(struct sim_ledger *g);

/* --- sim_commit.c: commits --- */
extern const struct commit_batch_ops sim_batch_ops;
void sim_commit_pump(struct sim_durable *d);
void sim_commit_complete(struct sim_ledger *g); /* all is there */
void sim_commit_load(struct sim_ledger *g);     /* it begins anew */
/* A process dies: what is under way may just have come to the journal. */
void sim_commit_break_off(struct sim_durable *d);
/* The last commits; true when they have been made. */
bool sim_commit_wind_down(struct sim_durable *d);

/* --- sim_rows.c: the journal --- */
void sim_batch_put(void *batch, struct sim_op op);
/* The claims of the lot were synced when strangers had come so often. */
void sim_batch_mark(void *batch, uint32_t seen);
void sim_rows_init(struct sim_rows *r, const struct sim_content *c);
void sim_rows_fini(struct sim_rows *r, const struct sim_content *c);
/* In one transaction. When a row of it is refused, nothing happens; or, row by
 * row, all the others are applied, and that one is told of. */
enum commit_result sim_rows_apply(struct sim_durable *d, const void *batch,
                                  bool row_by_row,
                                  void (*refused)(const struct sim_op *op));
void sim_rows_end_run(struct sim_durable *d);
/* Every claim is on the medium. */
void sim_rows_check(const struct sim_durable *d);

#endif
