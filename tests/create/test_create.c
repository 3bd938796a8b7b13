/* create: torrents of real files and folders, compared with what metainfo_parse
 * reads back and with hashes taken in another way; refusals; one thread and
 * many give the same.
 */
#include "create/create.h"

#include "base/mem.h"
#include "base/rng.h"
#include "create/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define K16       ((size_t)16384)
#define TEST_SEED 20250101u

struct create_env {
    char dir[64]; /* private; the working folder of the test */
    struct rng rng;
};

static int env_remove(const char *path, const struct stat *st, int type,
                      struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int env_setup(void **state)
{
    struct create_env *env = mem_zalloc(sizeof(*env));

    (void)snprintf(env->dir, sizeof(env->dir), "/tmp/btc-create-XXXXXX");
    rng_init(&env->rng, TEST_SEED);
    *state = env;
    return mkdtemp(env->dir) == NULL || chdir(env->dir) != 0;
}

static int env_teardown(void **state)
{
    struct create_env *env = *state;
    int rc = chdir("/");

    rc |= nftw(env->dir, env_remove, 16, FTW_DEPTH | FTW_PHYS);
    free(env);
    return rc;
}

/* Makes a file of random bytes, and the folders on its way. */
static void env_file(struct create_env *env, const char *path, size_t len)
{
    uint8_t *p = mem_alloc(len + 1);
    char *folder = mem_strdup(path);
    FILE *f;

    for (char *c = strchr(folder, '/'); c != NULL; c = strchr(c + 1, '/')) {
        *c = '\0';
        assert_true(mkdir(folder, 0777) == 0 || errno == EEXIST);
        *c = '/';
    }
    rng_bytes(&env->rng, p, len);
    f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
    free(folder);
    free(p);
}

/* Appends a whole file. */
static void env_read(const char *path, struct buf *b)
{
    FILE *f = fopen(path, "rb");
    uint8_t tmp[4096];
    size_t n;

    assert_non_null(f);
    while ((n = fread(tmp, 1, sizeof(tmp), f)) > 0) {
        assert_int_equal(buf_append(b, tmp, n), 0);
    }
    assert_int_equal(fclose(f), 0);
}

static struct metainfo *env_parse(const char *path)
{
    struct metainfo *m = NULL;
    struct err e = {.code = 0};
    struct buf b;

    buf_init(&b, METAINFO_MAX_BYTES);
    env_read(path, &b);
    if (metainfo_parse(buf_slice(&b), false, &m, &e) != 0) {
        fail_msg("%s", e.msg);
    }
    buf_fini(&b);
    return m;
}

/* How many names in the folder contain `part`. */
static int env_count(const char *folder, const char *part)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    int n = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        n += strstr(entry->d_name, part) != NULL;
    }
    closedir(dir);
    return n;
}

/* Creates what must be fine. */
static struct metainfo *create_ok(const struct create_options *o,
                                  struct create_result *res)
{
    struct err e = {.code = 0};
    struct metainfo *m;
    int rc = create_torrent(o, res, &e);

    if (rc != 0) {
        fail_msg("%s: %s", err_name(rc), e.msg);
    }
    m = env_parse(res->output);
    assert_memory_equal(res->info_hash, m->v1.bytes, SHA1_LEN);
    assert_int_equal(res->total_size, m->total_size);
    assert_int_equal(res->piece_length, m->piece_length);
    assert_int_equal(res->n_pieces, m->n_pieces);
    assert_int_equal(res->n_files, m->n_files);
    assert_int_equal(env_count(".", ".tmp"), 0);
    return m;
}

/* Creates what must be refused, with a text that says why. */
static void create_bad(const struct create_options *o, int code,
                       const char *why)
{
    struct create_result res;
    struct err e = {.code = 0};
    int rc = create_torrent(o, &res, &e);

    if (rc != code || e.code != code || strstr(e.msg, why) == NULL) {
        fail_msg("%s: %s", err_name(rc), e.msg);
    }
    assert_int_equal(env_count(".", ".tmp"), 0);
}

