/* The pipelines of a run; see pipeline.h. */
#include "core/durable/pipeline.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"

#include <stdlib.h>

/* At the end of the list. */
static struct pipeline *pipeline_add(struct pipeline_set *set, uint64_t dev_min,
                                     uint64_t dev_max, uint64_t now_ms)
{
    struct pipeline **end = &set->first;
    struct pipeline *p = mem_zalloc(sizeof(*p));
    p->dev_min = dev_min;
    p->dev_max = dev_max;
    commit_init(&p->c, set->ops, set->interval_ms, now_ms);
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = p;
    return p;
}

void pipeline_open(struct pipeline_set *set, const struct commit_batch_ops *ops,
                   uint32_t interval_ms, uint64_t now_ms)
{
    *set = (struct pipeline_set){.ops = ops, .interval_ms = interval_ms};
    (void)pipeline_add(set, 0, 0, now_ms);
}

void pipeline_close(struct pipeline_set *set)
{
    struct pipeline *p;
    while ((p = set->first) != NULL) {
        set->first = p->next;
        commit_fini(&p->c);
        free(p);
    }
}

/* --- which one --- */

struct pipeline *pipeline_of(const struct commit_member *m)
{
    void *c = m->c;
    return (struct pipeline *)((char *)c - offsetof(struct pipeline, c));
}

struct pipeline *pipeline_of_batch(const struct pipeline_set *set,
                                   const void *batch)
{
    struct pipeline *p = set->first;
    while (p != NULL && p->c.batch != batch) {
        p = p->next;
    }
    return p;
}

/* The one of these devices, NULL when there is none yet. */
static struct pipeline *pipeline_find(const struct pipeline_set *set,
                                      uint64_t dev_min, uint64_t dev_max)
{
    struct pipeline *p = set->first->next;
    while (p != NULL && (p->dev_min != dev_min || p->dev_max != dev_max)) {
        p = p->next;
    }
    return p;
}

static uint32_t pipeline_number(const struct pipeline_set *set,
                                const struct pipeline *p)
{
    uint32_t n = 0;
    for (const struct pipeline *at = set->first; at != p; at = at->next) {
        n++;
    }
    return n;
}

uint32_t pipeline_place(struct pipeline_set *set, struct commit_member *m,
                        uint64_t dev_min, uint64_t dev_max, uint64_t now_ms)
{
    struct pipeline *p = pipeline_find(set, dev_min, dev_max);
    if (p == NULL) {
        p = pipeline_add(set, dev_min, dev_max, now_ms);
    }
    commit_change(m, &p->c);
    return pipeline_number(set, p);
}

/* --- all of them --- */

void pipeline_hurry(const struct pipeline_set *set)
{
    for (struct pipeline *p = set->first; p != NULL; p = p->next) {
        commit_hurry(&p->c);
    }
}

uint64_t pipeline_deadline(const struct pipeline_set *set)
{
    uint64_t at = UINT64_MAX;
    for (const struct pipeline *p = set->first; p != NULL; p = p->next) {
        at = num_min_u64(at, commit_deadline(&p->c));
    }
    return at;
}

/* --- writes --- */

/* The number of the pipeline, and in the lowest bit the turn. */
uint32_t pipeline_begin_write(const struct pipeline_set *set,
                              const struct commit_member *m)
{
    return pipeline_number(set, pipeline_of(m)) << 1 | commit_begin_write(m->c);
}

void pipeline_end_write(const struct pipeline_set *set, uint32_t ticket)
{
    struct pipeline *p = set->first;
    for (uint32_t n = ticket >> 1; n > 0; n--) {
        p = p->next;
    }
    commit_end_write(&p->c, ticket & 1);
}
