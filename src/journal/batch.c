/* Batches: facts on their way to the journal.
 *
 * A batch is an array of small ops and, for rows with text, a bump buffer that
 * the ops point into by offset (in units of 8 bytes, so that a struct may lie
 * there as it is). Nothing is shared: a batch may go to another thread whole.
 */
#include "journal/batch.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An empty batch. */
struct db_batch *db_batch_new(void)
{
    return mem_zalloc(sizeof(struct db_batch));
}

/* Frees a batch. */
void db_batch_free(struct db_batch *b)
{
    if (b) {
        free(b->ops);
        free(b->ext);
        free(b);
    }
}

/* True when there is nothing to apply. */
bool db_batch_is_empty(const struct db_batch *b)
{
    return b->n_ops == 0;
}

/* Their bump memory stays until the batch goes. */
void db_batch_drop_claims(struct db_batch *b)
{
    size_t kept = 0;
    for (size_t i = 0; i < b->n_ops; i++) {
        enum db_op_kind kind = b->ops[i].kind;
        if (kind != DB_OP_PUT_PIECE && kind != DB_OP_PUT_BLOCK &&
            kind != DB_OP_PUT_FILE && kind != DB_OP_VERIFY_DONE) {
            b->ops[kept++] = b->ops[i];
        }
    }
    b->n_ops = kept;
}

/* Memory that the batch takes. */
size_t db_batch_bytes(const struct db_batch *b)
{
    return sizeof(*b) + b->cap_ops * sizeof(*b->ops) +
           b->cap_ext * sizeof(*b->ext);
}

/* Room for n more ops. */
static void db_batch_grow_ops(struct db_batch *b, size_t n)
{
    if (n > b->cap_ops - b->n_ops) {
        b->cap_ops = (b->n_ops + n) + (b->n_ops + n) / 2 + 16;
        b->ops = mem_resize(b->ops, b->cap_ops, sizeof(*b->ops));
    }
}

/* Room for n more words of the bump buffer. */
static void db_batch_grow_ext(struct db_batch *b, size_t n)
{
    if (n > b->cap_ext - b->n_ext) {
        b->cap_ext = (b->n_ext + n) + (b->n_ext + n) / 2 + 64;
        b->ext = mem_resize(b->ext, b->cap_ext, sizeof(*b->ext));
    }
    BTC_ASSERT(b->cap_ext <= UINT32_MAX);
}

/* Moves what `src` holds behind what `dst` holds; `src` is empty then. */
void db_batch_append(struct db_batch *dst, struct db_batch *src)
{
    if (src->n_ops == 0) {
        return;
    }
    db_batch_grow_ops(dst, src->n_ops);
    db_batch_grow_ext(dst, src->n_ext);
    uint32_t shift = (uint32_t)dst->n_ext;
    for (size_t i = 0; i < src->n_ops; i++) {
        struct db_op op = src->ops[i];
        op.ext += shift;
        dst->ops[dst->n_ops++] = op;
    }
    if (src->n_ext > 0) {
        memcpy(dst->ext + dst->n_ext, src->ext, src->n_ext * sizeof(*src->ext));
    }
    dst->n_ext += src->n_ext;
    src->n_ops = 0;
    src->n_ext = 0;
}

/* Adds an op; its bump memory begins at the buffer's end. */
static struct db_op *db_batch_op(struct db_batch *b, enum db_op_kind kind,
                                 int64_t id)
{
    db_batch_grow_ops(b, 1);
    struct db_op *op = &b->ops[b->n_ops++];
    *op = (struct db_op){.kind = kind, .id = id, .ext = (uint32_t)b->n_ext};
    return op;
}

/* Copies bytes to the end of the bump buffer. */
static void db_batch_copy(struct db_batch *b, const void *p, size_t len)
{
    size_t words = (len + sizeof(*b->ext) - 1) / sizeof(*b->ext);
    db_batch_grow_ext(b, words);
    if (words > 0) {
        b->ext[b->n_ext + words - 1] = 0; /* no stray bytes at the end */
        memcpy(b->ext + b->n_ext, p, len);
    }
    b->n_ext += words;
}

/* A verified and durable piece. */
void db_put_piece(struct db_batch *b, int64_t id, uint32_t piece,
                  int64_t verified_at)
{
    struct db_op *op = db_batch_op(b, DB_OP_PUT_PIECE, id);
    op->a = piece;
    op->n = verified_at;
}