/* Compares each piece's hash with that of the files' bytes laid end to end. */
static void check_pieces(const struct metainfo *m)
{
    uint8_t want[SHA1_LEN];
    struct buf b;

    buf_init(&b, 64u << 20);
    for (uint32_t i = 0; i < m->n_files; i++) {
        env_read(m->files[i].path, &b);
    }
    assert_int_equal(buf_len(&b), m->total_size);
    for (uint32_t i = 0; i < m->n_pieces; i++) {
        hash_sha1(slice_sub(buf_slice(&b), (size_t)i * m->piece_length,
                            m->piece_length),
                  want);
        assert_memory_equal(m->piece_hashes + (size_t)i * SHA1_LEN, want,
                            SHA1_LEN);
    }
    buf_fini(&b);
}

static void test_single(void **state)
{
    struct create_env *env = *state;
    const struct create_options o = {.path = "a.bin", .creation_date = -1};
    struct create_result res;
    struct metainfo *m;

    env_file(env, "a.bin", 5 * K16 + 1);
    m = create_ok(&o, &res);
    assert_string_equal(res.output, "a.bin.torrent");
    assert_false(m->multi_file);
    assert_string_equal(m->name, "a.bin");
    assert_int_equal(m->piece_length, K16);
    assert_int_equal(m->n_pieces, 6);
    assert_int_equal(m->creation_date, 0);
    assert_true(slice_has_prefix(slice_str(m->created_by), "btc/"));
    assert_null(m->comment);
    assert_false(m->is_private);
    check_pieces(m);
    metainfo_free(m);
}

/* Sizes around the piece length. */
static void test_sizes(void **state)
{
    static const size_t sizes[] = {1, K16 - 1, K16, K16 + 1, 3 * K16};
    struct create_env *env = *state;
    const struct create_options o = {
        .path = "f", .output = "o.torrent", .force = true};
    struct create_result res;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        struct metainfo *m;
        env_file(env, "f", sizes[i]);
        m = create_ok(&o, &res);
        assert_int_equal(m->total_size, sizes[i]);
        assert_int_equal(m->n_pieces, (sizes[i] + K16 - 1) / K16);
        check_pieces(m);
        metainfo_free(m);
    }
}

/* The order of files, and what is left out. */
static void test_folder(void **state)
{
    static const char *const order[] = {
        "d/.hidden", "d/0",     "d/C", "d/a/x", "d/a/y/z",
        "d/a b",     "d/a.txt", "d/b", "d/d/e", "d/z"};
    struct create_env *env = *state;
    struct create_options o = {.path = "d", .output = "o.torrent"};
    struct create_result res;
    struct metainfo *m;

    for (uint32_t i = 10; i > 0; i--) {
        env_file(env, order[i - 1], 7 * (size_t)i);
    }
    assert_int_equal(mkdir("d/empty", 0777), 0);
    assert_int_equal(symlink("z", "d/link"), 0);
    assert_int_equal(symlink("..", "d/up"), 0);
    assert_int_equal(symlink("nowhere", "d/dangling"), 0);
    assert_int_equal(mkfifo("d/pipe", 0666), 0);
    m = create_ok(&o, &res);
    assert_true(m->multi_file);
    assert_int_equal(m->n_files, 10);
    assert_int_equal(res.n_left_out, 4);
    for (uint32_t i = 0; i < m->n_files; i++) {
        assert_string_equal(m->files[i].path, order[i]);
    }
    check_pieces(m);
    metainfo_free(m);
}

/* Pieces that span files, and empty files at every place. */
static void test_folder_pieces(void **state)
{
    struct create_env *env = *state;
    struct create_options o = {.path = "d/", .output = "o.torrent"};
    struct create_result res;
    struct metainfo *m;

    env_file(env, "d/1", 0);
    env_file(env, "d/2", 10);
    env_file(env, "d/3/4", K16);
    env_file(env, "d/5", 0);
    env_file(env, "d/6", 3 * K16 - 10);
    env_file(env, "d/7", 1);
    env_file(env, "d/8", 0);
    m = create_ok(&o, &res);
    assert_string_equal(m->name, "d");
    assert_int_equal(m->n_files, 7);
    assert_int_equal(m->n_pieces, 5);
    check_pieces(m);
    metainfo_free(m);
}

