/* Hosts that are remembered for having been of no use. */
#include "core/swarm/idlers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct addr v4(uint8_t last, uint16_t port)
{
    return (struct addr){
        .family = ADDR_V4, .port = port, .ip = {10, 0, 0, last}};
}

static struct addr v6(uint8_t net, uint8_t last)
{
    return (struct addr){.family = ADDR_V6,
                         .ip = {0x20, 1, 0xd, 0xb8, 0, 0, 0, net, [15] = last}};
}

static void test_hosts(void **state)
{
    (void)state;
    static struct idlers l;
    struct addr a = v4(1, 7000), again = v4(1, 9), other = v4(2, 7000);
    struct addr b = v6(1, 1), same = v6(1, 2), far = v6(2, 1);
    struct addr nobody = addr_none();
    assert_false(idlers_has(&l, &a, 0));
    idlers_note(&l, &a, 1000);
    idlers_note(&l, &b, 1000);
    idlers_note(&l, &nobody, 1000);
    assert_true(idlers_has(&l, &a, 1000));
    assert_true(idlers_has(&l, &again, 1000));
    assert_false(idlers_has(&l, &other, 1000));
    assert_true(idlers_has(&l, &b, 1000));
    assert_true(idlers_has(&l, &same, 1000));
    assert_false(idlers_has(&l, &far, 1000));
    assert_false(idlers_has(&l, &nobody, 1000));
    assert_true(idlers_has(&l, &a, 1000 + IDLERS_MS - 1));
    assert_false(idlers_has(&l, &a, 1000 + IDLERS_MS));
}

/* However many there are, the memory is the same, and the last ones are known.
 */
static void test_many(void **state)
{
    (void)state;
    static struct idlers l;
    for (uint32_t i = 0; i < 100000; i++) {
        struct addr a = {.family = ADDR_V4,
                         .ip = {(uint8_t)(1 + i % 200), (uint8_t)(i >> 16),
                                (uint8_t)(i >> 8), (uint8_t)i}};
        idlers_note(&l, &a, i);
        assert_true(idlers_has(&l, &a, i));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_hosts),
                                       cmocka_unit_test(test_many)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
