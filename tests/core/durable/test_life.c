/* The life of a torrent: stories told event by event, and walks in which
 * everything comes at any time. */
#include "base/err.h"
#include "base/rng.h"
#include "core/durable/life.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define T0 1000u

static bool input(struct life *l, enum life_event_type type)
{
    struct life_event ev = {.type = type};
    return life_input(l, &ev, T0);
}

static bool wish(struct life *l, enum wanted wanted, int64_t starts)
{
    struct life_event ev = {
        .type = LIFE_WISHED, .wanted = wanted, .starts = starts};
    return life_input(l, &ev, T0);
}

static bool fail_with(struct life *l, enum life_event_type type, int code)
{
    struct life_event ev = {.type = type, .code = code};
    return life_input(l, &ev, T0);
}

static bool keep(struct life *l, enum wanted wanted)
{
    struct life_event ev = {.type = LIFE_KEPT, .wanted = wanted};
    return life_input(l, &ev, T0);
}

#define ASSERT_DOES(l, what) \
    assert_int_equal(life_next_action(l), LIFE_DO_##what)
#define ASSERT_STATE(l, what) assert_int_equal((l)->state, LIFE_##what)

/* From its rows to the running core. */
static void bring_up_at(struct life *l, uint64_t now)
{
    struct life_event created = {.type = LIFE_CREATED};
    ASSERT_DOES(l, LOAD);
    assert_true(life_is_starting(l));
    assert_true(input(l, LIFE_LOADED));
    ASSERT_DOES(l, STAT);
    assert_true(input(l, LIFE_STATED));
    ASSERT_DOES(l, SCAN);
    assert_true(input(l, LIFE_SCANNED));
    ASSERT_DOES(l, CREATE);
    assert_true(life_input(l, &created, now));
    ASSERT_DOES(l, START);
    ASSERT_STATE(l, RUNNING);
}

static void bring_up(struct life *l)
{
    bring_up_at(l, T0);
}

static struct life running(bool follows)
{
    struct life l;
    life_init(&l, WANTED_RUN, 1, follows);
    assert_true(input(&l, LIFE_ADDED));
    bring_up(&l);
    return l;
}

static void test_runs_to_its_goal(void **state)
{
    struct life l = running(true);
    (void)state;
    assert_false(life_is_over(&l));
    assert_true(input(&l, LIFE_FINISHED));
    ASSERT_DOES(&l, NOTHING);
    assert_false(life_is_over(&l));
    assert_true(input(&l, LIFE_GOAL_REACHED));
    ASSERT_DOES(&l, STOP);
    assert_true(input(&l, LIFE_STOPPED));
    ASSERT_STATE(&l, IDLE);
    assert_true(life_awaits_settling(&l));
    assert_true(input(&l, LIFE_SETTLED));
    ASSERT_DOES(&l, LET_GO);
    assert_false(life_awaits_settling(&l));
    assert_true(life_is_over(&l));
    assert_true(life_deadline(&l) == UINT64_MAX);
}

/* A run in the foreground ends by itself: it serves until then. */
static void test_goal_in_the_foreground(void **state)
{
    struct life l = running(false);
    (void)state;
    assert_true(input(&l, LIFE_FINISHED));
    assert_true(input(&l, LIFE_GOAL_REACHED));
    ASSERT_STATE(&l, RUNNING);
    assert_true(life_is_over(&l));
    assert_true(input(&l, LIFE_GOAL_MOVED));
    assert_false(life_is_over(&l));
}

static void test_pause_and_run(void **state)
{
    struct life l = running(true);
    (void)state;
    assert_true(wish(&l, WANTED_PAUSE, 1));
    ASSERT_DOES(&l, STOP);
    assert_true(wish(&l, WANTED_RUN, 2)); /* before it has stopped */
    ASSERT_STATE(&l, STOPPING);
    ASSERT_DOES(&l, NOTHING);
    assert_true(input(&l, LIFE_STOPPED));
    assert_false(life_is_over(&l)); /* it only stopped to begin anew */
    assert_true(input(&l, LIFE_SETTLED));
    bring_up(&l);
}

/* The same word again is no news; a counted `run` is. */
static void test_counted_wishes(void **state)
{
    struct life l = running(true);
    (void)state;
    assert_false(wish(&l, WANTED_RUN, 1));
    assert_true(input(&l, LIFE_FINISHED));
    assert_true(input(&l, LIFE_GOAL_REACHED));
    ASSERT_DOES(&l, STOP);
    assert_true(input(&l, LIFE_STOPPED));
    assert_false(wish(&l, WANTED_RUN, 1));
    assert_int_equal(l.aim, LIFE_AIM_REST);
    assert_true(wish(&l, WANTED_RUN, 2));
    assert_true(input(&l, LIFE_SETTLED));
    bring_up(&l);
}

/* A wish that comes during each step of the startup. */
static void test_pause_while_starting(void **state)
{
    static const enum life_event_type steps[] = {LIFE_LOADED, LIFE_STATED,
                                                 LIFE_SCANNED, LIFE_CREATED};
    (void)state;
    for (size_t n = 0; n < 4; n++) {
        struct life l;
        life_init(&l, WANTED_RUN, 1, true);
        assert_true(input(&l, LIFE_ADDED));
        (void)life_next_action(&l);
        for (size_t i = 0; i < n; i++) {
            assert_true(input(&l, steps[i]));
            (void)life_next_action(&l);
        }
        assert_true(wish(&l, WANTED_PAUSE, 1));
        ASSERT_DOES(&l, NOTHING); /* the step is under way */
        assert_true(n % 2 == 0 ? input(&l, steps[n])
                               : fail_with(&l, LIFE_FAILED, BTC_E_IO));
        ASSERT_DOES(&l, NOTHING);
        ASSERT_STATE(&l, IDLE);
        assert_int_equal(l.code, 0);
    }
}

static void test_waits_and_goes_on(void **state)
{
    static const struct {
        int code;
        enum life_state state;
        uint64_t ms;
    } rows[] = {{BTC_E_STORAGE, LIFE_WAITING_STORAGE, LIFE_STORAGE_MS},
                {BTC_E_NOSPACE, LIFE_WAITING_SPACE, LIFE_SPACE_MS},
                {BTC_E_IO, LIFE_ERROR, LIFE_ERROR_MS}};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct life l = running(true);
        struct life_event clock = {.type = LIFE_CLOCK};
        assert_true(fail_with(&l, LIFE_FAILED, rows[i].code));
        ASSERT_DOES(&l, STOP);
        assert_true(input(&l, LIFE_STOPPED));
        assert_int_equal(l.state, rows[i].state);
        assert_true(life_is_over(&l));
        assert_true(life_deadline(&l) == T0 + rows[i].ms);
        assert_true(input(&l, LIFE_SETTLED));
        ASSERT_DOES(&l, LET_GO);
        assert_false(life_input(&l, &clock, T0 + rows[i].ms - 1));
        assert_true(life_input(&l, &clock, T0 + rows[i].ms));
        assert_int_equal(l.state, rows[i].state);
        assert_true(input(&l, LIFE_SETTLED));
        assert_int_equal(l.code, rows[i].code); /* until it runs */
        bring_up(&l);
        assert_int_equal(l.code, 0);
    }
}

