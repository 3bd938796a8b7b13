/* The disk's jobs over pieces and stores, in a private folder. */
#include "model/block.h"
#include "model/span.h"
#include "store/disk_kit.h"
#include "store/internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>

/* Small and empty files, a piece of many files, padding, a big one. */
static struct store_file test_mixed[] = {
    {.path = "a/one", .length = 5},
    {.path = "a/empty", .length = 0},
    {.path = ".pad/1", .length = 16379, .pad = true},
    {.path = "a b/two", .length = 20000},
    {.path = "a/c/d/three", .length = 100001},
    {.path = "zero", .length = 0},
    {.path = "four", .length = 1},
    {.path = ".pad/2", .length = 70000, .pad = true},
    {.path = "five", .length = 33000},
};
#define TEST_N_MIXED (sizeof(test_mixed) / sizeof(test_mixed[0]))

/* All files of a torrent hold its bytes; pads are not there. */
static void test_expect_files(const struct kit *k, const struct kit_torrent *t)
{
    for (uint32_t i = 0; i < t->n_files; i++) {
        const struct store_file *f = &t->files[i];
        if (f->pad) {
            assert_false(kit_exists(k, f->path));
        } else {
            kit_expect(k, f->path, t->bytes + f->offset, f->length);
        }
    }
}

/* Every piece can be read back. */
static void test_expect_read(struct kit *k, struct store_tree *s,
                             const struct kit_torrent *t)
{
    for (uint32_t i = 0; i < t->n_pieces; i++) {
        struct kit_piece p;
        kit_piece_init(&p, t, i);
        struct store_job job = kit_job(s, STORE_READ, &p);
        job.data = mem_alloc(p.len);
        memset(job.data, 0xaa, p.len);
        assert_int_equal(kit_run(k, &job), 0);
        assert_memory_equal(job.data, p.bytes, p.len);
        free(job.data);
        kit_piece_fini(&p);
    }
}

/* Create, finish all pieces, hash, read: at several piece lengths. */
static void test_whole_torrents(void **state)
{
    static const uint32_t lengths[] = {16384, 32768, 49152, 262144};
    (void)state;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct kit k;
        struct kit_torrent t;
        kit_open(&k, 2);
        kit_torrent_init(&t, test_mixed, TEST_N_MIXED, lengths[i]);
        struct store_tree *s = kit_store(&k, &t);
        assert_int_equal(kit_create(&k, s).result, 0);
        for (uint32_t p = t.n_pieces; p > 0; p--) {
            assert_int_equal(kit_piece_do(&k, s, STORE_FINISH, &t, p - 1), 0);
        }
        for (uint32_t p = 0; p < t.n_pieces; p++) {
            assert_int_equal(kit_piece_do(&k, s, STORE_HASH, &t, p), 0);
        }
        test_expect_read(&k, s, &t);
        assert_int_equal(kit_sync(&k, s), 0);
        test_expect_files(&k, &t);
        store_tree_free(s);
        kit_torrent_fini(&t);
        kit_close(&k);
    }
}

/* A piece of 16 MiB over one file and the end of another. */
static void test_large_piece(void **state)
{
    struct store_file files[] = {
        {.path = "x/small", .length = 1234},
        {.path = "x/large", .length = (16u << 20) + 4321},
    };
    (void)state;
    struct kit k;
    struct kit_torrent t;
    kit_open(&k, 2);
    kit_torrent_init(&t, files, 2, 16u << 20);
    struct store_tree *s = kit_store(&k, &t);
    assert_int_equal(kit_create(&k, s).result, 0);
    assert_int_equal(kit_piece_do(&k, s, STORE_FINISH, &t, 0), 0);
    assert_int_equal(kit_piece_do(&k, s, STORE_FINISH, &t, 1), 0);
    assert_int_equal(kit_piece_do(&k, s, STORE_HASH, &t, 0), 0);
    test_expect_files(&k, &t);
    store_tree_free(s);
    kit_torrent_fini(&t);
    kit_close(&k);
}

/* One piece over more files than a pwritev has buffers or a cache has room. */
static void test_many_files(void **state)
{
    enum {
        N = 1500
    };
    static struct store_file files[N];
    static char names[N][24];
    (void)state;
    struct kit k;
    struct kit_torrent t;
    for (uint32_t i = 0; i < N; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "d%u/f%u", i % 7, i);
        files[i] = (struct store_file){.path = names[i],
                                       .length = (uint64_t)(i % 5) * 10};
    }
    kit_open(&k, 2);
    kit_torrent_init(&t, files, N, 32768);
    struct store_tree *s = kit_store(&k, &t);
    assert_int_equal(kit_create(&k, s).result, 0);
    assert_int_equal(kit_piece_do(&k, s, STORE_FINISH, &t, 0), 0);
    assert_int_equal(kit_piece_do(&k, s, STORE_HASH, &t, 0), 0);
    struct store_job sync = kit_do(&k, s, STORE_SYNC);
    assert_int_equal(sync.result, 0);
    for (uint32_t i = 0; i < N; i++) {
        assert_int_equal(sync.prints[i].exists, files[i].length > 0);
    }
    free(sync.prints);
    test_expect_files(&k, &t);
    store_tree_free(s);
    kit_torrent_fini(&t);
    kit_close(&k);
}

/* The data blocks that a file has. */
static uint64_t test_blocks(struct kit *k, struct store_tree *s, uint32_t file)
{
    struct store_job job = kit_do(k, s, STORE_STAT);
    assert_int_equal(job.result, 0);
    uint64_t blocks = job.prints[file].blocks;
    free(job.prints);
    return blocks;
}

/* A bad piece: nothing is written, each block's hash is told. */
static void test_finish_bad(void **state)
{
    struct store_file files[] = {{.path = "f", .length = 100000}};
    (void)state;
    struct kit k;
    struct kit_torrent t;
    struct kit_piece p;
    uint8_t sum[SHA1_LEN];
    kit_open(&k, 2);
    kit_torrent_init(&t, files, 1, 65536);
    struct store_tree *s = kit_store(&k, &t);
    assert_int_equal(kit_create(&k, s).result, 0);
    kit_piece_init(&p, &t, 0);
    struct store_job job = kit_job(s, STORE_FINISH, &p);
    p.blocks[2][77] ^= 1;
    assert_int_equal(kit_run(&k, &job), BTC_E_HASH);
    assert_non_null(job.hashes.of_blocks);
    for (uint32_t i = 0; i < 4; i++) {
        const uint8_t *good = t.bytes + (size_t)i * BLOCK_LEN;
        hash_sha1(slice_of(good, BLOCK_LEN), sum);
        bool same = memcmp(sum, job.hashes.of_blocks[i], SHA1_LEN) == 0;
        assert_int_equal(same, i != 2);
    }
    free(job.hashes.of_blocks);
    assert_int_equal(test_blocks(&k, s, 0), 0);
    p.blocks[2][77] ^= 1;
    assert_int_equal(kit_run(&k, &job), 0);
    assert_null(job.hashes.of_blocks);
    assert_int_not_equal(test_blocks(&k, s, 0), 0);
    assert_int_equal(kit_piece_do(&k, s, STORE_HASH, &t, 1), BTC_E_HASH);
    kit_piece_fini(&p);
    store_tree_free(s);
    kit_torrent_fini(&t);
    kit_close(&k);
}

