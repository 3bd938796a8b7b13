/* The order of a commit, step by step, and a walk in which everything comes in
 * any order and fails at any time: no claim is ever committed before a SYNC
 * that began after its write has come back good. */
#include "base/mem.h"
#include "base/rng.h"
#include "core/durable/commit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define INTERVAL 1000u
#define T0       5000u

/* --- batches of numbers: a claim is positive, anything else negative --- */

struct pile {
    int *n;
    size_t len, cap;
};

static void *pile_make(void)
{
    return mem_zalloc(sizeof(struct pile));
}

static void pile_free(void *b)
{
    free(((struct pile *)b)->n);
    free(b);
}

static void pile_put(void *b, int n)
{
    struct pile *p = b;
    if (p->len == p->cap) {
        p->cap = p->cap > 0 ? p->cap * 2 : 8;
        p->n = mem_resize(p->n, p->cap, sizeof *p->n);
    }
    p->n[p->len++] = n;
}

static void pile_append(void *dst, void *src)
{
    struct pile *s = src;
    for (size_t i = 0; i < s->len; i++) {
        pile_put(dst, s->n[i]);
    }
    s->len = 0;
}

static void pile_drop_claims(void *b)
{
    struct pile *p = b;
    size_t kept = 0;
    for (size_t i = 0; i < p->len; i++) {
        if (p->n[i] < 0) {
            p->n[kept++] = p->n[i];
        }
    }
    p->len = kept;
}

static bool pile_is_empty(const void *b)
{
    return ((const struct pile *)b)->len == 0;
}

static const struct commit_batch_ops ops = {.make = pile_make,
                                            .free = pile_free,
                                            .append = pile_append,
                                            .drop_claims = pile_drop_claims,
                                            .is_empty = pile_is_empty};

/* --- a pipeline with two members, and another one --- */

struct kit {
    struct commit c;
    struct commit other;
    struct commit_member m[2];
    uint64_t now;
};

static void kit_init(struct kit *k)
{
    *k = (struct kit){.now = T0};
    commit_init(&k->c, &ops, INTERVAL, k->now);
    commit_init(&k->other, &ops, INTERVAL, k->now);
    commit_join(&k->c, &k->m[0]);
    commit_join(&k->c, &k->m[1]);
}

static void kit_fini(struct kit *k)
{
    commit_leave(&k->m[0]);
    commit_leave(&k->m[1]);
    commit_leave(&k->m[1]); /* once more does no harm */
    commit_fini(&k->c);
    commit_fini(&k->other);
}

/* The next action; its member when there is one. */
static struct commit_member *expect(struct kit *k, enum commit_action_type type)
{
    struct commit_action a;
    assert_true(commit_next(&k->c, &a, k->now));
    assert_int_equal(a.type, type);
    return a.member;
}

static void expect_nothing(struct kit *k)
{
    struct commit_action a;
    assert_false(commit_next(&k->c, &a, k->now));
}

static void expect_commit(struct kit *k, const int *n, size_t len)
{
    struct commit_action a;
    assert_true(commit_next(&k->c, &a, k->now));
    assert_int_equal(a.type, COMMIT_DO_COMMIT);
    const struct pile *p = a.batch;
    assert_int_equal(p->len, len);
    assert_memory_equal(p->n, n, len * sizeof *n);
    expect_nothing(k);
}

static void tick(struct kit *k)
{
    k->now += INTERVAL;
    commit_on_clock(&k->c, k->now);
}

/* Up to the SYNC of the one member that has claims. */
static void to_sync(struct kit *k, struct commit_member *m)
{
    tick(k);
    assert_ptr_equal(expect(k, COMMIT_DO_FLUSH), m);
    assert_ptr_equal(expect(k, COMMIT_DO_TAKE), m);
    assert_ptr_equal(expect(k, COMMIT_DO_SYNC), m);
    expect_nothing(k);
}

