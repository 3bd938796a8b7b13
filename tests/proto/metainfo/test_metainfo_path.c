/* Paths of a torrent: sanitising of elements, collisions, and that both stay
 * cheap however the names were chosen. */
#include "proto/metainfo/metainfo.h"

#include "proto/bencode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define FFFD "\xef\xbf\xbd"
#define E(x)             \
    {                    \
        x, sizeof(x) - 1 \
    }

struct path_element {
    const char *p;
    size_t len;
};

struct path_case {
    struct path_element in;
    const char *out;
};

/* The bidirectional characters are what is tested. */
/* NOLINTBEGIN(misc-misleading-bidirectional) */
static const struct path_case path_cases[] = {
    {E("a"), "a"},
    {E("file.txt"), "file.txt"},
    {E(" a b "), " a b "},
    {E("a."), "a."},
    {E("..."), "..."},
    {E(".hidden"), ".hidden"},
    {E("CON"), "CON"},
    {E("a\\b:c*d"), "a\\b:c*d"},
    {E("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"),
     "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
    /* nothing that leads elsewhere */
    {E(""), "_"},
    {E("."), "_"},
    {E(".."), "_"},
    {E("../../etc/passwd"), ".._.._etc_passwd"},
    {E("/"), "_"},
    {E("/etc"), "_etc"},
    {E("a/b"), "a_b"},
    {E("a\0b"), "a_b"},
    {E("\0"), "_"},
    /* nothing that a terminal would act on */
    {E("\x01\x1f\x7f"), "___"},
    {E("a\nb\tc"), "a_b_c"},
    {E("\x1b[2J"), "_[2J"},
    {E("a\xc2\x9b"
       "b"),
     "a_b"},
    /* no change of direction */
    {E("a\xe2\x80\xaegpj.exe"), "a_gpj.exe"},
    {E("\xe2\x80\xaa\xe2\x80\xab\xe2\x80\xac\xe2\x80\xad\xe2\x80\xae"),
     "_____"},
    {E("\xe2\x81\xa6\xe2\x81\xa7\xe2\x81\xa8\xe2\x81\xa9"), "____"},
    {E("\xe2\x80\xa9\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa"),
     "\xe2\x80\xa9\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa"}, /* their neighbours */
    /* what is not UTF-8 */
    {E("a\xff"), "a" FFFD},
    {E("\xc3"), FFFD},
    {E("\xc0\xaf"), FFFD FFFD},          /* an overlong '/' */
    {E("\xe0\x80\xaf"), FFFD FFFD FFFD}, /* and a longer one */
    {E("\xed\xa0\x80"), FFFD FFFD FFFD}, /* a surrogate */
    {E("\xf4\x90\x80\x80"), FFFD FFFD FFFD FFFD},
    {E("\xe2\x82"
       "a"),
     FFFD FFFD "a"},
};
/* NOLINTEND(misc-misleading-bidirectional) */

static void test_sanitize(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 255);
    for (size_t i = 0; i < sizeof(path_cases) / sizeof(*path_cases); i++) {
        const struct path_case *c = &path_cases[i];
        metainfo_sanitize(slice_of(c->in.p, c->in.len), &b);
        if (!slice_eq_str(buf_slice(&b), c->out)) {
            fail_msg("case %zu gives '%s', not '%s'", i, buf_cstr(&b), c->out);
        }
    }
    buf_fini(&b);
}

/* Long names are cut at a character, and keep a short extension. */
static void test_sanitize_long(void **state)
{
    static const size_t lens[] = {255, 256, 300, 4096, 4097, 10000, 1000000};
    char *in = malloc(1000000);
    struct buf b;

    (void)state;
    assert_non_null(in);
    buf_init(&b, 255);
    for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
        size_t n = lens[i];
        struct slice s;
        memset(in, 'x', n);
        bytes_put((uint8_t *)in + n - 4, ".mkv", 4);
        metainfo_sanitize(slice_of(in, n), &b);
        s = buf_slice(&b);
        assert_int_equal(s.len, 255);
        assert_memory_equal(s.p + 251, ".mkv", 4);
        assert_int_equal(s.p[250], 'x');
        /* 2 bytes each, so that the cut falls inside one */
        for (size_t j = 0; j + 1 < n; j += 2) {
            bytes_put((uint8_t *)in + j, "\xc3\xa4", 2);
        }
        metainfo_sanitize(slice_of(in, n & ~(size_t)1), &b);
        s = buf_slice(&b);
        assert_true(bytes_is_utf8(s));
        assert_int_equal(s.len, 254);
        /* all bad: each byte grows to three */
        memset(in, 0xff, n);
        metainfo_sanitize(slice_of(in, n), &b);
        s = buf_slice(&b);
        assert_true(bytes_is_utf8(s));
        assert_int_equal(s.len, 255);
    }
    /* No extension: the dot is too far from the end, or there is none. */
    memset(in, 'y', 300);
    in[300 - 17] = '.';
    metainfo_sanitize(slice_of(in, 300), &b);
    assert_int_equal(buf_len(&b), 255);
    assert_null(memchr(buf_slice(&b).p, '.', 255));
    buf_fini(&b);
    free(in);
}

