/* Codes, texts and the growing message. */
#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void err_test_table(void **state)
{
    (void)state;
    static const struct {
        int code;
        int status;
        const char *name;
    } cases[] = {
        {0, 0, "OK"},
        {BTC_E_USAGE, 2, "USAGE"},
        {BTC_E_METAINFO, 4, "METAINFO"},
        {BTC_E_NOSPACE, 9, "NOSPACE"},
        {BTC_E_STORAGE, 11, "STORAGE"},
        {BTC_E_LOCKED, 12, "LOCKED"},
        {BTC_E_DB, 14, "DB"},
        {BTC_E_SOME, 16, "SOME"},
        {BTC_E_PROTO, 6, "PROTO"},
        {BTC_E_HASH, 8, "HASH"},
        {BTC_E_UNSUPPORTED, 4, "UNSUPPORTED"},
        {-9999, 1, "?"},
        {1, 1, "?"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_string_equal(err_name(cases[i].code), cases[i].name);
        assert_int_equal(err_exit(cases[i].code), cases[i].status);
        assert_true(strlen(err_text(cases[i].code)) > 0);
    }
    assert_string_equal(err_text(BTC_E_NOSPACE), "no space left");
}

static void err_test_errno(void **state)
{
    (void)state;
    static const struct {
        int errno_value;
        int code;
    } cases[] = {
        {ENOSPC, BTC_E_NOSPACE},
        {EDQUOT, BTC_E_NOSPACE},
        {EACCES, BTC_E_PERMISSION},
        {EPERM, BTC_E_PERMISSION},
        {EROFS, BTC_E_PERMISSION},
        {ENOENT, BTC_E_NOTFOUND},
        {ENOTDIR, BTC_E_NOTFOUND},
        {ETIMEDOUT, BTC_E_TIMEOUT},
        {ECONNREFUSED, BTC_E_REFUSED},
        {ECONNRESET, BTC_E_CLOSED},
        {EPIPE, BTC_E_CLOSED},
        {EIO, BTC_E_IO},
        {0, BTC_E_IO},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(err_from_errno(cases[i].errno_value), cases[i].code);
    }
}

static void err_test_message(void **state)
{
    (void)state;
    struct err e = {0};
    assert_int_equal(err_set(&e, BTC_E_RANGE, "piece %d of %d", 7, 5),
                     BTC_E_RANGE);
    assert_int_equal(e.code, BTC_E_RANGE);
    assert_string_equal(e.msg, "piece 7 of 5");
    assert_int_equal(err_prefix(&e, "peer %s", "1.2.3.4:5"), BTC_E_RANGE);
    assert_string_equal(e.msg, "peer 1.2.3.4:5: piece 7 of 5");
    assert_int_equal(err_set_errno(&e, ENOENT, "open '%s'", "x"),
                     BTC_E_NOTFOUND);
    assert_string_equal(e.msg, "open 'x': No such file or directory");
}

static void err_test_null(void **state)
{
    (void)state;
    assert_int_equal(err_set(NULL, BTC_E_IO, "x"), BTC_E_IO);
    assert_int_equal(err_set_errno(NULL, ENOSPC, "x"), BTC_E_NOSPACE);
    assert_int_equal(err_prefix(NULL, "x"), BTC_E_INTERNAL);
}

/* Texts that do not fit are cut and stay strings. */
static void err_test_long(void **state)
{
    (void)state;
    struct err e = {0};
    char text[2 * ERR_MSG_MAX];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    err_set(&e, BTC_E_IO, "%s", text);
    assert_int_equal(strlen(e.msg), ERR_MSG_MAX - 1);
    err_set_errno(&e, EIO, "%s", text);
    assert_int_equal(strlen(e.msg), ERR_MSG_MAX - 1);
    for (int i = 0; i < 4; i++) {
        err_prefix(&e, "%s", text);
        assert_int_equal(strlen(e.msg), ERR_MSG_MAX - 1);
    }
    err_set(&e, BTC_E_IO, "end");
    err_prefix(&e, "%s", text);
    assert_string_equal(e.msg + strlen(e.msg) - 5, ": end");
}

static void err_test_assert(void **state)
{
    (void)state;
    int one = 1;
    BTC_ASSERT(one == 1);
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(STDERR_FILENO);
        BTC_ASSERT(one == 2);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(err_test_table),   cmocka_unit_test(err_test_errno),
        cmocka_unit_test(err_test_message), cmocka_unit_test(err_test_null),
        cmocka_unit_test(err_test_long),    cmocka_unit_test(err_test_assert),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