static void test_order(void **state)
{
    struct kit k;
    struct commit_member *m = &k.m[0];
    (void)state;
    kit_init(&k);
    pile_put(commit_claims(m), 1);
    assert_false(commit_has_all(m));
    assert_true(commit_deadline(&k.c) == T0 + INTERVAL);
    commit_on_clock(&k.c, T0 + INTERVAL - 1);
    expect_nothing(&k);
    unsigned early = commit_begin_write(&k.c);
    tick(&k);
    assert_ptr_equal(expect(&k, COMMIT_DO_FLUSH), m);
    unsigned flushed = commit_begin_write(&k.c);
    expect_nothing(&k); /* two writes are out */
    unsigned late = commit_begin_write(&k.c);
    commit_end_write(&k.c, early);
    expect_nothing(&k);
    pile_put(commit_claims(m), 2); /* what the flush has written */
    commit_end_write(&k.c, flushed);
    assert_ptr_equal(expect(&k, COMMIT_DO_TAKE), m);
    pile_put(commit_lot(m), -10);
    assert_ptr_equal(expect(&k, COMMIT_DO_SYNC), m);
    expect_nothing(&k);
    commit_end_write(&k.c, late);
    pile_put(commit_claims(m), 3); /* the next commit's */
    pile_put(commit_free_facts(&k.c), -20);
    pile_put(commit_lot(m), -11);
    commit_on_synced(m, true);
    expect_commit(&k, (const int[]){-20, 1, 2, -10, -11}, 5);
    assert_true(commit_deadline(&k.c) == UINT64_MAX);
    commit_on_committed(&k.c, COMMIT_DONE, k.now);
    assert_ptr_equal(expect(&k, COMMIT_DO_TELL), m);
    expect_nothing(&k);
    assert_false(commit_is_clean(&k.c));
    to_sync(&k, m);
    commit_on_synced(m, true);
    expect_commit(&k, (const int[]){3}, 1);
    commit_on_committed(&k.c, COMMIT_DONE, k.now);
    assert_ptr_equal(expect(&k, COMMIT_DO_TELL), m);
    expect_nothing(&k);
    assert_true(commit_has_all(m) && commit_is_clean(&k.c));
    kit_fini(&k);
}

/* Facts without data need no SYNC, and nothing at all no transaction, unless
 * the driver has something to say in one; but the last one is always given out.
 */
static void test_without_data(void **state)
{
    struct kit k;
    struct commit_member *all[] = {&k.m[0], &k.m[1]};
    (void)state;
    kit_init(&k);
    pile_put(commit_facts(&k.m[1]), -1);
    tick(&k);
    (void)expect(&k, COMMIT_DO_FLUSH);
    (void)expect(&k, COMMIT_DO_TAKE);
    expect_commit(&k, (const int[]){-1}, 1);
    commit_on_committed(&k.c, COMMIT_DONE, k.now);
    (void)expect(&k, COMMIT_DO_TELL);
    expect_nothing(&k);
    tick(&k);
    expect_nothing(&k);
    assert_int_equal(k.c.state, COMMIT_IDLE);
    commit_insist(&k.c);
    tick(&k);
    expect_commit(&k, NULL, 0);
    commit_on_committed(&k.c, COMMIT_DONE, k.now);
    expect_nothing(&k);
    tick(&k);
    expect_nothing(&k);
    commit_set_last(&k.c, all, 2);
    assert_true(commit_deadline(&k.c) == 0);
    commit_on_clock(&k.c, k.now);
    (void)expect(&k, COMMIT_DO_FLUSH);
    (void)expect(&k, COMMIT_DO_FLUSH);
    (void)expect(&k, COMMIT_DO_TAKE);
    (void)expect(&k, COMMIT_DO_TAKE);
    expect_commit(&k, NULL, 0);
    commit_on_committed(&k.c, COMMIT_DONE, k.now);
    (void)expect(&k, COMMIT_DO_TELL);
    (void)expect(&k, COMMIT_DO_TELL);
    expect_nothing(&k);
    kit_fini(&k);
}