/* A core that has begun at `now` fails after `ms`: the wait, which is over. */
static uint64_t fails_after(struct life *l, uint64_t *now, uint64_t ms,
                            int code)
{
    struct life_event failed = {.type = LIFE_FAILED, .code = code};
    struct life_event clock = {.type = LIFE_CLOCK};
    *now += ms;
    assert_true(life_input(l, &failed, *now));
    ASSERT_DOES(l, STOP);
    assert_true(life_input(l, &failed, *now + 1)); /* as it stops */
    assert_true(input(l, LIFE_STOPPED));
    assert_true(input(l, LIFE_SETTLED));
    ASSERT_DOES(l, LET_GO);
    uint64_t wait = life_deadline(l) - *now;
    *now = life_deadline(l);
    assert_true(life_input(l, &clock, *now));
    assert_true(input(l, LIFE_SETTLED));
    bring_up_at(l, *now);
    return wait / 1000 * 1000; /* the second failure came a little later */
}

/* A quota, or a bad spot: nothing tells before a write does, and what was
 * fetched for it is thrown away. */
static void test_waits_longer_each_time(void **state)
{
    struct life l = running(true);
    uint64_t now = T0;
    (void)state;
    assert_int_equal(fails_after(&l, &now, 100, BTC_E_NOSPACE), LIFE_SPACE_MS);
    for (uint64_t want = 2 * LIFE_SPACE_MS; want < LIFE_WAIT_MAX_MS;
         want *= 2) {
        assert_int_equal(fails_after(&l, &now, 100, BTC_E_NOSPACE), want);
    }
    assert_int_equal(fails_after(&l, &now, 100, BTC_E_NOSPACE),
                     LIFE_WAIT_MAX_MS);
    assert_int_equal(fails_after(&l, &now, 100, BTC_E_NOSPACE),
                     LIFE_WAIT_MAX_MS);
    /* storage that comes and goes is looked for as before */
    assert_int_equal(fails_after(&l, &now, 100, BTC_E_STORAGE),
                     LIFE_STORAGE_MS);
    /* it has done well for as long as it had to wait */
    assert_int_equal(fails_after(&l, &now, LIFE_WAIT_MAX_MS + 1, BTC_E_NOSPACE),
                     LIFE_SPACE_MS);
    assert_int_equal(fails_after(&l, &now, 100, BTC_E_IO), LIFE_ERROR_MS);
    assert_int_equal(fails_after(&l, &now, 100, BTC_E_IO), 2 * LIFE_ERROR_MS);
}

