/* The disk when things fail: every n-th system call in turn, a full and a
 * read-only file system, slow calls, jobs cancelled or left to run, many jobs
 * at once.
 */
#include "store/disk_kit.h"
#include "store/internal.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

static struct store_file test_files[] = {
    {.path = "a/b/one", .length = 20000},
    {.path = ".pad", .length = 12768, .pad = true},
    {.path = "a/two", .length = 40000},
    {.path = "c/zero", .length = 0},
    {.path = "three", .length = 100},
};
#define TEST_N_FILES (sizeof(test_files) / sizeof(test_files[0]))

/* Fails the n-th call, or every call of one kind. */
struct test_fault {
    pthread_mutex_t lock;
    const char *op; /* only these are counted; NULL = all */
    uint32_t at;    /* counted from 1; 0 = none fails */
    int errnum;
    uint32_t n; /* seen so far */
    uint32_t n_hit;
};

static int test_on_op(void *ctx, const char *op, const char *path)
{
    struct test_fault *f = ctx;
    (void)path;
    pthread_mutex_lock(&f->lock);
    bool counts = !f->op || strcmp(op, f->op) == 0;
    f->n += counts;
    bool hit = counts && f->n == f->at;
    f->n_hit += hit;
    pthread_mutex_unlock(&f->lock);
    return hit ? f->errnum : 0;
}

/* A job claims success exactly when nothing failed in it. */
static void test_honest(const struct test_fault *f, uint32_t before, int rc)
{
    assert_int_equal(rc == 0, f->n_hit == before);
    if (rc != 0) {
        assert_int_equal(rc, err_from_errno(f->errnum));
    }
}

/* Create, write, finish, sync, read back; each job checked for honesty. Gives
 * whether the whole went well. */
static bool test_scenario(struct kit *k, struct store_tree *s,
                          struct kit_torrent *t, struct test_fault *f)
{
    static const enum store_op ops[] = {STORE_WRITE, STORE_FINISH, STORE_HASH};
    bool ok = true;
    uint32_t before = f->n_hit;
    int rc = kit_create(k, s).result;
    test_honest(f, before, rc);
    for (uint32_t i = 0; rc == 0 && i < 3 * t->n_pieces; i++) {
        before = f->n_hit;
        rc = kit_piece_do(k, s, ops[i % 3], t, i / 3);
        test_honest(f, before, rc);
    }
    ok = rc == 0;
    before = f->n_hit;
    struct store_job sync = kit_do(k, s, STORE_SYNC);
    test_honest(f, before, sync.result);
    assert_int_equal(sync.prints != NULL, sync.result == 0);
    free(sync.prints);
    return ok && sync.result == 0;
}

/* All that was written is in the prints of one good SYNC or another. */
static void test_again(struct kit *k, struct store_tree *s,
                       struct kit_torrent *t)
{
    assert_int_equal(kit_create(k, s).result, 0);
    for (uint32_t i = 0; i < t->n_pieces; i++) {
        assert_int_equal(kit_piece_do(k, s, STORE_FINISH, t, i), 0);
    }
    struct store_job sync = kit_do(k, s, STORE_SYNC);
    assert_int_equal(sync.result, 0);
    for (uint32_t i = 0; i < t->n_files; i++) {
        const struct store_file *file = &t->files[i];
        assert_int_equal(sync.prints[i].exists, !file->pad && file->length > 0);
        if (!file->pad) {
            kit_expect(k, file->path, t->bytes + file->offset, file->length);
        }
    }
    free(sync.prints);
}

/* The n-th call fails, for each n: no success is claimed, and with the fault
 * gone everything goes on. */
static void test_each_call(bool full, int errnum)
{
    struct test_fault f = {.lock = PTHREAD_MUTEX_INITIALIZER, .errnum = errnum};
    struct kit_torrent t;
    kit_torrent_init(&t, test_files, TEST_N_FILES, 32768);
    for (bool done = false; !done;) {
        struct kit k;
        f.n = 0;
        f.at++;
        f.n_hit = 0;
        kit_open(&k, 2);
        store_set_fault(k.d, test_on_op, &f);
        struct store_tree *s =
            store_tree_new(k.d, k.dir, t.files, t.n_files, full);
        bool ok = test_scenario(&k, s, &t, &f);
        done = f.n_hit == 0;
        assert_int_equal(ok, done);
        if (!done) {
            test_again(&k, s, &t);
        }
        store_tree_free(s);
        kit_close(&k);
    }
    assert_true(f.at > 40); /* it did count */
    kit_torrent_fini(&t);
}

static void test_each_call_sparse(void **state)
{
    (void)state;
    test_each_call(false, EIO);
}

static void test_each_call_full(void **state)
{
    (void)state;
    test_each_call(true, ENOSPC);
}