/* The hashes of the blocks that a job had in memory; frees them. */
static void test_block_hashes(const struct kit_torrent *t,
                              const struct kit_piece *p, struct store_job *job)
{
    uint8_t sum[SHA1_LEN];
    assert_non_null(job->hashes.of_blocks);
    for (uint32_t i = 0; i < p->n_blocks; i++) {
        size_t at = (size_t)i * BLOCK_LEN;
        size_t left = p->len - at;
        hash_sha1(slice_of(t->bytes + at, left < BLOCK_LEN ? left : BLOCK_LEN),
                  sum);
        if (job->blocks[i] != NULL || job->op == STORE_FINISH) {
            assert_memory_equal(sum, job->hashes.of_blocks[i], SHA1_LEN);
        }
    }
    free(job->hashes.of_blocks);
}

/* Some blocks on disk, some in memory, rubbish where padding is: for every
 * subset of the blocks of a piece. */
static void test_finish_partial(void **state)
{
    struct store_file files[] = {
        {.path = "f", .length = 30000},
        {.path = ".pad", .length = 9000, .pad = true},
        {.path = "g", .length = 33000},
    };
    (void)state;
    for (uint32_t mask = 0; mask < 32; mask++) {
        struct kit k;
        struct kit_torrent t;
        struct kit_piece p;
        uint8_t *on_disk[5];
        kit_open(&k, 2);
        kit_torrent_init(&t, files, 3, 1u << 17);
        struct store_tree *s = kit_store(&k, &t);
        assert_int_equal(kit_create(&k, s).result, 0);
        kit_piece_init(&p, &t, 0);
        assert_int_equal(p.n_blocks, 5);
        struct store_job job = kit_job(s, STORE_WRITE, &p);
        memset(p.bytes + 30000, 0x55, 9000); /* must not matter */
        for (uint32_t i = 0; i < 5; i++) {
            on_disk[i] = mask >> i & 1 ? p.blocks[i] : NULL;
            p.blocks[i] = mask >> i & 1 ? NULL : p.blocks[i];
        }
        job.blocks = on_disk;
        job.hashes.wanted = true;
        assert_int_equal(kit_run(&k, &job), 0);
        test_block_hashes(&t, &p, &job);
        job.op = STORE_FINISH;
        job.blocks = p.blocks;
        assert_int_equal(kit_run(&k, &job), 0);
        test_block_hashes(&t, &p, &job);
        test_expect_files(&k, &t);
        kit_piece_fini(&p);
        store_tree_free(s);
        kit_torrent_fini(&t);
        kit_close(&k);
    }
}

/* What each job says of files that are missing, short, or no files. */
static void test_bad_files(void **state)
{
    static const enum store_op ops[] = {STORE_HASH, STORE_READ, STORE_PREFETCH,
                                        STORE_WRITE, STORE_FINISH};
    static const int missing[] = {BTC_E_SHORT, BTC_E_SHORT, BTC_E_SHORT,
                                  BTC_E_STORAGE, BTC_E_STORAGE};
    struct store_file files[] = {{.path = "x/f", .length = 1000},
                                 {.path = "x/g", .length = 1000}};
    (void)state;
    for (uint32_t i = 0; i < 5; i++) {
        struct kit k;
        struct kit_torrent t;
        struct kit_piece p;
        uint8_t data[2000];
        kit_open(&k, 2);
        kit_torrent_init(&t, files, 2, 16384);
        kit_piece_init(&p, &t, 0);
        struct store_tree *s = kit_store(&k, &t);
        struct store_job job = kit_job(s, ops[i], &p);
        bool writes = ops[i] == STORE_WRITE || ops[i] == STORE_FINISH;
        job.data = data;

        assert_int_equal(kit_run(&k, &job), missing[i]);
        assert_int_equal(job.fail.file, 0);
        assert_non_null(strstr(job.fail.text, "x/f: No such file"));
        assert_false(kit_exists(&k, "x"));
        assert_null(job.fds);

        kit_mkdir(&k, "x");
        kit_put(&k, "x/f", t.bytes, 1000);
        assert_int_equal(kit_run(&k, &job), missing[i]);
        assert_int_equal(job.fail.file, 1);
        assert_non_null(strstr(job.fail.text, "x/g: No such file"));

        kit_put(&k, "x/g", t.bytes + 1000, 999);
        assert_int_equal(kit_run(&k, &job), writes ? 0 : BTC_E_SHORT);
        if (!writes) {
            assert_int_equal(job.fail.file, 1);
            assert_non_null(strstr(job.fail.text, "ends at byte 999 of 1000"));
        }

        char path[512];
        store_tree_free(s);
        job.store = s = kit_store(&k, &t);
        assert_int_equal(unlink(kit_path(&k, "x/g", path, sizeof(path))), 0);
        kit_mkdir(&k, "x/g");
        assert_int_equal(kit_run(&k, &job), BTC_E_EXISTS);
        assert_int_equal(job.fail.file, 1);

        store_tree_free(s);
        kit_remove(k.dir);
        job.store = s = kit_store(&k, &t);
        assert_int_equal(kit_run(&k, &job), BTC_E_STORAGE);
        assert_non_null(strstr(job.fail.text, k.dir));
        assert_non_null(strstr(job.fail.text, "the folder is missing"));
        kit_piece_fini(&p);
        store_tree_free(s);
        kit_torrent_fini(&t);
        kit_close(&k);
    }
}

/* A path longer than the error's room keeps its end and the reason. */
static void test_error_text(void **state)
{
    char name[220];
    struct store_file file = {.path = name, .length = 10};
    (void)state;
    struct kit k;
    memset(name, 'a', sizeof(name));
    memcpy(name + 205, "\xc3\xa4-end", 7);
    kit_open(&k, 2);
    struct store_tree *s = store_tree_new(k.d, k.dir, &file, 1, false);
    struct span span = {.len = 10};
    struct store_job job = {
        .op = STORE_HASH, .store = s, .spans = &span, .n_spans = 1};
    assert_int_equal(kit_run(&k, &job), BTC_E_SHORT);
    assert_int_equal(strncmp(job.fail.text, "...aaa", 6), 0);
    assert_non_null(strstr(job.fail.text, "-end: No such file or directory"));
    store_tree_free(s);
    kit_close(&k);
}

