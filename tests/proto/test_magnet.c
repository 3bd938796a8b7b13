/* magnet: links and bare hashes, what is taken, left out and refused. */
#include "proto/magnet.h"

#include "guard.h"
#include "proto/metainfo/metainfo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define HEX1    "0123456789abcdef0123456789abcdef01234567"
#define HEX1_UP "0123456789ABCDEF0123456789ABCDEF01234567"
#define BASE32  "AERUKZ4JVPG66AJDIVTYTK6N54ASGRLH" /* the same hash */
#define HEX2                           \
    "00112233445566778899aabbccddeeff" \
    "00112233445566778899aabbccddeeff"
#define XT "magnet:?xt=urn:btih:" HEX1

static const uint8_t test_v1[SHA1_LEN] = {
    0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23,
    0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45, 0x67};

/* Parses what must be fine. */
static struct magnet *magnet_ok(const char *text)
{
    struct magnet *m = NULL;
    struct err e = {.code = 0};
    int rc = magnet_parse(slice_str(text), &m, &e);

    if (rc != 0) {
        fail_msg("'%s': %s", text, e.msg);
    }
    assert_non_null(m);
    return m;
}

static void test_hashes(void **state)
{
    static const char *const v1[] = {
        HEX1,
        HEX1_UP,
        BASE32,
        "aerukz4jvpg66ajdivtytk6n54asgrlh",
        "  " HEX1 "\r\n",
        XT,
        XT "&",
        XT "&&",
        "MAGNET:?XT=URN:BTIH:" HEX1_UP,
        "magnet:?xt=urn:btih:" BASE32,
        "magnet:?xt.1=urn:btih:" HEX1,
        "magnet:?xt=urn%3Abtih%3a" HEX1,
        "magnet:?dn=x&xt=urn:btih:" HEX1,
        "magnet:?dn=x&amp;xt=urn:btih:" HEX1,
        XT "&xt=urn:btih:" BASE32, /* the same twice */
        XT "&xt=urn:sha1:YNCKHTQCWBTRNJIVZEASBY3XQ4ZOB6EX",
        XT "&xt=urn:ed2k:354B15E68FB8F36D7CD88FF94116CDC1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(v1) / sizeof(*v1); i++) {
        struct magnet *m = magnet_ok(v1[i]);
        assert_true(digest_is_set(&m->v1));
        assert_false(digest_is_set(&m->v2));
        assert_memory_equal(m->v1.bytes, test_v1, SHA1_LEN);
        assert_null(m->select);
        magnet_free(m);
    }
}

static void test_hashes_v2(void **state)
{
    struct magnet *m = magnet_ok(HEX2);

    (void)state;
    assert_false(digest_is_set(&m->v1));
    assert_true(digest_is_set(&m->v2));
    assert_int_equal(m->v2.bytes[1], 0x11);
    assert_int_equal(m->v2.bytes[31], 0xff);
    magnet_free(m);

    m = magnet_ok("magnet:?xt=urn:btmh:1220" HEX2 "&xt=urn:btih:" HEX1);
    assert_true(digest_is_set(&m->v1));
    assert_true(digest_is_set(&m->v2));
    assert_memory_equal(m->v1.bytes, test_v1, SHA1_LEN);
    assert_int_equal(m->v2.bytes[30], 0xee);
    magnet_free(m);
}

struct magnet_bad {
    const char *text;
    const char *why; /* part of the message */
};