/* "." takes the folder's own name, and the output in it is not shared. */
static void test_dot(void **state)
{
    struct create_env *env = *state;
    struct create_options o = {
        .path = ".", .output = "o.torrent", .creation_date = 5};
    struct create_result res;
    struct metainfo *m;
    uint8_t first[SHA1_LEN];

    assert_int_equal(mkdir("here", 0777), 0);
    assert_int_equal(chdir("here"), 0);
    env_file(env, "f", 10);
    m = create_ok(&o, &res);
    assert_string_equal(m->name, "here");
    assert_int_equal(m->n_files, 1);
    memcpy(first, m->v1.bytes, SHA1_LEN);
    metainfo_free(m);
    m = create_ok(&o, &res); /* o.torrent is there now */
    assert_int_equal(m->n_files, 1);
    assert_memory_equal(m->v1.bytes, first, SHA1_LEN);
    metainfo_free(m);
}

/* "-" is standard output; a file that it goes to is not shared. */
static void test_stdout(void **state)
{
    struct create_env *env = *state;
    struct create_options o = {
        .path = "d", .output = "o.torrent", .creation_date = 5};
    struct create_result res;
    struct err e = {0};
    struct metainfo *m;
    struct buf got;
    struct buf want;
    int saved = dup(STDOUT_FILENO);
    int fd;
    int rc;

    env_file(env, "d/f", K16 + 1);
    m = create_ok(&o, &res);
    metainfo_free(m);
    fd = open("d/out", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    o.output = "-";
    fflush(stdout);
    dup2(fd, STDOUT_FILENO);
    rc = create_torrent(&o, &res, &e);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    close(fd);
    assert_int_equal(rc, 0);
    assert_int_equal(res.n_files, 1);
    assert_int_not_equal(access("-", F_OK), 0);
    buf_init(&got, 1u << 20);
    buf_init(&want, 1u << 20);
    assert_int_equal(create_load("d/out", &got, &e), 0);
    assert_int_equal(create_load("o.torrent", &want, &e), 0);
    assert_true(slice_eq(buf_slice(&got), buf_slice(&want)));
    buf_fini(&got);
    buf_fini(&want);
}

static void test_options(void **state)
{
    static const char *const trackers[] = {"http://a/,udp://b:1", "http://c/",
                                           "http://a/"};
    static const char *const seeds[] = {"http://w/x", "https://v/"};
    struct create_env *env = *state;
    const struct create_options o = {.path = "f",
                                     .output = "o.torrent",
                                     .trackers = trackers,
                                     .n_trackers = 3,
                                     .web_seeds = seeds,
                                     .n_web_seeds = 2,
                                     .comment = "hello",
                                     .creation_date = 1700000000,
                                     .piece_length = 1u << 20,
                                     .is_private = true};
    struct create_result res;
    struct metainfo *m;

    env_file(env, "f", 10);
    m = create_ok(&o, &res);
    assert_int_equal(m->n_trackers, 3);
    assert_string_equal(m->trackers[0].url, "http://a/");
    assert_string_equal(m->trackers[1].url, "udp://b:1");
    assert_int_equal(m->trackers[1].tier, 0);
    assert_string_equal(m->trackers[2].url, "http://c/");
    assert_int_equal(m->trackers[2].tier, 1);
    assert_int_equal(m->n_web_seeds, 2);
    assert_string_equal(m->comment, "hello");
    assert_int_equal(m->creation_date, 1700000000);
    assert_int_equal(m->piece_length, 1u << 20);
    assert_true(m->is_private);
    metainfo_free(m);
}

static void test_bad_options(void **state)
{
    static const char *const bad_trackers[] = {"", "http://a/,", "nonsense",
                                               "http://a b/", ",http://a/"};
    static const char *const ftp[] = {"ftp://w/"};
    static const uint64_t lengths[] = {1, 8192, 16385, 100000, 1ull << 29};
    struct create_env *env = *state;
    struct create_options o = {.path = "f", .output = "o.torrent"};

    env_file(env, "f", 10);
    for (size_t i = 0; i < sizeof(bad_trackers) / sizeof(*bad_trackers); i++) {
        o.trackers = &bad_trackers[i];
        o.n_trackers = 1;
        create_bad(&o, BTC_E_USAGE, "is not a tracker's URL");
    }
    o.n_trackers = 0;
    o.web_seeds = ftp;
    o.n_web_seeds = 1;
    create_bad(&o, BTC_E_USAGE, "is not a web seed's URL");
    o.n_web_seeds = 0;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
        o.piece_length = lengths[i];
        create_bad(&o, BTC_E_USAGE, "is not a power of two");
    }
    assert_int_equal(access("o.torrent", F_OK), -1);
}