/* Of a path that is too long for the system the text shows what fits. */
static void test_error_long_path(void **state)
{
    char name[PATH_MAX + 100];
    struct store_file file = {.path = name, .length = 10};
    (void)state;
    struct kit k;
    for (size_t i = 0; i < sizeof(name); i++) {
        name[i] = i % 100 == 99 ? '/' : 'a';
    }
    name[sizeof(name) - 1] = '\0';
    kit_open(&k, 2);
    struct store_tree *s = store_tree_new(k.d, k.dir, &file, 1, false);
    struct store_job job = kit_create(&k, s);
    assert_true(job.result < 0);
    assert_int_equal(strncmp(job.fail.text, "...", 3), 0);
    assert_non_null(strstr(job.fail.text, "aaa/aaa"));
    assert_non_null(strstr(job.fail.text, "aaa: File name too long"));
    store_tree_free(s);
    kit_close(&k);
}

/* CREATE over what is there already. */
static void test_create_existing(void **state)
{
    struct store_file files[] = {{.path = "s/short", .length = 50},
                                 {.path = "same", .length = 4},
                                 {.path = "new", .length = 70000},
                                 {.path = "skipped", .length = 9}};
    struct bits select;
    (void)state;
    struct kit k;
    uint8_t extended[50] = "head";
    kit_open(&k, 2);
    kit_mkdir(&k, "s");
    kit_put(&k, "s/short", "head", 4);
    kit_put(&k, "same", "same", 4);
    struct store_tree *s = store_tree_new(k.d, k.dir, files, 4, false);
    assert_int_equal(bits_init(&select, 4), 0);
    bits_fill(&select);
    bits_clear(&select, 3);
    struct store_job job = {.op = STORE_CREATE, .store = s, .select = &select};
    assert_int_equal(kit_run(&k, &job), 0);
    free(job.prints);
    assert_int_equal(kit_run(&k, &job), 0);
    free(job.prints);
    kit_expect(&k, "s/short", extended, 50);
    kit_expect(&k, "same", "same", 4);
    assert_true(kit_exists(&k, "new"));
    assert_false(kit_exists(&k, "skipped"));
    assert_int_equal(test_blocks(&k, s, 2), 0); /* sparse */

    bits_set(&select, 3);
    kit_put(&k, "skipped", "far too long", 12);
    free(kit_do(&k, s, STORE_STAT).prints);
    assert_int_equal(kit_run(&k, &job), BTC_E_EXISTS);
    assert_int_equal(job.fail.file, 3);
    assert_non_null(strstr(job.fail.text, "skipped"));
    assert_non_null(strstr(job.fail.text, "12 bytes"));
    assert_non_null(strstr(job.fail.text, "has 9"));
    kit_expect(&k, "skipped", "far too long", 12);
    bits_fini(&select);
    store_tree_free(s);
    kit_close(&k);
}

/* Folders where files should be, and the other way round. */
static void test_create_blocked(void **state)
{
    static const struct {
        const char *dir;
        const char *file;
        const char *text;
    } rows[] = {
        {"f", NULL, "is a folder"},
        {NULL, "d", "in the place of one of its folders"},
    };
    struct store_file files[] = {{.path = "f", .length = 5},
                                 {.path = "d/e/g", .length = 5}};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct kit k;
        kit_open(&k, 2);
        if (rows[i].dir) {
            kit_mkdir(&k, rows[i].dir);
        } else {
            kit_put(&k, rows[i].file, "x", 1);
        }
        struct store_tree *s = store_tree_new(k.d, k.dir, files, 2, false);
        struct store_job job = kit_create(&k, s);
        assert_int_equal(job.result, BTC_E_EXISTS);
        assert_int_equal(job.fail.file, i);
        assert_non_null(strstr(job.fail.text, rows[i].text));
        store_tree_free(s);
        kit_close(&k);
    }
}

/* Full allocation, and nothing at all without the save path. */
static void test_create_full(void **state)
{
    struct store_file files[] = {{.path = "a/f", .length = 100000},
                                 {.path = "b", .length = 0}};
    (void)state;
    struct kit k;
    kit_open(&k, 2);
    struct store_tree *s = store_tree_new(k.d, k.dir, files, 2, true);
    assert_int_equal(kit_create(&k, s).result, 0);
    struct store_job job = kit_do(&k, s, STORE_STAT);
    assert_int_equal(job.result, 0);
    assert_true(job.root.exists);
    assert_int_equal(job.root.dev, job.prints[0].dev);
    assert_int_equal(job.prints[0].size, 100000);
    assert_true(job.prints[0].blocks * 512 >= 100000 ||
                job.prints[0].blocks == 0 /* no fallocate here */);
    assert_true(job.prints[1].exists && job.prints[1].is_file);
    free(job.prints);
    store_tree_free(s);

    kit_remove(k.dir);
    s = store_tree_new(k.d, k.dir, files, 2, true);
    job = kit_create(&k, s);
    assert_int_equal(job.result, BTC_E_STORAGE);
    assert_non_null(strstr(job.fail.text, k.dir));
    struct stat st;
    assert_int_equal(stat(k.dir, &st), -1);
    job = kit_do(&k, s, STORE_SPACE);
    assert_int_equal(job.result, BTC_E_STORAGE);
    job = kit_do(&k, s, STORE_STAT);
    assert_int_equal(job.result, 0);
    assert_false(job.root.exists);
    assert_false(job.prints[0].exists);
    free(job.prints);
    store_tree_free(s);
    kit_close(&k);
}

/* The pieces that SCAN finds, as a string of bits. */
static void test_expect_scan(struct kit *k, struct store_tree *s,
                             uint32_t n_pieces, const char *expected)
{
    struct store_job job = {.op = STORE_SCAN,
                            .store = s,
                            .scan.piece_length = 65536,
                            .scan.n_pieces = n_pieces};
    char got[64] = "";
    assert_int_equal(kit_run(k, &job), 0);
    for (uint32_t i = 0; i < n_pieces; i++) {
        got[i] = bits_get(&job.scan.found, i) ? '1' : '0';
    }
    assert_string_equal(got, expected);
    bits_fini(&job.scan.found);
}

/* Holes, missing and short files take their pieces away. Page sizes of up to
 * 64 KiB are fine: pieces are that long. */
