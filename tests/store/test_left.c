/* Somebody writes to a file in place while we have it: nothing of ours vouches
 * for what he did. */
#include "store/disk_kit.h"
#include "store/internal.h"

#include <fcntl.h>
#include <sys/resource.h>

#define LEFT_FILE 65536u

struct left {
    struct kit k;
    struct kit_torrent t;
    struct store_tree *s;
    char path[128];
};

static struct store_file left_files[] = {{.path = "f", .length = LEFT_FILE}};

/* Four pieces, of which the first is written. */
static void left_open(struct left *l)
{
    kit_open(&l->k, 2);
    (void)kit_path(&l->k, "f", l->path, sizeof(l->path));
    kit_torrent_init(&l->t, left_files, 1, 16384);
    l->s = kit_store(&l->k, &l->t);
    assert_int_equal(kit_create(&l->k, l->s).result, 0);
    assert_int_equal(kit_piece_do(&l->k, l->s, STORE_FINISH, &l->t, 0), 0);
}

static void left_close(struct left *l)
{
    store_tree_free(l->s);
    kit_torrent_fini(&l->t);
    kit_close(&l->k);
}

/* A write in place (dd conv=notrunc). The time is moved by hand: the clock of
 * files is coarse, and both writes may be of one tick. */
static void left_stranger(const struct left *l, off_t at)
{
    struct stat st;
    int fd = open(l->path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(pwrite(fd, "stranger", 8, at), 8);
    struct timespec times[2] = {st.st_mtim, st.st_mtim};
    times[1].tv_sec++;
    assert_int_equal(futimens(fd, times), 0);
    assert_int_equal(close(fd), 0);
}

/* One that cuts it (> file). */
static void left_cut(const struct left *l)
{
    assert_int_equal(truncate(l->path, 0), 0);
}

static int left_do(struct left *l, enum store_op op, uint32_t piece)
{
    return kit_piece_do(&l->k, l->s, op, &l->t, piece);
}

static void left_stat(struct left *l)
{
    struct store_job stat = kit_do(&l->k, l->s, STORE_STAT);
    assert_int_equal(stat.result, 0);
    free(stat.prints);
}

/* PREFETCH of a piece; its descriptors are given back. */
static int left_serve(struct left *l, uint32_t piece, bool *touched)
{
    struct kit_piece p;
    kit_piece_init(&p, &l->t, piece);
    struct store_job job = kit_job(l->s, STORE_PREFETCH, &p);
    int rc = kit_run(&l->k, &job);
    for (uint32_t i = 0; job.fds && i < p.n_spans; i++) {
        store_fd_release(l->s, p.spans[i].file, job.fds[i]);
    }
    *touched = job.fail.touched;
    free(job.fds);
    kit_piece_fini(&p);
    return rc;
}

/* Before the SYNC, with the file open: no print, until somebody has looked. */
static void test_before_sync(void **state)
{
    (void)state;
    for (int cut = 0; cut < 2; cut++) {
        struct left l;
        left_open(&l);
        if (cut) {
            left_cut(&l);
        } else {
            left_stranger(&l, 40000);
        }
        assert_int_equal(kit_sync(&l.k, l.s), BTC_E_STORAGE);
        assert_int_equal(left_do(&l, STORE_FINISH, 1), BTC_E_STORAGE);
        assert_int_equal(left_do(&l, STORE_WRITE, 1), BTC_E_STORAGE);
        left_stat(&l);
        assert_int_equal(kit_create(&l.k, l.s).result, 0);
        assert_int_equal(left_do(&l, STORE_FINISH, 1), 0);
        assert_int_equal(kit_sync(&l.k, l.s), 0);
        left_close(&l);
    }
}

/* While nobody has it open. */
static void test_at_open(void **state)
{
    struct left l;
    (void)state;
    left_open(&l);
    assert_int_equal(kit_sync(&l.k, l.s), 0); /* closes it */
    left_stranger(&l, 100);
    assert_int_equal(left_do(&l, STORE_FINISH, 1), BTC_E_STORAGE);
    assert_int_equal(left_do(&l, STORE_HASH, 0), BTC_E_HASH);
    left_stat(&l);
    assert_int_equal(left_do(&l, STORE_FINISH, 0), 0);
    assert_int_equal(kit_sync(&l.k, l.s), 0);
    left_close(&l);
}

/* Our own writes, many at a time, are never taken for somebody else's. */
static void test_own(void **state)
{
    struct left l;
    struct kit_piece p[4];
    struct store_job jobs[64];
    (void)state;
    left_open(&l);
    for (uint32_t i = 0; i < 4; i++) {
        kit_piece_init(&p[i], &l.t, i);
    }
    for (uint32_t round = 0; round < 20; round++) {
        for (uint32_t i = 0; i < 64; i++) {
            jobs[i] = kit_job(l.s, STORE_WRITE, &p[i % 4]);
            jobs[i].ctx = l.k.l;
            jobs[i].done = kit_on_done;
            store_submit(l.k.d, &jobs[i]);
        }
        while (l.k.d->queued > 0) {
            loop_run(l.k.l);
        }
        for (uint32_t i = 0; i < 64; i++) {
            assert_int_equal(jobs[i].result, 0);
        }
        assert_int_equal(kit_sync(&l.k, l.s), 0);
    }
    for (uint32_t i = 0; i < 4; i++) {
        kit_piece_fini(&p[i]);
    }
    left_close(&l);
}

/* It is not served until its owner has said that he knows. */
static void test_serve(void **state)
{
    struct left l;
    bool touched;
    (void)state;
    left_open(&l);
    assert_int_equal(kit_sync(&l.k, l.s), 0);
    assert_int_equal(left_serve(&l, 0, &touched), 0);
    left_stranger(&l, 100);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(left_serve(&l, 0, &touched), BTC_E_STORAGE);
        assert_true(touched);
    }
    struct kit_piece p;
    kit_piece_init(&p, &l.t, 0);
    struct store_job job = kit_job(l.s, STORE_PREFETCH, &p);
    assert_false(store_warm(&job));
    kit_piece_fini(&p);
    store_accept(l.s, 0);
    assert_int_equal(left_do(&l, STORE_HASH, 0), BTC_E_HASH);
    assert_int_equal(left_serve(&l, 1, &touched), 0);
    assert_false(touched);
    assert_int_equal(left_do(&l, STORE_FINISH, 0), 0);
    assert_int_equal(kit_sync(&l.k, l.s), 0);
    left_stranger(&l, 100); /* and again */
    assert_int_equal(left_serve(&l, 0, &touched), BTC_E_STORAGE);
    left_close(&l);
}

