/* A survey answers for each place, whatever is there, and may be left at any
 * moment. */
#include "store/survey.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char survey_dir[] = "/tmp/btc-survey-XXXXXX";

static int setup(void **state)
{
    (void)state;
    if (mkdtemp(survey_dir) == NULL || chdir(survey_dir) != 0) {
        return -1;
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)unlink("file");
    (void)unlink("link");
    (void)rmdir(survey_dir);
    return 0;
}

static void survey_make(const char *path, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    assert_int_equal(close(fd), 0);
}

static void survey_all(struct survey *v)
{
    assert_int_equal(survey_begin(v), 0);
    while (!survey_wait(v, 1000)) {
    }
}

static void test_answers(void **state)
{
    (void)state;
    char loop[8] = "loop";
    survey_make("file", 1234);
    assert_int_equal(symlink("file", "link"), 0);
    assert_int_equal(symlink(loop, loop), 0);
    static const char *const paths[] = {"file", "link", "none", "file/below",
                                        "loop/below"};
    struct survey *v = survey_new();
    for (size_t i = 0; i < 5; i++) {
        survey_add(v, paths[i], i);
    }
    struct fingerprint print;
    assert_int_equal(survey_get(v, 0, &print), SURVEY_SILENT);
    survey_all(v);
    assert_int_equal(survey_count(v), 5);
    assert_int_equal(survey_get(v, 0, &print), SURVEY_SEEN);
    assert_true(print.exists && print.is_file);
    assert_int_equal(print.size, 1234);
    assert_int_equal(survey_get(v, 1, &print), SURVEY_SEEN);
    assert_true(print.exists && !print.is_file);
    assert_int_equal(survey_get(v, 2, &print), SURVEY_SEEN);
    assert_false(print.exists);
    assert_int_equal(survey_get(v, 3, &print), SURVEY_SEEN);
    assert_false(print.exists);
    assert_int_equal(survey_get(v, 4, &print), SURVEY_FAILED); /* ELOOP */
    survey_free(v);
    assert_int_equal(unlink(loop), 0);
}

/* More drives than threads: each place has its answer all the same. */
static void test_many_drives(void **state)
{
    (void)state;
    survey_make("file", 10);
    struct survey *v = survey_new();
    for (uint64_t i = 0; i < 1000; i++) {
        survey_add(v, i % 3 == 0 ? "file" : "none", i % 40);
    }
    survey_all(v);
    assert_int_equal(survey_count(v), 1000);
    for (size_t i = 0; i < 1000; i++) {
        struct fingerprint print;
        assert_int_equal(survey_get(v, i, &print), SURVEY_SEEN);
        assert_int_equal(print.exists, i % 3 == 0);
    }
    survey_free(v);
}

/* Nobody waits: the threads end by themselves. A sanitizer sees what they still
 * use. */
static void test_left(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 50; round++) {
        struct survey *v = survey_new();
        for (uint64_t i = 0; i < 300; i++) {
            survey_add(v, "none", i % 5);
        }
        if (round > 0) {
            assert_int_equal(survey_begin(v), 0);
            (void)survey_wait(v, round % 2);
        }
        survey_free(v);
    }
    struct survey *v = survey_new(); /* nothing to look at */
    survey_all(v);
    survey_free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers),
                                       cmocka_unit_test(test_many_drives),
                                       cmocka_unit_test(test_left)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