static void test_scan(void **state)
{
    struct store_file files[] = {
        {.path = "a", .length = 196608},
        {.path = "b/tiny", .length = 100},
        {.path = ".pad", .length = 65536 - 100, .pad = true},
        {.path = "c", .length = 65536},
        {.path = ".pad2", .length = 65536, .pad = true},
        {.path = "empty", .length = 0},
        {.path = "d", .length = 1000},
    };
    (void)state;
    struct kit k;
    struct kit_torrent t;
    kit_open(&k, 2);
    kit_torrent_init(&t, files, 7, 65536);
    struct store_tree *s = kit_store(&k, &t);
    assert_int_equal(t.n_pieces, 7);
    test_expect_scan(&k, s, 7, "0000010");
    assert_int_equal(kit_create(&k, s).result, 0);
    test_expect_scan(&k, s, 7, "0000010");
    assert_int_equal(kit_piece_do(&k, s, STORE_FINISH, &t, 1), 0);
    assert_int_equal(kit_piece_do(&k, s, STORE_FINISH, &t, 3), 0);
    assert_int_equal(kit_piece_do(&k, s, STORE_FINISH, &t, 6), 0);
    test_expect_scan(&k, s, 7, "0101011");
    kit_put(&k, "c", t.bytes, 65535);
    kit_put(&k, "d", t.bytes, 1000);
    test_expect_scan(&k, s, 7, "0101011");
    kit_put(&k, "c", t.bytes, 65536);
    kit_put(&k, "d", t.bytes, 999);
    test_expect_scan(&k, s, 7, "0101110");
    store_tree_free(s);
    kit_torrent_fini(&t);
    kit_close(&k);
}

/* More pieces than a bitmap may have: an error, not a crash. */
static void test_scan_limit(void **state)
{
    struct store_file file = {.path = "f", .length = 1};
    (void)state;
    struct kit k;
    kit_open(&k, 2);
    struct store_tree *s = store_tree_new(k.d, k.dir, &file, 1, false);
    struct store_job job = {.op = STORE_SCAN,
                            .store = s,
                            .scan.piece_length = 1,
                            .scan.n_pieces = BITS_MAX + 1};
    assert_int_equal(kit_run(&k, &job), BTC_E_LIMIT);
    assert_null(job.scan.found.p);
    store_tree_free(s);
    kit_close(&k);
}

/* Only what was made goes, and never the save path. */
static void test_delete(void **state)
{
    struct store_file files[] = {{.path = "t/a/one", .length = 5},
                                 {.path = "t/a/b/two", .length = 5},
                                 {.path = "t/three", .length = 5},
                                 {.path = "u/four", .length = 0}};
    (void)state;
    struct kit k;
    char path[512];
    kit_open(&k, 2);
    struct store_tree *s = store_tree_new(k.d, k.dir, files, 4, false);
    assert_int_equal(kit_do(&k, s, STORE_DELETE).result, 0);
    assert_int_equal(kit_create(&k, s).result, 0);
    store_mark_dirty(s, 0);
    kit_put(&k, "t/a/mine", "x", 1);
    assert_int_equal(unlink(kit_path(&k, "t/three", path, sizeof(path))), 0);
    assert_int_equal(kit_do(&k, s, STORE_DELETE).result, 0);
    assert_true(kit_exists(&k, "t/a/mine"));
    assert_false(kit_exists(&k, "t/a/one"));
    assert_false(kit_exists(&k, "t/a/b"));
    assert_false(kit_exists(&k, "u"));
    assert_int_equal(kit_sync(&k, s), 0); /* nothing is left to be synced */
    assert_int_equal(unlink(kit_path(&k, "t/a/mine", path, sizeof(path))), 0);
    assert_int_equal(kit_do(&k, s, STORE_DELETE).result, 0);
    assert_false(kit_exists(&k, "t"));
    assert_true(kit_exists(&k, "."));
    store_tree_free(s);
    kit_close(&k);
}

/* What is not the torrent's own stays, each for itself; the rest goes. */
static void test_delete_others(void **state)
{
    struct store_file files[] = {{.path = "t/link/far", .length = 5},
                                 {.path = "t/longer", .length = 5},
                                 {.path = "t/folder", .length = 5},
                                 {.path = "t/file/below", .length = 5},
                                 {.path = "t/linked", .length = 5},
                                 {.path = "t/own", .length = 5}};
    (void)state;
    struct kit k;
    char path[512], root[512];
    kit_open(&k, 2);
    struct store_tree *s = store_tree_new(
        k.d, kit_path(&k, "root", root, sizeof(root)), files, 6, false);
    struct store_job job = kit_do(&k, s, STORE_DELETE);
    assert_int_equal(job.result, BTC_E_STORAGE); /* not: nothing to be done */
    kit_mkdir(&k, "far");
    kit_mkdir(&k, "root");
    kit_mkdir(&k, "root/t");
    kit_mkdir(&k, "root/t/folder");
    kit_put(&k, "far/far", "12345", 5);
    kit_put(&k, "root/t/longer", "123456", 6);
    kit_put(&k, "root/t/folder/mine", "1", 1);
    kit_put(&k, "root/t/file", "1", 1);
    kit_put(&k, "root/t/own", "12345", 5);
    assert_int_equal(
        symlink("../../far", kit_path(&k, "root/t/link", path, sizeof(path))),
        0);
    assert_int_equal(symlink("../../far/far",
                             kit_path(&k, "root/t/linked", path, sizeof(path))),
                     0);
    job = kit_do(&k, s, STORE_DELETE);
    assert_int_equal(job.result, BTC_E_EXISTS);
    assert_int_equal(job.fail.file, 0);
    assert_non_null(strstr(job.fail.text, "is a link"));
    assert_int_equal(job.remove.n_removed, 2);
    assert_true(job.root.exists);
    assert_true(kit_exists(&k, "far/far"));
    assert_true(kit_exists(&k, "root/t/link/far"));
    assert_true(kit_exists(&k, "root/t/longer"));
    assert_true(kit_exists(&k, "root/t/folder/mine"));
    assert_true(kit_exists(&k, "root/t/file"));
    assert_false(kit_exists(&k, "root/t/linked"));
    assert_false(kit_exists(&k, "root/t/own"));
    store_tree_free(s);
    kit_close(&k);
}

/* Whether somebody has put anything into a file: zeros and holes are nothing.
 */
static void test_look(void **state)
{
    struct store_file files[] = {{.path = "holes", .length = 1 << 20},
                                 {.path = "zeros", .length = 200000},
                                 {.path = "last", .length = 200000},
                                 {.path = "absent", .length = 5}};
    bool used[] = {false, false, true, false};
    static uint8_t bytes[200000];
    (void)state;
    struct kit k;
    kit_open(&k, 1);
    struct store_tree *s = store_tree_new(k.d, k.dir, files, 4, false);
    assert_int_equal(kit_create(&k, s).result, 0);
    char path[512];
    assert_int_equal(unlink(kit_path(&k, "absent", path, sizeof(path))), 0);
    kit_put(&k, "zeros", bytes, sizeof(bytes));
    bytes[sizeof(bytes) - 1] = 1;
    kit_put(&k, "last", bytes, sizeof(bytes));
    for (uint32_t i = 0; i < 4; i++) {
        struct store_job job = {.op = STORE_LOOK, .store = s, .look.file = i};
        assert_int_equal(kit_run(&k, &job), 0);
        assert_int_equal(job.look.used, used[i]);
    }
    store_tree_free(s);
    kit_close(&k);
}

