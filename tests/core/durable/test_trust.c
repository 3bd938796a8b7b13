/* The table "Startup verification" of the design, row by row. */
#include "core/durable/trust.h"
#include "model/fingerprint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define S         1000000000ll /* a second in the unit of mtime */
#define STARTED   900
#define HEARTBEAT 1000
#define INTERVAL  5 /* of the journal */
/* The last second in which the run before may have written. */
#define LAST (HEARTBEAT + INTERVAL + TRUST_GRACE_S)

/* How the run before this one ended. */
enum end {
    NONE,
    CLEAN,
    KILLED, /* in this boot of the system */
    OTHERS, /* killed as well, but it had other torrents only */
    CUT     /* with the power */
};

/* One file: `j*` is what the journal says, the rest is found. */
static const struct {
    const char *what;
    enum end end;
    bool claimed, has_journal;
    uint64_t j_size, j_ino;
    int64_t j_mtime;
    bool exists;
    uint64_t size, ino, blocks;
    int64_t mtime;
    enum trust_verdict verdict;
    bool beyond;
} rows[] = {
    /* clang-format off */
    {"the same after a clean end", CLEAN,
     true, true, 100, 7, 50 * S, true, 100, 7, 8, 50 * S, TRUST_TRUST, false},
    {"the same after a kill", KILLED,
     true, true, 100, 7, 50 * S, true, 100, 7, 8, 50 * S, TRUST_TRUST, true},
    {"written by the run that was killed", KILLED,
     true, true, 100, 7, 50 * S, true, 100, 7, 8, 999 * S, TRUST_TRUST, true},
    {"written just after its last heartbeat", KILLED,
     true, true, 100, 7, 50 * S, true, 100, 7, 8,
     LAST * S, TRUST_TRUST, true},
    {"grown by the run that was killed", KILLED,
     true, true, 60, 7, 50 * S, true, 100, 7, 8, 999 * S, TRUST_TRUST, true},
    {"written long after its last heartbeat", KILLED,
     true, true, 100, 7, 50 * S, true, 100, 7, 8,
     (LAST + 1) * S, TRUST_RECHECK, true},
    {"older than the journal says", KILLED,
     true, true, 100, 7, 50 * S, true, 100, 7, 8, 49 * S, TRUST_RECHECK, true},
    {"older than the journal says after a cut", CUT,
     true, true, 100, 7, 50 * S, true, 100, 7, 8, 49 * S, TRUST_TRUST, true},
    {"too short after a cut", CUT,
     true, true, 100, 7, 50 * S, true, 99, 7, 8, 49 * S, TRUST_RECHECK, true},
    {"written long after the cut", CUT,
     true, true, 100, 7, 50 * S, true, 100, 7, 8, (LAST + 1) * S,
     TRUST_RECHECK, true},
    {"changed by somebody before the run that was killed", KILLED,
     true, true, 100, 7, 50 * S, true, 100, 7, 8,
     STARTED * S - 1, TRUST_RECHECK, true},
    {"changed in the first second of the run that was killed", KILLED,
     true, true, 100, 7, 50 * S, true, 100, 7, 8, STARTED * S, TRUST_TRUST,
     true},
    {"changed while a run of others was killed", OTHERS,
     true, true, 100, 7, 50 * S, true, 100, 7, 8, 999 * S, TRUST_RECHECK, true},
    {"the same after a run of others was killed", OTHERS,
     true, true, 100, 7, 50 * S, true, 100, 7, 8, 50 * S, TRUST_TRUST, true},
    {"changed by somebody before the cut", CUT,
     true, true, 100, 7, 50 * S, true, 100, 7, 8, 899 * S, TRUST_RECHECK, true},
    {"another file in its place", KILLED,
     true, true, 100, 7, 50 * S, true, 100, 8, 8, 999 * S, TRUST_RECHECK, true},
    {"touched after a clean end", CLEAN,
     true, true, 100, 7, 50 * S, true, 100, 7, 8, 51 * S, TRUST_RECHECK, true},
    {"copied back, times kept", CLEAN,
     true, true, 100, 7, 50 * S, true, 100, 9, 8, 50 * S, TRUST_TRUST, false},
    {"too short after a clean end", CLEAN,
     true, true, 100, 7, 50 * S, true, 99, 7, 8, 50 * S, TRUST_RECHECK, true},
    {"too short after a kill", KILLED,
     true, true, 100, 7, 50 * S, true, 99, 7, 8, 60 * S, TRUST_RECHECK, true},
    {"short already in the journal", KILLED,
     true, true, 60, 7, 50 * S, true, 60, 7, 8, 50 * S, TRUST_RECHECK, true},
    {"gone", CLEAN,
     true, true, 100, 7, 50 * S, false, 0, 0, 0, 0, TRUST_LOST, false},
    {"gone after a kill", KILLED,
     true, true, 100, 7, 50 * S, false, 0, 0, 0, 0, TRUST_LOST, false},
    {"claimed without a fingerprint", KILLED,
     true, false, 0, 0, 0, true, 100, 7, 8, 50 * S, TRUST_RECHECK, true},
    {"nothing claimed, no file", CLEAN,
     false, true, 100, 7, 50 * S, false, 0, 0, 0, 0, TRUST_NOTHING, false},
    {"nothing claimed, sparse", CLEAN,
     false, true, 100, 7, 50 * S, true, 100, 7, 0, 50 * S, TRUST_NOTHING, false},
    {"nothing claimed, data of the run that was killed", KILLED,
     false, true, 100, 7, 50 * S, true, 100, 7, 8, 999 * S, TRUST_NOTHING, true},
    {"never seen, with data: adopted", NONE,
     false, false, 0, 0, 0, true, 100, 7, 8, 50 * S, TRUST_NOTHING, true},
    {"never seen, no data", NONE,
     false, false, 0, 0, 0, true, 100, 7, 0, 50 * S, TRUST_NOTHING, false},
    /* clang-format on */
};