/* A SYNC that fails: no claim of it passes, nor a later one until the data is
 * trusted; the other member and what needs no data are not held up. */
static void test_doubt(void **state)
{
    struct kit k;
    struct commit_member *bad = &k.m[0];
    (void)state;
    kit_init(&k);
    pile_put(commit_claims(bad), 1);
    pile_put(commit_facts(bad), -1);
    pile_put(commit_claims(&k.m[1]), 2);
    tick(&k);
    for (int i = 0; i < 2; i++) {
        (void)expect(&k, COMMIT_DO_FLUSH);
    }
    for (int i = 0; i < 2; i++) {
        (void)expect(&k, COMMIT_DO_TAKE);
    }
    for (int i = 0; i < 2; i++) {
        (void)expect(&k, COMMIT_DO_SYNC);
    }
    pile_put(commit_claims(bad), 3);
    commit_on_synced(bad, false);
    assert_ptr_equal(expect(&k, COMMIT_DO_DOUBT), bad);
    expect_nothing(&k);
    commit_on_synced(&k.m[1], true);
    expect_commit(&k, (const int[]){2}, 1);
    commit_on_committed(&k.c, COMMIT_DONE, k.now);
    assert_ptr_equal(expect(&k, COMMIT_DO_TELL), &k.m[1]);
    expect_nothing(&k);
    pile_put(commit_claims(bad), 4); /* a later SYNC would succeed */
    tick(&k);
    (void)expect(&k, COMMIT_DO_FLUSH);
    (void)expect(&k, COMMIT_DO_TAKE);
    expect_commit(&k, (const int[]){-1}, 1);
    commit_on_committed(&k.c, COMMIT_DONE, k.now);
    assert_ptr_equal(expect(&k, COMMIT_DO_TELL), bad);
    expect_nothing(&k);
    commit_trust(bad);
    pile_put(commit_claims(bad), 5);
    to_sync(&k, bad);
    commit_on_synced(bad, true);
    expect_commit(&k, (const int[]){5}, 1);
    commit_on_committed(&k.c, COMMIT_DONE, k.now);
    (void)expect(&k, COMMIT_DO_TELL);
    kit_fini(&k);
}

/* A commit that fails is kept, waits longer each time, and comes first. */
static void test_retry(void **state)
{
    struct kit k;
    struct commit_member *m = &k.m[0];
    uint64_t wait = INTERVAL;
    (void)state;
    kit_init(&k);
    pile_put(commit_claims(m), 1);
    to_sync(&k, m);
    commit_on_synced(m, true);
    expect_commit(&k, (const int[]){1}, 1);
    pile_put(commit_facts(m), -1); /* it is taken back meanwhile */
    for (int i = 0; i < 8; i++) {
        commit_on_committed(&k.c, COMMIT_FAILED, k.now);
        expect_nothing(&k);
        assert_false(commit_has_all(m));
        commit_hurry(&k.c);
        assert_true(commit_deadline(&k.c) == k.now + wait);
        wait = wait * 2 < COMMIT_RETRY_MAX_MS ? wait * 2 : COMMIT_RETRY_MAX_MS;
        k.now = commit_deadline(&k.c);
        commit_on_clock(&k.c, k.now);
        (void)expect(&k, COMMIT_DO_FLUSH);
        (void)expect(&k, COMMIT_DO_TAKE);
        expect_commit(&k, (const int[]){1, -1}, 2);
    }
    commit_on_committed(&k.c, COMMIT_DONE, k.now);
    assert_ptr_equal(expect(&k, COMMIT_DO_TELL), m); /* not forgotten */
    expect_nothing(&k);
    assert_int_equal(k.c.n_failures, 0);
    kit_fini(&k);
}

/* A rule of the database forbids a row: row by row, and who is concerned is not
 * told of success. */