/* A longer file is cut when somebody insists; a link is never written through,
 * whatever it leads to. */
static void test_overwrite(void **state)
{
    struct store_file files[] = {{.path = "f", .length = 16384}};
    (void)state;
    struct kit k;
    struct kit_torrent t;
    char path[512], away[512];
    kit_open(&k, 1);
    kit_torrent_init(&t, files, 1, 16384);
    struct store_tree *s = kit_store(&k, &t);
    uint8_t longer[16385] = {1};
    kit_put(&k, "f", longer, sizeof(longer));
    struct store_job job = {.op = STORE_CREATE, .store = s};
    assert_int_equal(kit_run(&k, &job), BTC_E_EXISTS);
    assert_true(job.create.may_insist);
    kit_expect(&k, "f", longer, sizeof(longer));
    job = (struct store_job){
        .op = STORE_CREATE, .store = s, .create.overwrite = true};
    assert_int_equal(kit_run(&k, &job), 0);
    assert_true(job.prints[0].exists);
    assert_int_equal(job.prints[0].size, 16384);
    free(job.prints);
    kit_expect(&k, "f", longer, 16384);

    (void)kit_path(&k, "f", path, sizeof(path));
    (void)kit_path(&k, "away", away, sizeof(away));
    assert_int_equal(rename(path, away), 0);
    assert_int_equal(symlink("away", path), 0);
    store_tree_free(s);
    s = kit_store(&k, &t); /* that has nothing open */
    assert_int_equal(kit_piece_do(&k, s, STORE_FINISH, &t, 0), BTC_E_EXISTS);
    kit_expect(&k, "away", longer, 16384);
    store_tree_free(s);
    kit_torrent_fini(&t);
    kit_close(&k);
}

/* DELETE takes only what is known as the torrent's: not another file in its
 * place, nor one with its number that is shorter. */
static void test_delete_owned(void **state)
{
    struct store_file files[] = {{.path = "t/own", .length = 4},
                                 {.path = "t/unknown", .length = 4},
                                 {.path = "t/other", .length = 4},
                                 {.path = "t/moved", .length = 4},
                                 {.path = "t/short", .length = 4}};
    (void)state;
    struct kit k;
    kit_open(&k, 1);
    struct store_tree *s = store_tree_new(k.d, k.dir, files, 5, false);
    struct store_job create = {.op = STORE_CREATE, .store = s};
    (void)kit_run(&k, &create);
    assert_int_equal(create.result, 0);
    struct fingerprint *own = create.prints;
    own[1].exists = false;
    own[2].ino++;
    own[3].dev++; /* another boot: size and time say that it is the same */
    kit_put(&k, "t/short", "abc", 3);
    struct store_job job = {
        .op = STORE_DELETE, .store = s, .remove.owned = own};
    assert_int_equal(kit_run(&k, &job), BTC_E_EXISTS);
    assert_int_equal(job.fail.file, 2);
    assert_non_null(strstr(job.fail.text, "somebody else"));
    assert_int_equal(job.remove.n_removed, 2);
    assert_false(kit_exists(&k, "t/own") || kit_exists(&k, "t/moved"));
    assert_true(kit_exists(&k, "t/unknown") && kit_exists(&k, "t/other") &&
                kit_exists(&k, "t/short"));
    /* What made it fail is not told twice, nor its folder. */
    assert_int_equal(job.remove.stays.n, 1);
    assert_non_null(strstr(job.remove.stays.items[0].path, "/t/unknown"));
    assert_non_null(strstr(job.remove.stays.items[0].why, "somebody else"));
    store_stays_fini(&job.remove.stays);
    free(own);
    store_tree_free(s);
    kit_close(&k);
}

/* CREATE of a file that will be written, or only read. */
static int test_hold(struct kit *k, struct store_tree *s, bool write,
                     const char *label)
{
    struct bits writes;
    struct store_job job = {.op = STORE_CREATE, .store = s};
    assert_int_equal(bits_init(&writes, 1), 0);
    if (write) {
        (void)bits_set(&writes, 0);
    }
    job.create.writes = &writes;
    job.create.label = label;
    int rc = kit_run(k, &job);
    if (rc != 0) {
        assert_non_null(strstr(job.fail.text, "is in use by"));
        assert_null(job.prints);
    }
    free(job.prints);
    bits_fini(&writes);
    return rc;
}

/* One file on disk, two names of it, in two trees. */
static void test_two_trees(void **state)
{
    struct store_file f[] = {{.path = "f", .length = 16384}};
    struct store_file g[] = {{.path = "g", .length = 16384}};
    (void)state;
    struct kit k;
    struct kit_torrent t, u;
    char path[512], other[512];
    kit_open(&k, 2);
    kit_torrent_init(&t, f, 1, 16384);
    kit_torrent_init(&u, g, 1, 16384);
    struct store_tree *a = kit_store(&k, &t);
    struct store_tree *b = kit_store(&k, &u);
    assert_int_equal(test_hold(&k, a, true, "torrent 1 (a)"), 0);
    assert_int_equal(link(kit_path(&k, "f", path, sizeof(path)),
                          kit_path(&k, "g", other, sizeof(other))),
                     0);

    /* What one writes no other reads, nor looks at. */
    assert_int_equal(test_hold(&k, b, false, "b"), BTC_E_STORAGE);
    assert_int_equal(test_hold(&k, b, true, "b"), BTC_E_STORAGE);
    struct store_job stat = kit_do(&k, b, STORE_STAT);
    assert_int_equal(stat.result, BTC_E_STORAGE);
    assert_non_null(strstr(stat.fail.text, "torrent 1 (a)"));
    assert_int_equal(kit_piece_do(&k, a, STORE_FINISH, &t, 0), 0);
    assert_int_equal(kit_sync(&k, a), 0);

    /* A whole one may be read by both, and written by neither. */
    store_tree_only_reads(a);
    assert_int_equal(test_hold(&k, b, false, "b"), 0);
    assert_int_equal(kit_piece_do(&k, b, STORE_WRITE, &u, 0), BTC_E_STORAGE);
    assert_int_equal(kit_piece_do(&k, a, STORE_WRITE, &t, 0), BTC_E_STORAGE);
    assert_int_equal(kit_piece_do(&k, b, STORE_HASH, &u, 0), 0);

    /* Until one lets go of it. */
    store_tree_rest(b);
    assert_int_equal(kit_piece_do(&k, a, STORE_WRITE, &t, 0), 0);
    store_tree_free(a);
    assert_int_equal(test_hold(&k, b, true, "b"), 0);
    store_tree_free(b);
    kit_torrent_fini(&t);
    kit_torrent_fini(&u);
    kit_close(&k);
}

