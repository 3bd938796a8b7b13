/* metainfo: documents that are taken with exactly what they say, and documents
 * that are refused with a reason and the offset where it stands. */
#include "proto/metainfo/metainfo.h"

#include "guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define A20      "aaaaaaaaaaaaaaaaaaaa"
#define PIECE    "6:pieces20:" A20
#define PIECES2  "6:pieces40:" A20 A20
#define NAME     "4:name1:n"
#define LEN16K   "12:piece lengthi16384e"
#define SINGLE   "d6:lengthi5e" NAME LEN16K PIECE "e"
#define DOC(x)   "d4:info" x "e"
#define FILES(x) "d5:filesl" x "e" NAME LEN16K PIECE "e"
#define FILE_A   "d6:lengthi5e4:pathl1:aee"

/* The SHA-1 of SINGLE, from sha1sum. */
#define SINGLE_SHA1 "e98fcb519926baeee5af8cab861ea4ce2e05457b"

/* Parses what must be fine. */
static struct metainfo *metainfo_ok(const char *text)
{
    struct metainfo *m = NULL;
    struct err e = {.code = 0};
    int rc = metainfo_parse(slice_str(text), false, &m, &e);

    if (rc != 0) {
        fail_msg("'%s': %s", text, e.msg);
    }
    assert_non_null(m);
    return m;
}

static void test_single(void **state)
{
    struct metainfo *m = metainfo_ok(DOC(SINGLE));
    uint8_t want[SHA1_LEN];

    (void)state;
    assert_true(bytes_from_hex(slice_str(SINGLE_SHA1), want, SHA1_LEN));
    assert_memory_equal(m->v1.bytes, want, SHA1_LEN);
    assert_true(digest_is_set(&m->v1));
    assert_false(digest_is_set(&m->v2));
    assert_false(m->is_private);
    assert_false(m->multi_file);
    assert_string_equal(m->name, "n");
    assert_null(m->comment);
    assert_null(m->created_by);
    assert_int_equal(m->creation_date, 0);
    assert_int_equal(m->total_size, 5);
    assert_int_equal(m->piece_length, 16384);
    assert_int_equal(m->n_pieces, 1);
    assert_int_equal(m->n_files, 1);
    assert_string_equal(m->files[0].path, "n");
    assert_int_equal(m->files[0].offset, 0);
    assert_int_equal(m->files[0].length, 5);
    assert_false(m->files[0].pad);
    assert_false(m->files[0].executable);
    assert_memory_equal(m->piece_hashes, A20, 20);
    assert_true(slice_eq_str(slice_of(m->info, m->info_len), SINGLE));
    assert_int_equal(m->n_trackers + m->n_web_seeds + m->n_nodes, 0);
    metainfo_free(m);
    metainfo_free(NULL);
}

/* The hash is of the bytes as they stand, not of what they mean: here keys are
 * unsorted, doubled and unknown. */
static void test_exact_span(void **state)
{
    const char *info = "d" NAME "3:zzzi1e" LEN16K PIECE
                       "6:lengthi5e6:lengthi7e1:ali1ed1:bleeee";
    char doc[512];
    struct metainfo *m;
    uint8_t want[SHA1_LEN];

    (void)state;
    (void)snprintf(doc, sizeof(doc), "d1:a4:info4:info%s4:infodee\n", info);
    m = metainfo_ok(doc);
    hash_sha1(slice_str(info), want);
    assert_memory_equal(m->v1.bytes, want, SHA1_LEN);
    assert_int_equal(m->total_size, 5);
    assert_memory_equal(m->piece_hashes, A20, 20);
    metainfo_free(m);
}

static void test_multi(void **state)
{
    struct metainfo *m =
        metainfo_ok(DOC("d5:filesl"
                        "d6:lengthi16380e4:pathl3:sub1:aee"
                        "d4:attr1:x6:lengthi0e4:pathl5:emptyee"
                        "d4:attr1:p6:lengthi4e4:pathl4:.pad1:4ee"
                        "d4:attr2:hz6:lengthi1e4:pathl1:bee"
                        "e" NAME LEN16K PIECES2 "7:privatei1ee"));

    (void)state;
    assert_true(m->multi_file);
    assert_true(m->is_private);
    assert_int_equal(m->n_files, 4);
    assert_int_equal(m->n_pieces, 2);
    assert_int_equal(m->total_size, 16385);
    assert_string_equal(m->files[0].path, "n/sub/a");
    assert_string_equal(m->files[1].path, "n/empty");
    assert_int_equal(m->files[1].offset, 16380);
    assert_int_equal(m->files[1].length, 0);
    assert_true(m->files[1].executable);
    assert_false(m->files[1].pad);
    assert_true(m->files[2].pad);
    assert_int_equal(m->files[2].offset, 16380);
    assert_string_equal(m->files[2].path, "n/.pad/4");
    assert_int_equal(m->files[3].offset, 16384);
    assert_false(m->files[3].pad);
    assert_false(m->files[3].executable);
    metainfo_free(m);
}

