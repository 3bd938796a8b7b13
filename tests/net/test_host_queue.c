/* Turns of hosts: limits, fairness, silent hosts. */
#include "net/host_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEST_MAX 64

/* A queue and entries whose owner is their name, one letter. */
struct test_queue {
    struct host_queue *q;
    struct host_queue_entry e[TEST_MAX];
    char name[TEST_MAX];
    size_t n;
};

static void test_init(struct test_queue *t, uint32_t all, uint32_t host)
{
    memset(t, 0, sizeof(*t));
    t->q = host_queue_new(all, host);
}

static void test_fini(struct test_queue *t)
{
    for (size_t i = 0; i < t->n; i++) {
        host_queue_remove(t->q, &t->e[i]);
        host_queue_remove(t->q, &t->e[i]); /* twice does nothing */
    }
    host_queue_free(t->q);
}

static struct host_queue_entry *test_add(struct test_queue *t, char name,
                                         const char *key)
{
    size_t i = t->n++;
    t->name[i] = name;
    t->e[i].owner = &t->name[i];
    host_queue_add(t->q, &t->e[i], key);
    return &t->e[i];
}

/* The names of all that may begin. */
static const char *test_begin(struct test_queue *t, char text[TEST_MAX])
{
    struct host_queue_entry *e = NULL;
    size_t n = 0;
    while ((e = host_queue_next(t->q)) != NULL) {
        assert_true(e->is_active);
        text[n++] = *(char *)e->owner;
    }
    text[n] = '\0';
    return text;
}

static void test_one_at_a_time(void **state)
{
    struct test_queue t;
    char text[TEST_MAX];

    (void)state;
    test_init(&t, 10, 3);
    struct host_queue_entry *a = test_add(&t, 'a', "x:80");
    for (char c = 'b'; c <= 'g'; c++) {
        (void)test_add(&t, c, "x:80");
    }
    assert_string_equal(test_begin(&t, text), "a");
    assert_int_equal(host_queue_n_waiting(t.q, "x:80"), 6);
    host_queue_answered(a);
    assert_string_equal(test_begin(&t, text), "bc");
    host_queue_remove(t.q, a);
    assert_string_equal(test_begin(&t, text), "d");
    assert_false(host_queue_is_silent(&t.e[1])); /* it had answered before */
    host_queue_remove(t.q, &t.e[1]);
    host_queue_remove(t.q, &t.e[2]);
    assert_string_equal(test_begin(&t, text), "");
    assert_true(host_queue_is_silent(&t.e[3]));
    assert_ptr_equal(host_queue_first(t.q, "x:80"), &t.e[4]);
    host_queue_remove(t.q, &t.e[3]);
    assert_string_equal(test_begin(&t, text), "e");
    test_fini(&t);
}

static void test_hosts_take_turns(void **state)
{
    struct test_queue t;
    char text[TEST_MAX];

    (void)state;
    test_init(&t, 4, 8);
    for (char c = 'a'; c <= 'e'; c++) {
        (void)test_add(&t, c, "silent:1");
    }
    (void)test_add(&t, 'p', "good:1");
    (void)test_add(&t, 'q', "good:1");
    (void)test_add(&t, 'x', "other:1");
    assert_string_equal(test_begin(&t, text), "apx");
    host_queue_answered(&t.e[5]);
    assert_string_equal(test_begin(&t, text), "q");
    (void)test_add(&t, 'z', "fifth:1"); /* no room in all */
    assert_string_equal(test_begin(&t, text), "");
    host_queue_remove(t.q, &t.e[7]);
    assert_string_equal(test_begin(&t, text), "z");
    test_fini(&t);
}

/* What is known of a host goes with its last entry; ports are hosts of their
 * own; keys that are too long are cut the same way each time. */
static void test_keys(void **state)
{
    struct test_queue t;
    char text[TEST_MAX];
    char key[2 * HOST_QUEUE_KEY_MAX];

    (void)state;
    memset(key, 'k', sizeof(key));
    key[sizeof(key) - 1] = '\0';
    test_init(&t, 100, 100);
    (void)test_add(&t, 'a', "x:80");
    (void)test_add(&t, 'b', "x:81");
    (void)test_add(&t, 'c', "");
    (void)test_add(&t, 'd', key);
    assert_string_equal(test_begin(&t, text), "abcd");
    (void)test_add(&t, 'e', key);
    assert_int_equal(host_queue_n_waiting(t.q, key), 1);
    assert_string_equal(host_queue_key(&t.e[1]), "x:81");
    host_queue_answered(&t.e[0]);
    host_queue_remove(t.q, &t.e[0]);
    (void)test_add(&t, 'f', "x:80");
    (void)test_add(&t, 'g', "x:80");
    assert_string_equal(test_begin(&t, text), "f");
    assert_null(host_queue_first(t.q, "nobody:1"));
    assert_int_equal(host_queue_n_waiting(t.q, "nobody:1"), 0);
    test_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_at_a_time),
                                       cmocka_unit_test(test_hosts_take_turns),
                                       cmocka_unit_test(test_keys)};

    return cmocka_run_group_tests_name("host_queue", tests, NULL, NULL);
}
