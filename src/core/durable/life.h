/* The life of a torrent in a run: from its rows to the running core, to rest,
 * and away. Pure: events in, actions out, the clock is an argument.
 *
 * What people wish is `enum wanted`, and how often they wished for `run` is
 * counted, because a second `run` is news although the word is the same. What
 * the life strives for is its aim: to rest, to run or to remove. A wish sets
 * the aim at once; the state follows when what is under way has answered. So no
 * wish is lost, whenever it comes.
 *
 * A state of rest is left only when the torrent is settled: no disk job of it
 * is out, and the journal holds everything that is known of it. The driver
 * sends LIFE_SETTLED as long as life_awaits_settling says so and that is true.
 * Every other action is answered by one event exactly:
 *
 *   LOAD    LIFE_LOADED or LIFE_FAILED      STAT    LIFE_STATED or LIFE_FAILED
 *   SCAN    LIFE_SCANNED or LIFE_FAILED     CREATE  LIFE_CREATED or LIFE_FAILED
 *   STOP    LIFE_STOPPED                    ASK     LIFE_DELETE_DUE, LIFE_KEPT,
 *   DELETE  LIFE_DELETED or                         LIFE_ROWS_GONE or
 *           LIFE_REMOVAL_FAILED                     LIFE_REMOVAL_FAILED
 *   START, LET_GO and FORGET have no answer; after FORGET the torrent is gone.
 *
 * The core runs from START to STOPPED. When a magnet has learned what its
 * content is, it goes on while the rows are read and the files made, so that no
 * connection is lost; what ends the startup then, stops it first.
 */
#ifndef BTC_CORE_DURABLE_LIFE_H
#define BTC_CORE_DURABLE_LIFE_H

#include "model/names.h"

#include <stdbool.h>
#include <stdint.h>

#define LIFE_STORAGE_MS 5000u  /* absent storage is looked for this often */
#define LIFE_SPACE_MS   10000u /* and free space */
#define LIFE_ERROR_MS   60000u /* and whatever else went wrong */
/* A core that fails again before it has run for as long as was waited for it
 * costs its peers what it throws away (a quota, a bad spot: nothing tells
 * before it writes): twice as long then, up to this. */
#define LIFE_WAIT_MAX_MS 600000u

enum life_state {
    LIFE_IDLE,    /* at rest */
    LIFE_LOADING, /* its rows are read */
    LIFE_STAT,    /* the fingerprints of its files are read */
    LIFE_SCAN,    /* data beyond the journal is looked for */
    LIFE_CREATE,  /* files that are absent are made */
    LIFE_RUNNING,
    LIFE_STOPPING,
    LIFE_WAITING_STORAGE, /* at rest until the storage is back */
    LIFE_WAITING_SPACE,   /* at rest until there is room */
    LIFE_ERROR,           /* at rest, tried again after a while */
    LIFE_REMOVING,        /* the journal is asked for the next step */
    LIFE_DELETING,        /* its files go */
    LIFE_GONE
};

enum life_aim {
    LIFE_AIM_REST,
    LIFE_AIM_RUN,
    LIFE_AIM_REMOVE
};

enum life_event_type {
    LIFE_ADDED,   /* it became known; begins, or at least reads its rows */
    LIFE_WISHED,  /* wanted, starts: as they stand now */
    LIFE_AGAIN,   /* more is wanted of it: begin anew from the rows */
    LIFE_LEARNED, /* a magnet's content is known: begin anew, the core goes on
                   */
    LIFE_ENDING,  /* the run ends */
    LIFE_SETTLED, /* see above */
    LIFE_CLOCK,
    LIFE_BACK, /* what it waits for is there: the storage, or space */
    LIFE_LOADED,
    LIFE_STATED,
    LIFE_SCANNED,
    LIFE_CREATED,
    LIFE_STOPPED,
    LIFE_FINISHED,       /* complete, and the journal says so */
    LIFE_GOAL_REACHED,   /* nothing more is to be served */
    LIFE_GOAL_MOVED,     /* there is a new goal, and it is not reached */
    LIFE_FAILED,         /* code: it cannot go on */
    LIFE_DELETE_DUE,     /* its files are to be deleted first */
    LIFE_DELETED,        /* they are */
    LIFE_KEPT,           /* wanted: it was wished back */
    LIFE_ROWS_GONE,      /* nothing of it is left in the journal */
    LIFE_REMOVAL_FAILED, /* code: something of it stays */
    LIFE_N_EVENTS
};