/* A file that was kept out of sight is taken to its place by STAT, as it is;
 * but not over another one. */
static void test_take(void **state)
{
    struct store_file away[] = {
        {.path = ".t.part/0", .length = 300000, .sparse = true}};
    struct store_file home[] = {
        {.path = "t/f", .length = 300000, .from = ".t.part/0"}};
    (void)state;
    struct kit k;
    struct kit_torrent t, u;
    kit_open(&k, 1);
    kit_torrent_init(&t, away, 1, 16384);
    kit_torrent_init(&u, home, 1, 16384);
    struct store_tree *s = store_tree_new(k.d, k.dir, t.files, 1, true);
    assert_int_equal(kit_create(&k, s).result, 0);
    assert_int_equal(kit_piece_do(&k, s, STORE_FINISH, &t, 3), 0);
    assert_int_equal(kit_sync(&k, s), 0);
    struct store_job before = kit_do(&k, s, STORE_STAT);
    assert_true(before.prints[0].blocks * 512 < 100000); /* not in full */
    store_tree_free(s);

    /* What nobody knows as the torrent's stays where it is. */
    s = store_tree_new(k.d, k.dir, u.files, 1, false);
    struct store_job stat = kit_do(&k, s, STORE_STAT);
    assert_int_equal(stat.result, 0);
    assert_false(stat.prints[0].exists);
    free(stat.prints);
    assert_true(kit_exists(&k, ".t.part/0"));
    store_tree_free(s);

    u.files[0].own = &before.prints[0];
    s = store_tree_new(k.d, k.dir, u.files, 1, false);
    kit_mkdir(&k, "t");
    kit_put(&k, "t/f", "mine", 4);
    stat = kit_do(&k, s, STORE_STAT);
    assert_int_equal(stat.result, BTC_E_EXISTS);
    kit_expect(&k, "t/f", "mine", 4);
    char path[512];
    assert_int_equal(unlink(kit_path(&k, "t/f", path, sizeof(path))), 0);
    for (int again = 0; again < 2; again++) {
        stat = kit_do(&k, s, STORE_STAT);
        assert_int_equal(stat.result, 0);
        assert_true(stat.prints[0].ino == before.prints[0].ino);
        assert_true(stat.prints[0].mtime_ns == before.prints[0].mtime_ns);
        free(stat.prints);
        assert_false(kit_exists(&k, ".t.part"));
    }
    assert_int_equal(kit_piece_do(&k, s, STORE_HASH, &u, 3), 0);
    free(before.prints);
    store_tree_free(s);
    kit_torrent_fini(&t);
    kit_torrent_fini(&u);
    kit_close(&k);
}

/* Something appears between STAT and CREATE, shorter than the file or longer:
 * nobody has looked at it, so it is not used, whoever insists, and what CREATE
 * had made is gone again. The next STAT knows of it. */
static void test_appeared_with(const char *mine, bool overwrite)
{
    struct store_file files[] = {{.path = "t/A", .length = 70000},
                                 {.path = "t/a", .length = 9}};
    struct kit k;
    struct kit_torrent t;
    kit_open(&k, 1);
    kit_torrent_init(&t, files, 2, 16384);
    struct store_tree *s = kit_store(&k, &t);
    struct store_job stat = kit_do(&k, s, STORE_STAT);
    assert_int_equal(stat.result, 0);
    free(stat.prints);
    kit_mkdir(&k, "t");
    kit_put(&k, "t/a", mine, strlen(mine));
    struct store_job create = {
        .op = STORE_CREATE, .store = s, .create.overwrite = overwrite};
    assert_int_equal(kit_run(&k, &create), BTC_E_EXISTS);
    assert_non_null(strstr(create.fail.text, "t/a: was not there"));
    assert_false(create.create.may_insist);
    kit_expect(&k, "t/a", mine, strlen(mine));
    assert_false(kit_exists(&k, "t/A"));
    kit_put(&k, "t/a", "short", 5);
    stat = kit_do(&k, s, STORE_STAT);
    assert_true(stat.prints[1].exists);
    free(stat.prints);
    assert_int_equal(kit_create(&k, s).result, 0);
    assert_true(kit_exists(&k, "t/A"));
    /* Made by the store itself: asked for again, it is its own. */
    assert_int_equal(kit_create(&k, s).result, 0);
    store_tree_free(s);
    kit_torrent_fini(&t);
    kit_close(&k);
}

static void test_appeared(void **state)
{
    (void)state;
    test_appeared_with("mine", true);
    test_appeared_with("longer than it", true);
    test_appeared_with("longer than it", false);
}

/* Prints of files; and of those that a SYNC made durable, once. */
static void test_prints(void **state)
{
    (void)state;
    struct kit k;
    struct kit_torrent t;
    kit_open(&k, 2);
    kit_torrent_init(&t, test_mixed, TEST_N_MIXED, 32768);
    struct store_tree *s = kit_store(&k, &t);
    assert_int_equal(kit_create(&k, s).result, 0);
    assert_int_equal(kit_piece_do(&k, s, STORE_FINISH, &t, 0), 0);
    struct store_job sync = kit_do(&k, s, STORE_SYNC);
    struct store_job stat = kit_do(&k, s, STORE_STAT);
    assert_int_equal(sync.result, 0);
    assert_int_equal(stat.result, 0);
    for (uint32_t i = 0; i < t.n_files; i++) {
        bool written = i == 0 || i == 3;
        assert_int_equal(sync.prints[i].exists, written);
        assert_int_equal(stat.prints[i].exists, !t.files[i].pad);
        if (written) {
            assert_memory_equal(&sync.prints[i].ino, &stat.prints[i].ino, 8);
            assert_int_equal(sync.prints[i].size, t.files[i].length);
            assert_true(sync.prints[i].mtime_ns == stat.prints[i].mtime_ns);
            assert_true(sync.prints[i].mtime_ns > 0);
            assert_true(sync.prints[i].is_file);
        }
    }
    free(sync.prints);
    free(stat.prints);
    store_mark_dirty(s, 8);
    sync = kit_do(&k, s, STORE_SYNC);
    assert_int_equal(sync.result, 0);
    for (uint32_t i = 0; i < t.n_files; i++) {
        assert_int_equal(sync.prints[i].exists, i == 8);
    }
    free(sync.prints);
    struct store_job space = kit_do(&k, s, STORE_SPACE);
    assert_int_equal(space.result, 0);
    assert_true(space.bytes_free > 0);
    store_tree_free(s);
    kit_torrent_fini(&t);
    kit_close(&k);
}