/* Appends a file with a path of '/'-separated elements. */
static void path_put_file(struct buf *b, const char *path, const char *attr)
{
    assert_int_equal(bencode_put_raw(b, 'd'), 0);
    if (attr != NULL) {
        assert_int_equal(bencode_put_cstr(b, "attr"), 0);
        assert_int_equal(bencode_put_cstr(b, attr), 0);
    }
    assert_int_equal(buf_append_str(b, "6:lengthi0e4:pathl"), 0);
    while (*path != '\0') {
        size_t len = strcspn(path, "/");
        assert_int_equal(bencode_put_str(b, slice_of(path, len)), 0);
        path += len + (path[len] == '/');
    }
    assert_int_equal(buf_append_str(b, "ee"), 0);
}

static void path_begin(struct buf *b)
{
    buf_init(b, 200u << 20);
    assert_int_equal(buf_append_str(b, "d4:infod5:filesl"), 0);
}

static struct metainfo *path_end(struct buf *b)
{
    struct metainfo *m = NULL;
    struct err e = {.code = 0};

    assert_int_equal(buf_append_str(b, "e4:name1:n12:piece lengthi16384e"
                                       "6:pieces0:ee"),
                     0);
    if (metainfo_parse(buf_slice(b), false, &m, &e) != 0) {
        fail_msg("%s", e.msg);
    }
    buf_fini(b);
    return m;
}

struct path_collision {
    const char *in[8];  /* in torrent order */
    const char *out[8]; /* below n/ */
};

/* clang-format off */
static const struct path_collision path_collisions[] = {
    {{"a", "b"}, {"a", "b"}},
    {{"a", "a", "a"}, {"a", "a (2)", "a (3)"}},
    {{"a.txt", "a.txt"}, {"a.txt", "a (2).txt"}},
    {{"a.tar.gz", "A.TAR.GZ"}, {"a.tar.gz", "A.TAR.GZ"}},
    {{"a", "A"}, {"a", "A"}},
    {{".x", ".x"}, {".x", ".x (2)"}},
    {{"a.", "a."}, {"a.", "a (2)."}},
    /* a number that is taken is passed over, whichever comes first */
    {{"a", "a (2)", "a"}, {"a", "a (2)", "a (3)"}},
    {{"a", "a", "a (2)"}, {"a", "a (2)", "a (2) (2)"}},
    {{"a", "a (3)", "a", "a", "a"}, {"a", "a (3)", "a (2)", "a (4)", "a (5)"}},
    /* in folders of their own they do not collide */
    {{"d/a", "e/a", "a"}, {"d/a", "e/a", "a"}},
    {{"d/a", "d/a", "e/a"}, {"d/a", "d/a (2)", "e/a"}},
    /* case tells folders apart */
    {{"D/a", "d/a", "d/b"}, {"D/a", "d/a", "d/b"}},
    /* a file where a folder must be gives way, before or behind it */
    {{"a", "a/b"}, {"a (2)", "a/b"}},
    {{"a/b", "a"}, {"a/b", "a (2)"}},
    {{"a", "a/b", "a (2)/c"}, {"a (3)", "a/b", "a (2)/c"}},
    {{"a/b", "a/b/c", "a"}, {"a/b (2)", "a/b/c", "a (2)"}},
    /* what mending makes equal */
    {{"..", ".", "_"}, {"_", "_ (2)", "_ (3)"}},
    {{"\xff.txt", "\xfe.txt"}, {FFFD ".txt", FFFD " (2).txt"}},
    {{"x\x01", "x\x02"}, {"x_", "x_ (2)"}},
    {{"\xc3\xa4", "\xc3\x84"}, {"\xc3\xa4", "\xc3\x84"}},
    {{"@", "`", "[", "{"}, {"@", "`", "[", "{"}},
};
/* clang-format on */

static void test_collisions(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(path_collisions) / sizeof(*path_collisions);
         i++) {
        const struct path_collision *c = &path_collisions[i];
        struct metainfo *m;
        struct buf b;
        uint32_t n = 0;
        path_begin(&b);
        while (n < 8 && c->in[n] != NULL) {
            path_put_file(&b, c->in[n++], NULL);
        }
        m = path_end(&b);
        assert_int_equal(m->n_files, n);
        for (uint32_t j = 0; j < n; j++) {
            assert_memory_equal(m->files[j].path, "n/", 2);
            assert_string_equal(m->files[j].path + 2, c->out[j]);
        }
        metainfo_free(m);
    }
}

