/* The pipelines of a run; see pipes.h. */
#include "engine/pipes.h"

#include "base/mem.h"
#include "base/num.h"

#include <stddef.h>
#include <stdlib.h>

/* --- batches, as the core sees them --- */

static void *pipes_batch_make(void)
{
    return journal_batch_new();
}

static void pipes_batch_free(void *b)
{
    journal_batch_free(b);
}

static void pipes_batch_append(void *dst, void *src)
{
    journal_batch_append(dst, src);
}

static void pipes_batch_drop_claims(void *b)
{
    journal_batch_drop_claims(b);
}

static bool pipes_batch_is_empty(const void *b)
{
    return journal_batch_is_empty(b);
}

static const struct commit_batch_ops pipes_batch_ops = {
    .make = pipes_batch_make,
    .free = pipes_batch_free,
    .append = pipes_batch_append,
    .drop_claims = pipes_batch_drop_claims,
    .is_empty = pipes_batch_is_empty};

/* --- the list --- */

/* At the end of the list: the number of a pipeline is its place. */
static struct commit_pipe *pipes_add(struct engine *s, uint64_t dev_min,
                                     uint64_t dev_max)
{
    struct commit_pipe *p = mem_zalloc(sizeof(*p));
    p->dev_min = dev_min;
    p->dev_max = dev_max;
    commit_init(&p->c, &pipes_batch_ops, s->commit.interval_ms,
                loop_now_ms(s->loop));
    LL_APPEND(s->commit.pipes, p);
    return p;
}

static struct commit_pipe *pipes_find(struct engine *s, uint64_t dev_min,
                                      uint64_t dev_max)
{
    struct commit_pipe *p = s->commit.pipes->next;
    while (p != NULL && (p->dev_min != dev_min || p->dev_max != dev_max)) {
        p = p->next;
    }
    if (p == NULL) {
        p = pipes_add(s, dev_min, dev_max);
    }
    return p;
}

/* Its place in the list; 0 = the engine's own. */
static uint32_t pipes_number(const struct engine *s, const struct commit *c)
{
    uint32_t n = 0;
    for (struct commit_pipe *p = s->commit.pipes; &p->c != c; p = p->next) {
        n++;
    }
    return n;
}

void pipes_open(struct engine *s)
{
    (void)pipes_add(s, 0, 0);
}

void pipes_close(struct engine *s)
{
    struct commit_pipe *p;
    while ((p = s->commit.pipes) != NULL) {
        s->commit.pipes = p->next;
        commit_fini(&p->c);
        free(p);
    }
}

void pipes_hurry(struct engine *s)
{
    for (struct commit_pipe *p = s->commit.pipes; p != NULL; p = p->next) {
        commit_hurry(&p->c);
    }
}

struct journal_batch *pipes_free_facts(const struct engine *s)
{
    return commit_free_facts(&s->commit.pipes->c);
}

/* --- torrents --- */

void pipes_join(struct engine_torrent *st)
{
    commit_join(&st->s->commit.pipes->c, &st->ledger.member);
}

void pipes_place(struct engine_torrent *st, uint64_t root,
                 const struct fingerprint *prints)
{
    uint64_t dev_min = root, dev_max = root;
    for (uint32_t i = 0; i < st->geom.n_files; i++) {
        if (!st->geom.files[i].pad) {
            dev_min = num_min_u64(dev_min, prints[i].dev);
            dev_max = num_max_u64(dev_max, prints[i].dev);
        }
    }
    struct commit_pipe *p = pipes_find(st->s, dev_min, dev_max);
    store_tree_set_lane(st->store, pipes_number(st->s, &p->c));
    commit_change(&st->ledger.member, &p->c);
}

struct commit_pipe *pipes_of(const struct engine_torrent *st)
{
    void *c = st->ledger.member.c;
    return (struct commit_pipe *)((char *)c - offsetof(struct commit_pipe, c));
}

struct engine_torrent *pipes_torrent(struct commit_member *m)
{
    void *st = (char *)m - offsetof(struct engine_torrent, ledger.member);
    return st;
}

/* --- writes --- */

/* The number of the pipeline, and in the lowest bit the turn. */
uint32_t pipes_begin_write(struct engine_torrent *st)
{
    struct commit *c = st->ledger.member.c;
    return pipes_number(st->s, c) << 1 | commit_begin_write(c);
}

void pipes_end_write(struct engine *s, uint32_t ticket)
{
    struct commit_pipe *p = s->commit.pipes;
    for (uint32_t n = ticket >> 1; n > 0; n--) {
        p = p->next;
    }
    commit_end_write(&p->c, ticket & 1);
}