static void test_bad(void **state)
{
    static const struct magnet_bad bad[] = {
        {"", "neither a magnet link"},
        {"x", "neither a magnet link"},
        {"magnet:", "neither a magnet link"},
        {"magnet", "neither a magnet link"},
        {"http://example.org/a.torrent", "neither a magnet link"},
        {"0123456789abcdef0123456789abcdef0123456", "neither"},
        {"0123456789abcdef0123456789abcdef012345678", "neither"},
        {"0123456789abcdef0123456789abcdef0123456g", "neither"},
        {"AERUKZ4JVPG66AJDIVTYTK6N54ASGRL1", "neither"},
        {"magnet:?", "no info hash"},
        {"magnet:?dn=a", "no info hash"},
        {"magnet:?xt", "no info hash"},
        {"magnet:?xt=", "no info hash"},
        {"magnet:?xt=urn:sha1:YNCKHTQCWBTRNJIVZEASBY3XQ4ZOB6EX",
         "no info hash"},
        {"magnet:?xt=urn:btih:", "0 characters that are not 40 hex"},
        {"magnet:?xt=urn:btih:xyz", "3 characters that are not 40 hex"},
        {"magnet:?xt=urn:btih:" HEX2, "64 characters that are not 40 hex"},
        {"magnet:?xt=urn:btmh:" HEX2, "1220 and 64 hex digits"},
        {"magnet:?xt=urn:btmh:1220" HEX1, "1220 and 64 hex digits"},
        {XT "&xt=urn:btih:1123456789abcdef0123456789abcdef01234567",
         "two different info hashes"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct magnet *m = (struct magnet *)&m;
        struct err e = {.code = 0};
        int rc = magnet_parse(slice_str(bad[i].text), &m, &e);
        if (rc != BTC_E_METAINFO || strstr(e.msg, bad[i].why) == NULL) {
            fail_msg("'%s' gives %d: %s", bad[i].text, rc, e.msg);
        }
        assert_null(m);
        assert_int_equal(magnet_parse(slice_str(bad[i].text), &m, NULL),
                         BTC_E_METAINFO);
    }
}

/* Names are mended into what may be a file's name. */
static void test_name(void **state)
{
    static const char *const cases[][2] = {
        {"a", "a"},
        {"a+b%20c", "a b c"},
        {"100%", "100%"},
        {"%zz%4", "%zz%4"},
        {"%e2%82%ac", "\xe2\x82\xac"},
        {"%ff", "\xef\xbf\xbd"},
        {"..%2f..%2fetc%2Fpasswd", ".._.._etc_passwd"},
        {"..", "_"},
        {"a%00b%1b[31m", "a_b_[31m"},
        {"%e2%80%aefdp.exe", "_fdp.exe"},
    };
    char text[256];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct magnet *m;
        (void)snprintf(text, sizeof(text), XT "&dn=%s&dn=second", cases[i][0]);
        m = magnet_ok(text);
        assert_string_equal(m->name, cases[i][1]);
        magnet_free(m);
    }
    struct magnet *m = magnet_ok(XT "&dn=");
    assert_null(m->name);
    magnet_free(m);
}

static void test_hints(void **state)
{
    struct magnet *m = magnet_ok(
        XT "&tr=http%3A%2F%2Ft.example%2Fannounce%3Fa%3Db%26c"
           "&tr.1=udp://t.example:6969&tr=http://t.example/+"
           "&tr=udp://t.example:6969&tr=nonsense&tr=&tr=http://a%20b/"
           "&tr=http://%c3%a4/"
           "&ws=https://w.example/f&ws=ftp://w.example/f&ws=HTTP://w.example/"
           "&x.pe=1.2.3.4:80&x.pe=host.example:1&x.pe=[::1]:65535"
           "&x.pe=1.2.3.4&x.pe=1.2.3.4:0&x.pe=1.2.3.4:65536&x.pe=:80"
           "&x.pe=a/b:80&x.pe=[1.2.3.4&x.pe=::1:80&x.pe=1.2.3.4:80"
           "&xl=1234&unknown=1&=&==&novalue");

    (void)state;
    assert_int_equal(m->n_trackers, 4);
    assert_string_equal(m->trackers[3], "http://%C3%A4/");
    assert_int_equal(m->urls_left_out.n_told, 3);
    assert_string_equal(m->urls_left_out.told[0].text, "nonsense");
    assert_string_equal(m->urls_left_out.told[1].why,
                        "has a blank in its host");
    assert_string_equal(m->urls_left_out.told[2].why,
                        "is not of the web (http or https)");
    assert_string_equal(m->trackers[0], "http://t.example/announce?a=b&c");
    assert_string_equal(m->trackers[1], "udp://t.example:6969");
    assert_string_equal(m->trackers[2], "http://t.example/+");
    assert_int_equal(m->n_web_seeds, 2);
    assert_string_equal(m->web_seeds[0], "https://w.example/f");
    assert_string_equal(m->web_seeds[1], "HTTP://w.example/");
    assert_int_equal(m->n_peers, 3);
    assert_string_equal(m->peers[0], "1.2.3.4:80");
    assert_string_equal(m->peers[1], "host.example:1");
    assert_string_equal(m->peers[2], "[::1]:65535");
    assert_int_equal(m->length, 1234);
    magnet_free(m);

    m = magnet_ok(XT "&xl=-1");
    assert_int_equal(m->length, 0);
    magnet_free(m);
}