/* BEP 27 knows private=1; others take every integer but 0 for that. */
static void test_private(void **state)
{
    static const struct {
        const char *value;
        bool is_private;
    } cases[] = {{"i1e", true},  {"i2e", true},  {"i-1e", true},
                 {"i0e", false}, {"1:1", false}, {"li1ee", false}};
    char doc[512];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct metainfo *m;
        (void)snprintf(doc, sizeof(doc),
                       "d4:infod6:lengthi5e" NAME LEN16K PIECE "7:private%see",
                       cases[i].value);
        m = metainfo_ok(doc);
        assert_int_equal(m->is_private, cases[i].is_private);
        metainfo_free(m);
    }
}

/* What follows the dictionary changes nothing. */
static void test_rest(void **state)
{
    static const char *const rests[] = {"\r\n", "x", "<!-- 12 ms -->",
                                        "\n\nde"};
    struct metainfo *plain = metainfo_ok(DOC(SINGLE));
    struct metainfo *m = NULL;
    char doc[512] = DOC(SINGLE);

    (void)state;
    assert_int_equal(
        metainfo_parse(slice_of(doc, strlen(doc) + 10), false, &m, NULL), 0);
    assert_memory_equal(m->v1.bytes, plain->v1.bytes, SHA1_LEN);
    metainfo_free(m);
    for (size_t i = 0; i < sizeof(rests) / sizeof(*rests); i++) {
        (void)snprintf(doc, sizeof(doc), "%s%s", DOC(SINGLE), rests[i]);
        m = metainfo_ok(doc);
        assert_memory_equal(m->v1.bytes, plain->v1.bytes, SHA1_LEN);
        metainfo_free(m);
    }
    metainfo_free(plain);
}

static void test_pads(void **state)
{
    struct metainfo *m = metainfo_ok(
        DOC(FILES("d6:lengthi1e4:pathl4:.pad1:1ee"
                  "d6:lengthi1e4:pathl25:_____padding_file_0_abcdeee"
                  "d4:attr2:xp6:lengthi1ee" /* BEP 47: a pad needs no path */
                  "d4:attr1:p6:lengthi1e4:pathl4:.pad1:1ee"
                  "d6:lengthi1e4:pathl4:.pad1:aee"    /* a real folder */
                  "d6:lengthi1e4:pathl4:.pad1:11:1ee" /* and another */
                  "d6:lengthi1e4:pathl1:a4:.pad1:1ee")));
    static const bool want[] = {false, false, true, true, false, false, false};

    (void)state;
    assert_int_equal(m->n_files, 7);
    for (uint32_t i = 0; i < m->n_files; i++) {
        assert_int_equal(m->files[i].pad, want[i]);
        assert_non_null(m->files[i].path);
    }
    /* Pads are never on disk, so they may share a path and take none away. A
     * name alone makes none: what is in it only its hash knows. */
    assert_string_equal(m->files[0].path, "n/.pad/1 (2)");
    assert_string_equal(m->files[3].path, "n/.pad/1");
    assert_string_equal(m->files[4].path, "n/.pad/a");
    metainfo_free(m);
}

/* A symlink keeps its index and has no bytes. One that leads to something of
 * the torrent has the way there, all others are left out. */