/* A pad file takes no name away from a real one. */
static void test_collisions_pad(void **state)
{
    struct metainfo *m;
    struct buf b;

    (void)state;
    path_begin(&b);
    path_put_file(&b, "a/b", "p");
    path_put_file(&b, "a", NULL);
    path_put_file(&b, "c", "p");
    path_put_file(&b, "c", NULL);
    m = path_end(&b);
    assert_string_equal(m->files[1].path, "n/a");
    assert_string_equal(m->files[3].path, "n/c");
    metainfo_free(m);
}

/* The suffix makes room for itself in a name of full length. */
static void test_collisions_long(void **state)
{
    char name[256];
    struct metainfo *m;
    struct buf b;

    (void)state;
    memset(name, 'z', 255);
    name[255] = '\0';
    memcpy(name + 251, ".mkv", 4);
    path_begin(&b);
    path_put_file(&b, name, NULL);
    path_put_file(&b, name, NULL);
    name[250] = 'y'; /* differs from the first only behind the cut */
    path_put_file(&b, name, NULL);
    path_put_file(&b, name, NULL);
    m = path_end(&b);
    assert_int_equal(strlen(m->files[0].path), 2 + 255);
    assert_non_null(strstr(m->files[1].path, "z (2).mkv"));
    assert_int_equal(strlen(m->files[2].path), 2 + 255);
    assert_non_null(strstr(m->files[3].path, "z (3).mkv"));
    for (uint32_t i = 0; i < 4; i++) {
        assert_true(strlen(m->files[i].path) <= 2 + 255);
    }
    metainfo_free(m);
}

/* The number of folders and the bytes of a path are limited. */
static void test_limits(void **state)
{
    struct metainfo *m = NULL;
    struct err e = {.code = 0};
    struct buf b;

    (void)state;
    for (int n = METAINFO_MAX_DEPTH; n <= METAINFO_MAX_DEPTH + 1; n++) {
        path_begin(&b);
        assert_int_equal(buf_append_str(&b, "d6:lengthi0e4:pathl"), 0);
        for (int i = 0; i < n; i++) {
            assert_int_equal(buf_append_str(&b, "1:d"), 0);
        }
        assert_int_equal(buf_append_str(&b, "eee4:name1:n12:piece lengthi16384e"
                                            "6:pieces0:ee"),
                         0);
        assert_int_equal(metainfo_parse(buf_slice(&b), false, &m, &e),
                         n > METAINFO_MAX_DEPTH ? BTC_E_METAINFO : 0);
        metainfo_free(m);
        buf_fini(&b);
    }
    assert_non_null(strstr(e.msg, "deeper than 64 folders"));
    for (int n = 11; n <= 12; n++) { /* of 256 bytes each, with the '/' */
        path_begin(&b);
        assert_int_equal(buf_append_str(&b, "d6:lengthi0e4:pathl"), 0);
        for (int i = 0; i < n; i++) {
            assert_int_equal(buf_printf(&b, "255:%0255d", 0), 0);
        }
        assert_int_equal(buf_append_str(&b, "eee4:name1:n12:piece lengthi16384e"
                                            "6:pieces0:ee"),
                         0);
        assert_int_equal(metainfo_parse(buf_slice(&b), false, &m, &e),
                         n == 12 ? BTC_E_METAINFO : 0);
        metainfo_free(m);
        buf_fini(&b);
    }
    assert_non_null(strstr(e.msg, "longer than"));
}

static double path_now_s(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Many files, all of one name or all of long names that are equal up to the
 * cut: a quadratic search would take hours, here the limit is generous. */
static void test_many(void **state)
{
    double start = path_now_s();
    char name[600];
    struct metainfo *m;
    struct buf b;

    (void)state;
    if (getenv("BTC_VALGRIND") != NULL) {
        skip(); /* is about the number, and takes minutes there */
    }
    path_begin(&b);
    for (uint32_t i = 0; i < METAINFO_MAX_FILES / 2; i++) {
        path_put_file(&b, "a", NULL);
    }
    m = path_end(&b);
    assert_string_equal(m->files[m->n_files - 1].path, "n/a (524288)");
    metainfo_free(m);

    path_begin(&b);
    memset(name, 'x', sizeof(name));
    for (uint32_t i = 0; i < 100000; i++) {
        (void)snprintf(name + 245, sizeof(name) - 245, "%010u", i / 2);
        path_put_file(&b, name, NULL);
    }
    m = path_end(&b);
    assert_non_null(strstr(m->files[m->n_files - 1].path, " (50001)"));
    metainfo_free(m);
    assert_true(path_now_s() - start < 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sanitize),
        cmocka_unit_test(test_sanitize_long),
        cmocka_unit_test(test_collisions),
        cmocka_unit_test(test_collisions_pad),
        cmocka_unit_test(test_collisions_long),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
