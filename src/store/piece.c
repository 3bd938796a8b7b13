/* Jobs over the spans of a piece: WRITE, FINISH, HASH, READ, PREFETCH.
 *
 * All of them walk the piece in segments: a run of bytes that is either padding
 * (zeros, never on disk), or a block in the caller's memory, or in a file. A
 * block that the caller has wins over the file, padding wins over both.
 */
#include "store/internal.h"

#include "base/mem.h"
#include "base/num.h"
#include "model/block.h"
#include "model/span.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum store_kind {
    STORE_PAD,
    STORE_MEM,
    STORE_FILE
};

struct store_seg {
    enum store_kind kind;
    uint32_t file;
    uint32_t span;
    uint64_t offset; /* in the file */
    uint32_t len;
    const uint8_t *mem; /* MEM and PAD: the bytes */
};

/* Where a walk stands. */
struct store_walk {
    const struct store_job *job;
    uint8_t *const *blocks; /* NULL: the job has none */
    bool by_block;          /* no segment crosses the border of a block */
    uint32_t span;
    uint32_t in_span;
    uint64_t pos; /* in the piece */
};

static const uint8_t store_zeros[BLOCK_LEN];

/* The length of all spans. */
static uint64_t store_job_len(const struct store_job *job)
{
    uint64_t len = 0;
    for (uint32_t i = 0; i < job->n_spans; i++) {
        const struct span *span = &job->spans[i];
        BTC_ASSERT(span->file < job->store->n_files);
        const struct layout_file *file = &job->store->layout[span->file];
        BTC_ASSERT(span->offset <= file->length &&
                   span->len <= file->length - span->offset);
        len += span->len;
    }
    return len;
}

/* Starts a walk. */
static struct store_walk store_walk_start(const struct store_job *job,
                                          bool by_block)
{
    bool has_blocks = job->op == STORE_FINISH || job->op == STORE_WRITE;
    return (struct store_walk){.job = job,
                               .blocks = has_blocks ? job->blocks : NULL,
                               .by_block = by_block};
}

/* The caller's memory of the block at `pos`; NULL = not in memory. */
static const uint8_t *store_walk_block(const struct store_walk *w, uint64_t pos)
{
    uint64_t block = pos / BLOCK_LEN;
    if (w->blocks && block < w->job->n_blocks) {
        return w->blocks[block];
    }
    return NULL;
}

/* How far a segment of the file reaches, at most `max`: to the next block that
 * is in memory. */
static uint32_t store_walk_run(const struct store_walk *w, uint32_t max)
{
    uint64_t edge = BLOCK_LEN - w->pos % BLOCK_LEN;
    while (!w->by_block && edge < max && !store_walk_block(w, w->pos + edge)) {
        edge += BLOCK_LEN;
    }
    return (uint32_t)num_min_u64(edge, max);
}

/* The next segment, of at most STORE_CHUNK_LEN bytes; false at the end. */
static bool store_walk_next(struct store_walk *w, struct store_seg *seg)
{
    while (w->span < w->job->n_spans &&
           w->in_span == w->job->spans[w->span].len) {
        w->span++;
        w->in_span = 0;
    }
    if (w->span == w->job->n_spans) {
        return false;
    }
    const struct span *span = &w->job->spans[w->span];
    uint32_t in_block = (uint32_t)(w->pos % BLOCK_LEN);
    uint32_t block_left = BLOCK_LEN - in_block;
    uint32_t left = span->len - w->in_span;
    const uint8_t *block = store_walk_block(w, w->pos);
    *seg = (struct store_seg){.kind = STORE_FILE,
                              .file = span->file,
                              .span = w->span,
                              .offset = span->offset + w->in_span};
    if (span->pad || w->job->store->layout[span->file].pad) {
        seg->kind = STORE_PAD;
        seg->mem = store_zeros;
    } else if (block) {
        seg->kind = STORE_MEM;
        seg->mem = block + in_block;
    }
    if (seg->kind == STORE_FILE) {
        seg->len = store_walk_run(w, num_min_u32(left, STORE_CHUNK_LEN));
    } else {
        seg->len = num_min_u32(left, block_left);
    }
    w->in_span += seg->len;
    w->pos += seg->len;
    return true;
}

/* A reader that keeps the descriptor of the file it reads. */
struct store_reader {
    struct store_job *job;
    struct store_fd *f; /* a reference; NULL = none */
    char path[PATH_MAX];
};

/* Ends it. */
static void store_reader_close(struct store_reader *r)
{
    store_fd_put(r->f);
    r->f = NULL;
}

/* Turns to a file; false after the job has been failed. Large spans are
 * announced to the kernel, which then reads ahead of the hash. */
static bool store_reader_open(struct store_reader *r,
                              const struct store_seg *seg)
{
    if (r->f && r->f->file == seg->file) {
        return true;
    }
    store_reader_close(r);
    r->f = store_fd_get(r->job, seg->file, false);
    if (!r->f) {
        return false;
    }
    (void)store_tree_path(r->job->store, seg->file, r->path);
    const struct span *span = &r->job->spans[seg->span];
    if (span->len > STORE_CHUNK_LEN) {
        (void)posix_fadvise(r->f->fd, (off_t)span->offset, (off_t)span->len,
                            POSIX_FADV_WILLNEED);
    }
    return true;
}

