/* metainfo_write: byte-exact output, and that metainfo_parse reads back what
 * was written. */
#include "proto/metainfo/metainfo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define A20 "aaaaaaaaaaaaaaaaaaaa"
#define B20 "bbbbbbbbbbbbbbbbbbbb"

/* Fields of the spec are not const. */
static char write_path_a[] = "sub/a";
static char write_path_b[] = "b";
static char write_path_pad[] = ".pad/4";
static char write_url[][16] = {"http://a/", "udp://b:1", "http://c/"};
static char write_seed[][16] = {"http://w/", "http://v/"};

static struct metainfo_spec write_single_spec(const struct metainfo_file *file)
{
    return (struct metainfo_spec){
        .name = "n",
        .piece_length = 16384,
        .files = file,
        .n_files = 1,
        .piece_hashes = (const uint8_t *)A20,
        .n_pieces = 1,
    };
}

static void test_single(void **state)
{
    struct metainfo_file file = {.length = 5};
    struct metainfo_spec spec = write_single_spec(&file);
    struct buf b;

    (void)state;
    buf_init(&b, 4096);
    assert_int_equal(metainfo_write(&spec, &b), 0);
    assert_string_equal(buf_cstr(&b),
                        "d4:infod6:lengthi5e4:name1:n12:piece lengthi16384e"
                        "6:pieces20:" A20 "ee");
    buf_fini(&b);
}

static void test_multi(void **state)
{
    const struct metainfo_file files[] = {
        {.path = write_path_a, .length = 16380, .executable = true},
        {.path = write_path_pad, .length = 4, .pad = true},
        {.path = write_path_b, .length = 1},
    };
    const struct metainfo_url trackers[] = {
        {.url = write_url[0], .tier = 0},
        {.url = write_url[1], .tier = 0},
        {.url = write_url[2], .tier = 1},
    };
    char *const seeds[] = {write_seed[0], write_seed[1]};
    struct metainfo_spec spec = {
        .name = "n",
        .piece_length = 16384,
        .multi_file = true,
        .files = files,
        .n_files = 3,
        .piece_hashes = (const uint8_t *)A20 B20,
        .n_pieces = 2,
        .trackers = trackers,
        .n_trackers = 3,
        .web_seeds = seeds,
        .n_web_seeds = 2,
        .is_private = true,
        .comment = "hello",
        .created_by = "btc",
        .creation_date = 1700000000,
    };
    struct metainfo *m = NULL;
    struct buf b;

    (void)state;
    buf_init(&b, 4096);
    assert_int_equal(metainfo_write(&spec, &b), 0);
    assert_string_equal(
        buf_cstr(&b),
        "d8:announce9:http://a/"
        "13:announce-listll9:http://a/9:udp://b:1el9:http://c/ee"
        "7:comment5:hello10:created by3:btc13:creation datei1700000000e"
        "4:infod5:filesl"
        "d4:attr1:x6:lengthi16380e4:pathl3:sub1:aee"
        "d4:attr1:p6:lengthi4e4:pathl4:.pad1:4ee"
        "d6:lengthi1e4:pathl1:bee"
        "e4:name1:n12:piece lengthi16384e6:pieces40:" A20 B20 "7:privatei1ee"
        "8:url-listl9:http://w/9:http://v/ee");

    assert_int_equal(metainfo_parse(buf_slice(&b), false, &m, NULL), 0);
    assert_int_equal(m->n_files, 3);
    assert_string_equal(m->files[0].path, "n/sub/a");
    assert_true(m->files[0].executable);
    assert_true(m->files[1].pad);
    assert_string_equal(m->files[2].path, "n/b");
    assert_int_equal(m->n_trackers, 3);
    assert_int_equal(m->trackers[1].tier, 0);
    assert_int_equal(m->trackers[2].tier, 1);
    assert_int_equal(m->n_web_seeds, 2);
    assert_true(m->is_private);
    assert_string_equal(m->comment, "hello");
    assert_string_equal(m->created_by, "btc");
    assert_int_equal(m->creation_date, 1700000000);
    metainfo_free(m);
    buf_fini(&b);
}

