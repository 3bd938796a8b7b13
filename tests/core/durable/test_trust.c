/* The table "Startup verification" of the design, row by row. */
#include "core/durable/trust.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define S         1000000000ll /* a second in the unit of a file's times */
#define STARTED   900
#define HEARTBEAT 1000
#define INTERVAL  5 /* of the journal */
/* The last second in which the run before may have written. */
#define LAST (HEARTBEAT + INTERVAL + TRUST_GRACE_S)
#define NOW  5000

/* How the last run that had this torrent ended. */
enum end {
    NONE,
    CLEAN,
    KILLED, /* in this boot of the system */
    OTHERS, /* killed as well, but it had done with this torrent before */
    CUT,    /* with the power */
    BEHIND  /* killed, and the clock is behind its heartbeat now */
};

/* A fingerprint: what is not said is the same everywhere. */
#define FP(i, s, m, c)                                                      \
    {                                                                       \
        .exists = true, .is_file = true, .dev = 1, .ino = (i), .size = (s), \
        .mtime_ns = (m), .ctime_ns = (c), .blocks = 8                       \
    }
#define OLD  FP(7, 100, 50 * S, 60 * S) /* before that run; chmod at 60 */
#define OURS FP(7, 100, 950 * S, 950 * S)
#define LESS FP(7, 60, 950 * S, 950 * S)
#define GONE            \
    {                   \
        .exists = false \
    }

