/* Which pipeline a member is in, and where its writes end. */
#include "base/mem.h"
#include "core/durable/pipeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define INTERVAL 1000u

/* Batches that hold nothing. */
static void *none_make(void)
{
    return mem_zalloc(1);
}

static void none_append(void *dst, void *src)
{
    (void)dst;
    (void)src;
}

static void none_drop(void *b)
{
    (void)b;
}

static bool none_is_empty(const void *b)
{
    (void)b;
    return true;
}

static const struct commit_batch_ops ops = {.make = none_make,
                                            .free = free,
                                            .append = none_append,
                                            .drop_claims = none_drop,
                                            .is_empty = none_is_empty};

/* One for each set of devices; who is on the same ones shares it. */
static void test_place(void **state)
{
    struct pipeline_set set;
    struct commit_member a, b;
    (void)state;
    pipeline_open(&set, &ops, INTERVAL, 0);
    commit_join(&set.first->c, &a);
    commit_join(&set.first->c, &b);
    assert_ptr_equal(pipeline_of(&a), set.first);
    assert_int_equal(pipeline_place(&set, &a, 7, 7, 0), 1);
    assert_int_equal(pipeline_place(&set, &b, 7, 9, 0), 2);
    assert_ptr_not_equal(pipeline_of(&a), pipeline_of(&b));
    assert_int_equal(pipeline_place(&set, &b, 7, 7, 0), 1);
    assert_ptr_equal(pipeline_of(&a), pipeline_of(&b));
    assert_int_equal(pipeline_place(&set, &a, 7, 9, 0), 2);
    assert_int_equal(pipeline_of(&a)->dev_max, 9);
    commit_leave(&a);
    commit_leave(&b);
    pipeline_close(&set);
}

/* It ends where it began, although the member is elsewhere by then. */
static void test_writes(void **state)
{
    struct pipeline_set set;
    struct commit_member m;
    (void)state;
    pipeline_open(&set, &ops, INTERVAL, 0);
    commit_join(&set.first->c, &m);
    (void)pipeline_place(&set, &m, 3, 3, 0);
    struct pipeline *old = pipeline_of(&m);
    uint32_t ticket = pipeline_begin_write(&set, &m);
    (void)pipeline_place(&set, &m, 4, 4, 0);
    assert_ptr_not_equal(pipeline_of(&m), old);
    assert_int_equal(old->c.n_writes[0], 1);
    pipeline_end_write(&set, ticket);
    assert_int_equal(old->c.n_writes[0], 0);
    commit_leave(&m);
    pipeline_close(&set);
}

/* The earliest of all; a hurry concerns each of them. */
static void test_deadline(void **state)
{
    struct pipeline_set set;
    struct commit_member m;
    (void)state;
    pipeline_open(&set, &ops, INTERVAL, 0);
    commit_join(&set.first->c, &m);
    assert_int_equal(pipeline_deadline(&set), INTERVAL);
    (void)pipeline_place(&set, &m, 3, 3, 500);
    assert_int_equal(pipeline_deadline(&set), INTERVAL);
    pipeline_hurry(&set);
    assert_int_equal(pipeline_deadline(&set), 0);
    commit_leave(&m);
    pipeline_close(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_place),
        cmocka_unit_test(test_writes),
        cmocka_unit_test(test_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
