/* Which hosts are local by their name. */
#include "net/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void guard_test_hosts(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        bool local;
    } cases[] = {
        {"127.0.0.1", true},
        {"[::1]", true},
        {"::1", true},
        {"10.1.2.3", true},
        {"8.8.8.8", false},
        {"[2001:db8::1]", false},
        {"localhost", true},
        {"LOCALHOST.", true},
        {"a.localhost", true},
        {"tracker", true},
        {"nas.local", true},
        {"nas.LAN", true},
        {"x.internal", true},
        {"x.home.arpa", true},
        {"tracker.example", false},
        {"tracker.example.", false},
        {"notlocal.com", false},
        {"mylocal", true},
        {"2130706433", false},
        {"0x7f000001", false},
        {".local", false},
        {"", false},
        {"[", true},
        {"[]", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (guard_host_is_local(cases[i].host) != cases[i].local) {
            fail_msg("'%s'", cases[i].host);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(guard_test_hosts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