static void test_symlink(void **state)
{
    static const struct {
        const char *file, *link;
    } cases[] = {
        {"d4:attr1:l4:pathl1:le12:symlink pathl1:aee", "a"},
        {"d4:attr1:l4:pathl1:d1:le12:symlink pathl1:aee", "../a"},
        {"d4:attr1:l4:pathl1:d1:e1:le12:symlink pathl1:d1:fee", "../f"},
        {"d4:attr1:l4:pathl1:x1:y1:le12:symlink pathl1:dee", "../../d"},
        {"d4:attr1:l6:lengthi7e4:pathl1:le12:symlink pathl1:d1:fee", "d/f"},
        {"d4:attr1:l4:pathl1:le12:symlink pathl2:..1:aee", NULL},
        {"d4:attr1:l4:pathl1:le12:symlink pathl2:..6:passwdee", NULL},
        {"d4:attr1:l4:pathl1:le12:symlink pathl0:1:aee", NULL},
        {"d4:attr1:l4:pathl1:le12:symlink pathl11:/etc/passwdee", NULL},
        {"d4:attr1:l4:pathl1:le12:symlink pathl1:.ee", NULL},
        {"d4:attr1:l4:pathl1:le12:symlink pathlee", NULL},
        {"d4:attr1:l4:pathl1:le12:symlink path1:ae", NULL},
        {"d4:attr1:l4:pathl1:le12:symlink pathl6:absentee", NULL},
        {"d4:attr1:l4:pathl1:le12:symlink pathl1:lee", NULL}, /* itself */
        {"d4:attr1:l6:lengthi0e4:pathl1:mee", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char doc[512];
        (void)snprintf(doc, sizeof(doc), "d4:infod5:filesl%s%s%s%s%s",
                       cases[i].file, "d6:lengthi0e4:pathl1:d1:fee", FILE_A,
                       "e" NAME LEN16K PIECE, "ee");
        struct metainfo *m = metainfo_ok(doc);
        assert_int_equal(m->n_files, 3);
        assert_int_equal(m->files[0].length, 0);
        assert_int_equal(m->files[2].length, 5);
        assert_int_equal(m->left_out.n_links, cases[i].link == NULL);
        assert_int_equal(m->files[0].pad, cases[i].link == NULL);
        if (cases[i].link != NULL) {
            assert_string_equal(m->files[0].link, cases[i].link);
        } else {
            assert_null(m->files[0].link);
        }
        metainfo_free(m);
    }
}

/* Names in the character set that the torrent says; mended where that is none,
 * or not theirs. */
static void test_encoding(void **state)
{
    static const struct {
        const char *encoding, *name, *path;
    } cases[] = {
        {"3:GBK", "4:\xd6\xd0\xce\xc4", "\xe4\xb8\xad\xe6\x96\x87"},
        {"9:Shift_JIS", "4:\x93\xfa\x96\x7b", "\xe6\x97\xa5\xe6\x9c\xac"},
        {"3:GBK", "6:\xe4\xb8\xad\xe6\x96\x87", "\xe4\xb8\xad\xe6\x96\x87"},
        {"5:UTF-8", "1:\xd6", "\xef\xbf\xbd"},
        {"4:none", "1:\xd6", "\xef\xbf\xbd"},
        {"7:GBK//IG", "1:\xd6", "\xef\xbf\xbd"},
        {"3:GBK", "1:\xff", "\xef\xbf\xbd"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char doc[512];
        (void)snprintf(doc, sizeof(doc),
                       "d8:encoding%s4:infod5:filesld6:lengthi5e4:pathl%seee"
                       "4:name%s" LEN16K PIECE "ee",
                       cases[i].encoding, cases[i].name, cases[i].name);
        struct metainfo *m = metainfo_ok(doc);
        char want[64];
        (void)snprintf(want, sizeof(want), "%s/%s", cases[i].path,
                       cases[i].path);
        assert_string_equal(m->name, cases[i].path);
        assert_string_equal(m->files[0].path, want);
        metainfo_free(m);
    }
}

/* Names that a file system cannot hold keep their beginning and extension, and
 * stay apart. */
static void test_shorten(void **state)
{
    struct buf a, b;
    char name[200];
    (void)state;
    buf_init(&a, 300);
    buf_init(&b, 300);
    memset(name, 'n', sizeof(name));
    memcpy(name + 190, "x.tar.gz", 9);
    metainfo_shorten(slice_str(name), 198, &a);
    assert_string_equal(buf_cstr(&a), name);
    metainfo_shorten(slice_str(name), 143, &a);
    assert_int_equal(strlen(buf_cstr(&a)), 143);
    assert_memory_equal(buf_cstr(&a), name, 100);
    assert_non_null(strstr(buf_cstr(&a), ".gz"));
    name[189] = 'm';
    metainfo_shorten(slice_str(name), 143, &b);
    assert_string_not_equal(buf_cstr(&a), buf_cstr(&b));
    for (size_t i = 0; i < 198; i += 2) {
        memcpy(name + i, "\xc3\xbc", 2);
    }
    name[198] = '\0';
    for (size_t max = 32; max < 198; max++) {
        metainfo_shorten(slice_str(name), max, &a);
        assert_in_range(strlen(buf_cstr(&a)), max - 1, max);
        assert_true(bytes_is_utf8(buf_slice(&a)));
    }
    buf_fini(&a);
    buf_fini(&b);
}

/* No bytes at all: no pieces. */
static void test_empty(void **state)
{
    struct metainfo *m =
        metainfo_ok(DOC("d6:lengthi0e" NAME LEN16K "6:pieces0:e"));

    (void)state;
    assert_int_equal(m->n_pieces, 0);
    assert_int_equal(m->total_size, 0);
    metainfo_free(m);
    m = metainfo_ok(DOC("d5:filesld6:lengthi0e4:pathl1:aee"
                        "d6:lengthi0e4:pathl1:beee" NAME LEN16K "6:pieces0:e"));
    assert_int_equal(m->n_files, 2);
    assert_int_equal(m->n_pieces, 0);
    metainfo_free(m);
}

/* v1 does not ask for a power of two. */
static void test_piece_lengths(void **state)
{
    struct metainfo *m;

    (void)state;
    m = metainfo_ok(
        DOC("d6:lengthi1025e" NAME "12:piece lengthi1024e" PIECES2 "e"));
    assert_int_equal(m->n_pieces, 2);
    metainfo_free(m);
    m = metainfo_ok(
        DOC("d6:lengthi100000e" NAME "12:piece lengthi100000e" PIECE "e"));
    assert_int_equal(m->n_pieces, 1);
    metainfo_free(m);
    m = metainfo_ok(
        DOC("d6:lengthi5e" NAME "12:piece lengthi268435456e" PIECE "e"));
    assert_int_equal(m->piece_length, METAINFO_MAX_PIECE_LEN);
    metainfo_free(m);
}

static void test_utf8_keys(void **state)
{
    struct metainfo *m =
        metainfo_ok(DOC("d5:filesl"
                        "d6:lengthi1e4:pathl1:\xff"
                        "e10:path.utf-8l2:\xc3\xa4"
                        "ee"
                        "d6:lengthi1e4:pathl1:be10:path.utf-8leee"
                        "4:name1:\xff"
                        "10:name.utf-82:\xc3\xb6" LEN16K PIECE "e"));

    (void)state;
    assert_string_equal(m->name, "\xc3\xb6");
    assert_string_equal(m->files[0].path, "\xc3\xb6/\xc3\xa4");
    assert_string_equal(m->files[1].path, "\xc3\xb6/b");
    metainfo_free(m);
    /* One that is not UTF-8 itself is no better than the plain one. */
    m = metainfo_ok(
        DOC("d6:lengthi5e" NAME "10:name.utf-81:\xff" LEN16K PIECE "e"));
    assert_string_equal(m->name, "n");
    metainfo_free(m);
}

static void test_texts(void **state)
{
    struct metainfo *m = metainfo_ok(
        "d7:comment12:a\x1b[31m\n\tb\xff\xc2\x85"
        "10:created by5:btc/113:creation datei1700000000e4:info" SINGLE "e");

    (void)state;
    assert_string_equal(m->comment, "a_[31m\n\tb\xef\xbf\xbd_");
    assert_string_equal(m->created_by, "btc/1");
    assert_int_equal(m->creation_date, 1700000000);
    metainfo_free(m);
    m = metainfo_ok("d7:comment1:a13:comment.utf-81:b13:creation datei-5e"
                    "4:info" SINGLE "e");
    assert_string_equal(m->comment, "b");
    assert_int_equal(m->creation_date, 0);
    metainfo_free(m);
    m = metainfo_ok("d7:commenti1e10:created byle13:creation date1:x"
                    "4:info" SINGLE "e");
    assert_null(m->comment);
    assert_null(m->created_by);
    metainfo_free(m);
}

/* What test_trackers leaves out, and why. */
static void assert_left_out(const struct url_left_out *l)
{
    static const char *const want[][2] = {
        {"nourl", "has no scheme, as in http://"},
        {"ftp:", "has no scheme, as in http://"},
        {"http://a b", "has a blank in its host"},
        {"http:///", "names no host"}};

    assert_int_equal(l->n, 4);
    assert_int_equal(l->n_told, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(l->told[i].text, want[i][0]);
        assert_string_equal(l->told[i].why, want[i][1]);
    }
}

/* BEP 12. */
static void test_trackers(void **state)
{
    struct metainfo *m =
        metainfo_ok("d8:announce9:http://x/"
                    "13:announce-listl"
                    "l9:http://a/10: udp://b:1e"   /* blanks are trimmed */
                    "le"                           /* an empty tier */
                    "l5:nourl4:ftp:9:http://a/0:e" /* nothing usable */
                    "li1e9:http://c/dee"
                    "9:http://d/"          /* a tier without its list */
                    "d1:a9:http://e/e"     /* no tier at all */
                    "l10:http://a b"       /* a blank in the host */
                    "9:http://\xc3\xa4"    /* such a host exists */
                    "14:http://e/a b/\xe9" /* escaped */
                    "8:http:///0:e"
                    "e4:info" SINGLE "e");

    (void)state;
    assert_int_equal(m->n_trackers, 6);
    assert_string_equal(m->trackers[0].url, "http://a/");
    assert_int_equal(m->trackers[0].tier, 0);
    assert_string_equal(m->trackers[1].url, "udp://b:1");
    assert_int_equal(m->trackers[1].tier, 0);
    assert_string_equal(m->trackers[2].url, "http://c/");
    assert_int_equal(m->trackers[2].tier, 1);
    assert_string_equal(m->trackers[3].url, "http://d/");
    assert_int_equal(m->trackers[3].tier, 2);
    assert_string_equal(m->trackers[4].url, "http://%C3%A4");
    assert_int_equal(m->trackers[4].tier, 3);
    assert_string_equal(m->trackers[5].url, "http://e/a%20b/%E9");
    assert_int_equal(m->trackers[5].tier, 3);
    assert_left_out(&m->left_out.urls);
    metainfo_free(m);

    /* A list with nothing usable falls back to `announce`. */
    m = metainfo_ok("d8:announce9:http://x/13:announce-listllel5:nourlee"
                    "4:info" SINGLE "e");
    assert_int_equal(m->n_trackers, 1);
    assert_string_equal(m->trackers[0].url, "http://x/");
    metainfo_free(m);
    m = metainfo_ok("d8:announcei1e13:announce-list1:x4:info" SINGLE "e");
    assert_int_equal(m->n_trackers, 0);
    metainfo_free(m);
}

/* The longest URL is taken, one more byte is not; so with their number. */
static void test_tracker_limits(void **state)
{
    struct buf b;
    struct metainfo *m = NULL;
    char url[URL_MAX + 2];

    (void)state;
    memset(url, 'u', sizeof(url));
    bytes_put((uint8_t *)url, "http://", 7);
    buf_init(&b, 1u << 20);
    assert_int_equal(buf_printf(&b, "d13:announce-listll%d:%.*s%d:%.*see",
                                URL_MAX + 1, URL_MAX + 1, url, URL_MAX, URL_MAX,
                                url),
                     0);
    assert_int_equal(buf_printf(&b, "4:info" SINGLE "e"), 0);
    m = metainfo_ok(buf_cstr(&b));
    assert_int_equal(m->n_trackers, 1);
    assert_int_equal(strlen(m->trackers[0].url), URL_MAX);
    metainfo_free(m);

    buf_clear(&b);
    assert_int_equal(buf_printf(&b, "d13:announce-listl"), 0);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(buf_printf(&b, "l11:udp://t%04de", i), 0);
    }
    assert_int_equal(buf_printf(&b, "e4:info" SINGLE "8:url-listl"), 0);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(buf_printf(&b, "13:http://s%04d/", i), 0);
    }
    assert_int_equal(buf_printf(&b, "ee"), 0);
    m = metainfo_ok(buf_cstr(&b));
    assert_int_equal(m->n_trackers, METAINFO_MAX_TRACKERS);
    assert_int_equal(m->trackers[METAINFO_MAX_TRACKERS - 1].tier,
                     METAINFO_MAX_TRACKERS - 1);
    assert_int_equal(m->n_web_seeds, METAINFO_MAX_WEB_SEEDS);
    assert_int_equal(m->left_out.urls.n, 1000 - METAINFO_MAX_TRACKERS);
    assert_int_equal(m->left_out.urls.n_told, URL_MAX_TOLD);
    metainfo_free(m);
    buf_fini(&b);
}