/* No fallocate here: the length alone will do. */
static void test_no_fallocate(void **state)
{
    struct test_fault f = {.lock = PTHREAD_MUTEX_INITIALIZER,
                           .op = "fallocate",
                           .at = 1,
                           .errnum = EOPNOTSUPP};
    (void)state;
    struct kit k;
    struct stat st;
    char path[512];
    kit_open(&k, 2);
    store_set_fault(k.d, test_on_op, &f);
    struct store_tree *s = store_tree_new(k.d, k.dir, test_files, 1, true);
    assert_int_equal(kit_create(&k, s).result, 0);
    assert_int_equal(f.n_hit, 1);
    assert_int_equal(stat(kit_path(&k, "a/b/one", path, sizeof(path)), &st), 0);
    assert_int_equal(st.st_size, 20000);
    store_tree_free(s);
    kit_close(&k);
}

/* Where one file could not get its blocks none stays: it would hold others
 * back, and nobody would know it as the torrent's. */
static void test_create_no_space(void **state)
{
    struct test_fault f = {.lock = PTHREAD_MUTEX_INITIALIZER,
                           .op = "fallocate",
                           .at = 2,
                           .errnum = ENOSPC};
    (void)state;
    struct kit k;
    kit_open(&k, 2);
    store_set_fault(k.d, test_on_op, &f);
    struct store_tree *s =
        store_tree_new(k.d, k.dir, test_files, TEST_N_FILES, true);
    struct store_job job = kit_create(&k, s);
    assert_int_equal(job.result, BTC_E_NOSPACE);
    assert_int_equal(job.fail.file, 2);
    assert_non_null(strstr(job.fail.text, "a/two: No space left"));
    assert_false(kit_exists(&k, "a/b/one"));
    assert_false(kit_exists(&k, "a/two"));
    store_tree_free(s);
    kit_close(&k);
}

/* What helps is said. The second try of the first file is when its folders are
 * there. */
static void test_name_with(int errnum)
{
    struct test_fault f = {.lock = PTHREAD_MUTEX_INITIALIZER,
                           .op = "create",
                           .at = 2,
                           .errnum = errnum};
    struct kit k;
    kit_open(&k, 1);
    store_set_fault(k.d, test_on_op, &f);
    struct store_tree *s =
        store_tree_new(k.d, k.dir, test_files, TEST_N_FILES, false);
    struct store_job job = kit_create(&k, s);
    assert_int_equal(job.result, BTC_E_IO);
    assert_non_null(strstr(job.fail.text, ": this file system takes"));
    assert_false(kit_exists(&k, "a/b/one"));
    store_tree_free(s);
    kit_close(&k);
}

/* A name that others take and this file system does not, as FAT and NTFS with
 * a colon. */
static void test_name(void **state)
{
    (void)state;
    test_name_with(EINVAL);
    test_name_with(ENOENT);
}

/* STAT while each look at a file fails once, with the file out of sight and to
 * be taken home, or home already and unknown to be (`taken`): the job fails, or
 * the file is there. It is never absent. */
static void test_home_with(struct store_file *files, const char *lies)
{
    struct test_fault f = {
        .lock = PTHREAD_MUTEX_INITIALIZER, .op = "stat", .errnum = EIO};
    struct kit k;
    char path[512];
    struct stat st;
    bool failed = true;
    for (uint32_t at = 1; failed; at++) {
        kit_open(&k, 2);
        kit_mkdir(&k, "t");
        kit_mkdir(&k, ".t.part");
        kit_put(&k, lies, "data", 4);
        assert_int_equal(lstat(kit_path(&k, lies, path, sizeof(path)), &st), 0);
        struct fingerprint own = store_sys_print(&st);
        files[0].own = &own;
        store_set_fault(k.d, test_on_op, &f);
        struct store_tree *s = store_tree_new(k.d, k.dir, files, 1, false);
        f.at = at;
        f.n = f.n_hit = 0;
        struct store_job stat = kit_do(&k, s, STORE_STAT);
        failed = f.n_hit > 0;
        assert_int_equal(stat.result, failed ? BTC_E_IO : 0);
        assert_true(failed ||
                    (stat.prints[0].exists && stat.prints[0].ino == own.ino));
        free(stat.prints);
        store_tree_free(s);
        kit_close(&k);
    }
}

static void test_home(void **state)
{
    struct store_file taken = {.path = "t/f", .length = 4, .from = ".t.part/0"};
    struct store_file parked = {
        .path = ".t.part/0", .home = "t/f", .length = 4, .sparse = true};
    (void)state;
    test_home_with(&taken, ".t.part/0");
    test_home_with(&parked, "t/f");
}

/* fdatasync fails while a dirty file is pushed out of the cache by others: the
 * jobs that push are not to blame, but the next SYNC fails. */