static void test_bad_paths(void **state)
{
    struct create_env *env = *state;
    struct create_options o = {.path = "", .output = "o.torrent"};

    env_file(env, "f", 10);
    create_bad(&o, BTC_E_USAGE, "nothing");
    o.path = NULL;
    create_bad(&o, BTC_E_USAGE, "nothing");
    o.path = "/";
    create_bad(&o, BTC_E_USAGE, "root folder");
    o.path = "absent";
    create_bad(&o, BTC_E_NOTFOUND, "absent");
    o.path = "f/x";
    create_bad(&o, BTC_E_NOTFOUND, "f/x");
    o.path = "f";
    o.output = "absent/o.torrent";
    create_bad(&o, BTC_E_NOTFOUND, "cannot write 'absent/o.torrent'");
}

static void test_bad_content(void **state)
{
    struct create_env *env = *state;
    struct create_options o = {.path = "d", .output = "o.torrent"};

    assert_int_equal(mkdir("d", 0777), 0);
    create_bad(&o, BTC_E_METAINFO, "has no files");
    assert_int_equal(symlink("../o", "d/l"), 0);
    create_bad(&o, BTC_E_METAINFO, "has no files");
    assert_int_equal(mkfifo("pipe", 0666), 0);
    o.path = "pipe";
    create_bad(&o, BTC_E_METAINFO, "neither a regular file nor a folder");
    o.path = "nothing";
    env_file(env, "nothing", 0);
    create_bad(&o, BTC_E_METAINFO, "not one byte");
    o.path = "d";
    env_file(env, "d/a", 0);
    env_file(env, "d/b", 0);
    create_bad(&o, BTC_E_METAINFO, "not one byte");
    env_file(env, "d/a\nb", 1);
    create_bad(&o, BTC_E_METAINFO, "cannot carry");
    assert_int_equal(unlink("d/a\nb"), 0);
    env_file(env, "d/\xff", 1);
    create_bad(&o, BTC_E_METAINFO, "cannot carry");
    assert_int_equal(unlink("d/\xff"), 0);
    o.path = "bad\tname";
    env_file(env, o.path, 1);
    create_bad(&o, BTC_E_METAINFO, "cannot carry");
}

/* Names that differ in case are shared as they are. */
static void test_case(void **state)
{
    struct create_env *env = *state;
    const struct create_options o = {.path = "d", .output = "o.torrent"};
    struct create_result res;
    struct metainfo *m;

    env_file(env, "d/Makefile", 1);
    env_file(env, "d/makefile", 1);
    m = create_ok(&o, &res);
    assert_non_null(memmem(m->info, m->info_len, "8:makefile", 10));
    metainfo_free(m);
}

