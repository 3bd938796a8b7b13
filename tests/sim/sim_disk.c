/* Disks in memory that answer as store does, in any order, late, or with an
 * error; and journals that believe every fact at once, which is the strictest
 * reading of "a claim never runs ahead of the data". */
#include "model/block.h"
#include "model/span.h"
#include "sim/sim_durable.h"
#include "sim/sim_node.h"

/* A job that is out. Lives in its event's data. */
struct sim_job {
    struct sim_torrent *st;
    uint32_t epoch;
    enum action_type type;
    uint32_t piece;
    uint32_t conn;
    uint8_t *const *blocks; /* borrows: the torrent must leave it alone */
    uint32_t n_blocks;
    bool want_hashes;
    bool is_sent; /* UPLOAD: only the answer is owed */
    int result;
    struct wire_block range;
    uint32_t chunk;
    uint32_t ticket;       /* WRITE: of the commit's flush */
    uint8_t sum[SHA1_LEN]; /* of the blocks when the job was given */
};

/* --- what is on the disk --- */

/* See sim.h. */
void sim_disk_init(struct sim_disk *d, struct sim *s, struct sim_content *c)
{
    *d = (struct sim_disk){.s = s, .c = c, .delay_ms = 20};
    d->data = mem_zalloc(c->geom.total > 0 ? c->geom.total : 1);
    d->written = mem_calloc(c->geom.n_pieces > 0 ? c->geom.n_pieces : 1,
                            sizeof(*d->written));
    for (uint32_t i = 0; i < c->geom.n_pieces; i++) {
        (void)bits_init(&d->written[i], layout_n_blocks(&c->geom, i));
    }
}

/* See sim.h. */
void sim_disk_fini(struct sim_disk *d)
{
    for (uint32_t i = 0; i < d->c->geom.n_pieces; i++) {
        bits_fini(&d->written[i]);
    }
    free(d->written);
    free(d->data);
}

/* See sim.h. */
void sim_disk_fill(struct sim_disk *d)
{
    memcpy(d->data, d->c->data, d->c->geom.total);
    for (uint32_t i = 0; i < d->c->geom.n_pieces; i++) {
        bits_fill(&d->written[i]);
    }
}

/* See sim.h. */
void sim_disk_lose(struct sim_disk *d, uint32_t piece, uint32_t block)
{
    d->lossy = true;
    (void)bits_clear(&d->written[piece], block);
}

/* See sim.h. */
void sim_disk_spoil(struct sim_disk *d, uint32_t piece)
{
    d->lossy = true;
    d->data[layout_piece_offset(&d->c->geom, piece)] ^= 0x55;
}

/* Pads read as zeros whatever is there. */
static void sim_disk_pads(const struct sim_disk *d, uint32_t piece,
                          uint8_t *buf)
{
    struct layout_spans it;
    struct span span;
    uint32_t at = 0;
    layout_spans_init(&it, &d->c->geom, layout_piece_offset(&d->c->geom, piece),
                      layout_piece_size(&d->c->geom, piece));
    while (layout_spans_next(&it, &span)) {
        if (span.pad) {
            memset(buf + at, 0, span.len);
        }
        at += span.len;
    }
}

/* The piece as a reader finds it, blocks in memory first. */
static int sim_disk_read(const struct sim_disk *d, uint32_t piece,
                         uint8_t *const *blocks, uint8_t *buf)
{
    const struct layout *g = &d->c->geom;
    int result = 0;
    for (uint32_t b = 0; b < layout_n_blocks(g, piece); b++) {
        uint32_t at = b * BLOCK_LEN;
        uint32_t len = layout_block_size(g, piece, b);
        if (blocks != NULL && blocks[b] != NULL) {
            memcpy(buf + at, blocks[b], len);
        } else if (layout_block_is_pad(g, piece, b)) {
            memset(buf + at, 0, len);
        } else if (bits_get(&d->written[piece], b)) {
            memcpy(buf + at, d->data + layout_piece_offset(g, piece) + at, len);
        } else {
            result = BTC_E_SHORT;
        }
    }
    sim_disk_pads(d, piece, buf);
    return result;
}