/* More hints than the cap are left out; the link is still good. */
static void test_hints_cap(void **state)
{
    char *text = malloc(MAGNET_MAX_BYTES + 2);
    size_t len;
    struct magnet *m;

    (void)state;
    assert_non_null(text);
    len = (size_t)snprintf(text, 100, "%s", XT);
    for (int i = 0; i < 1000; i++) {
        len += (size_t)snprintf(text + len, 100, "&tr=udp://t%d:1", i);
    }
    m = magnet_ok(text);
    assert_int_equal(m->n_trackers, MAGNET_MAX_ITEMS);
    assert_string_equal(m->trackers[MAGNET_MAX_ITEMS - 1], "udp://t255:1");
    magnet_free(m);

    memset(text + len, '&', MAGNET_MAX_BYTES + 1 - len);
    assert_int_equal(magnet_parse(slice_of(text, MAGNET_MAX_BYTES), &m, NULL),
                     0);
    magnet_free(m);
    assert_int_equal(
        magnet_parse(slice_of(text, MAGNET_MAX_BYTES + 1), &m, NULL),
        BTC_E_METAINFO);
    free(text);
}

static void test_select(void **state)
{
    struct magnet *m = magnet_ok(XT "&so=6-8,0,2&so=4,2,7-9");
    static const uint32_t want[] = {0, 2, 4, 6, 7, 8, 9};

    (void)state;
    assert_int_equal(m->n_select, 7);
    assert_memory_equal(m->select, want, sizeof(want));
    magnet_free(m);

    m = magnet_ok(XT "&so=0-1048575");
    assert_int_equal(m->n_select, METAINFO_MAX_FILES);
    assert_int_equal(m->select[METAINFO_MAX_FILES - 1], METAINFO_MAX_FILES - 1);
    magnet_free(m);

    m = magnet_ok(XT "&so=");
    assert_int_equal(m->n_select, 0);
    magnet_free(m);
}

struct magnet_lenient {
    const char *part;
    enum magnet_part left_out; /* COUNT: nothing */
    uint32_t n_select;
};