/* An output that exists is replaced on demand only, unless nothing changes. */
static void test_exists(void **state)
{
    struct create_env *env = *state;
    struct create_options o = {.path = "f", .output = "o.torrent"};
    struct create_result res;
    struct metainfo *m;
    struct stat before;
    struct stat after;

    env_file(env, "f", 3 * K16);
    env_file(env, "o.torrent", 100); /* not a torrent at all */
    create_bad(&o, BTC_E_EXISTS, "exists and differs");
    assert_int_equal(stat("o.torrent", &before), 0);
    assert_int_equal(before.st_size, 100);
    o.force = true;
    o.creation_date = 1000;
    metainfo_free(create_ok(&o, &res));

    /* The same again, at another time: nothing is written. */
    o.force = false;
    o.creation_date = 2000;
    assert_int_equal(stat("o.torrent", &before), 0);
    m = create_ok(&o, &res);
    assert_int_equal(m->creation_date, 1000);
    metainfo_free(m);
    assert_int_equal(stat("o.torrent", &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);

    o.comment = "other";
    create_bad(&o, BTC_E_EXISTS, "exists and differs");
    o.comment = NULL;
    env_file(env, "f", 3 * K16); /* other bytes of the same size */
    create_bad(&o, BTC_E_EXISTS, "exists and differs");
    env_file(env, "f", 2 * K16);
    create_bad(&o, BTC_E_EXISTS, "exists and differs");
    o.output = "folder";
    assert_int_equal(mkdir("folder", 0777), 0);
    create_bad(&o, BTC_E_EXISTS, "not a regular file");
    o.force = true;
    create_bad(&o, BTC_E_EXISTS, "not a regular file");
}

/* However many threads, the torrent is the same. */
static void test_threads(void **state)
{
    static const uint32_t threads[] = {1, 2, 3, 8, 1000, 0};
    struct create_env *env = *state;
    struct create_options o = {
        .path = "d", .output = "o.torrent", .creation_date = -1, .force = true};
    struct create_result res;
    struct metainfo *m;
    uint8_t first[SHA1_LEN] = {0};

    for (int i = 0; i < 20; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "d/f%d", i);
        env_file(env, name, rng_below(&env->rng, 163840));
    }
    for (size_t i = 0; i < sizeof(threads) / sizeof(*threads); i++) {
        o.threads = threads[i];
        m = create_ok(&o, &res);
        check_pieces(m);
        if (i == 0) {
            memcpy(first, m->v1.bytes, SHA1_LEN);
        }
        assert_memory_equal(m->v1.bytes, first, SHA1_LEN);
        metainfo_free(m);
    }
}

struct create_seen {
    uint64_t done;
    uint64_t total;
    int calls;
    bool backwards;
    atomic_bool cancel;
};

static void create_see(void *ctx, uint64_t done, uint64_t total)
{
    struct create_seen *seen = ctx;

    seen->backwards = seen->backwards || done < seen->done || done > total;
    seen->done = done;
    seen->total = total;
    seen->calls++;
}

static void test_progress(void **state)
{
    struct create_env *env = *state;
    struct create_seen seen = {.calls = 0};
    struct create_options o = {.path = "f",
                               .output = "o.torrent",
                               .on_progress = create_see,
                               .ctx = &seen,
                               .cancel = &seen.cancel};
    struct create_result res;

    env_file(env, "f", 100 * K16);
    metainfo_free(create_ok(&o, &res));
    assert_true(seen.calls >= 1);
    assert_false(seen.backwards);
    assert_int_equal(seen.done, 100 * K16);
    assert_int_equal(seen.total, 100 * K16);

    atomic_store(&seen.cancel, true);
    o.output = "p.torrent";
    create_bad(&o, BTC_E_CANCELLED, "cancelled");
    assert_int_equal(access("p.torrent", F_OK), -1);
}

/* A file that cannot be read is named; so is a folder. */
static void test_unreadable(void **state)
{
    struct create_env *env = *state;
    struct create_options o = {.path = "d", .output = "o.torrent"};

    env_file(env, "d/sub/f", 10);
    assert_int_equal(chmod("d/sub/f", 0), 0);
    if (access("d/sub/f", R_OK) == 0) {
        skip(); /* root reads everything */
    }
    create_bad(&o, BTC_E_PERMISSION, "d/sub/f");
    assert_int_equal(chmod("d/sub/f", 0600), 0);
    assert_int_equal(chmod("d/sub", 0), 0);
    create_bad(&o, BTC_E_PERMISSION, "d/sub");
    assert_int_equal(chmod("d/sub", 0700), 0);
}

/* Hashes a folder of one file that `change` was done to after the walk. */
static int hash_changed(struct create_env *env,
                        void (*change)(struct create_env *env), struct err *e)
{
    struct create_list list = {.files = NULL};
    uint8_t hashes[3 * SHA1_LEN];
    struct create_job job = {.root = "d",
                             .list = &list,
                             .hashes = hashes,
                             .n_pieces = 3,
                             .piece_length = (uint32_t)K16,
                             .threads = 2};
    int rc;

    env_file(env, "d/f", 3 * K16);
    assert_int_equal(create_walk("d", NULL, &list, e), 0);
    change(env);
    rc = create_hash(&job, e);
    create_list_fini(&list);
    (void)unlink("d/f");
    return rc;
}