static void test_refused(void **state)
{
    struct kit k;
    struct commit_action a;
    (void)state;
    kit_init(&k);
    pile_put(commit_facts(&k.m[0]), -1);
    pile_put(commit_facts(&k.m[1]), -2);
    tick(&k);
    for (int i = 0; i < 4; i++) {
        assert_true(commit_next(&k.c, &a, k.now));
    }
    assert_true(commit_next(&k.c, &a, k.now));
    assert_false(a.isolate);
    commit_on_committed(&k.c, COMMIT_REFUSED, k.now);
    assert_true(commit_next(&k.c, &a, k.now));
    assert_int_equal(a.type, COMMIT_DO_COMMIT);
    assert_true(a.isolate);
    assert_int_equal(((struct pile *)a.batch)->len, 2);
    commit_refuse(&k.m[0]);
    commit_on_committed(&k.c, COMMIT_DONE, k.now);
    for (int i = 0; i < 2; i++) {
        assert_true(commit_next(&k.c, &a, k.now));
        assert_int_equal(a.type, a.member == &k.m[0] ? COMMIT_DO_REFUSED
                                                     : COMMIT_DO_TELL);
    }
    expect_nothing(&k);
    assert_true(commit_is_clean(&k.c));
    kit_fini(&k);
}

/* While its files are deleted it is in no commit; forgotten, it says nothing.
 */
static void test_hold_and_forget(void **state)
{
    struct kit k;
    struct commit_member *m = &k.m[0];
    (void)state;
    kit_init(&k);
    pile_put(commit_claims(m), 1);
    commit_hold(m, true);
    tick(&k);
    expect_nothing(&k);
    commit_forget(m);
    assert_true(commit_has_all(m));
    commit_hold(m, false);
    tick(&k);
    (void)expect(&k, COMMIT_DO_FLUSH);
    (void)expect(&k, COMMIT_DO_TAKE);
    (void)expect(&k, COMMIT_DO_TELL); /* without a transaction */
    expect_nothing(&k);
    kit_fini(&k);
}

/* A member goes in the middle of a commit. */
static void test_leave(void **state)
{
    struct kit k;
    (void)state;
    kit_init(&k);
    pile_put(commit_claims(&k.m[0]), 1);
    pile_put(commit_facts(&k.m[1]), -2);
    tick(&k);
    (void)expect(&k, COMMIT_DO_FLUSH);
    commit_leave(&k.m[1]);
    (void)expect(&k, COMMIT_DO_TAKE);
    (void)expect(&k, COMMIT_DO_SYNC);
    commit_on_synced(&k.m[0], true);
    expect_commit(&k, (const int[]){1}, 1);
    commit_leave(&k.m[0]);
    commit_on_committed(&k.c, COMMIT_DONE, k.now);
    expect_nothing(&k);
    kit_fini(&k);
}

/* Another drive: with all that it has to say, but not before what is under way
 * in the old pipeline is through. A drive that hangs holds up nobody else. */
static void test_change(void **state)
{
    struct kit k;
    struct commit_member *m = &k.m[0];
    (void)state;
    kit_init(&k);
    pile_put(commit_facts(m), -1);
    commit_change(m, &k.other);
    assert_ptr_equal(m->c, &k.other);
    assert_true(commit_is_clean(&k.c) && !commit_is_clean(&k.other));
    commit_change(m, &k.c);
    pile_put(commit_claims(&k.m[1]), 2);
    tick(&k);
    for (int i = 0; i < 2; i++) {
        (void)expect(&k, COMMIT_DO_FLUSH);
    }
    for (int i = 0; i < 2; i++) {
        (void)expect(&k, COMMIT_DO_TAKE);
    }
    assert_ptr_equal(expect(&k, COMMIT_DO_SYNC), &k.m[1]);
    commit_change(m, &k.other);
    assert_ptr_equal(m->c, &k.c); /* its facts wait for that SYNC */
    pile_put(commit_facts(m), -3);
    commit_on_synced(&k.m[1], true);
    expect_commit(&k, (const int[]){-1, 2}, 2);
    commit_on_committed(&k.c, COMMIT_FAILED, k.now);
    expect_nothing(&k);
    assert_ptr_equal(m->c, &k.c); /* nor may a new one overtake them */
    k.now = commit_deadline(&k.c);
    commit_on_clock(&k.c, k.now);
    for (int i = 0; i < 4; i++) {
        struct commit_action a;
        assert_true(commit_next(&k.c, &a, k.now));
    }
    expect_commit(&k, (const int[]){-1, 2, -3}, 3);
    commit_on_committed(&k.c, COMMIT_DONE, k.now);
    for (int i = 0; i < 2; i++) {
        (void)expect(&k, COMMIT_DO_TELL);
    }
    expect_nothing(&k);
    assert_ptr_equal(m->c, &k.other);
    kit_fini(&k);
}

