/* The end of a turn of the loop, as everybody may use it: whoever changes
 * something of a torrent touches it, hands events to its core, or posts events
 * of its life. Nothing follows at once. At the end of the turn engine.c drains
 * and settles every torrent that was touched; what was not touched costs a turn
 * nothing, however many there are. */
#ifndef BTC_ENGINE_TURN_H
#define BTC_ENGINE_TURN_H

#include "engine/internal.h"

/* Something of it may have changed: it is settled at the end of the turn, and
 * the next commit asks it for facts. */
void turn_touch(struct engine_torrent *st);
/* Only the latter. */
void turn_ask(struct engine_torrent *st);
/* Out of all lists, its mail is thrown away. */
void turn_forget(struct engine_torrent *st);
/* The next one that was touched, off the list; NULL = none. */
struct engine_torrent *turn_next(struct engine *s);
/* It waits for the journal or a job: looked at again in the next turn. `list`
 * gathers such torrents while the others are settled. */
void turn_wait(struct engine_torrent **list, struct engine_torrent *st);
/* When its time comes; UINT64_MAX = never. */
void turn_place_at(struct engine_torrent *st, uint64_t at_ms);
uint64_t turn_deadline(const struct engine *s); /* the first of those */
/* The next one whose time has come, off the heap; NULL = none. */
struct engine_torrent *turn_next_due(struct engine *s, uint64_t now_ms);

/* An event of the core. What the core wants then is carried out when it is
 * drained. Nothing happens without a core. */
void turn_input(struct engine_torrent *st, const struct event *ev);

#define TORRENT_ERROR_MAX 320 /* bytes that are kept of a text of FAILED */

/* Events of the life, in the order of posting. */
struct mail {
    struct life_event ev;
    struct mail *next;
    char text[]; /* FAILED, REMOVAL_FAILED: what people are told */
};
void turn_post(struct engine_torrent *st, enum life_event_type type);
void turn_post_event(struct engine_torrent *st, const struct life_event *ev,
                     const char *text);
void turn_post_failed(struct engine_torrent *st, int code, const char *text);
/* The oldest one; free() it. NULL = none. */
struct mail *turn_take_mail(struct engine_torrent *st);

/* The torrent of an info hash (SHA1_LEN) that runs; NULL = none. */
struct engine_torrent *turn_find(const struct engine *s,
                                 const uint8_t *info_hash);

/* The run is to end. The first status stays; `text` may be NULL. */
void turn_end(struct engine *s, int status, const char *text);
/* Somebody has said so. */
bool turn_is_ending(const struct engine *s);

#endif
