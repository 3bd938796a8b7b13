/* Batches: facts on their way to the journal.
 *
 * A batch is an array of small ops and, for rows with text, a bump buffer that
 * the ops point into by offset (in units of 8 bytes, so that a struct may lie
 * there as it is). Nothing is shared: a batch may go to another thread whole.
 */
#include "journal/ops.h"

#include "base/mem.h"
#include "model/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An empty batch. */
struct journal_batch *journal_batch_new(void)
{
    return mem_zalloc(sizeof(struct journal_batch));
}

/* Frees a batch. */
void journal_batch_free(struct journal_batch *b)
{
    if (b) {
        free(b->ops);
        free(b->ext);
        free(b->refused);
        free(b);
    }
}

/* True when there is nothing to apply. */
bool journal_batch_is_empty(const struct journal_batch *b)
{
    return b->n_ops == 0;
}

/* Their bump memory stays until the batch goes. */
void journal_batch_drop_claims(struct journal_batch *b)
{
    size_t kept = 0;
    for (size_t i = 0; i < b->n_ops; i++) {
        if (!journal_facts[b->ops[i].kind].is_claim) {
            b->ops[kept++] = b->ops[i];
        }
    }
    b->n_ops = kept;
}

/* Room for n more ops. */
static void journal_batch_grow_ops(struct journal_batch *b, size_t n)
{
    if (n > b->cap_ops - b->n_ops) {
        b->cap_ops = (b->n_ops + n) + (b->n_ops + n) / 2 + 16;
        b->ops = mem_resize(b->ops, b->cap_ops, sizeof(*b->ops));
    }
}

/* Room for n more words of the bump buffer. */
static void journal_batch_grow_ext(struct journal_batch *b, size_t n)
{
    if (n > b->cap_ext - b->n_ext) {
        b->cap_ext = (b->n_ext + n) + (b->n_ext + n) / 2 + 64;
        b->ext = mem_resize(b->ext, b->cap_ext, sizeof(*b->ext));
    }
    BTC_ASSERT(b->cap_ext <= UINT32_MAX);
}

/* Empty and without memory: ten thousand torrents have one each, and most have
 * nothing to say for hours. */
static void journal_batch_clear(struct journal_batch *b)
{
    free(b->ops);
    free(b->ext);
    *b = (struct journal_batch){0};
}

/* Moves what `src` holds behind what `dst` holds; `src` is empty then. */
void journal_batch_append(struct journal_batch *dst, struct journal_batch *src)
{
    if (src->n_ops == 0) {
        return;
    }
    journal_batch_grow_ops(dst, src->n_ops);
    journal_batch_grow_ext(dst, src->n_ext);
    uint32_t shift = (uint32_t)dst->n_ext;
    for (size_t i = 0; i < src->n_ops; i++) {
        struct journal_op op = src->ops[i];
        op.ext += shift;
        dst->ops[dst->n_ops++] = op;
    }
    if (src->n_ext > 0) {
        memcpy(dst->ext + dst->n_ext, src->ext, src->n_ext * sizeof(*src->ext));
    }
    dst->n_ext += src->n_ext;
    journal_batch_clear(src);
}

/* Adds an op; its bump memory begins at the buffer's end. */
static struct journal_op *
journal_batch_op(struct journal_batch *b, enum journal_op_kind kind, int64_t id)
{
    journal_batch_grow_ops(b, 1);
    struct journal_op *op = &b->ops[b->n_ops++];
    *op =
        (struct journal_op){.kind = kind, .id = id, .ext = (uint32_t)b->n_ext};
    return op;
}

/* Copies bytes to the end of the bump buffer. */
static void journal_batch_copy(struct journal_batch *b, const void *p,
                               size_t len)
{
    size_t words = (len + sizeof(*b->ext) - 1) / sizeof(*b->ext);
    journal_batch_grow_ext(b, words);
    if (words > 0) {
        b->ext[b->n_ext + words - 1] = 0; /* no stray bytes at the end */
        memcpy(b->ext + b->n_ext, p, len);
    }
    b->n_ext += words;
}