/* Who is told that the storage is back need not wait for the clock. A paused
 * torrent, and a run that ends by itself, try nothing. */
static void test_back(void **state)
{
    struct life l = running(true);
    (void)state;
    assert_false(input(&l, LIFE_BACK));
    assert_true(fail_with(&l, LIFE_FAILED, BTC_E_STORAGE));
    ASSERT_DOES(&l, STOP);
    assert_true(input(&l, LIFE_STOPPED));
    assert_true(input(&l, LIFE_BACK));
    assert_true(input(&l, LIFE_SETTLED));
    ASSERT_DOES(&l, LOAD);
    assert_true(fail_with(&l, LIFE_FAILED, BTC_E_STORAGE));
    assert_true(wish(&l, WANTED_PAUSE, 1));
    ASSERT_STATE(&l, IDLE);
    assert_false(input(&l, LIFE_BACK));
    l = running(false);
    assert_true(fail_with(&l, LIFE_FAILED, BTC_E_STORAGE));
    ASSERT_DOES(&l, STOP);
    assert_true(input(&l, LIFE_STOPPED));
    assert_false(input(&l, LIFE_BACK));
    assert_true(life_deadline(&l) == UINT64_MAX);
}

static void stop_to_remove(struct life *l, enum wanted wanted)
{
    assert_true(wish(l, wanted, 1));
    ASSERT_DOES(l, STOP);
    assert_true(input(l, LIFE_STOPPED));
    assert_true(input(l, LIFE_SETTLED));
    ASSERT_DOES(l, ASK);
}