/* Parts that make no sense are left out with one warning, and nothing else. */
static void test_left_out(void **state)
{
    static const struct magnet_lenient rows[] = {
        {"so=a", MAGNET_PART_SELECT, 0},
        {"so=7-4", MAGNET_PART_SELECT, 0},
        {"so=7-4,1,x,3", MAGNET_PART_SELECT, 2},
        {"so=1,", MAGNET_PART_SELECT, 1},
        {"so=,1", MAGNET_PART_SELECT, 1},
        {"so=1,,2", MAGNET_PART_SELECT, 2},
        {"so=-1", MAGNET_PART_SELECT, 0},
        {"so=1-", MAGNET_PART_SELECT, 0},
        {"so=1-2-3", MAGNET_PART_SELECT, 0},
        {"so=01", MAGNET_PART_SELECT, 0},
        {"so=1048576", MAGNET_PART_SELECT, 0},
        {"so=0-1048576", MAGNET_PART_SELECT, 0},
        {"so=0-18446744073709551615", MAGNET_PART_SELECT, 0},
        {"so=99999999999999999999", MAGNET_PART_SELECT, 0},
        {"so=0-1048575,0", MAGNET_PART_SELECT, METAINFO_MAX_FILES},
        {"so=0-600000&so=0-600000", MAGNET_PART_SELECT, 600001},
        {"tr=nonsense", MAGNET_PART_TRACKER, 0},
        {"ws=ftp://w.example/f", MAGNET_PART_WEB_SEED, 0},
        {"x.pe=1.2.3.4", MAGNET_PART_PEER, 0},
        {"x.pe=1.2.3.4:0", MAGNET_PART_PEER, 0},
        {"xl=-1", MAGNET_PART_LENGTH, 0},
        {"xl=", MAGNET_PART_LENGTH, 0},
        {"so=1&tr=&ws=&x.pe=", MAGNET_PART_COUNT, 1},
        {"kt=a+b&mt=x&as=y&xs=z", MAGNET_PART_COUNT, 0},
    };
    char text[256];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct magnet *m;
        (void)snprintf(text, sizeof(text), XT "&%s", rows[i].part);
        m = magnet_ok(text);
        assert_int_equal(m->n_select, rows[i].n_select);
        for (unsigned k = 0; k < MAGNET_PART_COUNT; k++) {
            assert_int_equal(magnet_warning(m, k) != NULL,
                             k == rows[i].left_out);
        }
        magnet_free(m);
    }
}

/* An unknown key of 100 kB, and one of 100 kB that is known, are no harm. */
static void test_long_keys(void **state)
{
    static const char *const keys[] = {"x", "x=", "dn=", "tr=", "x.pe=", "so="};
    enum {
        LEN = 100000
    };
    char *text = malloc(LEN + 100);

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        size_t len = (size_t)snprintf(text, 100, XT "&%s", keys[i]);
        struct magnet *m;
        memset(text + len, 'y', LEN);
        text[len + LEN] = '\0';
        m = magnet_ok(text);
        assert_memory_equal(m->v1.bytes, test_v1, SHA1_LEN);
        magnet_free(m);
    }
    free(text);
}

static void test_is(void **state)
{
    (void)state;
    assert_true(magnet_is(slice_str(XT)));
    assert_true(magnet_is(slice_str("Magnet:?")));
    assert_true(magnet_is(slice_str(HEX1)));
    assert_true(magnet_is(slice_str(HEX2)));
    assert_true(magnet_is(slice_str(BASE32)));
    assert_false(magnet_is(slice_str("")));
    assert_false(magnet_is(slice_str("magnet.torrent")));
    assert_false(magnet_is(slice_str("./" HEX1)));
    assert_false(magnet_is(slice_str(HEX1 ".torrent")));
    assert_false(magnet_is(slice_str("http://example.org/")));
}

/* Every prefix of a link on a guard page: no over-read, and only the ones that
 * end behind the hash are good. */
static void test_prefixes(void **state)
{
    const char *text = XT "&dn=a%20b&tr=http%3a%2f%2fa%2f&so=1-3&x.pe=a:1";
    size_t hash_end = strlen(XT);
    struct guard g;

    (void)state;
    guard_init(&g, 4096);
    for (size_t n = 0; n <= strlen(text); n++) {
        struct slice s = slice_of(guard_put(&g, text, n), n);
        struct magnet *m = NULL;
        int rc = magnet_parse(s, &m, NULL);
        if (n < hash_end) {
            /* 32 hex digits might be base32, but these have 0, 1, 8 and 9. */
            assert_int_equal(rc, BTC_E_METAINFO);
        } else {
            assert_int_equal(rc, 0);
        }
        (void)magnet_is(s);
        magnet_free(m);
    }
    guard_fini(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hashes),   cmocka_unit_test(test_hashes_v2),
        cmocka_unit_test(test_bad),      cmocka_unit_test(test_name),
        cmocka_unit_test(test_hints),    cmocka_unit_test(test_hints_cap),
        cmocka_unit_test(test_select),   cmocka_unit_test(test_is),
        cmocka_unit_test(test_left_out), cmocka_unit_test(test_long_keys),
        cmocka_unit_test(test_prefixes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