static void test_lost_in_eviction(void **state)
{
    enum {
        N = 40
    };
    static char names[N][8];
    struct store_file files[N];
    struct rlimit old;
    struct test_fault f = {.lock = PTHREAD_MUTEX_INITIALIZER,
                           .op = "fdatasync",
                           .at = 3,
                           .errnum = EIO};
    (void)state;
    struct kit k;
    struct kit_torrent t;
    for (uint32_t i = 0; i < N; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "f%u", i);
        files[i] = (struct store_file){.path = names[i], .length = 16384};
    }
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    struct rlimit low = {.rlim_cur = 32, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    kit_open(&k, 2); /* the cache holds 16 */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    store_set_fault(k.d, test_on_op, &f);
    kit_torrent_init(&t, files, N, 16384);
    struct store_tree *s = kit_store(&k, &t);
    assert_int_equal(kit_create(&k, s).result, 0);
    for (uint32_t i = 0; i < N; i++) {
        assert_int_equal(kit_piece_do(&k, s, STORE_FINISH, &t, i), 0);
    }
    assert_int_equal(f.n_hit, 1);
    struct store_job sync = kit_do(&k, s, STORE_SYNC);
    assert_int_equal(sync.result, BTC_E_IO);
    assert_int_equal(sync.fail.file, 2);
    assert_null(sync.prints);
    sync = kit_do(&k, s, STORE_SYNC);
    assert_int_equal(sync.result, 0);
    for (uint32_t i = 0; i < N; i++) {
        assert_true(sync.prints[i].exists);
    }
    free(sync.prints);
    store_tree_free(s);
    kit_torrent_fini(&t);
    kit_close(&k);
}

/* A drive that hangs: its fdatasync waits until the other one's has returned.
 */
struct hung_drive {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    bool waits, go;
};

static int hung_on_op(void *ctx, const char *op, const char *path)
{
    struct hung_drive *h = ctx;
    if (strcmp(op, "fdatasync") == 0 && strstr(path, "/slow") != NULL) {
        (void)pthread_mutex_lock(&h->lock);
        h->waits = true;
        (void)pthread_cond_broadcast(&h->moved);
        while (!h->go) {
            (void)pthread_cond_wait(&h->moved, &h->lock);
        }
        (void)pthread_mutex_unlock(&h->lock);
    }
    return 0;
}

static void hung_on_done(struct store_job *job)
{
    *(bool *)job->ctx = true;
}

/* A SYNC that hangs holds up those of its own lane alone, and is not lost. */
static void test_hung_drive(void **state)
{
    struct store_file slow_file = {.path = "slow", .length = 16384};
    struct store_file fast_file = {.path = "fast", .length = 16384};
    struct hung_drive h = {.lock = PTHREAD_MUTEX_INITIALIZER,
                           .moved = PTHREAD_COND_INITIALIZER};
    struct kit k;
    struct kit_torrent t[2];
    bool done = false;
    (void)state;
    kit_open(&k, 2);
    store_set_fault(k.d, hung_on_op, &h);
    kit_torrent_init(&t[0], &slow_file, 1, 16384);
    kit_torrent_init(&t[1], &fast_file, 1, 16384);
    struct store_tree *slow = kit_store(&k, &t[0]);
    struct store_tree *fast = kit_store(&k, &t[1]);
    store_tree_set_lane(slow, 1);
    store_tree_set_lane(fast, 2);
    assert_int_equal(kit_create(&k, slow).result, 0);
    assert_int_equal(kit_create(&k, fast).result, 0);
    assert_int_equal(kit_piece_do(&k, slow, STORE_FINISH, &t[0], 0), 0);
    assert_int_equal(kit_piece_do(&k, fast, STORE_FINISH, &t[1], 0), 0);
    struct store_job job = {
        .op = STORE_SYNC, .store = slow, .done = hung_on_done, .ctx = &done};
    store_submit(k.d, &job);
    (void)pthread_mutex_lock(&h.lock);
    while (!h.waits) {
        (void)pthread_cond_wait(&h.moved, &h.lock);
    }
    (void)pthread_mutex_unlock(&h.lock);
    assert_int_equal(kit_sync(&k, fast), 0);
    assert_false(done);
    (void)pthread_mutex_lock(&h.lock);
    h.go = true;
    (void)pthread_cond_broadcast(&h.moved);
    (void)pthread_mutex_unlock(&h.lock);
    store_tree_free(slow);
    store_tree_free(fast);
    kit_close(&k); /* runs what is queued to its end */
    assert_true(done);
    assert_int_equal(job.result, 0);
    free(job.prints);
    kit_torrent_fini(&t[0]);
    kit_torrent_fini(&t[1]);
}

/* Reads of one drive that do not come back. */
#define SILENT_JOBS 12
struct silent_drive {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    uint32_t n_out; /* calls that do not come back */
    bool go;
};