/* A piece that is not there any more. */
void db_del_piece(struct db_batch *b, int64_t id, uint32_t piece)
{
    db_batch_op(b, DB_OP_DEL_PIECE, id)->a = piece;
}

/* A durable block of an incomplete piece. */
void db_put_block(struct db_batch *b, int64_t id, uint32_t piece,
                  uint32_t block)
{
    struct db_op *op = db_batch_op(b, DB_OP_PUT_BLOCK, id);
    op->a = piece;
    op->b = block;
}

/* All blocks of a piece go. */
void db_del_blocks(struct db_batch *b, int64_t id, uint32_t piece)
{
    db_batch_op(b, DB_OP_DEL_BLOCKS, id)->a = piece;
}

/* Facts of a file. */
void db_put_file(struct db_batch *b, int64_t id, const struct db_file *f)
{
    struct db_file copy = *f;
    copy.path = NULL; /* not a fact; and it may not live as long as we */
    (void)db_batch_op(b, DB_OP_PUT_FILE, id);
    db_batch_copy(b, &copy, sizeof(copy));
}

/* A peer's record. One that cannot be dialled has none. */
void db_put_peer(struct db_batch *b, int64_t id, const struct db_peer *p)
{
    if (!db_is_address(p->address, p->port)) {
        return;
    }
    struct db_peer copy = *p;
    db_clean_text(copy.source, sizeof(copy.source), p->source);
    db_clean_text(copy.client, sizeof(copy.client), p->client);
    (void)db_batch_op(b, DB_OP_PUT_PEER, id);
    db_batch_copy(b, &copy, sizeof(copy));
}

/* Forgets a peer. */
void db_del_peer(struct db_batch *b, int64_t id, const char *address,
                 uint16_t port)
{
    struct db_op *op = db_batch_op(b, DB_OP_DEL_PEER, id);
    op->a = port;
    db_batch_copy(b, address, strlen(address) + 1);
}

/* Forgets the worst peers. */
void db_trim_peers(struct db_batch *b, int64_t id)
{
    (void)db_batch_op(b, DB_OP_TRIM_PEERS, id);
}

/* A tracker's state; its url finds the row. */
void db_put_tracker(struct db_batch *b, int64_t id, const struct db_tracker *t)
{
    struct db_tracker copy = *t;
    copy.url = NULL;
    db_clean_text(copy.state, sizeof(copy.state), t->state);
    db_clean_text(copy.error, sizeof(copy.error), t->error);
    (void)db_batch_op(b, DB_OP_PUT_TRACKER, id);
    db_batch_copy(b, &copy, sizeof(copy));
    db_batch_copy(b, t->url, strlen(t->url) + 1);
}

/* A torrent's live row. */
void db_put_stat(struct db_batch *b, int64_t id, const struct db_stat *s)
{
    struct db_stat copy = *s;
    db_clean_text(copy.error, sizeof(copy.error), s->error);
    (void)db_batch_op(b, DB_OP_PUT_STAT, id);
    db_batch_copy(b, &copy, sizeof(copy));
}

/* Something to tell. It is dated now, not when it is committed. */
void db_put_event(struct db_batch *b, int64_t id, enum db_level level,
                  const char *kind, const char *text)
{
    char clean[DB_EVENT_MAX];
    struct db_op *op = db_batch_op(b, DB_OP_PUT_EVENT, id);
    op->a = (uint32_t)level;
    op->n = db_now();
    db_clean_text(clean, sizeof(clean), text);
    char both[DB_EVENT_MAX + 64];
    int len = snprintf(both, sizeof(both), "%.60s%c%s", kind, '\0', clean);
    db_batch_copy(b, both, (size_t)len + 1);
}

/* The wished verification is done; not one that is wished for since. */
void db_put_verify_done(struct db_batch *b, int64_t id, int64_t until)
{
    db_batch_op(b, DB_OP_VERIFY_DONE, id)->n = until;
}

/* The wished starting over has been done. */
void db_put_accepted_loss(struct db_batch *b, int64_t id)
{
    (void)db_batch_op(b, DB_OP_ACCEPTED_LOSS, id);
}

/* The engine lives. */
void db_put_heartbeat(struct db_batch *b)
{
    db_batch_op(b, DB_OP_HEARTBEAT, 0)->n = db_now();
}

/* The engine ends in order. */
void db_put_run_end(struct db_batch *b)
{
    db_batch_op(b, DB_OP_RUN_END, 0)->n = db_now();
}