/* One file: what the journal says and what is found. */
static const struct {
    const char *what;
    enum end end;
    struct fingerprint journal, now;
    enum trust_verdict verdict;
    bool beyond;
} rows[] = {
    /* clang-format off */
    {"the same after a clean end", CLEAN, OURS, OURS, TRUST_TRUST, false},
    {"the same after a kill", KILLED, OURS, OURS, TRUST_TRUST, true},
    {"the same, untouched by that run", KILLED, OLD, OLD, TRUST_TRUST, true},
    {"the same after a run of others", OTHERS, OLD, OLD, TRUST_TRUST, true},
    {"the same, no run known", NONE, OLD, OLD, TRUST_TRUST, false},

    {"written by the run that was killed", KILLED, OLD,
     FP(7, 100, 999 * S, 999 * S), TRUST_LATE, true},
    {"written again by the run that was killed", KILLED, OURS,
     FP(7, 100, 999 * S, 999 * S), TRUST_LATE, true},
    {"grown by the run that was killed", KILLED, LESS,
     FP(7, 100, 999 * S, 999 * S), TRUST_LATE, true},
    {"written in the second of its last heartbeat", KILLED, OURS,
     FP(7, 100, HEARTBEAT * S, HEARTBEAT * S), TRUST_LATE, true},
    {"written just after its last heartbeat", KILLED, OURS,
     FP(7, 100, (HEARTBEAT + 1) * S, (HEARTBEAT + 1) * S), TRUST_LATE, true},
    {"written in the last second that may be its", KILLED, OURS,
     FP(7, 100, LAST * S, LAST * S), TRUST_LATE, true},
    {"written later", KILLED, OURS,
     FP(7, 100, (LAST + 1) * S, (LAST + 1) * S), TRUST_RECHECK, true},
    {"written before it and not journaled", KILLED, OLD,
     FP(7, 100, STARTED * S - 1, STARTED * S - 1), TRUST_RECHECK, true},
    {"written in its first second", KILLED, OLD,
     FP(7, 100, STARTED * S, STARTED * S), TRUST_LATE, true},
    {"written while a run had only others", OTHERS, OLD,
     FP(7, 100, 999 * S, 999 * S), TRUST_RECHECK, true},
    {"written, no run known", NONE, OLD,
     FP(7, 100, 999 * S, 999 * S), TRUST_RECHECK, true},
    {"written after a clean end", CLEAN, OURS,
     FP(7, 100, 999 * S, 999 * S), TRUST_RECHECK, true},
    {"written, and the clock ran backwards", BEHIND, OURS,
     FP(7, 100, 999 * S, 999 * S), TRUST_RECHECK, true},

    {"an older copy put over it, with its times, later", KILLED, OURS,
     FP(7, 100, 40 * S, 3000 * S), TRUST_RECHECK, true},
    {"the same after a cut", CUT, OURS,
     FP(7, 100, 40 * S, 3000 * S), TRUST_RECHECK, true},
    {"an older copy put over it, with its times, while it ran", KILLED, OURS,
     FP(7, 100, 40 * S, 999 * S), TRUST_RECHECK, true},
    {"the same before a cut", CUT, OURS,
     FP(7, 100, 40 * S, 999 * S), TRUST_RECHECK, true},
    {"its time set back, nothing else", CLEAN, OURS,
     FP(7, 100, 949 * S, 950 * S), TRUST_RECHECK, true},
    {"its content's time kept, its inode changed", CLEAN, OURS,
     FP(7, 100, 950 * S, 951 * S), TRUST_RECHECK, true},
    {"its time set forward into the run's", KILLED, OURS,
     FP(7, 100, 999 * S, 950 * S), TRUST_RECHECK, true},
    {"both times older without a cut", KILLED, OURS,
     FP(7, 100, 949 * S, 949 * S), TRUST_RECHECK, true},
    {"both times older after a cut", CUT, OURS,
     FP(7, 100, 949 * S, 949 * S), TRUST_LATE, true},
    {"older than the run after a cut", CUT, OURS,
     FP(7, 100, 50 * S, 50 * S), TRUST_RECHECK, true},
    {"written just before the cut", CUT, OURS,
     FP(7, 100, 999 * S, 999 * S), TRUST_LATE, true},
    {"written long after the cut", CUT, OURS,
     FP(7, 100, 3000 * S, 3000 * S), TRUST_RECHECK, true},

    {"another file in its place", KILLED, OURS,
     FP(8, 100, 999 * S, 999 * S), TRUST_RECHECK, true},
    {"another file with all its times", CLEAN, OURS,
     FP(8, 100, 950 * S, 950 * S), TRUST_RECHECK, true},
    {"too short after a kill", KILLED, OURS,
     FP(7, 99, 999 * S, 999 * S), TRUST_RECHECK, true},
    {"too short after a cut", CUT, OURS,
     FP(7, 99, 949 * S, 949 * S), TRUST_RECHECK, true},
    {"short already in the journal", KILLED, LESS, LESS, TRUST_RECHECK, true},
    {"gone", CLEAN, OURS, GONE, TRUST_LOST, false},
    {"gone after a kill", KILLED, OURS, GONE, TRUST_LOST, false},

    {"journaled without the inode's time, the same", KILLED,
     FP(7, 100, 950 * S, 0), OURS, TRUST_TRUST, true},
    {"journaled without it, written by the run", KILLED,
     FP(7, 100, 950 * S, 0), FP(7, 100, 999 * S, 999 * S), TRUST_LATE, true},
    {"journaled without it, an older copy after a cut", CUT,
     FP(7, 100, 950 * S, 0), FP(7, 100, 40 * S, 3000 * S), TRUST_RECHECK, true},
    /* clang-format on */
};

static struct trust_run run_of(enum end end)
{
    return (struct trust_run){.known = end != NONE,
                              .clean = end == CLEAN,
                              .same_boot = end != CUT,
                              .interval_s = INTERVAL,
                              .started_at = STARTED,
                              .heartbeat_at =
                                  end == OTHERS ? STARTED - 1 : HEARTBEAT,
                              .now = end == BEHIND ? HEARTBEAT - 1 : NOW,
                              .root_dev = 1};
}

static struct trust_file file_of(struct fingerprint journal,
                                 struct fingerprint now)
{
    return (struct trust_file){.length = 100,
                               .claimed = true,
                               .has_journal = true,
                               .journal = journal,
                               .now = now};
}

static const struct fingerprint root_1 = {.exists = true, .dev = 1};