static void test_web_seeds_and_nodes(void **state)
{
    struct metainfo *m = metainfo_ok("d4:info" SINGLE "8:url-list9:http://w/e");

    (void)state;
    assert_int_equal(m->n_web_seeds, 1);
    assert_string_equal(m->web_seeds[0], "http://w/");
    metainfo_free(m);
    m = metainfo_ok("d4:info" SINGLE "5:nodesl"
                    "l4:hosti1eel3:::1i2eel4:hosti1eel4:hosti0ee"
                    "l4:hosti65536eel4:hosteli1ei1ee4:hostd4:hosti1ee"
                    "l3:a bi1eee"
                    "8:url-listl9:http://w/8:ftp://w/10:HTTPS://w/9:http://w/"
                    "0:i1eee");
    assert_int_equal(m->n_web_seeds, 2);
    assert_string_equal(m->web_seeds[1], "HTTPS://w/");
    assert_int_equal(m->n_nodes, 2);
    assert_string_equal(m->nodes[0], "host:1");
    assert_string_equal(m->nodes[1], "[::1]:2");
    metainfo_free(m);
    m = metainfo_ok("d4:info" SINGLE "5:nodesde8:url-listd1:a9:http://w/ee");
    assert_int_equal(m->n_web_seeds + m->n_nodes, 0);
    metainfo_free(m);
}

