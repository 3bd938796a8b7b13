/* What the files of the engine share beside engine.h. */
#ifndef BTC_ENGINE_INTERNAL_H
#define BTC_ENGINE_INTERNAL_H

#include "engine/engine.h"
#include "model/names.h"
#include <utlist.h>

/* One connection between a conn and a torrent's peer. */
struct link {
    struct engine_torrent *st; /* borrows */
    struct tcp_conn *conn;     /* NULL once closed */
    uint32_t id;               /* conn id of the torrent */
    uint32_t refs;             /* 1 for the table + uploads under way */
    struct link *next, *prev;  /* of all links, for read grants */
};

/* An accepted connection becomes the torrent's. */
void engine_link_accepted(struct engine_torrent *st, uint32_t id,
                          struct tcp_conn *c);
/* Frees all but the row and the journal's batches. */
void engine_torrent_unload(struct engine_torrent *st);
/* The store has the paths of the `file` rows: a user may have chosen names. */
void engine_torrent_open_store(struct engine_torrent *st);
/* The core takes the files' priorities. */
void engine_torrent_prioritize(struct engine_torrent *st);
/* Nothing of it is under way but maybe disk jobs. */
bool engine_torrent_rests(const struct engine_torrent *st);
/* Removed in this run: a snapshot of wishes may show its row still. */
bool engine_is_removed(const struct engine *s, int64_t id);
/* The journal's rows say all there is to say of it, so they may be read again.
 */
bool engine_commit_has_all(const struct engine_torrent *st);
/* Facts of a torrent that is wished away are dropped. */
void engine_commit_forget(struct engine_torrent *st);
/* Some download limit is set, so grants are due every ENGINE_LIMIT_MS. */
bool engine_is_limited(const struct engine *s);
/* A job of it came back. */
void engine_job_done(struct engine_torrent *st);
/* --min-free with its default; 0 = no floor. */
uint64_t engine_min_free(const struct engine *s);
/* No payload moves. */
bool engine_is_idle(const struct engine_torrent *st);

/* engine.c */
/* The system has run on since. */
bool engine_same_boot(const struct journal_run *run);
void engine_stop(struct engine *s, int status, const char *text);
/* Something of it may have changed: at the end of the turn it is seen to that
 * its wishes go on and the timer knows its deadline. What is not touched costs
 * a turn nothing, however many there are. */
void engine_touch(struct engine_torrent *st);

/* torrent.c; engine_torrent_delete: removal.c */
struct engine_torrent *engine_torrent_new(struct engine *s,
                                          struct journal_torrent *row);
void engine_torrent_free(struct engine_torrent *st);
/* load.c: reads all rows; on any thread. Of `st` it touches only what it fills
 * and reads only the id. */
void engine_torrent_load(struct engine_torrent *st, struct journal *db);
/* On the loop thread, when that is done: the journal and the reports look at
 * the facts while others are being read. */
void engine_torrent_loaded(struct engine_torrent *st);
/* Loaded: parses, opens the store, begins the startup verification. */
void engine_torrent_begin(struct engine_torrent *st);
void engine_torrent_run(struct engine_torrent *st);
void engine_torrent_stop(struct engine_torrent *st);
void engine_torrent_stopped(struct engine_torrent *st);
void engine_torrent_checked(struct engine_torrent *st); /* the check ended */
void engine_torrent_fail(struct engine_torrent *st, int code, const char *text);
void engine_torrent_tick(struct engine_torrent *st);   /* its time came */
void engine_torrent_second(struct engine_torrent *st); /* one has passed */
uint64_t engine_torrent_deadline(const struct engine_torrent *st);
/* Everything wanted of it in this run is over. */
bool engine_torrent_is_over(const struct engine_torrent *st);
bool engine_torrent_goal(const struct engine_torrent *st);
/* Begins the removal, when the journal lets it. */
void engine_torrent_delete(struct engine_torrent *st);

/* startup.c */
void engine_startup_begin(struct engine_torrent *st);
/* Hash again on a wish, while it runs: everything verified before `since`. */
void engine_startup_verify(struct engine_torrent *st, int64_t since);

/* drive.c, inbound.c */
void engine_event(struct engine_torrent *st, const struct event *ev);
void engine_drain(struct engine_torrent *st);
void engine_close_links(struct engine_torrent *st);
struct store_job *engine_job(struct engine_torrent *st, enum store_op op,
                             store_done_fn *done);
void engine_job_free(struct store_job *job);
void engine_job_piece(struct engine_torrent *st, struct store_job *job,
                      uint32_t piece, uint32_t begin, uint32_t len);
int engine_listen(struct engine *s, struct err *e);
void engine_incoming_free(struct engine *s);
void engine_incoming_tick(struct engine *s);

/* commit.c */
void engine_fact(struct engine_torrent *st, const struct action *a);
void engine_commit_tick(struct engine *s);
void engine_commit_written(struct engine *s); /* a WRITE came back */
uint64_t engine_commit_deadline(const struct engine *s);
void engine_commit_committed(void *ctx, struct journal_batch *b, int code,
                             const struct err *e);
void engine_commit_peer(struct engine_torrent *st, uint32_t id);
void engine_commit_tracker(struct engine_torrent *st, uint32_t i);
void engine_commit_event(struct engine_torrent *st, enum level level,
                         const char *kind, const char *text);
/* The torrent may have something for the next commit. */
void engine_commit_move(struct engine_torrent *st);
void engine_commit_unlink(struct engine_torrent *st); /* before it goes */
/* A second has passed: rates that have died down and time spent seeding are
 * told, too. */
void engine_commit_second(struct engine_torrent *st);
bool engine_commit_is_clean(const struct engine *s);
void engine_torrent_done(struct engine_torrent *st); /* and durable */
void engine_torrent_reload(struct engine_torrent *st);

/* wishes.c */
void engine_wish_remove(struct engine_torrent *st);
/* What is wished now: run, pause or removal. */
void engine_wish_wanted(struct engine_torrent *st);
void engine_wishes(void *ctx, struct journal_wishes *w);

/* report.c */
const char *engine_state_name(const struct engine_torrent *st);
void engine_fill_progress(struct engine_torrent *st, struct btc_progress *p);
void engine_fill_stat(struct engine_torrent *st, struct journal_stat *out);
void engine_tell(struct engine_torrent *st, struct btc_event *ev);
void engine_tell_type(struct engine_torrent *st, enum btc_event_type type);
void engine_tell_state(struct engine_torrent *st);
void engine_tell_stats(struct engine *s, bool asked);
void engine_tell_error(struct engine *s, struct engine_torrent *st, int code,
                       const char *text);

#endif
