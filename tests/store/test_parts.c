/* CREATE of many files, which several workers share: it is one job for who
 * asked for it, and all or nothing. */
#include "store/disk_kit.h"

#include "base/err.h"

#define FILES   1100u
#define THREADS 4u
#define LEN     8u

struct many {
    struct kit k;
    struct store_file files[FILES];
    char names[FILES][24];
    struct store_tree *s;
};

static int many_open(void **state)
{
    struct many *m = mem_zalloc(sizeof(*m));
    for (uint32_t i = 0; i < FILES; i++) {
        (void)snprintf(m->names[i], sizeof(m->names[i]), "t/d%u/f%u", i % 9, i);
        m->files[i] = (struct store_file){
            .path = m->names[i], .offset = (uint64_t)i * LEN, .length = LEN};
    }
    kit_open(&m->k, THREADS);
    m->s = store_tree_new(m->k.d, m->k.dir, m->files, FILES, false);
    *state = m;
    return 0;
}

static int many_close(void **state)
{
    struct many *m = *state;
    store_tree_free(m->s);
    kit_close(&m->k);
    free(m);
    return 0;
}

/* Nobody has anything there, as far as the look tells. */
static void many_stat(struct many *m)
{
    struct store_job job = kit_do(&m->k, m->s, STORE_STAT);
    assert_int_equal(job.result, 0);
    free(job.prints);
}

/* CREATE of what is to be written: all but every tenth. */
static struct store_job many_create(struct many *m, struct store_tree *s)
{
    struct bits some;
    struct store_job job = {.op = STORE_CREATE, .store = s};
    assert_int_equal(bits_init(&some, FILES), 0);
    for (uint32_t i = 0; i < FILES; i++) {
        if (i % 10 > 0) {
            (void)bits_set(&some, i);
        }
    }
    job.select = &some;
    job.create.writes = &some;
    job.create.label = "torrent 1";
    (void)kit_run(&m->k, &job);
    bits_fini(&some);
    return job;
}

static uint32_t many_count(const struct many *m)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < FILES; i++) {
        n += kit_exists(&m->k, m->names[i]);
    }
    return n;
}

static void test_all(void **state)
{
    struct many *m = *state;
    many_stat(m);
    struct store_job job = many_create(m, m->s);
    assert_int_equal(job.result, 0);
    for (uint32_t i = 0; i < FILES; i++) {
        bool wanted = i % 10 > 0;
        assert_int_equal(job.prints[i].exists, wanted);
        assert_int_equal(job.prints[i].size, wanted ? LEN : 0);
        assert_int_equal(kit_exists(&m->k, m->names[i]), wanted);
    }
    free(job.prints);
    /* They are held, whoever made them. */
    struct store_tree *other =
        store_tree_new(m->k.d, m->k.dir, m->files, FILES, false);
    job = many_create(m, other);
    assert_int_equal(job.result, BTC_E_STORAGE);
    assert_null(job.prints);
    store_tree_free(other);
}

/* Wherever it is among them: what was made beside it goes, and nothing is held.
 */
static void test_appeared(void **state)
{
    struct many *m = *state;
    for (uint32_t at = 1; at < FILES; at += FILES / 3 + 5) {
        many_stat(m);
        kit_mkdir(&m->k, "t");
        for (uint32_t i = 0; i < 9; i++) {
            char folder[16];
            (void)snprintf(folder, sizeof(folder), "t/d%u", i);
            kit_mkdir(&m->k, folder);
        }
        kit_put(&m->k, m->names[at], "other", 5);
        struct store_job job = many_create(m, m->s);
        assert_int_equal(job.result, BTC_E_EXISTS);
        assert_int_equal(job.fail.file, at);
        assert_non_null(strstr(job.fail.text, m->names[at]));
        assert_null(job.prints);
        assert_int_equal(many_count(m), 1);
        kit_expect(&m->k, m->names[at], "other", 5);
        kit_put(&m->k, m->names[at], "", 0);
        struct store_tree *other =
            store_tree_new(m->k.d, m->k.dir, m->files, FILES, false);
        job = many_create(m, other);
        assert_int_equal(job.result, 0);
        free(job.prints);
        store_tree_free(other);
        char t[512];
        kit_remove(kit_path(&m->k, "t", t, sizeof(t)));
    }
}

/* One of those that fail is told, with its text, and what the others have made
 * is gone again. */
static void test_fails(void **state)
{
    struct many *m = *state;
    kit_mkdir(&m->k, "t");
    kit_mkdir(&m->k, "t/d2");
    kit_put(&m->k, m->names[11], "too long for it", 15);
    kit_put(&m->k, m->names[1091], "too long for it", 15);
    struct store_job job = many_create(m, m->s);
    assert_int_equal(job.result, BTC_E_EXISTS);
    assert_true(job.fail.file == 11 || job.fail.file == 1091);
    assert_non_null(strstr(job.fail.text, m->names[job.fail.file]));
    assert_true(job.create.may_insist);
    assert_null(job.prints);
    assert_int_equal(many_count(m), 2);
}

/* No save path: nothing is made, and it is told once. */
static void test_no_root(void **state)
{
    struct many *m = *state;
    char gone[512];
    struct store_tree *s =
        store_tree_new(m->k.d, kit_path(&m->k, "gone", gone, sizeof(gone)),
                       m->files, FILES, false);
    struct store_job job = many_create(m, s);
    assert_int_equal(job.result, BTC_E_STORAGE);
    assert_int_equal(job.fail.file, -1);
    assert_false(kit_exists(&m->k, "gone"));
    store_tree_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all, many_open, many_close),
        cmocka_unit_test_setup_teardown(test_appeared, many_open, many_close),
        cmocka_unit_test_setup_teardown(test_fails, many_open, many_close),
        cmocka_unit_test_setup_teardown(test_no_root, many_open, many_close)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