struct metainfo_bad {
    const char *doc;
    const char *why; /* part of the message, with the offset where it has one */
};

/* clang-format off */
static const struct metainfo_bad bad_cases[] = {
    /* not a torrent at all */
    {"", "it is empty"},
    {"<html><body>404</body></html>", "may be a web page"},
    {"hello", "byte 0 is 0x68"},
    {"le", "byte 0 is 0x6c"},
    {"d", "unexpected end at byte 1 of 1"},
    {"d4:info", "unexpected end at byte 7 of 7"},
    {"d4:infoi-0ee", "minus zero at byte 8 of 12"},
    {"de", "no 'info' dictionary"},
    {"d4:infoi1ee", "'info' is not a dictionary (at byte 7)"},
    {"d4:infolee", "'info' is not a dictionary (at byte 7)"},
    /* pieces */
    {DOC("d6:lengthi5e" NAME LEN16K "e"), "'pieces' is missing"},
    {DOC("d6:lengthi5e" NAME LEN16K "6:piecesi1ee"), "'pieces' is not a string"},
    {DOC("d6:lengthi5e" NAME LEN16K "6:pieces19:aaaaaaaaaaaaaaaaaaae"),
     "'pieces' has 19 bytes, not a multiple of 20"},
    {DOC("d6:lengthi5e" NAME LEN16K PIECES2 "e"),
     "'pieces' has 2 hashes, but 5 bytes in pieces of 16384 need 1"},
    {DOC("d6:lengthi0e" NAME LEN16K PIECE "e"), "need 0"},
    {DOC("d6:lengthi16385e" NAME LEN16K PIECE "e"), "need 2"},
    {DOC("d6:lengthi9223372036854775807e" NAME LEN16K PIECE "e"),
     "need 562949953421312"},
    /* piece length */
    {DOC("d6:lengthi5e" NAME PIECE "e"), "'piece length' is missing"},
    {DOC("d6:lengthi5e" NAME "12:piece length1:1" PIECE "e"),
     "'piece length' is not an integer"},
    {DOC("d6:lengthi5e" NAME "12:piece lengthi0e" PIECE "e"),
     "at least 1"},
    {DOC("d6:lengthi5e" NAME "12:piece lengthi-1e" PIECE "e"),
     "'piece length' is negative: -1"},
    {DOC("d6:lengthi5e" NAME "12:piece lengthi268435457e" PIECE "e"),
     "at most 268435456"},
    {DOC("d6:lengthi5e" NAME "12:piece lengthi4294967296e" PIECE "e"),
     "at most 268435456"},
    /* name */
    {DOC("d6:lengthi5e" LEN16K PIECE "e"), "'name' is missing"},
    {DOC("d6:lengthi5e4:namei1e" LEN16K PIECE "e"), "'name' is missing"},
    /* length and files */
    {DOC("d" NAME LEN16K PIECE "e"), "'length' is missing"},
    {DOC("d6:length1:5" NAME LEN16K PIECE "e"), "'length' is not an integer"},
    {DOC("d6:lengthi-5e" NAME LEN16K PIECE "e"), "'length' is negative: -5"},
    {DOC("d5:filesl" FILE_A "e6:lengthi5e" NAME LEN16K PIECE "e"),
     "both 'length' and 'files'"},
    {DOC("d5:filesde" NAME LEN16K PIECE "e"), "'files' is not a list"},
    {DOC("d5:filesle" NAME LEN16K PIECE "e"), "'files' is empty (at byte 15)"},
    {DOC(FILES("i1e")), "a file is not a dictionary (at byte 16)"},
    {DOC(FILES(FILE_A "le")), "a file is not a dictionary"},
    {DOC(FILES("d4:pathl1:aee")), "'length' is missing"},
    {DOC(FILES("d6:lengthi-1e4:pathl1:aee")), "'length' is negative"},
    {DOC(FILES("d6:lengthi5ee")), "a file has no path"},
    {DOC(FILES("d6:lengthi5e4:pathlee")), "a file has no path"},
    {DOC(FILES("d6:lengthi5e4:path1:ae")), "a file has no path"},
    {DOC(FILES("d6:lengthi5e4:pathli1eee")), "path element is not a string"},
    {DOC(FILES("d6:lengthi5e4:pathll1:aeee")), "path element is not a string"},
    {DOC(FILES("d6:lengthi9223372036854775807e4:pathl1:aee" FILE_A)),
     "the files' lengths overflow"},
    {DOC(FILES("d6:lengthi9223372036854775807e4:pathl1:aee"
               "d6:lengthi9223372036854775807e4:pathl1:aee"
               "d6:lengthi9223372036854775807e4:pathl1:aee")),
     "the files' lengths overflow"},
    /* versions */
    {DOC("d12:meta versioni2e" NAME LEN16K "e"), "'file tree' is missing"},
    {DOC("d12:meta version1:2" NAME LEN16K PIECE "e"),
     "'meta version' is not an integer"},
};
/* clang-format on */

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad_cases) / sizeof(*bad_cases); i++) {
        struct metainfo *m = (struct metainfo *)&m;
        struct slice doc = slice_str(bad_cases[i].doc);
        struct err e = {.code = 0};
        int rc = metainfo_parse(doc, true, &m, &e);
        bool said = strstr(e.msg, bad_cases[i].why) != NULL;
        if (rc != BTC_E_METAINFO || e.code != rc || m != NULL || !said) {
            fail_msg("'%s' gives %d: %s", bad_cases[i].doc, rc, e.msg);
        }
        assert_int_equal(metainfo_parse(doc, true, &m, NULL), BTC_E_METAINFO);
    }
}