static int silent_on_op(void *ctx, const char *op, const char *path)
{
    struct silent_drive *h = ctx;
    (void)pthread_mutex_lock(&h->lock);
    if (strcmp(op, "pread") == 0 && strstr(path, "/slow") != NULL && !h->go) {
        h->n_out++;
        (void)pthread_cond_broadcast(&h->moved);
        while (!h->go) {
            (void)pthread_cond_wait(&h->moved, &h->lock);
        }
        h->n_out--;
    }
    (void)pthread_mutex_unlock(&h->lock);
    return 0;
}

static void silent_wait(struct silent_drive *h, uint32_t n)
{
    (void)pthread_mutex_lock(&h->lock);
    while (h->n_out < n) {
        (void)pthread_cond_wait(&h->moved, &h->lock);
    }
    (void)pthread_mutex_unlock(&h->lock);
}

static void silent_on_done(struct store_job *job)
{
    (*(uint32_t *)job->ctx)++;
}

/* A drive that answers no read has all workers at first. Once it is found
 * silent, others work in their place, none of them for this drive, and when it
 * answers again all that was asked of it is done. */
static void test_silent_drive(void **state)
{
    struct store_file slow_file = {.path = "slow", .length = 16384};
    struct store_file fast_file = {.path = "fast", .length = 16384};
    struct silent_drive h = {.lock = PTHREAD_MUTEX_INITIALIZER,
                             .moved = PTHREAD_COND_INITIALIZER};
    struct kit k;
    struct kit_torrent t[2];
    struct kit_piece p;
    struct store_job jobs[SILENT_JOBS];
    uint32_t n_done = 0;
    (void)state;
    kit_open(&k, 2);
    store_set_fault(k.d, silent_on_op, &h);
    kit_torrent_init(&t[0], &slow_file, 1, 16384);
    kit_torrent_init(&t[1], &fast_file, 1, 16384);
    struct store_tree *slow = kit_store(&k, &t[0]);
    struct store_tree *fast = kit_store(&k, &t[1]);
    store_tree_set_lane(slow, 1);
    store_tree_set_lane(fast, 2);
    assert_int_equal(kit_create(&k, slow).result, 0);
    assert_int_equal(kit_create(&k, fast).result, 0);
    assert_int_equal(kit_piece_do(&k, slow, STORE_FINISH, &t[0], 0), 0);
    assert_int_equal(kit_piece_do(&k, fast, STORE_FINISH, &t[1], 0), 0);
    kit_piece_init(&p, &t[0], 0);
    for (uint32_t i = 0; i < SILENT_JOBS; i++) {
        jobs[i] = kit_job(slow, STORE_HASH, &p);
        jobs[i].done = silent_on_done;
        jobs[i].ctx = &n_done;
        jobs[i].low = i % 2 == 1;
        store_submit(k.d, &jobs[i]);
    }
    silent_wait(&h, 3); /* all there are */
    assert_false(store_look(k.d, 1000));
    assert_int_equal(store_tree_silent_ms(slow), 0);
    assert_true(store_look(k.d, 9000));
    assert_int_equal(store_tree_silent_ms(slow), 1000);
    assert_int_equal(store_tree_silent_ms(fast), 0);
    assert_int_equal(kit_piece_do(&k, fast, STORE_HASH, &t[1], 0), 0);
    (void)pthread_mutex_lock(&h.lock);
    assert_int_equal(h.n_out, 3);
    h.go = true;
    (void)pthread_cond_broadcast(&h.moved);
    (void)pthread_mutex_unlock(&h.lock);
    assert_int_equal(kit_piece_do(&k, slow, STORE_HASH, &t[0], 0), 0);
    while (n_done < SILENT_JOBS) {
        assert_int_equal(kit_piece_do(&k, fast, STORE_HASH, &t[1], 0), 0);
    }
    assert_false(store_look(k.d, 9001));
    store_tree_free(slow);
    store_tree_free(fast);
    kit_close(&k); /* runs what is queued to its end */
    assert_int_equal(n_done, SILENT_JOBS);
    for (uint32_t i = 0; i < SILENT_JOBS; i++) {
        assert_int_equal(jobs[i].result, 0);
    }
    kit_piece_fini(&p);
    kit_torrent_fini(&t[0]);
    kit_torrent_fini(&t[1]);
}

/* SCAN: a file that cannot be looked at may hold data, one that may not be read
 * is of no use, and neither hides the others. */