/* Blocks from memory; when `torn`, by chance only some of them. */
static void sim_disk_write(struct sim_disk *d, const struct sim_job *j,
                           bool torn)
{
    const struct layout *g = &d->c->geom;
    for (uint32_t b = 0; b < j->n_blocks; b++) {
        if (j->blocks[b] == NULL || (torn && sim_chance(d->s, 2))) {
            continue;
        }
        memcpy(d->data + layout_piece_offset(g, j->piece) +
                   (size_t)b * BLOCK_LEN,
               j->blocks[b], layout_block_size(g, j->piece, b));
        (void)bits_set(&d->written[j->piece], b);
        if (d->platter != NULL) {
            sim_platter_wrote(d->platter, j->piece, b);
        }
    }
}

/* Does this write fail? It does where somebody else has written. */
static int sim_disk_fault(struct sim_disk *d, const struct sim_job *j)
{
    d->n_writes++;
    if (d->platter != NULL && sim_platter_refuses(d->platter, j->piece)) {
        return BTC_E_STORAGE;
    }
    if (d->fail_in > 1) {
        d->fail_in--;
        return 0;
    }
    if (d->fail_in == 1 && d->fail_for > 0) {
        d->fail_for--;
        return d->fail_result;
    }
    d->fail_in = 0;
    return 0;
}

/* --- jobs --- */

/* What the memory named in the job holds. */
static void sim_job_sum(const struct sim_job *j, uint8_t out[SHA1_LEN])
{
    struct hash *h = hash_new();
    hash_sha1_start(h);
    for (uint32_t b = 0; b < j->n_blocks; b++) {
        hash_update(h, &b, sizeof b);
        if (j->blocks[b] != NULL) {
            hash_update(h, j->blocks[b],
                        layout_block_size(&j->st->c->geom, j->piece, b));
        }
    }
    hash_finish(h, out);
    hash_free(h);
}

/* FINISH as store does it. */
static int sim_job_finish(struct sim_job *j, uint8_t (*hashes)[SHA1_LEN],
                          bool *has_hashes, bool *unwritten)
{
    struct sim_disk *d = &j->st->disk;
    const struct layout *g = &j->st->c->geom;
    uint8_t *buf = mem_alloc(layout_piece_size(g, j->piece));
    uint8_t sum[SHA1_LEN];
    int result = sim_disk_read(d, j->piece, j->blocks, buf);
    if (result == 0) {
        hash_sha1(slice_of(buf, layout_piece_size(g, j->piece)), sum);
        bool good = memcmp(sum, j->st->c->hashes + (size_t)j->piece * SHA1_LEN,
                           SHA1_LEN) == 0;
        *has_hashes = !good || j->want_hashes;
        for (uint32_t b = 0; *has_hashes && b < j->n_blocks; b++) {
            hash_sha1(slice_of(buf + (size_t)b * BLOCK_LEN,
                               layout_block_size(g, j->piece, b)),
                      hashes[b]);
        }
        result = good ? sim_disk_fault(d, j) : BTC_E_HASH;
        *unwritten = good && result != 0;
    }
    free(buf);
    if (result != BTC_E_HASH && result != BTC_E_SHORT &&
        result != BTC_E_STORAGE) {
        sim_disk_write(d, j, result < 0);
    }
    return result;
}

/* WRITE; the hashes are those of the memory, whatever the disk makes of it. */
static int sim_job_write(struct sim_job *j, uint8_t (*hashes)[SHA1_LEN])
{
    struct sim_disk *d = &j->st->disk;
    const struct layout *g = &d->c->geom;
    uint8_t *buf = mem_zalloc(layout_piece_size(g, j->piece));
    (void)sim_disk_read(d, j->piece, j->blocks, buf);
    int result = sim_disk_fault(d, j);
    if (result != BTC_E_STORAGE) {
        sim_disk_write(d, j, result < 0);
    }
    for (uint32_t b = 0; b < j->n_blocks; b++) {
        size_t at = (size_t)b * BLOCK_LEN;
        if (j->blocks[b] != NULL) {
            hash_sha1(slice_of(buf + at, layout_block_size(g, j->piece, b)),
                      hashes[b]);
            d->data[layout_piece_offset(g, j->piece) + at] ^=
                sim_chance(d->s, d->spoils_one_in) ? 1 : 0;
        }
    }
    free(buf);
    return result;
}