/* Every prefix of a document on a guard page fails, and says so. */
static void test_prefixes(void **state)
{
    const char *doc =
        "d8:announce9:http://x/13:announce-listll9:http://a/ee"
        "7:comment1:c4:info" FILES("d4:attr1:x6:lengthi5e4:pathl1:a1:"
                                   "bee" FILE_A) "8:url-listl9:http://w/ee";
    size_t len = strlen(doc);
    struct guard g;

    (void)state;
    guard_init(&g, 4096);
    for (size_t n = 0; n <= len; n++) {
        struct slice in = slice_of(guard_put(&g, doc, n), n);
        struct metainfo *m = NULL;
        struct err e = {.code = 0};
        int rc = metainfo_parse(in, false, &m, &e);
        assert_int_equal(rc, n == len ? 0 : BTC_E_METAINFO);
        assert_int_equal(e.msg[0] != '\0', n < len);
        metainfo_free(m);
    }
    guard_fini(&g);
}

/* Every single byte of a document changed to every value: whatever is taken
 * must still be sound (the sanitizers look on). */
static void test_mutations(void **state)
{
    const char *doc = "d8:announce9:http://x/4:info" FILES(
        "d4:attr1:x6:lengthi5e4:pathl1:a1:bee" FILE_A) "e";
    size_t len = strlen(doc);
    size_t taken = 0;
    struct guard g;

    (void)state;
    guard_init(&g, 4096);
    for (size_t at = 0; at < len; at++) {
        uint8_t *p = g.map + g.len - len;
        (void)guard_put(&g, doc, len);
        for (unsigned c = 0; c < 256; c++) {
            struct metainfo *m = NULL;
            p[at] = (uint8_t)c;
            if (metainfo_parse(slice_of(p, len), true, &m, NULL) == 0) {
                taken++;
                assert_int_equal(m->files[0].length + m->files[1].length,
                                 m->total_size);
                assert_int_equal(m->n_pieces, 1);
            }
            metainfo_free(m);
        }
    }
    assert_true(taken > len); /* at least the unchanged bytes */
    guard_fini(&g);
}

