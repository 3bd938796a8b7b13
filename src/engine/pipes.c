/* The pipelines of the engine's torrents; see pipes.h. */
#include "engine/pipes.h"

#include "base/num.h"

#include <stddef.h>

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

/* --- all of them --- */

void pipes_open(struct engine *s)
{
    pipeline_open(&s->commit.pipes, &pipes_batch_ops, s->commit.interval_ms,
                  loop_now_ms(s->loop));
}

void pipes_close(struct engine *s)
{
    pipeline_close(&s->commit.pipes);
}

void pipes_hurry(struct engine *s)
{
    pipeline_hurry(&s->commit.pipes);
}

struct journal_batch *pipes_free_facts(const struct engine *s)
{
    return commit_free_facts(&s->commit.pipes.first->c);
}

/* --- torrents --- */

void pipes_join(struct engine_torrent *st)
{
    commit_join(&st->s->commit.pipes.first->c, &st->ledger.member);
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
    uint32_t number =
        pipeline_place(&st->s->commit.pipes, &st->ledger.member, dev_min,
                       dev_max, loop_now_ms(st->s->loop));
    store_tree_set_lane(st->store, number);
}

struct pipeline *pipes_of(const struct engine_torrent *st)
{
    return pipeline_of(&st->ledger.member);
}

struct engine_torrent *pipes_torrent(struct commit_member *m)
{
    void *st = (char *)m - offsetof(struct engine_torrent, ledger.member);
    return st;
}

/* --- writes --- */

uint32_t pipes_begin_write(struct engine_torrent *st)
{
    return pipeline_begin_write(&st->s->commit.pipes, &st->ledger.member);
}

void pipes_end_write(struct engine *s, uint32_t ticket)
{
    pipeline_end_write(&s->commit.pipes, ticket);
}