static struct trust_run run_of(enum end end)
{
    return (struct trust_run){.had_run = end != NONE,
                              .clean = end == CLEAN,
                              .same_boot = end != CUT,
                              .interval_s = INTERVAL,
                              .started_at = STARTED,
                              .heartbeat_at =
                                  end == OTHERS ? STARTED - 1 : HEARTBEAT,
                              .root_dev = 1};
}

/* A row, beside a sound file so that the storage is there. */
static void test_files(void **state)
{
    const struct fingerprint root = {.exists = true, .dev = 1};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct trust_run run = run_of(rows[i].end);
        struct fingerprint same = {
            .exists = true, .ino = 3, .size = 10, .mtime_ns = S, .blocks = 8};
        struct trust_file f[2] = {{.length = 100,
                                   .claimed = rows[i].claimed,
                                   .has_journal = rows[i].has_journal,
                                   .journal = {.ino = rows[i].j_ino,
                                               .size = rows[i].j_size,
                                               .mtime_ns = rows[i].j_mtime},
                                   .now = {.exists = rows[i].exists,
                                           .ino = rows[i].ino,
                                           .size = rows[i].size,
                                           .mtime_ns = rows[i].mtime,
                                           .blocks = rows[i].blocks}},
                                  {.length = 10,
                                   .claimed = true,
                                   .has_journal = true,
                                   .journal = same,
                                   .now = same}};
        bool there = trust_judge(&run, &root, f, 2);
        if (!there || f[0].verdict != rows[i].verdict ||
            f[0].beyond != rows[i].beyond) {
            fail_msg("%s: there %d, verdict %d, beyond %d", rows[i].what, there,
                     (int)f[0].verdict, f[0].beyond);
        }
        assert_int_equal(f[1].verdict, TRUST_TRUST);
    }
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

/* The run that was killed had nothing to write into a whole file. After a cut
 * its time may be an older one, as ever. */
static void test_whole(void **state)
{
    static const struct {
        enum end end;
        int64_t mtime;
        enum trust_verdict verdict;
    } cases[] = {{KILLED, 50 * S, TRUST_TRUST},
                 {KILLED, 50 * S + 1, TRUST_RECHECK},
                 {KILLED, 999 * S, TRUST_RECHECK},
                 {CUT, 999 * S, TRUST_RECHECK},
                 {CUT, 49 * S, TRUST_TRUST}};
    struct fingerprint root = {.exists = true, .dev = 1};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct trust_run run = run_of(cases[i].end);
        struct fingerprint print = {.exists = true,
                                    .ino = 3,
                                    .size = 10,
                                    .mtime_ns = 50 * S,
                                    .blocks = 8};
        struct trust_file f = {.length = 10,
                               .claimed = true,
                               .whole = true,
                               .has_journal = true,
                               .journal = print,
                               .now = print};
        f.now.mtime_ns = cases[i].mtime;
        assert_true(trust_judge(&run, &root, &f, 1));
        assert_int_equal(f.verdict, cases[i].verdict);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_storage),
        cmocka_unit_test(test_unknown_device),
        cmocka_unit_test(test_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