/* A row, beside a sound file so that the storage is there. */
static void test_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct trust_run run = run_of(rows[i].end);
        struct trust_file f[2] = {
            file_of(rows[i].journal, rows[i].now),
            file_of((struct fingerprint)OLD, (struct fingerprint)OLD)};
        bool there = trust_judge(&run, &root_1, f, 2);
        if (!there || f[0].verdict != rows[i].verdict ||
            f[0].beyond != rows[i].beyond) {
            fail_msg("%s: there %d, verdict %d, beyond %d", rows[i].what, there,
                     (int)f[0].verdict, f[0].beyond);
        }
        assert_int_equal(f[1].verdict, TRUST_TRUST);
    }
}

static enum trust_verdict verdict_of(enum end end, struct trust_file f)
{
    struct trust_run run = run_of(end);
    (void)trust_judge(&run, &root_1, &f, 1);
    return f.verdict;
}

/* What is whole already nobody had to write. */
static void test_whole(void **state)
{
    struct trust_file f =
        file_of((struct fingerprint)OURS,
                (struct fingerprint)FP(7, 100, 999 * S, 999 * S));
    (void)state;
    f.whole = true;
    assert_int_equal(verdict_of(KILLED, f), TRUST_RECHECK);
    f.now = (struct fingerprint)FP(7, 100, 949 * S, 949 * S);
    assert_int_equal(verdict_of(CUT, f), TRUST_LATE);
    f.now = f.journal;
    assert_int_equal(verdict_of(KILLED, f), TRUST_TRUST);
}

/* A claim that has no fingerprint, and a file that has no claim. */
static void test_half_known(void **state)
{
    struct trust_file f =
        file_of((struct fingerprint)OURS, (struct fingerprint)OURS);
    struct trust_run run = run_of(NONE);
    (void)state;
    f.has_journal = false;
    assert_int_equal(verdict_of(KILLED, f), TRUST_RECHECK);
    f.claimed = false; /* never seen, with data: adopted */
    assert_true(trust_judge(&run, &root_1, &f, 1));
    assert_int_equal(f.verdict, TRUST_NOTHING);
    assert_true(f.beyond);
    f.now.blocks = 0;
    assert_true(trust_judge(&run, &root_1, &f, 1));
    assert_false(f.beyond);
    f.now.exists = false;
    assert_true(trust_judge(&run, &root_1, &f, 1));
    assert_int_equal(f.verdict, TRUST_NOTHING);
}

/* A device number changes when a drive is plugged in again: the time of the
 * inode says more. A change is ours only on the device where we wrote. */
static void test_device(void **state)
{
    struct trust_file f =
        file_of((struct fingerprint)OURS, (struct fingerprint)OURS);
    (void)state;
    f.now.dev = 2;
    assert_int_equal(verdict_of(KILLED, f), TRUST_TRUST);
    f.journal.ctime_ns = 0;
    assert_int_equal(verdict_of(KILLED, f), TRUST_RECHECK);
    assert_int_equal(verdict_of(CUT, f), TRUST_TRUST);
    f = file_of((struct fingerprint)OURS,
                (struct fingerprint)FP(7, 100, 999 * S, 999 * S));
    f.now.dev = 2;
    assert_int_equal(verdict_of(KILLED, f), TRUST_RECHECK);
    assert_int_equal(verdict_of(CUT, f), TRUST_LATE);
}

/* Files of some filesystems, of which all but the first were mounted below the
 * save path: per file its device and whether it is there ('+'; 'n': it has
 * another number now), or else what the folder is where it would be: that
 * device's ('m'; 'a': it has another number now), the bare mount point below
 * the save path ('b') or on the second file's device ('s'). */
static const struct {
    const char *what;
    uint64_t dev[3];
    const char *is;
    bool there;
} mounts[] = {
    {"all there", {1, 2, 2}, "+++", true},
    {"the mount is away", {1, 2, 2}, "+bb", false},
    {"one file of the mount is gone", {1, 2, 2}, "++m", true},
    {"and it is the only one there", {1, 1, 2}, "++m", true},
    {"files have another device than folders", {1, 2, 2}, "++b", true},
    {"a file beside the mount is gone", {1, 1, 2}, "+b+", true},
    {"linked to a drive that is away", {1, 1, 3}, "++b", false},
    {"a mount below another is away", {1, 2, 3}, "++s", false},
    {"numbered anew, and a file of it is gone", {1, 2, 2}, "+na", true},
};