static void test_too_large(void **state)
{
    struct metainfo *m = NULL;
    struct err e = {.code = 0};
    char c = 'd';

    (void)state;
    /* Refused by its size alone: not one byte of it is looked at. */
    assert_int_equal(
        metainfo_parse(slice_of(&c, METAINFO_MAX_BYTES + 1), false, &m, &e),
        BTC_E_METAINFO);
    assert_non_null(strstr(e.msg, "too large"));
}

static void test_too_deep(void **state)
{
    struct buf b;
    struct metainfo *m = NULL;
    struct err e = {.code = 0};

    (void)state;
    buf_init(&b, 1u << 20);
    assert_int_equal(buf_append_str(&b, "d1:a"), 0);
    for (int i = 0; i < 100000; i++) {
        assert_int_equal(buf_append_byte(&b, 'l'), 0);
    }
    assert_int_equal(metainfo_parse(buf_slice(&b), false, &m, &e),
                     BTC_E_METAINFO);
    assert_non_null(strstr(e.msg, "nested too deep at byte 103"));
    buf_fini(&b);
}

static void test_bare_info(void **state)
{
    struct metainfo *m = NULL;
    struct metainfo *doc = metainfo_ok(DOC(SINGLE));
    struct err e = {.code = 0};

    (void)state;
    assert_int_equal(metainfo_parse_info(slice_str(SINGLE), &m, &e), 0);
    assert_memory_equal(m->v1.bytes, doc->v1.bytes, SHA1_LEN);
    assert_int_equal(m->total_size, 5);
    metainfo_free(m);
    metainfo_free(doc);
    assert_int_equal(metainfo_parse_info(slice_str(SINGLE "\n"), &m, &e),
                     BTC_E_METAINFO);
    assert_null(m);
    assert_int_equal(metainfo_parse_info(slice_str("de"), &m, &e),
                     BTC_E_METAINFO);
    assert_int_equal(metainfo_parse_info(slice_str(""), &m, &e),
                     BTC_E_METAINFO);
}