static void change_nothing(struct create_env *env)
{
    (void)env;
}

static void change_shrink(struct create_env *env)
{
    (void)env;
    assert_int_equal(truncate("d/f", (off_t)K16), 0);
}

static void change_grow(struct create_env *env)
{
    (void)env;
    assert_int_equal(truncate("d/f", (off_t)(4 * K16)), 0);
}

static void change_touch(struct create_env *env)
{
    const struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};

    (void)env;
    assert_int_equal(utimensat(AT_FDCWD, "d/f", times, 0), 0);
}

static void change_remove(struct create_env *env)
{
    (void)env;
    assert_int_equal(unlink("d/f"), 0);
}

static void change_link(struct create_env *env)
{
    env_file(env, "g", 3 * K16);
    assert_int_equal(unlink("d/f"), 0);
    assert_int_equal(symlink("../g", "d/f"), 0);
}

/* What changes between the walk and the last byte makes no torrent. */
static void test_changed(void **state)
{
    struct create_env *env = *state;
    struct err e = {.code = 0};

    assert_int_equal(hash_changed(env, change_nothing, &e), 0);
    assert_int_equal(hash_changed(env, change_shrink, &e), BTC_E_SHORT);
    assert_non_null(strstr(e.msg, "'d/f' changed while it was read"));
    assert_int_equal(hash_changed(env, change_grow, &e), BTC_E_SHORT);
    assert_int_equal(hash_changed(env, change_touch, &e), BTC_E_SHORT);
    assert_int_equal(hash_changed(env, change_remove, &e), BTC_E_NOTFOUND);
    assert_true(hash_changed(env, change_link, &e) < 0);
    assert_non_null(strstr(e.msg, "cannot read 'd/f'"));
}

/* Folders up to the limit, and one more. */
static void test_deep(void **state)
{
    struct create_env *env = *state;
    struct create_options o = {.path = "d", .output = "o.torrent"};
    struct create_result res;
    struct metainfo *m;
    char path[256] = "d";
    size_t len = 1;

    for (int i = 0; i < METAINFO_MAX_DEPTH - 1; i++) {
        path[len++] = '/';
        path[len++] = 'e';
    }
    path[len] = '/';
    path[len + 1] = 'f';
    env_file(env, path, 5);
    m = create_ok(&o, &res);
    assert_string_equal(m->files[0].path, path);
    metainfo_free(m);
    path[len + 1] = 'e';
    path[len + 2] = '/';
    path[len + 3] = 'f';
    env_file(env, path, 5);
    o.force = true;
    create_bad(&o, BTC_E_METAINFO, "deeper than 64 folders");
}

static void test_piece_length(void **state)
{
    (void)state;
    assert_int_equal(create_piece_length(0), 16384);
    assert_int_equal(create_piece_length(16384ull * 1500), 16384);
    assert_int_equal(create_piece_length(16384ull * 1501), 32768);
    assert_int_equal(create_piece_length(1ull << 30), 1u << 20);
    assert_int_equal(create_piece_length(1ull << 40), 16u << 20);
    assert_int_equal(create_piece_length(UINT64_MAX), 16u << 20);
}

#define CREATE_TEST(f) \
    cmocka_unit_test_setup_teardown(f, env_setup, env_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CREATE_TEST(test_single),     CREATE_TEST(test_sizes),
        CREATE_TEST(test_folder),     CREATE_TEST(test_folder_pieces),
        CREATE_TEST(test_dot),        CREATE_TEST(test_stdout),
        CREATE_TEST(test_options),    CREATE_TEST(test_bad_options),
        CREATE_TEST(test_bad_paths),  CREATE_TEST(test_bad_content),
        CREATE_TEST(test_case),       CREATE_TEST(test_exists),
        CREATE_TEST(test_threads),    CREATE_TEST(test_progress),
        CREATE_TEST(test_unreadable), CREATE_TEST(test_changed),
        CREATE_TEST(test_deep),       cmocka_unit_test(test_piece_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
