/* store_warm: what the page cache has is sent at once, what it has not is a
 * worker's. */
#include "store/disk_kit.h"

#include <fcntl.h>

struct warm {
    struct kit k;
    struct kit_torrent t;
    struct kit_piece p;
    struct store_file files[3];
    struct store_tree *s;
};

static struct store_tree *warm_tree(struct warm *w)
{
    return store_tree_new(w->k.d, w->k.dir, w->files, 3, false);
}

static int setup(void **state)
{
    struct warm *w = mem_zalloc(sizeof(*w));
    w->files[0] = (struct store_file){.path = "a", .length = 3 * BLOCK_LEN};
    w->files[1] = (struct store_file){.path = "p", .length = 100, .pad = true};
    w->files[2] = (struct store_file){.path = "b", .length = BLOCK_LEN};
    kit_open(&w->k, 2);
    kit_torrent_init(&w->t, w->files, 3, 1u << 20);
    kit_piece_init(&w->p, &w->t, 0);
    w->s = warm_tree(w);
    assert_int_equal(kit_do(&w->k, w->s, STORE_CREATE).result, 0);
    assert_int_equal(kit_piece_do(&w->k, w->s, STORE_FINISH, &w->t, 0), 0);
    assert_int_equal(kit_sync(&w->k, w->s), 0);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct warm *w = *state;
    store_tree_free(w->s);
    kit_piece_fini(&w->p);
    kit_torrent_fini(&w->t);
    kit_close(&w->k);
    free(w);
    return 0;
}

static void warm_release(struct store_job *job)
{
    for (uint32_t i = 0; job->fds && i < job->n_spans; i++) {
        store_fd_release(job->store, job->spans[i].file, job->fds[i]);
    }
    free(job->fds);
    job->fds = NULL;
}

/* True on a kernel that can tell. */
static bool warm_is_known(struct warm *w)
{
    struct store_job job = kit_job(w->s, STORE_PREFETCH, &w->p);
    assert_int_equal(kit_run(&w->k, &job), 0);
    warm_release(&job);
    bool known = store_warm(&job);
    warm_release(&job);
    return known;
}

static void test_what_is_cached(void **state)
{
    struct warm *w = *state;
    if (!warm_is_known(w)) {
        skip(); /* before Linux 6.5 nothing is warm */
    }
    struct store_job job = kit_job(w->s, STORE_PREFETCH, &w->p);
    uint8_t got[BLOCK_LEN];
    assert_true(store_warm(&job));
    assert_int_equal(job.fds[1], -1); /* the pad */
    assert_int_equal(pread(job.fds[2], got, sizeof(got), 0), sizeof(got));
    assert_memory_equal(got, w->t.bytes + 3 * BLOCK_LEN + 100, sizeof(got));
    warm_release(&job);
}

/* A file that nobody has opened is not opened on the loop. */
static void test_what_is_closed(void **state)
{
    struct warm *w = *state;
    store_tree_free(w->s);
    w->s = warm_tree(w);
    struct store_job job = kit_job(w->s, STORE_PREFETCH, &w->p);
    assert_false(store_warm(&job));
    assert_null(job.fds);
    assert_int_equal(kit_run(&w->k, &job), 0);
    warm_release(&job);
}

/* What the kernel has dropped is cold until a worker has read it. */
static void test_what_was_dropped(void **state)
{
    struct warm *w = *state;
    if (!warm_is_known(w)) {
        skip();
    }
    struct store_job job = kit_job(w->s, STORE_PREFETCH, &w->p);
    assert_true(store_warm(&job));
    int fd = job.fds[0];
    assert_int_equal(fdatasync(fd), 0);
    assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    warm_release(&job);
    bool warm = store_warm(&job);
    warm_release(&job);
    if (warm) {
        skip(); /* a file system in memory drops nothing */
    }
    assert_int_equal(kit_run(&w->k, &job), 0); /* a worker brings it back */
    warm_release(&job);
    assert_true(store_warm(&job));
    warm_release(&job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_cached, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_was_dropped, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