#define TREE(x) "9:file treed" x "e12:meta versioni2e" NAME LEN16K
#define LEAF(n) "d0:d6:lengthi" n "eee"

static void test_hybrid(void **state)
{
    const char *info = "d" TREE("1:n" LEAF("5")) PIECE "6:lengthi5ee";
    char doc[512];
    struct metainfo *m;
    uint8_t want[SHA256_LEN];

    (void)state;
    (void)snprintf(doc, sizeof(doc), "d4:info%se", info);
    m = metainfo_ok(doc);
    assert_true(digest_is_set(&m->v1));
    assert_true(digest_is_set(&m->v2));
    hash_sha1(slice_str(info), want);
    assert_memory_equal(m->v1.bytes, want, SHA1_LEN);
    hash_sha256(slice_str(info), want);
    assert_memory_equal(m->v2.bytes, want, SHA256_LEN);
    assert_int_equal(m->n_pieces, 1);
    metainfo_free(m);
}

static void test_pure_v2(void **state)
{
    const char *doc = DOC("d" TREE(
        "1:bd1:c" LEAF("3") "1:d" LEAF("0") "e1:a" LEAF("4") "1:ede") "e");
    struct metainfo *m = NULL;
    struct err e = {.code = 0};

    (void)state;
    assert_int_equal(metainfo_parse(slice_str(doc), false, &m, &e),
                     BTC_E_UNSUPPORTED);
    assert_null(m);
    assert_non_null(strstr(e.msg, "v2 only (BEP 52)"));
    assert_int_equal(metainfo_parse(slice_str(doc), true, &m, &e), 0);
    assert_false(digest_is_set(&m->v1));
    assert_true(digest_is_set(&m->v2));
    assert_true(m->multi_file);
    assert_int_equal(m->n_pieces, 0);
    assert_int_equal(m->n_files, 3);
    assert_int_equal(m->total_size, 7);
    assert_string_equal(m->files[0].path, "n/b/c");
    assert_string_equal(m->files[1].path, "n/b/d");
    assert_string_equal(m->files[2].path, "n/a");
    assert_int_equal(m->files[2].offset, 3);
    metainfo_free(m);

    assert_int_equal(
        metainfo_parse(slice_str(DOC("d" TREE("1:x" LEAF("4")) "e")), true, &m,
                       &e),
        0);
    assert_false(m->multi_file);
    assert_string_equal(m->files[0].path, "x");
    metainfo_free(m);
}

static void test_bad_v2(void **state)
{
    static const struct metainfo_bad cases[] = {
        {DOC("d" TREE("") "e"), "'file tree' has no files"},
        {DOC("d" TREE("1:ade") "e"), "'file tree' has no files"},
        {DOC("d" TREE("0:d6:lengthi1ee") "e"), "root of 'file tree'"},
        {DOC("d" TREE("1:ai1e") "e"), "is not a dictionary"},
        {DOC("d" TREE("1:ad0:dee") "e"), "missing or negative"},
        {DOC("d" TREE("1:a" LEAF("-1")) "e"), "missing or negative"},
        {DOC("d" TREE("1:a" LEAF("9223372036854775807") "1:b" LEAF("1")) "e"),
         "lengths overflow"},
        {DOC("d9:file treei1e12:meta versioni2e" NAME LEN16K "e"),
         "'file tree' is missing"},
    };
    struct metainfo *m = NULL;
    struct err e = {.code = 0};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        int rc = metainfo_parse(slice_str(cases[i].doc), true, &m, &e);
        bool said = strstr(e.msg, cases[i].why) != NULL;
        if (rc != BTC_E_METAINFO || m != NULL || !said) {
            fail_msg("'%s' gives %d: %s", cases[i].doc, rc, e.msg);
        }
    }
    assert_int_equal(
        metainfo_parse(slice_str(DOC("d12:meta versioni3e" NAME "e")), true, &m,
                       &e),
        BTC_E_UNSUPPORTED);
    assert_non_null(strstr(e.msg, "version 3"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_single),
        cmocka_unit_test(test_exact_span),
        cmocka_unit_test(test_multi),
        cmocka_unit_test(test_private),
        cmocka_unit_test(test_rest),
        cmocka_unit_test(test_pads),
        cmocka_unit_test(test_symlink),
        cmocka_unit_test(test_encoding),
        cmocka_unit_test(test_shorten),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_piece_lengths),
        cmocka_unit_test(test_utf8_keys),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_trackers),
        cmocka_unit_test(test_tracker_limits),
        cmocka_unit_test(test_web_seeds_and_nodes),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_mutations),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_too_deep),
        cmocka_unit_test(test_bare_info),
        cmocka_unit_test(test_hybrid),
        cmocka_unit_test(test_pure_v2),
        cmocka_unit_test(test_bad_v2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