/* The device of a file, or of the folder where it would be. */
static uint64_t dev_of(const uint64_t dev[3], size_t i, char is)
{
    switch (is) {
    case 'b':
        return dev[0];
    case 's':
        return dev[1];
    case 'n':
    case 'a':
        return 9;
    default:
        return dev[i];
    }
}

static void test_mounts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
        struct trust_run run = run_of(CLEAN);
        struct trust_file f[3];
        for (size_t k = 0; k < 3; k++) {
            char is = mounts[i].is[k];
            f[k] = file_of((struct fingerprint)OURS, (struct fingerprint)OURS);
            f[k].journal.dev = mounts[i].dev[k];
            f[k].now.exists = is == '+' || is == 'n';
            f[k].now.dev = dev_of(mounts[i].dev, k, is);
        }
        if (trust_judge(&run, &root_1, f, 3) != mounts[i].there) {
            fail_msg("%s", mounts[i].what);
        }
        f[2].claimed = false; /* nothing must be made there either */
        if (trust_judge(&run, &root_1, f, 3) != mounts[i].there) {
            fail_msg("%s, nothing claimed", mounts[i].what);
        }
    }
}

static void test_untouched(void **state)
{
    struct fingerprint left = OURS, now = OURS;
    (void)state;
    now.blocks++;
    assert_true(trust_is_untouched(&left, &now));
    now.ctime_ns++;
    assert_false(trust_is_untouched(&left, &now));
    now = (struct fingerprint)OURS;
    now.mtime_ns--;
    assert_false(trust_is_untouched(&left, &now));
    now = (struct fingerprint)OURS;
    now.size++;
    assert_false(trust_is_untouched(&left, &now));
    now = (struct fingerprint)OURS;
    now.ino++;
    assert_false(trust_is_untouched(&left, &now));
}

/* Where times are whole seconds, what is as young as one of them is not to be
 * known again. */
static void test_print(void **state)
{
    static const struct {
        int64_t mtime_ns, ctime_ns, now;
        bool same;
    } prints[] = {
        {100 * S, 100 * S, 100, false},
        {100 * S, 101 * S, 101, false},
        {100 * S, 100 * S, 102, true},
        {98 * S, 100 * S, 100, true},
        {100 * S, 100 * S, 99, false}, /* our clock is behind */
        {100 * S, 101 * S, 10, false},
        {200 * S, 100 * S, 100, true}, /* a time that somebody has set */
        {200 * S, 100 * S, 102, true},
        {INT64_MIN / S * S, INT64_MAX / S * S, 100, true},
        {100 * S + 1, 100 * S + 1, 100, true},
        {100 * S, 100 * S + 1, 100, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(prints) / sizeof(prints[0]); i++) {
        struct fingerprint seen = OURS;
        seen.mtime_ns = prints[i].mtime_ns;
        seen.ctime_ns = prints[i].ctime_ns;
        struct fingerprint print = trust_print(&seen, prints[i].now);
        if (trust_is_untouched(&print, &seen) != prints[i].same) {
            fail_msg("print %zu", i);
        }
    }
}

/* In one run: whoever writes, cuts or sets times leaves another. */
static void test_left(void **state)
{
    const struct fingerprint left = OURS;
    const struct fingerprint same[] = {
        OURS, FP(8, 100, 950 * S, 950 * S), /* numbered anew */
    };
    const struct fingerprint other[] = {FP(7, 101, 950 * S, 950 * S),
                                        FP(7, 99, 950 * S, 950 * S),
                                        FP(7, 100, 951 * S, 951 * S),
                                        FP(7, 100, 950 * S, 951 * S),
                                        FP(7, 100, 949 * S, 950 * S),
                                        FP(7, 100, 950 * S, 950 * S - 1),
                                        GONE};
    (void)state;
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        assert_true(trust_is_left(&left, &same[i]));
    }
    for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
        assert_false(trust_is_left(&left, &other[i]));
    }
    struct fingerprint odd = left; /* a row that somebody has written */
    odd.ctime_ns = INT64_MIN;
    assert_false(trust_is_left(&odd, &left));
    struct fingerprint fresh = trust_print(&left, 950);
    assert_true(fresh.ctime_ns != left.ctime_ns);
    assert_true(trust_is_left(&fresh, &left));
}

