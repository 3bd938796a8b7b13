/* What others call; each thing is done in the file that it belongs to. */
#include "core/content/content.h"

#include "base/err.h"
#include "base/mem.h"
#include "core/content/internal.h"
#include <stdlib.h>

struct content *content_new(const struct content_config *config)
{
    struct content *c = mem_zalloc(sizeof *c);
    c->shared = config->shared;
    c->actions = config->actions;
    c->layout = config->layout;
    c->picker = picker_new(config->layout, config->shared->rng);
    picker_set_sequential(c->picker, config->sequential);
    files_init(c);
    check_init(c);
    return c;
}

void content_free(struct content *c)
{
    if (c == NULL) {
        return;
    }
    BTC_ASSERT(c->pieces.n_jobs == 0);
    BTC_ASSERT(c->check.n_hashing == 0);
    pieces_fini(c);
    blame_fini(c);
    check_fini(c);
    files_fini(c);
    outcomes_fini(c);
    picker_free(c->picker);
    free(c);
}

/* --- lifecycle --- */

void content_start(struct content *c)
{
    c->state = CONTENT_OPEN;
    pieces_start(c);
    pieces_start_pads(c);
}

void content_stop(struct content *c)
{
    c->state = CONTENT_STOPPING;
    pieces_flush(c);
}

void content_flush(struct content *c)
{
    pieces_flush(c);
}

void content_check_pump(struct content *c)
{
    check_pump(c);
}

bool content_is_quiet(const struct content *c)
{
    return c->pieces.n_jobs == 0 && c->check.n_hashing == 0;
}

/* --- what the journal says, and users --- */

void content_restore_piece(struct content *c, uint32_t piece)
{
    if (layout_has_piece(c->layout, piece) && !content_has_piece(c, piece)) {
        picker_set_have(c->picker, piece);
        files_count(c, piece, true, false);
    }
}

void content_restore_block(struct content *c, uint32_t piece, uint32_t block)
{
    if (layout_has_piece(c->layout, piece) &&
        block < layout_n_blocks(c->layout, piece) &&
        !content_has_piece(c, piece)) {
        pieces_restore(c, piece, block);
    }
}

void content_check_piece(struct content *c, uint32_t piece, bool claimed)
{
    if (layout_has_piece(c->layout, piece)) {
        check_add(c, piece, claimed);
    }
}

bool content_set_priorities(struct content *c, const uint8_t *prio)
{
    return files_set_priorities(c, prio);
}

void content_set_sequential(struct content *c, bool on)
{
    picker_set_sequential(c->picker, on);
}

/* --- answers to jobs --- */

void content_finished(struct content *c, uint32_t piece, int result,
                      bool unwritten, const uint8_t (*hashes)[SHA1_LEN])
{
    pieces_finished(c, piece, result, unwritten, hashes);
}

void content_written(struct content *c, uint32_t piece, int result,
                     const uint8_t (*hashes)[SHA1_LEN])
{
    pieces_written(c, piece, result, hashes);
}

void content_hashed(struct content *c, uint32_t piece, int result)
{
    check_hashed(c, piece, result);
}

/* --- the mailbox --- */

bool content_next_outcome(struct content *c, struct content_outcome *out)
{
    return outcomes_next(c, out);
}

bool content_has_outcomes(const struct content *c)
{
    return c->outcomes.n > 0;
}

void content_wake(struct content *c)
{
    outcomes_post_free(c);
}

/* --- for a swarm --- */

void content_peer_joined(struct content *c, const struct bits *have)
{
    picker_add_peer(c->picker, have);
}

void content_peer_left(struct content *c, const struct bits *have)
{
    picker_remove_peer(c->picker, have);
}

void content_peer_has(struct content *c, uint32_t piece)
{
    picker_peer_has(c->picker, piece);
}

bool content_is_interesting(const struct content *c, const struct bits *have)
{
    return picker_is_interesting(c->picker, have);
}

bool content_is_todo(const struct content *c, uint32_t piece)
{
    return picker_is_todo(c->picker, piece);
}

bool content_has_todo(const struct content *c)
{
    return picker_has_todo(c->picker);
}

bool content_is_endgame(const struct content *c)
{
    return picker_is_endgame(c->picker);
}

bool content_has_more(const struct content *c, bool duplicates)
{
    return picker_has_more(c->picker, duplicates);
}

/* Of the pieces `only`, all of them when it is empty. */
static size_t content_pick_of(struct content *c,
                              const struct content_asker *who,
                              const struct bits *only, struct picker_block *out,
                              size_t max)
{
    const struct bits *set = NULL;
    if (only->n > 0) {
        set = only;
    }
    return picker_pick(c->picker, who->peer, who->have, set, who->flags, out,
                       max);
}

/* A pick while some pieces are suspect. Their owners alone get them, and before
 * all else: until such a piece has passed, whoever lied in it goes on. */