/* HASH. */
static int sim_job_hash(const struct sim_job *j)
{
    struct sim_disk *d = &j->st->disk;
    uint32_t len = layout_piece_size(&d->c->geom, j->piece);
    uint8_t *buf = mem_alloc(len);
    uint8_t sum[SHA1_LEN];
    int result = sim_disk_read(d, j->piece, NULL, buf);
    hash_sha1(slice_of(buf, len), sum);
    if (result == 0 && memcmp(sum, d->c->hashes + (size_t)j->piece * SHA1_LEN,
                              SHA1_LEN) != 0) {
        result = BTC_E_HASH;
    }
    free(buf);
    return result;
}

/* A read may fail whatever is there. */
static int sim_disk_read_fault(struct sim_disk *d)
{
    if (d->read_fails == 0) {
        return 0;
    }
    d->read_fails--;
    return d->read_result;
}

/* The memory was left alone; then the work; then the answer. */
static void sim_job_run(struct sim_job *j, bool aborted)
{
    struct sim_torrent *st = j->st;
    uint8_t sum[SHA1_LEN];
    uint8_t(*hashes)[SHA1_LEN] = mem_calloc(j->n_blocks + 1, SHA1_LEN);
    bool has_hashes = false;
    struct event ev = {.piece = j->piece};
    sim_job_sum(j, sum);
    SIM_CHECK(st->node->s, memcmp(sum, j->sum, SHA1_LEN) == 0);
    if (j->type == ACTION_FINISH) {
        ev.type = EVENT_FINISHED;
        if (!aborted) {
            ev.result =
                sim_job_finish(j, hashes, &has_hashes, &ev.finished.unwritten);
        }
        ev.finished.block_hashes =
            has_hashes ? (const uint8_t(*)[SHA1_LEN])hashes : NULL;
    } else if (j->type == ACTION_WRITE) {
        ev.type = EVENT_WRITTEN;
        ev.result = aborted ? 0 : sim_job_write(j, hashes);
        ev.finished.block_hashes = (const uint8_t(*)[SHA1_LEN])hashes;
    } else {
        ev.type = EVENT_HASHED;
        ev.result = aborted ? 0 : sim_disk_read_fault(&st->disk);
        if (!aborted && ev.result == 0) {
            ev.result = sim_job_hash(j);
        }
    }
    if (aborted) {
        ev.result = BTC_E_CANCELLED;
        if (j->type != ACTION_HASH && sim_chance(st->node->s, 2)) {
            sim_disk_write(&st->disk, j, true);
        }
    }
    SIM_CHECK(st->node->s, st->job[j->piece] == 1);
    st->job[j->piece] = 0;
    sim_input(st, &ev);
    if (st->ledger != NULL && j->type == ACTION_WRITE && !aborted) {
        sim_durable_end_write(st, j->ticket);
    }
    free(hashes);
}