/* A clock that was ahead verified nothing. */
static void test_verified_at(void **state)
{
    (void)state;
    assert_true(trust_verified_at(10, 10) == 10);
    assert_true(trust_verified_at(11, 10) == 0);
    assert_true(trust_verified_at(0, 10) == 0);
}

/* When the storage itself is gone: a letter per file. 'c' claimed and there,
 * 'l' claimed and lost, '.' nothing claimed and not there. */
static const struct {
    const char *files;
    bool root, moved, there;
} storage[] = {
    {"ccc", true, false, true},   {"clc", true, false, true},
    {"lll", true, false, false},  {"l", true, false, false},
    {"ll.", true, false, false},  {"...", true, false, true},
    {"", true, false, true},      {"ccc", false, false, false},
    {"...", false, false, false}, {"clc", true, true, false},
    {"ccc", true, true, true},    {"...", true, true, true},
};

static void test_storage(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(storage) / sizeof(storage[0]); i++) {
        struct trust_run run = run_of(CLEAN);
        struct fingerprint root = {.exists = storage[i].root,
                                   .dev = storage[i].moved ? 2 : 1};
        struct fingerprint print = {
            .exists = true, .ino = 3, .size = 10, .mtime_ns = S, .blocks = 8};
        struct trust_file f[4] = {{0}};
        size_t n = 0;
        for (; storage[i].files[n] != '\0'; n++) {
            char what = storage[i].files[n];
            f[n] = (struct trust_file){.length = 10,
                                       .claimed = what != '.',
                                       .has_journal = true,
                                       .journal = print};
            if (what == 'c') {
                f[n].now = print;
            }
        }
        bool there = trust_judge(&run, &root, f, n);
        if (there != storage[i].there) {
            fail_msg("row %zu (%s): %d", i, storage[i].files, there);
        }
    }
}

/* Added while a drive was mounted, and not begun: the bare mount point below it
 * is no place. Where something of it is there, or another drive, it is one. */
static void test_bare(void **state)
{
    static const struct {
        bool bare, moved, present, there;
    } cases[] = {{true, true, false, false},
                 {false, true, false, true},
                 {true, false, false, true},
                 {true, true, true, true}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct trust_run run = run_of(CLEAN);
        run.root_dev = 1;
        run.bare = cases[i].bare;
        struct fingerprint root = {.exists = true,
                                   .dev = cases[i].moved ? 2 : 1};
        struct trust_file f = {.length = 10};
        f.now.exists = cases[i].present;
        assert_int_equal(trust_judge(&run, &root, &f, 1), cases[i].there);
    }
}

/* A device number that was never journaled is no evidence of a move. */
static void test_unknown_device(void **state)
{
    struct trust_run run = run_of(CLEAN);
    struct fingerprint root = {.exists = true, .dev = 77};
    struct fingerprint print = {
        .exists = true, .ino = 3, .size = 10, .mtime_ns = S, .blocks = 8};
    struct trust_file f[2] = {
        {.length = 10, .claimed = true, .has_journal = true, .journal = print},
        {.length = 10,
         .claimed = true,
         .has_journal = true,
         .journal = print,
         .now = print}};
    (void)state;
    run.root_dev = 0;
    assert_true(trust_judge(&run, &root, f, 2));
    assert_int_equal(f[0].verdict, TRUST_LOST);
    assert_int_equal(f[1].verdict, TRUST_TRUST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_half_known),
        cmocka_unit_test(test_device),
        cmocka_unit_test(test_mounts),
        cmocka_unit_test(test_untouched),
        cmocka_unit_test(test_print),
        cmocka_unit_test(test_left),
        cmocka_unit_test(test_verified_at),
        cmocka_unit_test(test_storage),
        cmocka_unit_test(test_bare),
        cmocka_unit_test(test_unknown_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
