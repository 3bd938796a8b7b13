/* Whether a number was given to another file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "model/fingerprint.h"

#define NS INT64_C(1000000000)

static void test_reborn(void **state)
{
    (void)state;
    static const struct {
        int64_t then; /* the time of the inode as last seen */
        int64_t born, now;
        bool is_reborn;
    } cases[] = {
        {100 * NS + 5, 90 * NS + 1, 200 * NS, false},  /* written to */
        {100 * NS + 5, 100 * NS + 5, 100 * NS, false}, /* seen as it was made */
        {100 * NS + 5, 100 * NS + 6, 100 * NS + 6, true},
        {100 * NS + 5, 150 * NS + 1, 150 * NS + 9, true},
        {100 * NS + 5, 0, 150 * NS, false},        /* born at no known time */
        {0, 150 * NS + 1, 150 * NS + 9, false},    /* an old journal */
        {100 * NS, 180 * NS + 1, 150 * NS, false}, /* the clock was set back */
        {100 * NS, 102 * NS, 200 * NS, false},     /* whole seconds, rounded */
        {100 * NS, 103 * NS, 200 * NS, true}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const struct fingerprint then = {.exists = true,
                                         .ctime_ns = cases[i].then};
        const struct fingerprint now = {
            .exists = true, .ctime_ns = cases[i].now, .born_ns = cases[i].born};
        if (fingerprint_is_reborn(&then, &now) != cases[i].is_reborn) {
            fail_msg("case %zu", i);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reborn)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