/* A file that is removed or replaced under the descriptor makes no claim. */
static void test_sync_replaced(void **state)
{
    struct store_file files[] = {{.path = "f", .length = 16384}};
    (void)state;
    struct kit k;
    struct kit_torrent t;
    char path[512];
    kit_open(&k, 2);
    kit_torrent_init(&t, files, 1, 16384);
    struct store_tree *s = kit_store(&k, &t);
    assert_int_equal(kit_create(&k, s).result, 0);
    assert_int_equal(kit_piece_do(&k, s, STORE_FINISH, &t, 0), 0);
    assert_int_equal(unlink(kit_path(&k, "f", path, sizeof(path))), 0);
    assert_int_equal(kit_sync(&k, s), BTC_E_STORAGE);
    assert_int_equal(kit_sync(&k, s), BTC_E_STORAGE);
    assert_int_equal(kit_create(&k, s).result, 0);
    assert_int_equal(kit_piece_do(&k, s, STORE_FINISH, &t, 0), 0);
    assert_int_equal(unlink(path), 0);
    kit_put(&k, "f", t.bytes, 5);
    assert_int_equal(kit_sync(&k, s), BTC_E_STORAGE);

    /* STAT looks too, so that nothing reads what is no longer there. */
    assert_int_equal(kit_create(&k, s).result, BTC_E_STORAGE);
    struct store_job stat = kit_do(&k, s, STORE_STAT);
    free(stat.prints);
    assert_int_equal(kit_create(&k, s).result, 0);
    assert_int_equal(kit_piece_do(&k, s, STORE_FINISH, &t, 0), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(kit_piece_do(&k, s, STORE_HASH, &t, 0), 0);
    stat = kit_do(&k, s, STORE_STAT);
    assert_int_equal(stat.result, 0);
    assert_false(stat.prints[0].exists);
    free(stat.prints);
    assert_int_equal(kit_piece_do(&k, s, STORE_HASH, &t, 0), BTC_E_SHORT);
    store_tree_free(s);
    kit_torrent_fini(&t);
    kit_close(&k);
}

/* A file is replaced while nobody has it open: what was claimed of it is not in
 * the new one, so no print may say that all is as we left it. */
static void test_write_replaced(void **state)
{
    struct store_file files[] = {{.path = "f", .length = 32768}};
    uint8_t zeros[32768] = {0};
    struct timespec times[2];
    struct stat st;
    (void)state;
    struct kit k;
    struct kit_torrent t;
    char path[512], away[512];
    kit_open(&k, 2);
    kit_torrent_init(&t, files, 1, 16384);
    (void)kit_path(&k, "f", path, sizeof(path));
    (void)kit_path(&k, "away", away, sizeof(away));
    struct store_tree *s = kit_store(&k, &t);
    assert_int_equal(kit_create(&k, s).result, 0);
    assert_int_equal(kit_piece_do(&k, s, STORE_FINISH, &t, 0), 0);
    assert_int_equal(kit_sync(&k, s), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(rename(path, away), 0);
    kit_put(&k, "f", zeros, sizeof(zeros));
    assert_int_equal(kit_piece_do(&k, s, STORE_FINISH, &t, 1), BTC_E_STORAGE);
    assert_int_equal(kit_piece_do(&k, s, STORE_WRITE, &t, 1), BTC_E_STORAGE);
    kit_expect(&k, "f", zeros, sizeof(zeros));

    /* A copy that keeps the time is no better; the file itself is, when it
     * comes back. */
    times[0] = times[1] = st.st_mtim;
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    assert_int_equal(kit_piece_do(&k, s, STORE_FINISH, &t, 1), BTC_E_STORAGE);
    assert_int_equal(rename(away, path), 0);
    assert_int_equal(kit_piece_do(&k, s, STORE_FINISH, &t, 1), 0);
    assert_int_equal(kit_sync(&k, s), 0);
    assert_int_equal(rename(path, away), 0);
    kit_put(&k, "f", zeros, sizeof(zeros));
    assert_int_equal(kit_piece_do(&k, s, STORE_WRITE, &t, 1), BTC_E_STORAGE);
    struct store_job stat = kit_do(&k, s, STORE_STAT); /* now we know */
    free(stat.prints);
    assert_int_equal(kit_piece_do(&k, s, STORE_WRITE, &t, 1), 0);
    assert_int_equal(rename(path, away), 0);
    kit_put(&k, "f", t.bytes, t.total);
    stat = kit_do(&k, s, STORE_STAT); /* also with the old one open */
    free(stat.prints);
    assert_int_equal(kit_piece_do(&k, s, STORE_WRITE, &t, 1), 0);
    assert_int_equal(kit_piece_do(&k, s, STORE_HASH, &t, 0), 0);
    store_tree_free(s);
    kit_torrent_fini(&t);
    kit_close(&k);
}

/* A file leaves the cache before its SYNC and is replaced: the stranger, which
 * would sync well, makes no claim, whatever of the old one it resembles. */
static void test_sync_stranger(void **state)
{
    struct store_file files[] = {{.path = "f", .length = 16384},
                                 {.path = "g", .length = 16384}};
    struct timespec times[2];
    struct stat st;
    (void)state;
    struct kit k;
    struct kit_torrent t;
    char path[512], away[512];
    kit_open(&k, 2);
    kit_torrent_init(&t, files, 2, 16384);
    (void)kit_path(&k, "f", path, sizeof(path));
    (void)kit_path(&k, "away", away, sizeof(away));
    for (int same = 0; same < 2; same++) {
        struct store_tree *s = kit_store(&k, &t);
        assert_int_equal(kit_create(&k, s).result, 0);
        assert_int_equal(kit_piece_do(&k, s, STORE_FINISH, &t, 0), 0);
        assert_int_equal(kit_sync(&k, s), 0); /* closes it */
        assert_int_equal(stat(path, &st), 0);
        store_mark_dirty(s, 0);
        assert_int_equal(rename(path, away), 0);
        kit_put(&k, "f", t.bytes, 16384);
        times[0] = times[1] = st.st_mtim;
        assert_int_equal(utimensat(AT_FDCWD, path, same ? times : NULL, 0), 0);
        struct store_job sync = kit_do(&k, s, STORE_SYNC);
        assert_int_equal(sync.result, BTC_E_STORAGE);
        assert_int_equal(sync.fail.file, 0);
        assert_null(sync.prints);
        assert_int_equal(rename(away, path), 0);
        assert_int_equal(kit_sync(&k, s), 0);
        store_tree_free(s);
    }
    kit_torrent_fini(&t);
    kit_close(&k);
}

/* Descriptors that this process has open. */
static uint32_t test_count_fds(void)
{
    uint32_t n = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir)) { /* NOLINT(concurrency-mt-unsafe) */
        n++;
    }
    closedir(dir);
    return n;
}