/* The file ends before the segment does. */
static void store_fail_short(struct store_reader *r,
                             const struct store_seg *seg, uint64_t got)
{
    char reason[96];
    uint64_t want = r->job->store->layout[seg->file].length;
    (void)snprintf(reason, sizeof(reason),
                   "is too short, it ends at byte %" PRIu64 " of %" PRIu64,
                   seg->offset + got, want);
    store_fail_with(r->job, seg->file, r->path, BTC_E_SHORT, reason);
}

/* Reads a segment of a file; false after the job has been failed. */
static bool store_reader_read(struct store_reader *r,
                              const struct store_seg *seg, uint8_t *buf)
{
    if (!store_reader_open(r, seg)) {
        return false;
    }
    int64_t n = store_sys_pread(r->job->store->d, r->f->fd, r->path, buf,
                                seg->len, seg->offset);
    if (n < 0) {
        store_fail(r->job, seg->file, r->path, (int)-n);
        return false;
    }
    if (n < seg->len) {
        store_fail_short(r, seg, (uint64_t)n);
        return false;
    }
    return true;
}

/* SHA-1 over the whole piece; false after the job has been failed. */
static bool store_hash_piece(struct store_worker *w, struct store_job *job,
                             uint8_t out[SHA1_LEN])
{
    struct store_reader r = {.job = job};
    struct store_walk walk = store_walk_start(job, false);
    struct store_seg seg;
    bool ok = true;
    hash_sha1_start(w->hash);
    while (ok && store_walk_next(&walk, &seg)) {
        if (seg.kind == STORE_FILE) {
            ok = store_reader_read(&r, &seg, w->buf);
            seg.mem = w->buf;
        }
        if (ok) {
            hash_update(w->hash, seg.mem, seg.len);
        }
    }
    hash_finish(w->hash, out);
    store_reader_close(&r);
    return ok;
}

/* SHA-1 of each block (WRITE: of those in memory, what it has for the others
 * means nothing); false after the job has been failed. */
static bool store_hash_blocks(struct store_worker *w, struct store_job *job)
{
    struct store_reader r = {.job = job};
    struct store_walk walk = store_walk_start(job, true);
    struct store_seg seg;
    uint64_t len = store_job_len(job);
    bool ok = true;
    job->hashes.of_blocks =
        mem_calloc(job->n_blocks, sizeof(*job->hashes.of_blocks));
    while (ok && store_walk_next(&walk, &seg)) {
        uint64_t begin = walk.pos - seg.len;
        if (begin % BLOCK_LEN == 0) {
            hash_sha1_start(w->hash);
        }
        if (seg.kind == STORE_FILE && job->op == STORE_FINISH) {
            ok = store_reader_read(&r, &seg, w->buf);
            seg.mem = w->buf;
        }
        if (ok && seg.mem) {
            hash_update(w->hash, seg.mem, seg.len);
        }
        if (walk.pos % BLOCK_LEN == 0 || walk.pos == len) {
            hash_finish(w->hash, job->hashes.of_blocks[begin / BLOCK_LEN]);
        }
    }
    store_reader_close(&r);
    if (!ok) {
        free(job->hashes.of_blocks);
        job->hashes.of_blocks = NULL;
    }
    return ok;
}

/* Blocks of memory on their way into one place of one file. */
struct store_writer {
    struct store_job *job;
    struct iovec *iov; /* borrows; the worker's */
    int n_iov;
    uint32_t file;
    uint64_t begin; /* in the file: where the first buffer goes */
    uint64_t end;   /* behind the last */
};

/* Writes what has gathered; false after the job has been failed. */
static bool store_writer_flush(struct store_writer *w)
{
    char path[PATH_MAX];
    if (w->n_iov == 0) {
        return true;
    }
    struct store_fd *f = store_fd_get(w->job, w->file, true);
    if (!f) {
        return false;
    }
    (void)store_tree_path(w->job->store, w->file, path);
    store_left_begin(f);
    int rc = store_sys_pwritev(w->job->store->d, f->fd, path, w->iov, w->n_iov,
                               w->begin);
    store_left_end(f);
    store_tree_wrote(w->job->store, w->file); /* also what was half written */
    store_fd_put(f);
    w->n_iov = 0;
    if (rc < 0) {
        store_fail(w->job, w->file, path, -rc);
    }
    return rc == 0;
}

/* Adds a segment of memory; false after the job has been failed. */
static bool store_writer_add(struct store_writer *w,
                             const struct store_seg *seg)
{
    bool joins = w->n_iov > 0 && w->n_iov < STORE_MAX_IOV &&
                 w->file == seg->file && w->end == seg->offset;
    if (!joins) {
        if (!store_writer_flush(w)) {
            return false;
        }
        w->file = seg->file;
        w->begin = seg->offset;
        w->end = seg->offset;
    }
    struct iovec *v = &w->iov[w->n_iov++];
    /* pwritev only reads; iovec has no const. */
    memcpy(&v->iov_base, &seg->mem, sizeof(v->iov_base));
    v->iov_len = seg->len;
    w->end += seg->len;
    return true;
}