/* An info dictionary with keys of others stays as it is. */
static void test_wrap(void **state)
{
    static const char info[] = "d5:extra3:yes6:lengthi5e4:name1:n12:piece "
                               "lengthi16384e6:pieces20:" A20 "e";
    const struct metainfo_url trackers[] = {{.url = write_url[0], .tier = 0}};
    char *const seeds[] = {write_seed[0]};
    struct metainfo_spec spec = {.trackers = trackers,
                                 .n_trackers = 1,
                                 .web_seeds = seeds,
                                 .n_web_seeds = 1};
    struct metainfo *m = NULL;
    struct buf b;

    (void)state;
    buf_init(&b, 4096);
    assert_int_equal(metainfo_wrap(slice_str(info), &spec, &b), 0);
    assert_int_equal(metainfo_parse(buf_slice(&b), false, &m, NULL), 0);
    assert_true(slice_eq(slice_of(m->info, m->info_len), slice_str(info)));
    assert_int_equal(m->n_trackers, 1);
    assert_int_equal(m->n_web_seeds, 1);
    metainfo_free(m);
    buf_fini(&b);
    buf_init(&b, 60);
    assert_int_equal(metainfo_wrap(slice_str(info), &spec, &b), BTC_E_LIMIT);
    buf_fini(&b);
}

/* One tracker needs no list. */
static void test_one_tracker(void **state)
{
    struct metainfo_file file = {.length = 5};
    struct metainfo_spec spec = write_single_spec(&file);
    const struct metainfo_url tracker = {.url = write_url[0], .tier = 0};
    struct buf b;

    (void)state;
    spec.trackers = &tracker;
    spec.n_trackers = 1;
    buf_init(&b, 4096);
    assert_int_equal(metainfo_write(&spec, &b), 0);
    assert_true(slice_has_prefix(buf_slice(&b), "d8:announce9:http://a/4:inf"));
    buf_fini(&b);
}

/* A buffer of any size that is too small is an error, never a crash. */
static void test_limit(void **state)
{
    struct metainfo_file file = {.length = 5};
    struct metainfo_spec spec = write_single_spec(&file);
    struct buf b;
    size_t len;

    (void)state;
    buf_init(&b, 4096);
    assert_int_equal(metainfo_write(&spec, &b), 0);
    len = buf_len(&b);
    buf_fini(&b);
    for (size_t max = 0; max <= len; max++) {
        buf_init(&b, max);
        assert_int_equal(metainfo_write(&spec, &b),
                         max < len ? BTC_E_LIMIT : 0);
        buf_fini(&b);
    }
}

/* Numbers that do not fit each other. */
static void test_range(void **state)
{
    static char empty[] = "";
    static char doubled[] = "a//b";
    struct metainfo_file file = {.length = 5};
    struct metainfo_file files[2] = {{.length = 5}, {.length = 5}};
    struct metainfo_spec spec[10];
    size_t n = sizeof(spec) / sizeof(*spec);
    struct buf b;

    (void)state;
    for (size_t i = 0; i < n; i++) {
        spec[i] = write_single_spec(&file);
    }
    spec[0].n_pieces = 0;
    spec[1].n_pieces = 2;
    spec[2].piece_length = 0;
    spec[3].piece_length = METAINFO_MAX_PIECE_LEN + 1;
    spec[4].name = "";
    spec[5].name = NULL;
    spec[6].n_files = 0;
    spec[7].files = files; /* two files, but no folder */
    spec[7].n_files = 2;
    files[0].path = empty;
    spec[8].files = files;
    spec[8].multi_file = true;
    files[1].path = doubled;
    spec[9].files = &files[1];
    spec[9].multi_file = true;
    for (size_t i = 0; i < n; i++) {
        buf_init(&b, 4096);
        if (metainfo_write(&spec[i], &b) != BTC_E_RANGE) {
            fail_msg("spec %zu was written", i);
        }
        buf_fini(&b);
    }
    files[0].path = write_path_b;
    files[1].path = write_path_b;
    files[0].length = INT64_MAX;
    spec[8].n_files = 2;
    buf_init(&b, 4096);
    assert_int_equal(metainfo_write(&spec[8], &b), BTC_E_RANGE);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_single),      cmocka_unit_test(test_multi),
        cmocka_unit_test(test_one_tracker), cmocka_unit_test(test_limit),
        cmocka_unit_test(test_range),       cmocka_unit_test(test_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
