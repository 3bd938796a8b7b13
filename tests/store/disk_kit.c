/* See disk_kit.h. */
#include "store/disk_kit.h"

int kit_remove_one(const char *path, const struct stat *st, int type,
                   struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void kit_remove(const char *dir)
{
    (void)nftw(dir, kit_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void kit_open(struct kit *k, uint32_t threads)
{
    struct store_options o = {.threads = threads};
    (void)snprintf(k->dir, sizeof(k->dir), "/tmp/btc-disk-XXXXXX");
    assert_non_null(mkdtemp(k->dir));
    k->l = loop_new();
    assert_non_null(k->l);
    k->d = store_new(k->l, &o);
    assert_non_null(k->d);
}

void kit_close(struct kit *k)
{
    store_free(k->d);
    loop_free(k->l);
    kit_remove(k->dir);
}

void kit_on_done(struct store_job *job)
{
    loop_stop(job->ctx);
}

int kit_run(struct kit *k, struct store_job *job)
{
    job->ctx = k->l;
    job->done = kit_on_done;
    store_submit(k->d, job);
    loop_run(k->l);
    return job->result;
}

struct store_job kit_do(struct kit *k, struct store_tree *s, enum store_op op)
{
    struct store_job job = {.op = op, .store = s};
    (void)kit_run(k, &job);
    if (op == STORE_CREATE) { /* who wants these runs the job itself */
        free(job.prints);
        job.prints = NULL;
    }
    if (op == STORE_DELETE) { /* the same */
        store_stays_fini(&job.remove.stays);
    }
    return job;
}

struct store_job kit_create(struct kit *k, struct store_tree *s)
{
    struct store_job job = kit_do(k, s, STORE_CREATE);
    free(job.prints);
    job.prints = NULL;
    return job;
}

int kit_sync(struct kit *k, struct store_tree *s)
{
    struct store_job job = kit_do(k, s, STORE_SYNC);
    free(job.prints);
    return job.result;
}

void kit_torrent_init(struct kit_torrent *t, struct store_file *files,
                      uint32_t n_files, uint32_t piece_length)
{
    struct rng rng;
    rng_init(&rng, KIT_SEED);
    *t = (struct kit_torrent){
        .files = files, .n_files = n_files, .piece_length = piece_length};
    for (uint32_t i = 0; i < n_files; i++) {
        files[i].offset = t->total;
        t->total += files[i].length;
    }
    t->n_pieces = (uint32_t)((t->total + piece_length - 1) / piece_length);
    t->bytes = mem_zalloc(t->total);
    for (uint32_t i = 0; i < n_files; i++) {
        if (!files[i].pad) {
            rng_bytes(&rng, t->bytes + files[i].offset, files[i].length);
        }
    }
}

void kit_torrent_fini(struct kit_torrent *t)
{
    free(t->bytes);
}

void kit_piece_init(struct kit_piece *p, const struct kit_torrent *t,
                    uint32_t piece)
{
    uint64_t begin = (uint64_t)piece * t->piece_length;
    uint64_t end = begin + t->piece_length;
    end = end < t->total ? end : t->total;
    p->len = (uint32_t)(end - begin);
    p->spans = mem_calloc(t->n_files, sizeof(*p->spans));
    p->n_spans = 0;
    for (uint32_t i = 0; i < t->n_files; i++) {
        const struct store_file *f = &t->files[i];
        uint64_t from = f->offset > begin ? f->offset : begin;
        uint64_t to = f->offset + f->length < end ? f->offset + f->length : end;
        if (from < to) {
            p->spans[p->n_spans++] =
                (struct span){.file = i,
                              .pad = f->pad,
                              .offset = from - f->offset,
                              .len = (uint32_t)(to - from)};
        }
    }
    p->bytes = mem_dup(t->bytes + begin, p->len);
    p->n_blocks = (p->len + BLOCK_LEN - 1) / BLOCK_LEN;
    p->blocks = mem_array(p->n_blocks, sizeof(*p->blocks));
    for (uint32_t i = 0; i < p->n_blocks; i++) {
        p->blocks[i] = p->bytes + (size_t)i * BLOCK_LEN;
    }
}

void kit_piece_fini(struct kit_piece *p)
{
    free(p->spans);
    free(p->bytes);
    free(p->blocks);
}

struct store_job kit_job(struct store_tree *s, enum store_op op,
                         const struct kit_piece *p)
{
    struct store_job job = {.op = op,
                            .store = s,
                            .spans = p->spans,
                            .n_spans = p->n_spans,
                            .blocks = p->blocks,
                            .n_blocks = p->n_blocks};
    hash_sha1(slice_of(p->bytes, p->len), job.expected);
    return job;
}

int kit_piece_do(struct kit *k, struct store_tree *s, enum store_op op,
                 const struct kit_torrent *t, uint32_t piece)
{
    struct kit_piece p;
    kit_piece_init(&p, t, piece);
    struct store_job job = kit_job(s, op, &p);
    int rc = kit_run(k, &job);
    free(job.hashes.of_blocks);
    kit_piece_fini(&p);
    return rc;
}

const char *kit_path(const struct kit *k, const char *name, char *out,
                     size_t size)
{
    (void)snprintf(out, size, "%s/%s", k->dir, name);
    return out;
}

void kit_put(const struct kit *k, const char *name, const void *bytes,
             size_t len)
{
    char path[512];
    FILE *f = fopen(kit_path(k, name, path, sizeof(path)), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

void kit_expect(const struct kit *k, const char *name, const void *bytes,
                size_t len)
{
    char path[512];
    uint8_t *got = mem_alloc(len + 1);
    FILE *f = fopen(kit_path(k, name, path, sizeof(path)), "rb");
    assert_non_null(f);
    assert_int_equal(fread(got, 1, len + 1, f), len);
    assert_int_equal(fclose(f), 0);
    assert_memory_equal(got, bytes, len);
    free(got);
}

bool kit_exists(const struct kit *k, const char *name)
{
    char path[512];
    struct stat st;
    return lstat(kit_path(k, name, path, sizeof(path)), &st) == 0;
}

void kit_mkdir(const struct kit *k, const char *name)
{
    char path[512];
    assert_int_equal(mkdir(kit_path(k, name, path, sizeof(path)), 0777), 0);
}

struct store_tree *kit_store(struct kit *k, const struct kit_torrent *t)
{
    return store_tree_new(k->d, k->dir, t->files, t->n_files, false);
}