/* A SYNC, and whether its print is one that will be found again. */
static void left_print(struct left *l, bool stirred)
{
    struct stat st;
    struct store_job sync = kit_do(&l->k, l->s, STORE_SYNC);
    assert_int_equal(sync.result, 0);
    assert_int_equal(store_is_stirred(l->s, 0), stirred);
    assert_int_equal(stat(l->path, &st), 0);
    int64_t real = st.st_ctim.tv_sec * 1000000000LL + st.st_ctim.tv_nsec;
    assert_int_equal(sync.prints[0].ctime_ns == real, !stirred);
    free(sync.prints);
}

/* Another name or other rights change no data; but somebody may have wiped out
 * the traces of a write. That is known, also behind our own next write, until
 * the file is hashed again; no print will be found again meanwhile. */
static void test_inode(void **state)
{
    struct left l;
    bool touched;
    struct stat before, after;
    (void)state;
    left_open(&l);
    assert_int_equal(stat(l.path, &before), 0);
    left_stranger(&l, 100);
    struct timespec times[2] = {before.st_atim, before.st_mtim};
    do { /* the clock of files is coarse */
        assert_int_equal(utimensat(AT_FDCWD, l.path, times, 0), 0);
        assert_int_equal(stat(l.path, &after), 0);
    } while (after.st_ctim.tv_sec == before.st_ctim.tv_sec &&
             after.st_ctim.tv_nsec == before.st_ctim.tv_nsec);
    assert_false(store_is_stirred(l.s, 0));
    for (uint32_t piece = 0; piece < 2; piece++) {
        if (piece > 0) {
            assert_int_equal(left_do(&l, STORE_FINISH, piece), 0);
        }
        left_print(&l, true);
    }
    store_accept(l.s, 0);
    assert_int_equal(left_do(&l, STORE_FINISH, 1), 0);
    left_print(&l, false);
    assert_int_equal(chmod(l.path, 0600), 0);
    assert_int_equal(left_serve(&l, 1, &touched), 0);
    assert_int_equal(left_do(&l, STORE_FINISH, 1), 0);
    assert_int_equal(kit_sync(&l.k, l.s), 0);
    left_close(&l);
}