enum life_action {
    LIFE_DO_NOTHING,
    LIFE_DO_LOAD,
    LIFE_DO_STAT,
    LIFE_DO_SCAN,
    LIFE_DO_CREATE,
    LIFE_DO_START,  /* the core runs */
    LIFE_DO_STOP,   /* gracefully */
    LIFE_DO_LET_GO, /* its files are closed, it rests */
    LIFE_DO_ASK,    /* the journal, for the next step of the removal */
    LIFE_DO_DELETE,
    LIFE_DO_FORGET
};

struct life_event {
    enum life_event_type type;
    enum wanted wanted; /* WISHED, KEPT */
    int64_t starts;     /* WISHED */
    int code;           /* FAILED, REMOVAL_FAILED: enum btc_err */
};

/* Read what you like; written by life.c alone. */
struct life {
    enum life_state state;
    enum life_aim aim;
    enum wanted wanted;
    int64_t starts;
    int code;          /* what ended it, 0 = nothing */
    uint64_t retry_ms; /* in a state of waiting: look again; 0 = never */
    uint64_t start_ms; /* when the core began */
    uint64_t wait_ms;  /* the wait after it failed, 0: it never has */
    bool follows;      /* the run lives on and follows wishes */
    bool ending;       /* nothing begins any more */
    bool finished;     /* complete and durable */
    bool goal_reached;
    bool data_gone; /* its files are deleted, its rows are still there */
    bool let_go;
    bool core; /* it runs, maybe beside the startup */
    bool told; /* the state was told as it is */
    enum life_action action;
};

void life_init(struct life *l, enum wanted wanted, int64_t starts,
               bool follows);

/* The transition function. False: the state does not know this event, and
 * nothing has changed. At most one action follows each input. */
bool life_input(struct life *l, const struct life_event *ev, uint64_t now_ms);
/* LIFE_DO_NOTHING when there is none. */
enum life_action life_next_action(struct life *l);
/* True once after each change of state, code or aim: it is to be told. */
bool life_takes_news(struct life *l);
/* LIFE_SETTLED is what it waits for. */
bool life_awaits_settling(const struct life *l);
uint64_t life_deadline(const struct life *l); /* UINT64_MAX = none */
/* Nothing of it is under way. */
bool life_rests(const struct life *l);
/* What a run that ends by itself had to do with it is over. */
bool life_is_over(const struct life *l);
/* Between LOAD and START. */
bool life_is_starting(const struct life *l);
/* The core runs and is not being stopped: peers may come to it. */
bool life_has_core(const struct life *l);

/* The whole table: state, event, aim, next state, action. The first row that
 * fits counts; ANY fits every aim. REST stands for the state of rest that the
 * code calls for. From LOADING, STAT, SCAN and CREATE a core that runs leads to
 * STOPPING instead of rest. A wish that is not in the table changes the aim
 * alone. */
