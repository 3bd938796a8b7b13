/* The queue in which content and swarm put their actions and from which the
 * driver takes them, in that order.
 *
 * Memory inside an action (a text, a tracker request) belongs to the queue
 * until the action is given out, and lives until the next one is asked for.
 */
#ifndef BTC_CORE_ACTION_ACTIONS_H
#define BTC_CORE_ACTION_ACTIONS_H

#include "core/action/action.h"

struct actions {
    struct action *ring; /* owns; `cap` of them, a power of two */
    uint32_t head, n, cap;
    void *lent; /* owns; memory of the last action given out */
};

/* A zeroed struct is an empty queue. */
void actions_fini(struct actions *q);
/* A new action at the end, zeroed but for its type; until the next push. */
struct action *actions_push(struct actions *q, enum action_type type);
/* A fact without text. `index`: block, peerset id or tracker. */
void actions_fact(struct actions *q, enum fact_type type, uint32_t piece,
                  uint32_t index);
/* A row of `event`; `kind` is a literal. */
void actions_event(struct actions *q, enum level level, const char *kind,
                   const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void actions_notify(struct actions *q, enum notify_type type, uint32_t piece,
                    uint32_t file);
/* The torrent cannot go on. */
void actions_error(struct actions *q, int result, const char *text);
/* What the last action lent is the queue's again. */
void actions_take_back(struct actions *q);
/* The oldest action; false when there is none. */
bool actions_next(struct actions *q, struct action *out);

#endif