static void test_scan_blind(void **state)
{
    struct store_file files[] = {{.path = "f", .length = 2 * 16384},
                                 {.path = "g", .length = 16384}};
    static const struct {
        const char *op;
        uint32_t at;
        int errnum;
        uint32_t want; /* pieces, of 3; the second was never written */
    } cases[] = {
        {"open", 9, EIO, 2},    {"open", 1, EIO, 3},    {"open", 1, ELOOP, 3},
        {"open", 2, EACCES, 1}, {"open", 1, EPERM, 1},  {"fstat", 1, EIO, 3},
        {"lseek", 1, EIO, 3},   {"lseek", 2, EIO, 3},   {"lseek", 3, EIO, 3},
        {"lseek", 4, EIO, 2},   {"lseek", 1, EINVAL, 3}};
    struct test_fault f = {.lock = PTHREAD_MUTEX_INITIALIZER};
    (void)state;
    struct kit k;
    struct kit_torrent t;
    kit_open(&k, 2);
    kit_torrent_init(&t, files, 2, 16384);
    struct store_tree *s = kit_store(&k, &t);
    assert_int_equal(kit_create(&k, s).result, 0);
    assert_int_equal(kit_piece_do(&k, s, STORE_FINISH, &t, 0), 0);
    assert_int_equal(kit_piece_do(&k, s, STORE_FINISH, &t, 2), 0);
    assert_int_equal(kit_sync(&k, s), 0);
    store_set_fault(k.d, test_on_op, &f);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct store_job scan = {.op = STORE_SCAN,
                                 .store = s,
                                 .scan.piece_length = 16384,
                                 .scan.n_pieces = 3};
        f.op = cases[i].op;
        f.at = cases[i].at;
        f.errnum = cases[i].errnum;
        f.n = 0;
        assert_int_equal(kit_run(&k, &scan), 0);
        assert_int_equal(scan.scan.found.count, cases[i].want);
        bits_fini(&scan.scan.found);
    }
    store_tree_free(s);
    kit_torrent_fini(&t);
    kit_close(&k);
}

/* Takes every descriptor that is left of 64; gives how many, in `taken`. */
static uint32_t test_take_fds(int taken[64])
{
    uint32_t n = 0;
    while (n < 64 && (taken[n] = dup(STDIN_FILENO)) >= 0) {
        n++;
    }
    assert_int_equal(errno, EMFILE);
    return n;
}

/* Others have taken all descriptors: the cache gives its own for what cannot
 * wait, and where that is not enough the failure blames no file. */