/* clang-format off */
#define LIFE_TABLE(X)                                              \
    X(IDLE,            ADDED,          RUN,    LOADING,  LOAD)     \
    X(IDLE,            ADDED,          REST,   LOADING,  LOAD)     \
    X(IDLE,            ADDED,          REMOVE, IDLE,     NOTHING)  \
    X(IDLE,            SETTLED,        RUN,    LOADING,  LOAD)     \
    X(IDLE,            SETTLED,        REMOVE, REMOVING, ASK)      \
    X(IDLE,            SETTLED,        REST,   IDLE,     LET_GO)   \
    X(IDLE,            FAILED,         ANY,    REST,     NOTHING)  \
    X(LOADING,         LOADED,         RUN,    STAT,     STAT)     \
    X(LOADING,         LOADED,         ANY,    IDLE,     NOTHING)  \
    X(LOADING,         FAILED,         ANY,    REST,     NOTHING)  \
    X(STAT,            STATED,         RUN,    SCAN,     SCAN)     \
    X(STAT,            STATED,         ANY,    IDLE,     NOTHING)  \
    X(STAT,            FAILED,         ANY,    REST,     NOTHING)  \
    X(SCAN,            SCANNED,        RUN,    CREATE,   CREATE)   \
    X(SCAN,            SCANNED,        ANY,    IDLE,     NOTHING)  \
    X(SCAN,            FAILED,         ANY,    REST,     NOTHING)  \
    X(CREATE,          CREATED,        RUN,    RUNNING,  START)    \
    X(CREATE,          CREATED,        ANY,    IDLE,     NOTHING)  \
    X(CREATE,          FAILED,         ANY,    REST,     NOTHING)  \
    X(RUNNING,         WISHED,         RUN,    RUNNING,  NOTHING)  \
    X(RUNNING,         WISHED,         ANY,    STOPPING, STOP)     \
    X(RUNNING,         AGAIN,          ANY,    STOPPING, STOP)     \
    X(RUNNING,         LEARNED,        RUN,    LOADING,  LOAD)     \
    X(RUNNING,         ENDING,         ANY,    STOPPING, STOP)     \
    X(RUNNING,         FAILED,         ANY,    STOPPING, STOP)     \
    X(RUNNING,         FINISHED,       ANY,    RUNNING,  NOTHING)  \
    X(RUNNING,         GOAL_MOVED,     ANY,    RUNNING,  NOTHING)  \
    X(RUNNING,         GOAL_REACHED,   RUN,    RUNNING,  NOTHING)  \
    X(RUNNING,         GOAL_REACHED,   ANY,    STOPPING, STOP)     \
    X(STOPPING,        STOPPED,        ANY,    REST,     NOTHING)  \
    X(STOPPING,        FAILED,         ANY,    STOPPING, NOTHING)  \
    X(STOPPING,        FINISHED,       ANY,    STOPPING, NOTHING)  \
    X(WAITING_STORAGE, SETTLED,        RUN,    LOADING,  LOAD)     \
    X(WAITING_STORAGE, SETTLED,        REMOVE, REMOVING, ASK)      \
    X(WAITING_STORAGE, SETTLED,        REST,   REST,     LET_GO)   \
    X(WAITING_STORAGE, WISHED,         RUN,    REST,     NOTHING)  \
    X(WAITING_STORAGE, WISHED,         ANY,    IDLE,     NOTHING)  \
    X(WAITING_STORAGE, FAILED,         ANY,    REST,     NOTHING)  \
    X(WAITING_SPACE,   SETTLED,        RUN,    LOADING,  LOAD)     \
    X(WAITING_SPACE,   SETTLED,        REMOVE, REMOVING, ASK)      \
    X(WAITING_SPACE,   SETTLED,        REST,   REST,     LET_GO)   \
    X(WAITING_SPACE,   WISHED,         RUN,    REST,     NOTHING)  \
    X(WAITING_SPACE,   WISHED,         ANY,    IDLE,     NOTHING)  \
    X(WAITING_SPACE,   FAILED,         ANY,    REST,     NOTHING)  \
    X(ERROR,           SETTLED,        RUN,    LOADING,  LOAD)     \
    X(ERROR,           SETTLED,        REMOVE, REMOVING, ASK)      \
    X(ERROR,           SETTLED,        REST,   REST,     LET_GO)   \
    X(ERROR,           WISHED,         RUN,    REST,     NOTHING)  \
    X(ERROR,           WISHED,         ANY,    IDLE,     NOTHING)  \
    X(ERROR,           FAILED,         ANY,    REST,     NOTHING)  \
    X(REMOVING,        DELETE_DUE,     ANY,    DELETING, DELETE)   \
    X(REMOVING,        ROWS_GONE,      ANY,    GONE,     FORGET)   \
    X(REMOVING,        KEPT,           ANY,    LOADING,  LOAD)     \
    X(REMOVING,        REMOVAL_FAILED, ANY,    REST,     NOTHING)  \
    X(DELETING,        DELETED,        ANY,    IDLE,     NOTHING)  \
    X(DELETING,        REMOVAL_FAILED, ANY,    REST,     NOTHING)
/* clang-format on */

#endif