/* The read is done: headers and payload go out. */
static uint64_t sim_upload_send(struct sim_job *j, struct sim_conn *c)
{
    struct sim *s = j->st->node->s;
    const struct layout *g = &j->st->c->geom;
    uint8_t *piece = mem_alloc(layout_piece_size(g, j->piece));
    uint8_t *out =
        mem_alloc((size_t)j->range.len +
                  (size_t)WIRE_PIECE_HEADER * (j->range.len / j->chunk + 1));
    size_t n = 0;
    j->result = sim_disk_read_fault(&j->st->disk);
    if (j->result == 0) {
        j->result = sim_disk_read(&j->st->disk, j->piece, NULL, piece);
    }
    for (uint32_t at = 0; at < j->range.len;) {
        uint32_t left = j->range.len - at;
        struct wire_block b = {.piece = j->range.piece,
                               .begin = j->range.begin + at,
                               .len = left < j->chunk ? left : j->chunk};
        n += wire_encode_block(WIRE_PIECE, &b, out + n);
        memcpy(out + n, piece + b.begin, b.len);
        n += b.len;
        at += b.len;
    }
    /* Nobody is served what was not verified. */
    struct slice truth =
        sim_content_block(j->st->c, j->piece, j->range.begin, j->range.len);
    SIM_CHECK(s, j->st->disk.lossy || j->result < 0 ||
                     memcmp(piece + j->range.begin, truth.p, truth.len) == 0);
    uint64_t left_ms = s->now_ms;
    if (j->result == 0) {
        left_ms = sim_send(s, c->link, c->side, slice_of(out, n));
        j->st->served += j->range.len;
    }
    free(piece);
    free(out);
    return left_ms;
}

static void sim_on_job(struct sim *s, struct sim_event *e);

/* UPLOAD: first the read, then the bytes leave, then the answer. */
static void sim_upload_run(struct sim *s, struct sim_job *j, bool aborted)
{
    struct sim_torrent *st = j->st;
    uint32_t slot = j->conn & 0xffffu;
    struct sim_conn *c = slot < st->n_conns ? st->conns[slot] : NULL;
    if (c != NULL && c->id != j->conn) {
        c = NULL;
    }
    if (!j->is_sent && !aborted && c != NULL) {
        uint64_t left_ms = sim_upload_send(j, c);
        j->is_sent = true;
        struct sim_event *e = sim_at(s, left_ms - s->now_ms, sim_on_job, st);
        e->data = mem_dup(j, sizeof *j);
        e->len = sizeof *j;
        return;
    }
    struct event ev = {.type = EVENT_UPLOADED,
                       .conn = j->conn,
                       .piece = j->piece,
                       .result =
                           c == NULL || aborted ? BTC_E_CLOSED : j->result};
    ev.uploaded.len = j->range.len;
    sim_input(st, &ev);
}

/* A job's time has come. */
static void sim_on_job(struct sim *s, struct sim_event *e)
{
    struct sim_job j;
    memcpy(&j, e->data, sizeof j);
    if (j.epoch != j.st->epoch) {
        return;
    }
    if (j.type == ACTION_UPLOAD) {
        sim_upload_run(s, &j, false);
    } else {
        sim_job_run(&j, false);
    }
}

/* See sim.h. */
void sim_disk_action(struct sim_torrent *st, const struct action *a)
{
    struct sim *s = st->node->s;
    struct sim_job j = {.st = st,
                        .epoch = st->epoch,
                        .type = a->type,
                        .piece = a->piece,
                        .conn = a->conn};
    SIM_CHECK(s, a->piece < st->c->geom.n_pieces);
    if (a->type == ACTION_UPLOAD) {
        j.range = a->upload.range;
        j.chunk = a->upload.chunk;
        SIM_CHECK(s, layout_has_range(&st->c->geom, j.piece, j.range.begin,
                                      j.range.len, UINT32_MAX));
        SIM_CHECK(s, j.chunk > 0 && j.range.piece == a->piece);
        SIM_CHECK(s,
                  picker_state(torrent_picker(st->t), j.piece) == PICKER_HAVE);
    } else {
        SIM_CHECK(s, st->job[a->piece] == 0);
        st->job[a->piece] = 1;
    }
    if (a->type == ACTION_FINISH || a->type == ACTION_WRITE) {
        j.blocks = a->write.blocks;
        j.n_blocks = a->write.n_blocks;
        j.want_hashes = a->write.want_block_hashes;
        SIM_CHECK(s, j.n_blocks == layout_n_blocks(&st->c->geom, a->piece));
    }
    if (st->ledger != NULL && a->type == ACTION_WRITE) {
        j.ticket = sim_durable_begin_write(st);
    }
    if (st->ledger != NULL && j.blocks != NULL) {
        sim_durable_writes(st, a);
    }
    sim_job_sum(&j, j.sum);
    struct sim_event *e =
        sim_at(s, sim_below(s, st->disk.delay_ms + 1), sim_on_job, st);
    e->data = mem_dup(&j, sizeof j);
    e->len = sizeof j;
}

