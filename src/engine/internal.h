/* What the session_*.c files share beside session.h. */
#ifndef BTC_ENGINE_INTERNAL_H
#define BTC_ENGINE_INTERNAL_H

#include "engine/engine.h"
#include <utlist.h>

/* One connection between a conn and a torrent's peer. */
struct link {
    struct session_torrent *st; /* borrows */
    struct conn *conn;          /* NULL once closed */
    uint32_t id;                /* conn id of the torrent */
    uint32_t refs;              /* 1 for the table + uploads under way */
    struct link *next, *prev;   /* of all links, for read grants */
};

/* An accepted connection becomes the torrent's. */
void session_link_accepted(struct session_torrent *st, uint32_t id,
                           struct conn *c);
/* Requests to trackers that are out are given up. */
void session_announces_cancel(struct session_torrent *st);
/* Frees all but the row and the journal's batches. */
void session_torrent_unload(struct session_torrent *st);
/* The store has the paths of the `file` rows: a user may have chosen names. */
void session_torrent_open_store(struct session_torrent *st);
/* The core takes the files' priorities. */
void session_torrent_prioritize(struct session_torrent *st);
/* Nothing of it is under way but maybe disk jobs. */
bool session_torrent_rests(const struct session_torrent *st);
/* Removed in this run: a snapshot of wishes may show its row still. */
bool session_is_removed(const struct session *s, int64_t id);
/* The journal's rows say all there is to say of it, so they may be read again.
 */
bool session_journal_has_all(const struct session_torrent *st);
/* Facts of a torrent that is wished away are dropped. */
void session_journal_forget(struct session_torrent *st);
/* Some download limit is set, so grants are due every SESSION_LIMIT_MS. */
bool session_is_limited(const struct session *s);
/* A job of it came back. */
void session_job_done(struct session_torrent *st);
/* --min-free with its default; 0 = no floor. */
uint64_t session_min_free(const struct session *s);
/* No payload moves. */
bool session_is_idle(const struct session_torrent *st);

/* session.c */
void session_stop(struct session *s, int status, const char *text);
/* Something of it may have changed: at the end of the turn it is seen to that
 * its wishes go on and the timer knows its deadline. What is not touched costs
 * a turn nothing, however many there are. */
void session_touch(struct session_torrent *st);

/* session_torrent.c; session_torrent_delete: session_remove.c */
struct session_torrent *session_torrent_new(struct session *s,
                                            struct db_torrent *row);
void session_torrent_free(struct session_torrent *st);
/* Reads all rows; on any thread. Of `st` it touches only what it fills and
 * reads only the id. */
void session_torrent_load(struct session_torrent *st, struct db *db);
/* On the loop thread, when that is done: the journal and the reports look at
 * the facts while others are being read. */
void session_torrent_loaded(struct session_torrent *st);
/* Loaded: parses, opens the store, begins the startup verification. */
void session_torrent_begin(struct session_torrent *st);
void session_torrent_run(struct session_torrent *st);
void session_torrent_stop(struct session_torrent *st);
void session_torrent_stopped(struct session_torrent *st);
void session_torrent_checked(struct session_torrent *st); /* the check ended */
void session_torrent_fail(struct session_torrent *st, int code,
                          const char *text);
void session_torrent_tick(struct session_torrent *st);   /* its time came */
void session_torrent_second(struct session_torrent *st); /* one has passed */
uint64_t session_torrent_deadline(const struct session_torrent *st);
/* Everything wanted of it in this run is over. */
bool session_torrent_is_over(const struct session_torrent *st);
bool session_torrent_goal(const struct session_torrent *st);
/* Begins the removal, when the journal lets it. */
void session_torrent_delete(struct session_torrent *st);

/* session_startup.c */
void session_startup_begin(struct session_torrent *st);
/* Hash again on a wish, while it runs: everything verified before `since`. */
void session_startup_verify(struct session_torrent *st, int64_t since);

/* session_action.c, session_listen.c */
void session_event(struct session_torrent *st, const struct event *ev);
void session_drain(struct session_torrent *st);
void session_close_links(struct session_torrent *st);
struct disk_job *session_job(struct session_torrent *st, enum disk_op op,
                             disk_done_fn *done);
void session_job_free(struct disk_job *job);
void session_job_piece(struct session_torrent *st, struct disk_job *job,
                       uint32_t piece, uint32_t begin, uint32_t len);
int session_listen(struct session *s, struct err *e);
void session_incoming_free(struct session *s);
void session_incoming_tick(struct session *s);

/* session_journal.c */
void session_fact(struct session_torrent *st, const struct action *a);
void session_journal_tick(struct session *s);
void session_journal_written(struct session *s); /* a WRITE came back */
uint64_t session_journal_deadline(const struct session *s);
void session_journal_committed(void *ctx, struct db_batch *b, int code,
                               const struct err *e);
void session_journal_peer(struct session_torrent *st, uint32_t id);
void session_journal_tracker(struct session_torrent *st, uint32_t i);
void session_journal_event(struct session_torrent *st, enum db_level level,
                           const char *kind, const char *text);
/* The torrent may have something for the next commit. */
void session_journal_move(struct session_torrent *st);
void session_journal_unlink(struct session_torrent *st); /* before it goes */
/* A second has passed: rates that have died down and time spent seeding are
 * told, too. */
void session_journal_second(struct session_torrent *st);
bool session_journal_is_clean(const struct session *s);
void session_torrent_done(struct session_torrent *st); /* and durable */
void session_torrent_reload(struct session_torrent *st);

/* session_wish.c */
void session_wish_remove(struct session_torrent *st);
/* What is wished now: run, pause or removal. */
void session_wish_wanted(struct session_torrent *st);
void session_wishes(void *ctx, struct db_wishes *w);

/* session_report.c */
const char *session_state_name(const struct session_torrent *st);
void session_fill_progress(struct session_torrent *st, struct btc_progress *p);
void session_fill_stat(struct session_torrent *st, struct db_stat *out);
void session_tell(struct session_torrent *st, struct btc_event *ev);
void session_tell_type(struct session_torrent *st, enum btc_event_type type);
void session_tell_state(struct session_torrent *st);
void session_tell_stats(struct session *s, bool asked);
void session_tell_error(struct session *s, struct session_torrent *st, int code,
                        const char *text);

#endif