/* A verified and durable piece. */
void journal_put_piece(struct journal_batch *b, int64_t id, uint32_t piece,
                       int64_t verified_at)
{
    struct journal_op *op = journal_batch_op(b, JOURNAL_OP_PUT_PIECE, id);
    op->a = piece;
    op->n = verified_at;
}

/* A piece that is not there any more. */
void journal_del_piece(struct journal_batch *b, int64_t id, uint32_t piece)
{
    journal_batch_op(b, JOURNAL_OP_DEL_PIECE, id)->a = piece;
}

/* A durable block of an incomplete piece. */
void journal_put_block(struct journal_batch *b, int64_t id, uint32_t piece,
                       uint32_t block)
{
    struct journal_op *op = journal_batch_op(b, JOURNAL_OP_PUT_BLOCK, id);
    op->a = piece;
    op->b = block;
}

/* All blocks of a piece go. */
void journal_del_blocks(struct journal_batch *b, int64_t id, uint32_t piece)
{
    journal_batch_op(b, JOURNAL_OP_DEL_BLOCKS, id)->a = piece;
}

/* Fills in the facts of a file. */
static void journal_batch_file(struct journal_batch *b, struct journal_op *op,
                               const struct journal_file_state *f)
{
    const struct journal_file_fact fact = {.dev = f->dev,
                                           .ino = f->ino,
                                           .size = f->size,
                                           .mtime_ns = f->mtime_ns,
                                           .ctime_ns = f->ctime_ns,
                                           .bytes_done = f->bytes_done};
    op->b = f->has_print;
    op->n = journal_file_since(f);
    journal_batch_copy(b, &fact, sizeof(fact));
}

void journal_put_file(struct journal_batch *b, int64_t id, uint32_t file,
                      const struct journal_file_state *f)
{
    struct journal_op *op = journal_batch_op(b, JOURNAL_OP_PUT_FILE, id);
    op->a = file;
    journal_batch_file(b, op, f);
}

void journal_put_doubt(struct journal_batch *b, int64_t id, uint32_t file,
                       const struct journal_file_state *f)
{
    struct journal_op *op = journal_batch_op(b, JOURNAL_OP_PUT_DOUBT, id);
    op->a = file;
    journal_batch_file(b, op, f);
}

void journal_put_less(struct journal_batch *b, int64_t id, uint32_t file,
                      uint64_t bytes_done)
{
    struct journal_op *op = journal_batch_op(b, JOURNAL_OP_PUT_LESS, id);
    op->a = file;
    op->n = (int64_t)bytes_done;
}

/* Where the bytes of a file lie that is not wanted. */
void journal_put_part(struct journal_batch *b, int64_t id, uint32_t file,
                      const char *part)
{
    journal_batch_op(b, JOURNAL_OP_PUT_PART, id)->a = file;
    if (!part) {
        part = "";
    }
    journal_batch_copy(b, part, strlen(part) + 1);
}

/* A peer's record. One that cannot be dialled has none. */
void journal_put_peer(struct journal_batch *b, int64_t id,
                      const struct journal_peer *p)
{
    if (!journal_is_address(p->address, p->port)) {
        return;
    }
    struct journal_peer copy = *p;
    journal_clean_text(copy.source, sizeof(copy.source), p->source);
    journal_clean_text(copy.client, sizeof(copy.client), p->client);
    journal_clean_text(copy.outcome, sizeof(copy.outcome), p->outcome);
    (void)journal_batch_op(b, JOURNAL_OP_PUT_PEER, id);
    journal_batch_copy(b, &copy, sizeof(copy));
}

/* Forgets a peer. */
void journal_del_peer(struct journal_batch *b, int64_t id, const char *address,
                      uint16_t port)
{
    struct journal_op *op = journal_batch_op(b, JOURNAL_OP_DEL_PEER, id);
    op->a = port;
    journal_batch_copy(b, address, strlen(address) + 1);
}

/* Forgets the worst peers. */
void journal_trim_peers(struct journal_batch *b, int64_t id)
{
    (void)journal_batch_op(b, JOURNAL_OP_TRIM_PEERS, id);
}