/* One job of the torrent that is out; false when there is none. */
static bool sim_disk_take(struct sim_torrent *st, struct sim_job *out)
{
    struct sim *s = st->node->s;
    for (size_t i = 0; i < s->n_heap; i++) {
        struct sim_event *e = s->heap[i];
        if (e->fn != sim_on_job || e->ctx != st) {
            continue;
        }
        memcpy(out, e->data, sizeof *out);
        if (out->epoch == st->epoch) {
            struct sim_job gone = *out;
            gone.epoch = UINT32_MAX;
            memcpy(e->data, &gone, sizeof gone);
            return true;
        }
    }
    return false;
}

/* See sim.h. */
void sim_disk_abort(struct sim_torrent *st)
{
    struct sim_job j;
    while (sim_disk_take(st, &j)) {
        if (j.type == ACTION_UPLOAD) {
            sim_upload_run(st->node->s, &j, true);
        } else {
            sim_job_run(&j, true);
        }
    }
}

/* --- the journal --- */

/* See sim.h. */
void sim_journal_init(struct sim_journal *j, const struct sim_content *c)
{
    *j = (struct sim_journal){0};
    (void)bits_init(&j->piece, c->geom.n_pieces);
    j->block = mem_calloc(c->geom.n_pieces > 0 ? c->geom.n_pieces : 1,
                          sizeof(*j->block));
    for (uint32_t i = 0; i < c->geom.n_pieces; i++) {
        (void)bits_init(&j->block[i], layout_n_blocks(&c->geom, i));
    }
}

/* See sim.h. */
void sim_journal_fini(struct sim_journal *j, const struct sim_content *c)
{
    for (uint32_t i = 0; i < c->geom.n_pieces; i++) {
        bits_fini(&j->block[i]);
    }
    free(j->block);
    bits_fini(&j->piece);
}

/* The disk has what is claimed of the piece. */
static void sim_journal_check_piece(struct sim_torrent *st, uint32_t piece)
{
    const struct sim_journal *j = &st->journal;
    struct sim_job job = {.st = st, .piece = piece};
    if (st->disk.lossy) {
        return;
    }
    if (bits_get(&j->piece, piece)) {
        SIM_CHECK(st->node->s, sim_job_hash(&job) == 0);
    }
    BITS_EACH (b, &j->block[piece]) {
        SIM_CHECK(st->node->s, bits_get(&st->disk.written[piece], b));
    }
}

/* See sim.h. */
void sim_journal_check(struct sim_torrent *st)
{
    for (uint32_t i = 0; i < st->c->geom.n_pieces; i++) {
        sim_journal_check_piece(st, i);
    }
}

/* See sim.h. */
void sim_journal_fact(struct sim_torrent *st, const struct action *a)
{
    struct sim_journal *j = &st->journal;
    if (st->dying) {
        return;
    }
    if (st->ledger != NULL) {
        sim_durable_fact(st, a);
        return;
    }
    switch (a->fact.type) {
    case FACT_PIECE:
        (void)bits_set(&j->piece, a->piece);
        bits_zero(&j->block[a->piece]);
        sim_journal_check_piece(st, a->piece);
        break;
    case FACT_PIECE_LOST:
        (void)bits_clear(&j->piece, a->piece);
        break;
    case FACT_BLOCK:
        SIM_CHECK(st->node->s, !bits_get(&j->piece, a->piece));
        (void)bits_set(&j->block[a->piece], a->fact.block);
        sim_journal_check_piece(st, a->piece);
        break;
    case FACT_BLOCKS_LOST:
        bits_zero(&j->block[a->piece]);
        break;
    case FACT_EVENT:
        st->n_failed += strcmp(a->fact.kind, "hash-failed") == 0;
        break;
    case FACT_PEER:
    case FACT_METADATA:
    case FACT_METADATA_LOST:
    case FACT_TRACKER:
        break;
    }
}