static void test_removal(void **state)
{
    struct life l = running(true);
    (void)state;
    stop_to_remove(&l, WANTED_REMOVE_DATA);
    assert_true(input(&l, LIFE_DELETE_DUE));
    ASSERT_DOES(&l, DELETE);
    assert_true(input(&l, LIFE_DELETED));
    assert_true(input(&l, LIFE_SETTLED));
    ASSERT_DOES(&l, ASK);
    assert_true(input(&l, LIFE_ROWS_GONE));
    ASSERT_DOES(&l, FORGET);
    ASSERT_STATE(&l, GONE);
    assert_true(life_is_over(&l));
}

/* The next step looks at the wish; what is known here is read anew. */
static void test_removal_is_taken_back(void **state)
{
    struct life l = running(true);
    (void)state;
    stop_to_remove(&l, WANTED_REMOVE_DATA);
    assert_true(input(&l, LIFE_DELETE_DUE));
    ASSERT_DOES(&l, DELETE);
    assert_false(wish(&l, WANTED_RUN, 2));
    assert_true(input(&l, LIFE_DELETED));
    assert_false(wish(&l, WANTED_RUN, 3));
    assert_true(input(&l, LIFE_SETTLED));
    ASSERT_DOES(&l, ASK);
    assert_true(keep(&l, WANTED_RUN));
    bring_up(&l);
    stop_to_remove(&l, WANTED_REMOVE);
    assert_true(keep(&l, WANTED_PAUSE));
    ASSERT_DOES(&l, LOAD); /* its facts are looked at, too */
    assert_true(input(&l, LIFE_LOADED));
    ASSERT_STATE(&l, IDLE);
    assert_int_equal(l.aim, LIFE_AIM_REST);
}

static void test_removal_fails(void **state)
{
    struct life l = running(true);
    struct life_event clock = {.type = LIFE_CLOCK};
    (void)state;
    stop_to_remove(&l, WANTED_REMOVE_DATA);
    assert_true(input(&l, LIFE_DELETE_DUE));
    ASSERT_DOES(&l, DELETE);
    assert_true(fail_with(&l, LIFE_REMOVAL_FAILED, BTC_E_PERMISSION));
    ASSERT_STATE(&l, ERROR);
    assert_int_equal(l.aim, LIFE_AIM_REST);
    assert_true(life_input(&l, &clock, T0 + LIFE_ERROR_MS));
    assert_true(input(&l, LIFE_SETTLED));
    ASSERT_DOES(&l, ASK);
    /* Now only its rows are to go: what cannot be deleted does not matter. */
    assert_true(input(&l, LIFE_DELETE_DUE));
    ASSERT_DOES(&l, DELETE);
    assert_false(wish(&l, WANTED_REMOVE, 1));
    assert_true(fail_with(&l, LIFE_REMOVAL_FAILED, BTC_E_PERMISSION));
    ASSERT_STATE(&l, IDLE);
    assert_true(input(&l, LIFE_SETTLED));
    ASSERT_DOES(&l, ASK);
    /* Wished back while its rows cannot be taken: it goes on. */
    assert_false(wish(&l, WANTED_RUN, 5));
    assert_true(fail_with(&l, LIFE_REMOVAL_FAILED, BTC_E_DB));
    assert_true(input(&l, LIFE_SETTLED));
    bring_up(&l);
}

static void test_again(void **state)
{
    struct life l = running(true);
    (void)state;
    assert_true(input(&l, LIFE_AGAIN));
    ASSERT_DOES(&l, STOP);
    assert_true(input(&l, LIFE_STOPPED));
    assert_true(input(&l, LIFE_SETTLED));
    bring_up(&l);
    assert_true(wish(&l, WANTED_PAUSE, 1));
    ASSERT_DOES(&l, STOP);
    assert_true(input(&l, LIFE_STOPPED));
    assert_false(input(&l, LIFE_AGAIN)); /* it is not wished to run */
}