/* A doubt of which nobody has heard goes along. */
static void test_change_in_doubt(void **state)
{
    struct kit k;
    struct commit_action a;
    struct commit_member *m = &k.m[0];
    (void)state;
    kit_init(&k);
    pile_put(commit_claims(m), 1);
    to_sync(&k, m);
    commit_on_synced(m, false);
    commit_change(m, &k.other);
    assert_ptr_equal(m->c, &k.c);
    assert_ptr_equal(expect(&k, COMMIT_DO_DOUBT), m);
    expect_nothing(&k);
    assert_ptr_equal(m->c, &k.other);
    assert_true(m->doubted);
    assert_false(commit_next(&k.other, &a, k.now));
    kit_fini(&k);
}

/* --- walks --- */

#define WALK_ITEMS 4000

/* What happened to the data of claim n. */
enum item {
    ITEM_NONE,
    ITEM_WRITTEN,
    ITEM_SAFE, /* a SYNC that began after it has come back */
    ITEM_LOST  /* a SYNC failed after it */
};

struct walk {
    struct kit k;
    struct rng rng;
    enum item item[2][WALK_ITEMS];
    enum item at_sync[2][WALK_ITEMS]; /* when the SYNC that is out began */
    bool syncing[2];
    int next;
    int told[2];
    int newest[2]; /* of the claims that are committed */
    const struct pile *batch[2];
};

static struct commit *walk_pipe(struct walk *w, int p)
{
    return p == 0 ? &w->k.c : &w->k.other;
}

static bool chance(struct walk *w, uint32_t one_in)
{
    return rng_below(&w->rng, one_in) == 0;
}

static int walk_index(const struct walk *w, const struct commit_member *m)
{
    return m == &w->k.m[0] ? 0 : 1;
}

static void walk_claim(struct walk *w)
{
    int i = (int)rng_below(&w->rng, 2);
    if (w->next < WALK_ITEMS) {
        w->item[i][w->next] = ITEM_WRITTEN;
        pile_put(commit_claims(&w->k.m[i]), w->next * 2 + i);
        w->next++;
    }
}

/* Every claim in a commit is safe. */
static void walk_check(const struct pile *p, const struct walk *w)
{
    for (size_t i = 0; i < p->len; i++) {
        assert_true(p->n[i] < 0 ||
                    w->item[p->n[i] % 2][p->n[i] / 2] == ITEM_SAFE);
    }
}

/* Those of a member come in order, and none comes a second time. */
static void walk_check_order(const struct pile *p, struct walk *w)
{
    for (size_t i = 0; i < p->len; i++) {
        if (p->n[i] >= 0) {
            assert_true(p->n[i] > w->newest[p->n[i] % 2]);
            w->newest[p->n[i] % 2] = p->n[i];
        }
    }
}

static void walk_action(struct walk *w, int pipe, const struct commit_action *a)
{
    int i = a->member != NULL ? walk_index(w, a->member) : 0;
    switch (a->type) {
    case COMMIT_DO_SYNC:
        assert_false(w->syncing[i]);
        w->syncing[i] = true;
        memcpy(w->at_sync[i], w->item[i], sizeof w->item[i]);
        break;
    case COMMIT_DO_COMMIT:
        assert_null(w->batch[pipe]);
        w->batch[pipe] = a->batch;
        walk_check(a->batch, w);
        break;
    case COMMIT_DO_DOUBT:
        if (chance(w, 2)) {
            commit_trust(a->member);
        }
        break;
    case COMMIT_DO_TAKE:
        pile_put(commit_lot(a->member), -1);
        break;
    case COMMIT_DO_TELL:
        w->told[i]++;
        break;
    case COMMIT_DO_FLUSH:
    case COMMIT_DO_REFUSED:
        break;
    }
}