/* Writes all blocks that are in memory. */
static void store_write_blocks(struct store_worker *w, struct store_job *job)
{
    struct store_writer writer = {.job = job, .iov = w->iov};
    struct store_walk walk = store_walk_start(job, false);
    struct store_seg seg;
    bool ok = true;
    while (ok && store_walk_next(&walk, &seg)) {
        ok = seg.kind != STORE_MEM || store_writer_add(&writer, &seg);
    }
    if (ok) {
        (void)store_writer_flush(&writer);
    }
}

/* Our own bugs in what the caller handed over. */
static void store_check_blocks(const struct store_job *job)
{
    uint64_t len = store_job_len(job);
    BTC_ASSERT(job->n_blocks == (len + BLOCK_LEN - 1) / BLOCK_LEN);
    BTC_ASSERT(job->blocks || job->n_blocks == 0);
}

/* WRITE. */
void store_run_write(struct store_worker *w, struct store_job *job)
{
    store_check_blocks(job);
    if (!job->hashes.wanted || store_hash_blocks(w, job)) {
        store_write_blocks(w, job);
    }
}

/* Compares with the expected hash; false after the job has been failed. */
static bool store_check_hash(struct store_worker *w, struct store_job *job)
{
    uint8_t sum[SHA1_LEN];
    if (!store_hash_piece(w, job, sum)) {
        return false;
    }
    if (memcmp(sum, job->expected, SHA1_LEN) != 0) {
        job->result = BTC_E_HASH;
        (void)snprintf(job->fail.text, sizeof(job->fail.text), "hash mismatch");
        return false;
    }
    return true;
}

/* FINISH. Only what matched is written. A piece whose bad block cannot be told,
 * because a block on disk cannot be read again, ends with that error. */
void store_run_finish(struct store_worker *w, struct store_job *job)
{
    store_check_blocks(job);
    (void)store_check_hash(w, job);
    int verdict = job->result;
    if (verdict == BTC_E_HASH || (verdict == 0 && job->hashes.wanted)) {
        job->result = 0;
        if (store_hash_blocks(w, job)) {
            job->result = verdict;
        }
    }
    if (job->result == 0) {
        store_write_blocks(w, job);
        job->fail.unwritten = job->result != 0;
    }
}

/* HASH. */
void store_run_hash(struct store_worker *w, struct store_job *job)
{
    (void)store_job_len(job);
    (void)store_check_hash(w, job);
}

/* READ. */
void store_run_read(struct store_worker *w, struct store_job *job)
{
    struct store_reader r = {.job = job};
    struct store_walk walk = store_walk_start(job, false);
    struct store_seg seg;
    bool ok = true;
    (void)w;
    (void)store_job_len(job);
    while (ok && store_walk_next(&walk, &seg)) {
        uint8_t *to = job->data + (walk.pos - seg.len);
        if (seg.kind == STORE_PAD) {
            memset(to, 0, seg.len);
        } else {
            ok = store_reader_read(&r, &seg, to);
        }
    }
    store_reader_close(&r);
}

/* Takes a reference on the file of a span. */
static bool store_prefetch_span(struct store_job *job, uint32_t i)
{
    const struct span *span = &job->spans[i];
    if (span->pad || job->store->layout[span->file].pad) {
        return true;
    }
    struct store_fd *f = store_fd_get(job, span->file, false);
    if (f && !store_left_is_ours(f)) {
        store_fd_put(f);
        store_fail(job, span->file, NULL, STORE_E_TOUCHED);
        f = NULL;
    }
    if (f) {
        job->fds[i] = f->fd;
    } else {
        job->fds[i] = -1;
    }
    return f != NULL;
}

/* PREFETCH. Reads into the worker's buffer: only a read that came back proves
 * that sendfile will not wait for the device (readahead and WILLNEED return
 * before, RWF_NOWAIT and mincore must be asked again and again), and copying
 * 16 KiB costs less than handing the job over. */
void store_run_prefetch(struct store_worker *w, struct store_job *job)
{
    struct store_reader r = {.job = job};
    struct store_walk walk = store_walk_start(job, false);
    struct store_seg seg;
    bool ok = true;
    (void)store_job_len(job);
    job->fds = mem_array(job->n_spans, sizeof(*job->fds));
    for (uint32_t i = 0; i < job->n_spans; i++) {
        job->fds[i] = -1;
    }
    for (uint32_t i = 0; ok && i < job->n_spans; i++) {
        ok = store_prefetch_span(job, i);
    }
    while (ok && store_walk_next(&walk, &seg)) {
        ok = seg.kind != STORE_FILE || store_reader_read(&r, &seg, w->buf);
    }
    store_reader_close(&r);
    for (uint32_t i = 0; !ok && i < job->n_spans; i++) {
        store_fd_release(job->store, job->spans[i].file, job->fds[i]);
    }
    if (!ok) {
        free(job->fds);
        job->fds = NULL;
    }
}