/* A magnet knows its content: the startup runs beside its core. */
static void test_learned(void **state)
{
    struct life l = running(true);
    (void)state;
    assert_true(life_has_core(&l));
    assert_true(input(&l, LIFE_LEARNED));
    assert_true(life_has_core(&l));
    bring_up(&l);
    assert_true(life_has_core(&l));
    assert_true(input(&l, LIFE_LEARNED));
    ASSERT_DOES(&l, LOAD);
    assert_false(input(&l, LIFE_LEARNED)); /* once is enough */
    assert_true(fail_with(&l, LIFE_FAILED, BTC_E_IO));
    ASSERT_DOES(&l, STOP);
    assert_true(input(&l, LIFE_STOPPED));
    l = running(true);
    assert_true(wish(&l, WANTED_PAUSE, 1));
    ASSERT_DOES(&l, STOP);
    assert_false(life_has_core(&l));
    assert_false(input(&l, LIFE_LEARNED));
    assert_true(input(&l, LIFE_STOPPED));
    assert_false(input(&l, LIFE_LEARNED));
    ASSERT_STATE(&l, IDLE);
}

/* Whatever ends the startup stops the core before it rests. */
static void test_learned_in_vain(void **state)
{
    static const enum life_event_type steps[] = {LIFE_LOADED, LIFE_STATED,
                                                 LIFE_SCANNED, LIFE_CREATED};
    (void)state;
    for (size_t i = 0; i < 8; i++) {
        struct life l = running(true);
        bool fails = i % 2 == 0;
        assert_true(input(&l, LIFE_LEARNED));
        (void)life_next_action(&l);
        for (size_t k = 0; k < i / 2; k++) {
            assert_true(input(&l, steps[k]));
            (void)life_next_action(&l);
        }
        if (fails) {
            assert_true(fail_with(&l, LIFE_FAILED, BTC_E_NOSPACE));
        } else {
            assert_true(input(&l, LIFE_ENDING));
            ASSERT_DOES(&l, NOTHING); /* the step is under way */
            assert_true(input(&l, steps[i / 2]));
        }
        ASSERT_DOES(&l, STOP);
        ASSERT_STATE(&l, STOPPING);
        assert_true(input(&l, LIFE_STOPPED));
        if (fails) {
            ASSERT_STATE(&l, WAITING_SPACE);
        } else {
            ASSERT_STATE(&l, IDLE);
        }
        assert_false(life_has_core(&l));
    }
}

static void test_ending(void **state)
{
    struct life l = running(true);
    (void)state;
    assert_true(input(&l, LIFE_ENDING));
    ASSERT_DOES(&l, STOP);
    assert_false(wish(&l, WANTED_RUN, 9));
    assert_true(input(&l, LIFE_STOPPED));
    ASSERT_STATE(&l, IDLE);
    assert_true(input(&l, LIFE_SETTLED));
    ASSERT_DOES(&l, LET_GO);
    assert_false(input(&l, LIFE_SETTLED));
    assert_true(life_is_over(&l));
}

static void test_news(void **state)
{
    struct life l = running(true);
    (void)state;
    assert_true(life_takes_news(&l));
    assert_false(life_takes_news(&l));
    assert_false(wish(&l, WANTED_RUN, 1));
    assert_false(life_takes_news(&l));
    assert_true(fail_with(&l, LIFE_FAILED, BTC_E_IO));
    assert_true(life_takes_news(&l));
}

/* An answer to nothing changes nothing. */
static void test_strange_events(void **state)
{
    struct life l = running(true);
    (void)state;
    assert_false(input(&l, LIFE_STATED));
    assert_false(input(&l, LIFE_ROWS_GONE));
    assert_false(input(&l, LIFE_DELETED));
    assert_false(input(&l, LIFE_SETTLED));
    assert_false(l.data_gone);
    ASSERT_STATE(&l, RUNNING);
    ASSERT_DOES(&l, NOTHING);
}

/* --- walks --- */

/* A world that answers each action, some time, one way or the other. */
struct walk {
    struct rng rng;
    struct life l;
    enum life_action owed;
    enum wanted wanted; /* as the journal has it */
    int64_t starts;
    uint64_t now;
    bool core; /* it was started and has not stopped */
};