static void walk_synced(struct walk *w, int i, bool good)
{
    if (!w->syncing[i]) {
        return;
    }
    w->syncing[i] = false;
    for (int n = 0; n < w->next; n++) {
        if (good && w->at_sync[i][n] == ITEM_WRITTEN) {
            w->item[i][n] = ITEM_SAFE;
        } else if (!good && w->item[i][n] == ITEM_WRITTEN) {
            w->item[i][n] = ITEM_LOST;
        }
    }
    commit_on_synced(&w->k.m[i], good);
}

static void walk_committed(struct walk *w, int p, enum commit_result r)
{
    if (w->batch[p] != NULL) {
        if (r == COMMIT_DONE) {
            walk_check_order(w->batch[p], w);
        }
        w->batch[p] = NULL;
        commit_on_committed(walk_pipe(w, p), r, w->k.now);
    }
}

static void walk_step(struct walk *w)
{
    static const enum commit_result results[] = {COMMIT_DONE, COMMIT_DONE,
                                                 COMMIT_FAILED, COMMIT_REFUSED};
    struct commit_action a;
    int p = (int)rng_below(&w->rng, 2);
    switch (rng_below(&w->rng, 10)) {
    case 0:
    case 1:
        walk_claim(w);
        break;
    case 2:
        walk_synced(w, (int)rng_below(&w->rng, 2), !chance(w, 4));
        break;
    case 3:
        walk_committed(w, p, results[rng_below(&w->rng, 4)]);
        break;
    case 4:
        w->k.now += rng_below(&w->rng, 3 * INTERVAL);
        commit_on_clock(walk_pipe(w, p), w->k.now);
        break;
    case 5:
        commit_trust(&w->k.m[rng_below(&w->rng, 2)]);
        break;
    case 6:
        commit_change(&w->k.m[rng_below(&w->rng, 2)], walk_pipe(w, p));
        break;
    default:
        if (commit_next(walk_pipe(w, p), &a, w->k.now)) {
            walk_action(w, p, &a);
        }
        break;
    }
}

/* Nothing fails any more: soon nothing is left to be said. */
static void walk_settle(struct walk *w)
{
    struct commit_action a;
    for (int i = 0; i < 24; i++) {
        while (commit_next(walk_pipe(w, i % 2), &a, w->k.now)) {
            walk_action(w, i % 2, &a);
        }
        walk_synced(w, 0, true);
        walk_synced(w, 1, true);
        walk_committed(w, i % 2, COMMIT_DONE);
        w->k.now += COMMIT_RETRY_MAX_MS;
        commit_on_clock(walk_pipe(w, i % 2), w->k.now);
    }
    assert_true(w->told[0] + w->told[1] > 0);
    for (int i = 0; i < 2; i++) {
        assert_true(w->k.m[i].moved || commit_has_all(&w->k.m[i]));
        assert_null(w->k.m[i].to);
    }
}

static void test_walks(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct walk *w = mem_zalloc(sizeof *w);
        rng_init(&w->rng, seed);
        kit_init(&w->k);
        w->next = 1;
        w->newest[0] = w->newest[1] = -1;
        for (int i = 0; i < 2000; i++) {
            walk_step(w);
        }
        walk_settle(w);
        kit_fini(&w->k);
        free(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_without_data),
        cmocka_unit_test(test_doubt),
        cmocka_unit_test(test_retry),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_hold_and_forget),
        cmocka_unit_test(test_leave),
        cmocka_unit_test(test_change),
        cmocka_unit_test(test_change_in_doubt),
        cmocka_unit_test(test_walks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
