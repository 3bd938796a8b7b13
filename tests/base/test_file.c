/* Files as names: what a rename may not do, and whose folder is synced. */
#include "base/file.h"

#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct place {
    char dir[PATH_MAX];
    char *from, *to;
};

static int setup(void **state)
{
    struct place *p = mem_zalloc(sizeof(*p));
    (void)snprintf(p->dir, sizeof(p->dir), "%s/btc-file-XXXXXX",
                   getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(p->dir));
    p->from = mem_printf("%s/from", p->dir);
    p->to = mem_printf("%s/to", p->dir);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct place *p = *state;
    (void)unlink(p->from);
    (void)unlink(p->to);
    assert_int_equal(rmdir(p->dir), 0); /* nothing else is left */
    free(p->from);
    free(p->to);
    free(p);
    return 0;
}

static void make(const char *path, const char *content)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(content, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void assert_content(const char *path, const char *content)
{
    char got[64] = {0};
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_non_null(fgets(got, sizeof(got), f));
    assert_int_equal(fclose(f), 0);
    assert_string_equal(got, content);
}

static void test_rename(void **state)
{
    struct place *p = *state;
    make(p->from, "a");
    assert_int_equal(file_rename_new(p->from, p->to), 0);
    assert_content(p->to, "a");
    assert_int_equal(access(p->from, F_OK), -1);
}

static void test_rename_never_replaces(void **state)
{
    struct place *p = *state;
    make(p->from, "a");
    make(p->to, "b");
    assert_int_equal(file_rename_new(p->from, p->to), -EEXIST);
    assert_content(p->from, "a");
    assert_content(p->to, "b");
    assert_int_equal(unlink(p->to), 0);
    assert_int_equal(symlink("nowhere", p->to), 0); /* a name all the same */
    assert_int_equal(file_rename_new(p->from, p->to), -EEXIST);
}

static void test_rename_nothing(void **state)
{
    struct place *p = *state;
    assert_int_equal(file_rename_new(p->from, p->to), -ENOENT);
}

static void test_sync(void **state)
{
    struct place *p = *state;
    make(p->from, "a");
    assert_int_equal(file_sync(p->from), 0);
    assert_int_equal(file_sync(p->dir), 0);
    assert_int_equal(file_sync_folder_of(p->to), 0); /* it need not be there */
    assert_int_equal(file_sync(p->to), -ENOENT);
}

static void assert_folder(const char *path, const char *folder)
{
    char *got = file_folder_of(path);
    assert_string_equal(got, folder);
    free(got);
}

/* Whole or not at all, and nobody's file is lost. */
static void test_save(void **state)
{
    struct place *p = *state;
    struct err e = {0};
    assert_int_equal(file_save(p->to, slice_str("one"), false, &e), 0);
    assert_int_equal(file_save(p->to, slice_str("two"), false, &e),
                     BTC_E_EXISTS);
    assert_content(p->to, "one");
    assert_int_equal(file_save(p->to, slice_str("two"), true, &e), 0);
    assert_content(p->to, "two");
    char *nowhere = mem_printf("%s/no/file", p->dir);
    assert_int_equal(file_save(nowhere, slice_str("x"), true, &e),
                     BTC_E_NOTFOUND);
    free(nowhere);
}

static void test_join(void **state)
{
    static const char *const cases[][3] = {
        {"/srv/data", "a/b", "/srv/data/a/b"},
        {"/", "a", "/a"},
        {"", "a", "/a"},
        {".", "a", "./a"},
        {"/x", "", "/x/"}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char *path = file_join(cases[i][0], cases[i][1]);
        assert_string_equal(path, cases[i][2]);
        free(path);
    }
}

static void test_folder(void **state)
{
    (void)state;
    assert_folder("a", ".");
    assert_folder("/a", "/");
    assert_folder("a/b", "a");
    assert_folder("/a/b/c", "/a/b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rename, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rename_never_replaces, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_rename_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sync, setup, teardown),
        cmocka_unit_test_setup_teardown(test_save, setup, teardown),
        cmocka_unit_test(test_join),
        cmocka_unit_test(test_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