static bool chance(struct walk *w, uint32_t one_in)
{
    return rng_below(&w->rng, one_in) == 0;
}

static void walk_input(struct walk *w, struct life_event ev)
{
    (void)life_input(&w->l, &ev, w->now);
    enum life_action a = life_next_action(&w->l);
    w->core |= a == LIFE_DO_START;
    assert_false(w->core && (life_rests(&w->l) || w->l.state == LIFE_GONE));
    if (a == LIFE_DO_NOTHING || a == LIFE_DO_START || a == LIFE_DO_LET_GO) {
        return;
    }
    assert_int_equal(w->owed, LIFE_DO_NOTHING); /* one thing at a time */
    w->owed = a;
}

static void walk_failed(struct walk *w, enum life_event_type type)
{
    static const int codes[] = {BTC_E_STORAGE, BTC_E_NOSPACE, BTC_E_IO};
    walk_input(w, (struct life_event){.type = type,
                                      .code = codes[rng_below(&w->rng, 3)]});
}

/* The next step of a removal, as the journal says it. */
static void walk_ask(struct walk *w)
{
    struct life_event ev = {.type = LIFE_ROWS_GONE, .wanted = w->wanted};
    if (w->wanted == WANTED_RUN || w->wanted == WANTED_PAUSE) {
        ev.type = LIFE_KEPT;
    } else if (w->wanted == WANTED_REMOVE_DATA && !w->l.data_gone) {
        ev.type = LIFE_DELETE_DUE;
    }
    walk_input(w, ev);
}

static void walk_answer(struct walk *w, bool fails)
{
    enum life_action a = w->owed;
    w->owed = LIFE_DO_NOTHING;
    switch (a) {
    case LIFE_DO_LOAD:
    case LIFE_DO_STAT:
    case LIFE_DO_SCAN:
    case LIFE_DO_CREATE:
        if (fails) {
            walk_failed(w, LIFE_FAILED);
        } else {
            walk_input(w, (struct life_event){.type = LIFE_LOADED +
                                                      (enum life_event_type)(
                                                          a - LIFE_DO_LOAD)});
        }
        break;
    case LIFE_DO_STOP:
        if (fails) {
            walk_failed(w, LIFE_FAILED);
        }
        assert_true(w->core);
        w->core = false;
        walk_input(w, (struct life_event){.type = LIFE_STOPPED});
        break;
    case LIFE_DO_ASK:
    case LIFE_DO_DELETE:
        if (fails) {
            walk_failed(w, LIFE_REMOVAL_FAILED);
        } else if (a == LIFE_DO_ASK) {
            walk_ask(w);
        } else {
            walk_input(w, (struct life_event){.type = LIFE_DELETED});
        }
        break;
    case LIFE_DO_FORGET:
    case LIFE_DO_NOTHING:
    case LIFE_DO_START:
    case LIFE_DO_LET_GO:
        break;
    }
}

static void walk_wish(struct walk *w)
{
    static const enum wanted wishes[] = {
        WANTED_RUN,   WANTED_RUN,   WANTED_RUN,    WANTED_RUN,
        WANTED_RUN,   WANTED_PAUSE, WANTED_PAUSE,  WANTED_PAUSE,
        WANTED_PAUSE, WANTED_PAUSE, WANTED_REMOVE, WANTED_REMOVE_DATA};
    w->wanted = wishes[rng_below(&w->rng, 12)];
    w->starts += w->wanted == WANTED_RUN ? 1 : 0;
    walk_input(w, (struct life_event){.type = LIFE_WISHED,
                                      .wanted = w->wanted,
                                      .starts = w->starts});
}