/* A tracker's state; its url finds the row. */
void journal_put_tracker(struct journal_batch *b, int64_t id,
                         const struct journal_tracker *t)
{
    struct journal_tracker copy = *t;
    copy.url = NULL;
    journal_clean_text(copy.state, sizeof(copy.state), t->state);
    journal_clean_text(copy.error, sizeof(copy.error), t->error);
    (void)journal_batch_op(b, JOURNAL_OP_PUT_TRACKER, id);
    journal_batch_copy(b, &copy, sizeof(copy));
    journal_batch_copy(b, t->url, strlen(t->url) + 1);
}

/* A torrent's live row. */
void journal_put_stat(struct journal_batch *b, int64_t id,
                      const struct journal_stat *s)
{
    struct journal_stat copy = *s;
    char error[256];
    copy.error = NULL;
    journal_clean_text(error, sizeof(error), s->error);
    (void)journal_batch_op(b, JOURNAL_OP_PUT_STAT, id);
    journal_batch_copy(b, &copy, sizeof(copy));
    journal_batch_copy(b, error, strlen(error) + 1);
}

/* Two texts, one behind the other. */
static void journal_batch_copy_two(struct journal_batch *b, const char *first,
                                   const char *second)
{
    char clean[JOURNAL_EVENT_MAX];
    char both[JOURNAL_EVENT_MAX + 64];
    journal_clean_text(clean, sizeof(clean), second);
    int len = snprintf(both, sizeof(both), "%.60s%c%s", first, '\0', clean);
    journal_batch_copy(b, both, (size_t)len + 1);
}

/* A drive that does not answer. */
void journal_put_silence(struct journal_batch *b, int64_t id, int64_t since,
                         enum btc_state state, const char *error)
{
    journal_batch_op(b, JOURNAL_OP_PUT_SILENCE, id)->n = since;
    journal_batch_copy_two(b, btc_state_name(state), error);
}

/* A command that is owed. */
void journal_put_owed(struct journal_batch *b, int64_t id, bool owed)
{
    journal_batch_op(b, JOURNAL_OP_PUT_OWED, id)->a = owed;
}

/* The .torrent stands where it is to be kept. */
void journal_put_kept(struct journal_batch *b, int64_t id)
{
    (void)journal_batch_op(b, JOURNAL_OP_PUT_KEPT, id);
}

/* Files are made that no row tells of yet, or all are told. */
void journal_put_making(struct journal_batch *b, int64_t id, int64_t since)
{
    journal_batch_op(b, JOURNAL_OP_PUT_MAKING, id)->n = since;
}

/* Something to tell. It is dated now, not when it is committed. */
void journal_put_event(struct journal_batch *b, int64_t id, enum level level,
                       const char *kind, const char *text)
{
    struct journal_op *op = journal_batch_op(b, JOURNAL_OP_PUT_EVENT, id);
    op->a = (uint32_t)level;
    op->n = journal_now();
    journal_batch_copy_two(b, kind, text);
}

/* The wished verification is done; not one that is wished for since. */
void journal_put_verify_done(struct journal_batch *b, int64_t id, int64_t until)
{
    journal_batch_op(b, JOURNAL_OP_VERIFY_DONE, id)->n = until;
}

/* The wished starting over has been done. */
void journal_put_accepted_loss(struct journal_batch *b, int64_t id)
{
    (void)journal_batch_op(b, JOURNAL_OP_ACCEPTED_LOSS, id);
}

/* The wished overwriting has been done. */
void journal_put_overwritten(struct journal_batch *b, int64_t id)
{
    (void)journal_batch_op(b, JOURNAL_OP_OVERWRITTEN, id);
}

/* The engine lives, and has nothing else to say. */
void journal_put_alive(struct journal_batch *b)
{
    journal_batch_op(b, JOURNAL_OP_ALIVE, 0)->n = journal_now();
}

/* The engine writes. */
void journal_put_heartbeat(struct journal_batch *b)
{
    journal_batch_op(b, JOURNAL_OP_HEARTBEAT, 0)->n = journal_now();
}

/* The engine ends in order. */
void journal_put_run_end(struct journal_batch *b)
{
    journal_batch_op(b, JOURNAL_OP_RUN_END, 0)->n = journal_now();
}