static void test_no_descriptors(void **state)
{
    struct store_file files[] = {{.path = "a/f", .length = 16384},
                                 {.path = "g", .length = 16384},
                                 {.path = "h/i", .length = 100}};
    struct rlimit old;
    int taken[64];
    (void)state;
    if (getenv("BTC_VALGRIND") != NULL) {
        skip(); /* has descriptors of its own beside the limit */
    }
    struct kit k;
    struct kit_torrent t;
    struct kit_piece p;
    kit_open(&k, 2);
    kit_torrent_init(&t, files, 3, 16384);
    kit_piece_init(&p, &t, 0);
    struct store_tree *s = store_tree_new(k.d, k.dir, files, 2, false);
    struct store_tree *more = kit_store(&k, &t);
    assert_int_equal(kit_create(&k, s).result, 0);
    assert_int_equal(kit_piece_do(&k, s, STORE_FINISH, &t, 0), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    struct rlimit low = {.rlim_cur = 64, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    uint32_t n = test_take_fds(taken);
    assert_int_equal(kit_sync(&k, s), 0); /* folders */
    assert_int_equal(kit_piece_do(&k, s, STORE_HASH, &t, 0), 0);
    struct store_job scan = {.op = STORE_SCAN,
                             .store = s,
                             .scan.piece_length = 16384,
                             .scan.n_pieces = 2};
    assert_int_equal(kit_run(&k, &scan), 0);
    assert_int_equal(scan.scan.found.count, 1);
    bits_fini(&scan.scan.found);
    assert_int_equal(kit_piece_do(&k, s, STORE_HASH, &t, 0), 0);
    store_tree_only_reads(s);
    assert_int_equal(kit_create(&k, more).result, 0);
    struct store_job job = kit_job(s, STORE_PREFETCH, &p);
    assert_int_equal(kit_run(&k, &job), 0); /* keeps the last one */
    assert_int_equal(kit_piece_do(&k, s, STORE_HASH, &t, 1), BTC_E_LIMIT);
    store_fd_release(s, 0, job.fds[0]);
    free(job.fds);
    assert_int_equal(kit_piece_do(&k, s, STORE_HASH, &t, 1), BTC_E_HASH);
    while (n > 0) {
        (void)close(taken[--n]);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    store_tree_free(s);
    store_tree_free(more);
    kit_piece_fini(&p);
    kit_torrent_fini(&t);
    kit_close(&k);
}

/* Holds every call of one kind until it is opened. */
struct test_gate {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    const char *op;
    uint32_t n_waiting;
    bool open;
};

static int test_on_gate(void *ctx, const char *op, const char *path)
{
    struct test_gate *g = ctx;
    (void)path;
    pthread_mutex_lock(&g->lock);
    if (strcmp(op, g->op) == 0 && !g->open) {
        g->n_waiting++;
        pthread_cond_broadcast(&g->moved);
        while (!g->open) {
            pthread_cond_wait(&g->moved, &g->lock);
        }
    }
    pthread_mutex_unlock(&g->lock);
    return 0;
}

static void test_gate_await(struct test_gate *g, uint32_t n)
{
    pthread_mutex_lock(&g->lock);
    while (g->n_waiting < n) {
        pthread_cond_wait(&g->moved, &g->lock);
    }
    pthread_mutex_unlock(&g->lock);
}

static void test_gate_open(struct test_gate *g)
{
    pthread_mutex_lock(&g->lock);
    g->open = true;
    pthread_cond_broadcast(&g->moved);
    pthread_mutex_unlock(&g->lock);
}

/* Counts what comes back. */
struct test_count {
    struct loop *l;
    uint32_t left;
    uint32_t n_good;
    uint32_t n_cancelled;
};

static void test_on_counted(struct store_job *job)
{
    struct test_count *c = job->ctx;
    c->n_good += job->result == 0;
    c->n_cancelled += job->result == BTC_E_CANCELLED;
    if (--c->left == 0 && c->l) {
        loop_stop(c->l);
    }
}

/* While low jobs are held up others pass; cancelling spares what runs. */
static void test_cancel_low(void **state)
{
    enum {
        N = 10,
        THREADS = 2
    };
    struct test_gate g = {.lock = PTHREAD_MUTEX_INITIALIZER,
                          .moved = PTHREAD_COND_INITIALIZER,
                          .op = "pread"};
    struct store_job jobs[N];
    (void)state;
    struct kit k;
    struct kit_torrent t;
    struct kit_piece p;
    kit_open(&k, THREADS);
    store_set_fault(k.d, test_on_gate, &g);
    assert_int_equal(store_threads(k.d), THREADS);
    kit_torrent_init(&t, test_files, TEST_N_FILES, 32768);
    kit_piece_init(&p, &t, 0);
    struct store_tree *s = kit_store(&k, &t);
    struct store_tree *other = kit_store(&k, &t);
    struct test_count c = {.l = k.l, .left = N};
    assert_int_equal(kit_create(&k, s).result, 0);
    assert_int_equal(kit_piece_do(&k, s, STORE_FINISH, &t, 0), 0);
    for (uint32_t i = 0; i < N; i++) {
        jobs[i] = kit_job(i == N - 1 ? other : s, STORE_HASH, &p);
        jobs[i].low = true;
        jobs[i].done = test_on_counted;
        jobs[i].ctx = &c;
        store_submit(k.d, &jobs[i]);
    }
    test_gate_await(&g, THREADS);
    assert_int_equal(k.d->queued, N);
    assert_int_equal(kit_piece_do(&k, s, STORE_FINISH, &t, 1), 0);
    store_cancel_low(k.d, s);
    test_gate_open(&g);
    loop_run(k.l);
    assert_int_equal(c.n_cancelled, N - 1 - THREADS);
    assert_int_equal(c.n_good, 1 + THREADS);
    assert_int_equal(k.d->queued, 0);
    kit_piece_fini(&p);
    store_tree_free(s);
    store_tree_free(other);
    kit_torrent_fini(&t);
    kit_close(&k);
}

/* A slow fdatasync holds up nobody. What is written meanwhile stays dirty. */
static void test_slow_sync(void **state)
{
    struct test_gate g = {.lock = PTHREAD_MUTEX_INITIALIZER,
                          .moved = PTHREAD_COND_INITIALIZER,
                          .op = "fdatasync"};
    (void)state;
    struct kit k;
    struct kit_torrent t;
    kit_open(&k, 1);
    store_set_fault(k.d, test_on_gate, &g);
    kit_torrent_init(&t, test_files, TEST_N_FILES, 32768);
    struct store_tree *s = kit_store(&k, &t);
    struct test_count c = {.l = k.l, .left = 1};
    assert_int_equal(kit_create(&k, s).result, 0);
    assert_int_equal(kit_piece_do(&k, s, STORE_FINISH, &t, 0), 0);
    struct store_job sync = {
        .op = STORE_SYNC, .store = s, .done = test_on_counted, .ctx = &c};
    store_submit(k.d, &sync);
    test_gate_await(&g, 1);
    for (uint32_t i = 0; i < 20; i++) {
        assert_int_equal(kit_piece_do(&k, s, STORE_FINISH, &t, i % 2), 0);
    }
    assert_int_equal(k.d->queued, 1);
    test_gate_open(&g);
    loop_run(k.l);
    assert_int_equal(sync.result, 0);
    assert_true(sync.prints[0].exists);
    assert_false(sync.prints[2].exists);
    free(sync.prints);
    sync = kit_do(&k, s, STORE_SYNC);
    assert_int_equal(sync.result, 0);
    assert_true(sync.prints[0].exists && sync.prints[2].exists);
    free(sync.prints);
    store_tree_free(s);
    kit_torrent_fini(&t);
    kit_close(&k);
}

/* A chain of jobs, each submitted by the callback of the one before. */
struct test_chain {
    struct store *d;
    struct store_tree *s;
    struct store_job job;
    uint32_t left;
};

static void test_on_link(struct store_job *job)
{
    struct test_chain *c = job->ctx;
    free(job->prints);
    assert_int_equal(job->result, 0);
    if (--c->left > 0) {
        store_submit(c->d, job);
    } else {
        store_tree_free(c->s);
    }
}

/* store_free runs all to the end, and what callbacks add; stores freed while
 * their jobs run or by a callback go with the last. */
static void test_drain(void **state)
{
    enum {
        N = 50
    };
    struct store_job jobs[N];
    struct test_count c = {.left = N};
    (void)state;
    struct kit k;
    struct kit_torrent t;
    struct kit_piece p;
    kit_open(&k, 2);
    kit_torrent_init(&t, test_files, TEST_N_FILES, 32768);
    kit_piece_init(&p, &t, 0);
    struct store_tree *s = kit_store(&k, &t);
    assert_int_equal(kit_create(&k, s).result, 0);
    struct test_chain chain = {.d = k.d, .left = 5};
    chain.s = store_tree_new(k.d, "/nowhere", t.files, t.n_files, false);
    chain.job = (struct store_job){.op = STORE_STAT,
                                   .store = chain.s,
                                   .done = test_on_link,
                                   .ctx = &chain};
    store_submit(k.d, &chain.job);
    for (uint32_t i = 0; i < N; i++) {
        jobs[i] = kit_job(s, STORE_FINISH, &p);
        jobs[i].low = i % 2;
        jobs[i].done = test_on_counted;
        jobs[i].ctx = &c;
        store_submit(k.d, &jobs[i]);
    }
    store_tree_free(s);
    struct store_tree *late = kit_store(&k, &t); /* outlives the disk */
    store_free(k.d);
    assert_int_equal(c.n_good, N);
    assert_int_equal(c.left, 0);
    assert_int_equal(chain.left, 0);
    store_tree_free(late);
    k.d = NULL;
    kit_piece_fini(&p);
    kit_torrent_fini(&t);
    kit_close(&k);
}

/* 200 jobs of all kinds at once, over two stores. */
static void test_many_jobs(void **state)
{
    enum {
        N = 200
    };
    static const enum store_op ops[] = {
        STORE_FINISH, STORE_READ, STORE_PREFETCH, STORE_HASH,  STORE_SYNC,
        STORE_WRITE,  STORE_STAT, STORE_SCAN,     STORE_CREATE};
    static struct store_job jobs[N];
    (void)state;
    struct kit k;
    struct kit_torrent t;
    struct kit_piece p[2];
    struct store_tree *s[2];
    char dir[80];
    kit_open(&k, 4);
    kit_torrent_init(&t, test_files, TEST_N_FILES, 65536);
    assert_int_equal(t.n_pieces, 2);
    for (uint32_t i = 0; i < 2; i++) {
        (void)snprintf(dir, sizeof(dir), "%s/%u", k.dir, i);
        assert_int_equal(mkdir(dir, 0700), 0);
        s[i] = store_tree_new(k.d, dir, t.files, t.n_files, false);
        kit_piece_init(&p[i], &t, i);
        assert_int_equal(kit_create(&k, s[i]).result, 0);
        assert_int_equal(kit_piece_do(&k, s[i], STORE_FINISH, &t, 0), 0);
        assert_int_equal(kit_piece_do(&k, s[i], STORE_FINISH, &t, 1), 0);
    }
    struct test_count c = {.l = k.l, .left = N};
    for (uint32_t i = 0; i < N; i++) {
        jobs[i] = kit_job(s[i / 9 % 2], ops[i % 9], &p[i % 2]);
        jobs[i].scan.piece_length = 65536;
        jobs[i].scan.n_pieces = 2;
        jobs[i].low = i % 7 == 0;
        jobs[i].data = mem_alloc(65536);
        jobs[i].done = test_on_counted;
        jobs[i].ctx = &c;
        store_submit(k.d, &jobs[i]);
    }
    loop_run(k.l);
    assert_int_equal(c.n_good, N);
    for (uint32_t i = 0; i < N; i++) {
        for (uint32_t j = 0; jobs[i].fds && j < jobs[i].n_spans; j++) {
            store_fd_release(jobs[i].store, jobs[i].spans[j].file,
                             jobs[i].fds[j]);
        }
        if (jobs[i].op == STORE_READ) {
            assert_memory_equal(jobs[i].data, p[i % 2].bytes, p[i % 2].len);
        }
        free(jobs[i].fds);
        free(jobs[i].data);
        free(jobs[i].prints);
        bits_fini(&jobs[i].scan.found);
    }
    for (uint32_t i = 0; i < 2; i++) {
        kit_piece_fini(&p[i]);
        store_tree_free(s[i]);
    }
    kit_torrent_fini(&t);
    kit_close(&k);
}

/* A mount namespace of our own, before the threads start: they inherit it.
 * False where that is not allowed. */
static bool test_unshare(void)
{
    return unshare(CLONE_NEWNS) == 0 &&
           mount("btc", "/", "tmpfs", MS_REC | MS_PRIVATE, NULL) == 0;
}

/* A tmpfs of 256 KiB over the private folder. */
static void test_mount(const char *dir)
{
    assert_int_equal(mount("btc", dir, "tmpfs", 0, "size=256k"), 0);
}

/* A file system that is really full: a write that gets stuck half way. */
static void test_full_file_system(void **state)
{
    struct store_file files[] = {{.path = "f", .length = 300000},
                                 {.path = "g", .length = 300000}};
    (void)state;
    struct kit k;
    struct kit_torrent t;
    if (!test_unshare()) {
        skip();
    }
    kit_open(&k, 2);
    test_mount(k.dir);
    kit_torrent_init(&t, files, 1, 1u << 19);
    struct store_tree *s = kit_store(&k, &t);
    assert_int_equal(kit_create(&k, s).result, 0);
    assert_int_equal(kit_piece_do(&k, s, STORE_FINISH, &t, 0), BTC_E_NOSPACE);
    assert_int_equal(kit_piece_do(&k, s, STORE_HASH, &t, 0), BTC_E_HASH);
    assert_true(kit_do(&k, s, STORE_SPACE).bytes_free < 65536);
    struct store_tree *full = store_tree_new(k.d, k.dir, files, 2, true);
    store_tree_rest(s);
    struct store_job job = kit_create(&k, full);
    assert_int_equal(job.result, BTC_E_NOSPACE);
    assert_int_equal(mount("btc", k.dir, "tmpfs", MS_REMOUNT, "size=1m"), 0);
    assert_int_equal(kit_piece_do(&k, s, STORE_FINISH, &t, 0), 0);
    assert_int_equal(kit_sync(&k, s), 0);
    kit_expect(&k, "f", t.bytes, t.total);
    store_tree_free(s);
    store_tree_free(full);
    kit_torrent_fini(&t);
    store_free(k.d);
    k.d = NULL;
    assert_int_equal(umount(k.dir), 0);
    kit_close(&k);
}

/* Seeding from a read-only file system works, writing says why not; and with
 * the drive gone nothing is made in the empty folder below. */
static void test_read_only(void **state)
{
    struct store_file files[] = {{.path = "f", .length = 30000}};
    (void)state;
    struct kit k;
    struct kit_torrent t;
    if (!test_unshare()) {
        skip();
    }
    kit_open(&k, 2);
    test_mount(k.dir);
    kit_torrent_init(&t, files, 1, 1u << 19);
    kit_put(&k, "f", t.bytes, t.total);
    assert_int_equal(mount("btc", k.dir, "tmpfs", MS_REMOUNT | MS_RDONLY, NULL),
                     0);
    struct store_tree *s = kit_store(&k, &t);
    assert_int_equal(kit_create(&k, s).result, 0);
    assert_int_equal(kit_piece_do(&k, s, STORE_HASH, &t, 0), 0);
    store_mark_dirty(s, 0);
    assert_int_equal(kit_sync(&k, s), 0);
    assert_int_equal(kit_piece_do(&k, s, STORE_FINISH, &t, 0),
                     BTC_E_PERMISSION);
    store_tree_free(s);
    store_free(k.d);
    k.d = store_new(k.l, NULL);
    assert_int_equal(umount(k.dir), 0);
    s = kit_store(&k, &t);
    assert_int_equal(kit_piece_do(&k, s, STORE_FINISH, &t, 0), BTC_E_STORAGE);
    assert_false(kit_exists(&k, "f"));
    store_tree_free(s);
    kit_torrent_fini(&t);
    kit_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_call_sparse),
        cmocka_unit_test(test_each_call_full),
        cmocka_unit_test(test_no_fallocate),
        cmocka_unit_test(test_create_no_space),
        cmocka_unit_test(test_name),
        cmocka_unit_test(test_home),
        cmocka_unit_test(test_lost_in_eviction),
        cmocka_unit_test(test_hung_drive),
        cmocka_unit_test(test_silent_drive),
        cmocka_unit_test(test_scan_blind),
        cmocka_unit_test(test_no_descriptors),
        cmocka_unit_test(test_cancel_low),
        cmocka_unit_test(test_slow_sync),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_many_jobs),
        cmocka_unit_test(test_full_file_system),
        cmocka_unit_test(test_read_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