/* Something happens. */
static void walk_step(struct walk *w)
{
    static const enum life_event_type any[] = {
        LIFE_AGAIN,      LIFE_BACK,  LIFE_FINISHED, LIFE_GOAL_REACHED,
        LIFE_GOAL_MOVED, LIFE_CLOCK, LIFE_CLOCK,    LIFE_LEARNED};
    w->now += rng_below(&w->rng, LIFE_ERROR_MS);
    if (w->owed != LIFE_DO_NOTHING && chance(w, 2)) {
        walk_answer(w, chance(w, 5));
    } else if (chance(w, 4)) {
        walk_wish(w);
    } else if (w->l.state == LIFE_RUNNING && chance(w, 4)) {
        walk_failed(w, LIFE_FAILED);
    } else if (life_awaits_settling(&w->l) && chance(w, 2)) {
        walk_input(w, (struct life_event){.type = LIFE_SETTLED});
    } else {
        walk_input(w, (struct life_event){.type = any[rng_below(&w->rng, 8)]});
    }
}

/* Nothing fails any more and nothing new is wished: the last wish is carried
 * out. */
static void walk_settle(struct walk *w)
{
    for (int i = 0; i < 60; i++) {
        w->now += LIFE_ERROR_MS;
        walk_answer(w, false);
        walk_input(w, (struct life_event){.type = LIFE_CLOCK});
        if (life_awaits_settling(&w->l) && w->owed == LIFE_DO_NOTHING) {
            walk_input(w, (struct life_event){.type = LIFE_SETTLED});
        }
    }
}

static void walk_judge(const struct walk *w, uint64_t seed)
{
    bool good = false;
    switch (w->wanted) {
    case WANTED_RUN:
        good = w->l.state == LIFE_RUNNING ||
               (w->l.state == LIFE_IDLE && w->l.goal_reached);
        break;
    case WANTED_PAUSE:
        good = life_rests(&w->l) && w->l.let_go; /* maybe with an error */
        break;
    case WANTED_REMOVE:
    case WANTED_REMOVE_DATA:
        good = w->l.state == LIFE_GONE;
        break;
    }
    if (!good || (w->owed != LIFE_DO_NOTHING && w->owed != LIFE_DO_FORGET)) {
        fail_msg("seed %llu: wanted %d, state %d, aim %d, owed %d",
                 (unsigned long long)seed, (int)w->wanted, (int)w->l.state,
                 (int)w->l.aim, (int)w->owed);
    }
}

static void test_walks(void **state)
{
    uint32_t n_judged = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 20000; seed++) {
        struct walk w = {.wanted = WANTED_RUN, .starts = 1, .now = T0};
        rng_init(&w.rng, seed);
        life_init(&w.l, w.wanted, w.starts, true);
        walk_input(&w, (struct life_event){.type = LIFE_ADDED});
        for (uint32_t i = 0; i < 60 && w.l.state != LIFE_GONE; i++) {
            walk_step(&w);
        }
        if (w.l.state != LIFE_GONE) {
            walk_settle(&w);
            walk_judge(&w, seed);
            n_judged++;
        }
    }
    assert_true(n_judged > 5000); /* the others were removed on the way */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_to_its_goal),
        cmocka_unit_test(test_goal_in_the_foreground),
        cmocka_unit_test(test_pause_and_run),
        cmocka_unit_test(test_counted_wishes),
        cmocka_unit_test(test_pause_while_starting),
        cmocka_unit_test(test_waits_and_goes_on),
        cmocka_unit_test(test_waits_longer_each_time),
        cmocka_unit_test(test_back),
        cmocka_unit_test(test_removal),
        cmocka_unit_test(test_removal_is_taken_back),
        cmocka_unit_test(test_removal_fails),
        cmocka_unit_test(test_again),
        cmocka_unit_test(test_learned),
        cmocka_unit_test(test_learned_in_vain),
        cmocka_unit_test(test_ending),
        cmocka_unit_test(test_news),
        cmocka_unit_test(test_strange_events),
        cmocka_unit_test(test_walks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