#define LEFT_MANY 40u

/* A disk that keeps few files open, and a torrent of more: the first has left
 * the cache, and was synced as it did. */
static void left_open_many(struct left *l, struct store_file *files,
                           char names[][8])
{
    struct rlimit old, low;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    low = old;
    low.rlim_cur = 64; /* half of them are for files */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    kit_open(&l->k, 1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    for (uint32_t i = 0; i < LEFT_MANY; i++) {
        (void)snprintf(names[i], 8, "f%u", i);
        files[i] = (struct store_file){.path = names[i], .length = 16384};
    }
    (void)kit_path(&l->k, names[0], l->path, sizeof(l->path));
    kit_torrent_init(&l->t, files, LEFT_MANY, 16384);
    l->s = kit_store(&l->k, &l->t);
    assert_int_equal(kit_create(&l->k, l->s).result, 0);
    for (uint32_t i = 0; i < LEFT_MANY; i++) {
        assert_int_equal(left_do(l, STORE_FINISH, i), 0);
    }
}

/* Puts a copy in its place that has its times. */
static void left_replace(const struct left *l)
{
    struct stat st;
    char away[160];
    assert_int_equal(stat(l->path, &st), 0);
    struct timespec times[2] = {st.st_atim, st.st_mtim};
    (void)snprintf(away, sizeof(away), "%s.away", l->path);
    assert_int_equal(rename(l->path, away), 0);
    kit_put(&l->k, "f0", l->t.bytes, 16384);
    assert_int_equal(utimensat(AT_FDCWD, l->path, times, 0), 0);
}

/* Between its sync and the SYNC that tells of it: the look at its path sees
 * what the descriptor would have told. */
static void test_evicted(void **state)
{
    (void)state;
    for (int what = 0; what < 4; what++) {
        struct left l;
        struct store_file files[LEFT_MANY];
        char names[LEFT_MANY][8];
        struct stat st;
        left_open_many(&l, files, names);
        if (what == 1) {
            left_stranger(&l, 100);
        } else if (what == 2) {
            left_cut(&l);
        } else if (what == 3) {
            left_replace(&l);
        }
        struct store_job sync = kit_do(&l.k, l.s, STORE_SYNC);
        if (what == 0) {
            assert_int_equal(sync.result, 0);
            assert_int_equal(stat(l.path, &st), 0);
            assert_int_equal(sync.prints[0].ino, st.st_ino);
            assert_int_equal(sync.prints[0].size, 16384);
            free(sync.prints);
        } else {
            assert_int_equal(sync.result, BTC_E_STORAGE);
            assert_int_equal(sync.fail.file, 0);
        }
        left_close(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_before_sync), cmocka_unit_test(test_at_open),
        cmocka_unit_test(test_own),         cmocka_unit_test(test_serve),
        cmocka_unit_test(test_inode),       cmocka_unit_test(test_evicted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