/* References stay valid while the cache turns over below them. */
static void test_prefetch(void **state)
{
    enum {
        N = 40
    };
    static char names[N][8];
    struct store_file files[N];
    struct rlimit old;
    (void)state;
    struct kit k;
    struct kit_torrent t;
    struct kit_piece p;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    struct rlimit low = {.rlim_cur = 32, .rlim_max = old.rlim_max};
    for (uint32_t i = 0; i < N; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "%u", i);
        files[i] = (struct store_file){
            .path = names[i], .length = 16384, .pad = i == 3};
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    kit_open(&k, 2); /* the cache holds 16 */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    kit_torrent_init(&t, files, N, 8 * 16384);
    struct store_tree *s = kit_store(&k, &t);
    uint32_t before = test_count_fds();
    assert_int_equal(kit_create(&k, s).result, 0);
    for (uint32_t i = 0; i < t.n_pieces; i++) {
        assert_int_equal(kit_piece_do(&k, s, STORE_FINISH, &t, i), 0);
    }
    assert_true(test_count_fds() <= before + 16);
    kit_piece_init(&p, &t, 0);
    struct store_job job = kit_job(s, STORE_PREFETCH, &p);
    assert_int_equal(kit_run(&k, &job), 0);
    assert_int_equal(job.fds[3], -1);
    for (uint32_t i = 1; i < t.n_pieces; i++) {
        assert_int_equal(kit_piece_do(&k, s, STORE_HASH, &t, i), 0);
        assert_int_equal(kit_piece_do(&k, s, STORE_WRITE, &t, i), 0);
    }
    /* Writing makes new descriptors; those handed out go on to work. */
    assert_int_equal(kit_piece_do(&k, s, STORE_WRITE, &t, 0), 0);
    for (uint32_t i = 0; i < p.n_spans; i++) {
        uint8_t got[16384];
        if (i != 3) {
            assert_int_equal(pread(job.fds[i], got, 16384, 0), 16384);
            assert_memory_equal(got, p.blocks[i], 16384);
        }
    }
    store_tree_free(s); /* lives until the references are given back */
    for (uint32_t i = 0; i < p.n_spans; i++) {
        store_fd_release(s, p.spans[i].file, job.fds[i]);
    }
    free(job.fds);
    kit_piece_fini(&p);
    kit_torrent_fini(&t);
    kit_close(&k);
    assert_true(test_count_fds() < before);
}

/* After a SYNC no file is open for writing: it could be executed. */
static void test_closed_after_sync(void **state)
{
    struct store_file files[] = {{.path = "f", .length = 16384}};
    (void)state;
    struct kit k;
    struct kit_torrent t;
    kit_open(&k, 2);
    kit_torrent_init(&t, files, 1, 16384);
    struct store_tree *s = kit_store(&k, &t);
    assert_int_equal(kit_create(&k, s).result, 0);
    uint32_t before = test_count_fds();
    assert_int_equal(kit_piece_do(&k, s, STORE_FINISH, &t, 0), 0);
    assert_int_equal(test_count_fds(), before + 1);
    assert_int_equal(kit_sync(&k, s), 0);
    assert_int_equal(test_count_fds(), before);
    store_tree_free(s);
    kit_torrent_fini(&t);
    kit_close(&k);
}

/* A store at rest has no file open, but for those that somebody uses and those
 * that a SYNC is owed; and it works on. */
static void test_rest(void **state)
{
    struct store_file files[] = {{.path = "f", .length = 16384},
                                 {.path = "g", .length = 16384},
                                 {.path = "h", .length = 16384}};
    (void)state;
    struct kit k;
    struct kit_torrent t;
    struct kit_piece p;
    kit_open(&k, 2);
    kit_torrent_init(&t, files, 3, 16384);
    kit_piece_init(&p, &t, 0);
    struct store_tree *s = kit_store(&k, &t);
    assert_int_equal(kit_create(&k, s).result, 0);
    uint32_t before = test_count_fds();
    struct store_job used = kit_job(s, STORE_PREFETCH, &p);
    assert_int_equal(kit_run(&k, &used), 0);
    assert_int_equal(kit_piece_do(&k, s, STORE_FINISH, &t, 1), 0);
    assert_int_equal(kit_piece_do(&k, s, STORE_HASH, &t, 2), BTC_E_HASH);
    assert_int_equal(test_count_fds(), before + 3);
    store_tree_rest(s);
    while (k.d->queued > 0) {
        assert_int_equal(kit_do(&k, s, STORE_SPACE).result, 0);
    }
    assert_int_equal(test_count_fds(), before + 2); /* h */
    assert_int_equal(kit_sync(&k, s), 0);
    store_fd_release(s, 0, used.fds[0]);
    store_tree_rest(s);
    while (k.d->queued > 0) {
        assert_int_equal(kit_do(&k, s, STORE_SPACE).result, 0);
    }
    assert_int_equal(test_count_fds(), before);
    assert_int_equal(kit_piece_do(&k, s, STORE_HASH, &t, 1), 0);
    free(used.fds);
    store_tree_free(s);
    kit_piece_fini(&p);
    kit_torrent_fini(&t);
    kit_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_torrents),
        cmocka_unit_test(test_large_piece),
        cmocka_unit_test(test_many_files),
        cmocka_unit_test(test_finish_bad),
        cmocka_unit_test(test_finish_partial),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_error_text),
        cmocka_unit_test(test_error_long_path),
        cmocka_unit_test(test_create_existing),
        cmocka_unit_test(test_create_blocked),
        cmocka_unit_test(test_create_full),
        cmocka_unit_test(test_scan),
        cmocka_unit_test(test_scan_limit),
        cmocka_unit_test(test_delete),
        cmocka_unit_test(test_delete_others),
        cmocka_unit_test(test_two_trees),
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_look),
        cmocka_unit_test(test_overwrite),
        cmocka_unit_test(test_delete_owned),
        cmocka_unit_test(test_prints),
        cmocka_unit_test(test_sync_replaced),
        cmocka_unit_test(test_write_replaced),
        cmocka_unit_test(test_sync_stranger),
        cmocka_unit_test(test_prefetch),
        cmocka_unit_test(test_appeared),
        cmocka_unit_test(test_closed_after_sync),
        cmocka_unit_test(test_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