static size_t content_pick_masked(struct content *c,
                                  const struct content_asker *who,
                                  struct picker_block *out, size_t max)
{
    struct bits only = {0};
    struct bits own = {0};
    size_t n = 0;
    if (who->only != NULL) {
        if (bits_init(&only, who->only->n) < 0 ||
            bits_load(&only, bits_slice(who->only)) < 0) {
            bits_fini(&only);
            return 0;
        }
    }
    if (blame_owned(c, who, &own)) {
        n = content_pick_of(c, who, &own, out, max);
    }
    if (n < max) {
        blame_mask(c, who, &only);
        n += content_pick_of(c, who, &only, out + n, max - n);
    }
    bits_fini(&only);
    bits_fini(&own);
    return n;
}

size_t content_pick(struct content *c, const struct content_asker *who,
                    struct picker_block *out, size_t max)
{
    if (c->suspects != NULL) {
        return content_pick_masked(c, who, out, max);
    }
    return picker_pick(c->picker, who->peer, who->have, who->only, who->flags,
                       out, max);
}

void content_unpick(struct content *c, uint32_t peer, struct picker_block b)
{
    picker_on_dropped(c->picker, peer, b);
}

void content_drop(struct content *c, uint32_t peer, struct picker_block b)
{
    picker_on_dropped(c->picker, peer, b);
    outcomes_post_free(c);
}

size_t content_askers(const struct content *c, struct picker_block b,
                      uint32_t out[PICKER_MAX_ASKERS])
{
    return picker_askers(c->picker, b, out);
}

bool content_wants_block(const struct content *c, uint32_t peer,
                         struct picker_block b)
{
    enum picker_state state = picker_state(c->picker, b.piece);
    return (state == PICKER_ACTIVE || state == PICKER_MISSING) &&
           !picker_is_received(c->picker, b) && blame_allows(c, peer, b.piece);
}

bool content_has_block(const struct content *c, struct picker_block b)
{
    return picker_is_received(c->picker, b);
}

bool content_add_block(struct content *c, uint32_t peer, struct picker_block b,
                       uint8_t *mem, uint64_t now_ms)
{
    if (!picker_on_block(c->picker, peer, b)) {
        return false;
    }
    blame_block(c, peer, b.piece, now_ms);
    pieces_add(c, b, mem);
    return true;
}

void content_relieve(struct content *c)
{
    pieces_relieve(c);
}

bool content_is_tight(const struct content *c)
{
    return c->shared->mem_partial > c->shared->pool->max / 8;
}

void content_purge(struct content *c, content_is_bad_fn *is_bad,
                   const void *ctx)
{
    pieces_purge(c, is_bad, ctx);
}

bool content_has_suspects(const struct content *c)
{
    return c->suspects != NULL;
}

bool content_may_send(const struct content *c, uint32_t peer, uint32_t piece)
{
    return blame_allows(c, peer, piece);
}

bool content_choose_owners(struct content *c,
                           const struct content_candidate *all, size_t n,
                           uint64_t now_ms)
{
    struct suspect_piece *s;
    bool changed = false;
    blame_forget_here(c);
    for (s = c->suspects; s != NULL; s = s->hh.next) {
        if (blame_choose(c, s, all, n, now_ms)) {
            pieces_keep_only(c, s->piece, s->owner);
            changed = true;
        }
    }
    return changed;
}

/* --- facts --- */

void content_get_stats(const struct content *c, struct content_stats *out)
{
    *out = (struct content_stats){.bytes_done = c->files.wanted_done,
                                  .bytes_total = c->files.wanted_bytes,
                                  .pieces_done = picker_n_have(c->picker),
                                  .pieces_checking = check_left(c),
                                  .checked_to = check_floor(c),
                                  .wasted = c->wasted};
}

const struct layout *content_layout(const struct content *c)
{
    return c->layout;
}

const struct picker *content_picker(const struct content *c)
{
    return c->picker;
}

const struct bits *content_have(const struct content *c)
{
    return picker_have(c->picker);
}

bool content_has_piece(const struct content *c, uint32_t piece)
{
    return picker_state(c->picker, piece) == PICKER_HAVE;
}

uint32_t content_check_left(const struct content *c)
{
    return check_left(c);
}

bool content_waits_to_hash(const struct content *c)
{
    return c->state != CONTENT_STOPPING && c->check.todo.count > 0 &&
           c->check.n_hashing == 0;
}

uint32_t content_wanted_left(const struct content *c)
{
    return picker_n_wanted_left(c->picker);
}

bool content_is_complete(const struct content *c)
{
    return picker_n_wanted_left(c->picker) == 0 && check_left(c) == 0;
}

uint64_t content_left(const struct content *c)
{
    return files_left(c);
}

uint64_t content_file_done(const struct content *c, uint32_t file)
{
    return c->files.done[file];
}

bool content_file_needed(const struct content *c, uint32_t file)
{
    return files_is_needed(c, file);
}
