/* A ring that doubles when it is full. */
#include "core/action/actions.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/vec.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* More is a bug of ours. A piece may complete METAINFO_MAX_FILES files, and
 * each is told. */
#define ACTIONS_MAX (1u << 22)
/* Room at first: a torrent at rest has an action now and then. */
#define ACTIONS_FIRST 4

struct action *actions_push(struct actions *q, enum action_type type)
{
    BTC_ASSERT(q->n < ACTIONS_MAX);
    q->ring = vec_ring_room(q->ring, q->n, &q->head, &q->cap, ACTIONS_FIRST,
                            sizeof *q->ring);
    struct action *a = &q->ring[(q->head + q->n) & (q->cap - 1)];
    q->n++;
    *a = (struct action){.type = type};
    return a;
}

void actions_fact(struct actions *q, enum fact_type type, uint32_t piece,
                  uint32_t index)
{
    struct action *a = actions_push(q, ACTION_PERSIST);
    a->piece = piece;
    a->fact.type = type;
    a->fact.index = index;
    a->fact.block = index;
}

void actions_event(struct actions *q, enum level level, const char *kind,
                   const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    struct action *a = actions_push(q, ACTION_PERSIST);
    a->fact.type = FACT_EVENT;
    a->fact.level = level;
    a->fact.kind = kind;
    a->fact.text = mem_strdup(text);
}

void actions_notify(struct actions *q, enum notify_type type, uint32_t piece,
                    uint32_t file)
{
    struct action *a = actions_push(q, ACTION_NOTIFY);
    a->piece = piece;
    a->notify.type = type;
    a->notify.file = file;
}

void actions_error(struct actions *q, int result, const char *text)
{
    struct action *a = actions_push(q, ACTION_NOTIFY);
    a->notify.type = NOTIFY_ERROR;
    a->notify.result = result;
    a->notify.text = mem_strdup(text);
}

/* The memory inside an action. */
static void *actions_memory(const struct action *a)
{
    if (a->type == ACTION_PERSIST && a->fact.type == FACT_EVENT) {
        return a->fact.text;
    }
    if (a->type == ACTION_NOTIFY) {
        return a->notify.text;
    }
    if (a->type == ACTION_ANNOUNCE) {
        return a->announce.request;
    }
    return NULL;
}

void actions_take_back(struct actions *q)
{
    free(q->lent);
    q->lent = NULL;
}

bool actions_next(struct actions *q, struct action *out)
{
    actions_take_back(q);
    if (q->n == 0) {
        return false;
    }
    *out = q->ring[q->head];
    q->head = (q->head + 1) & (q->cap - 1);
    q->n--;
    q->lent = actions_memory(out);
    return true;
}

void actions_fini(struct actions *q)
{
    for (struct action a; actions_next(q, &a);) {
    }
    free(q->ring);
    *q = (struct actions){.ring = NULL};
}
