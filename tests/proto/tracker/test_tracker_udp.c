/* Datagrams of UDP trackers, byte for byte; answers whole, short and long. */
#include "proto/tracker/udp.h"

#include "guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void udp_test_url(void **state)
{
    (void)state;
    static const struct {
        const char *url, *host;
        unsigned port;
        const char *path;
    } cases[] = {
        {"udp://tracker.example:6969", "tracker.example", 6969, ""},
        {"udp://tracker.example:6969/", "tracker.example", 6969, ""},
        {"UDP://t:80/announce?x=1#frag", "t", 80, "/announce?x=1"},
        {"udp://t:80?x=1", "t", 80, "?x=1"},
        {"udp://[2001:db8::1]:1/a", "2001:db8::1", 1, "/a"},
        {"udp://10.0.0.1:65535", "10.0.0.1", 65535, ""},
        {"udp://t", NULL, 0, NULL},
        {"udp://t:", NULL, 0, NULL},
        {"udp://t:0", NULL, 0, NULL},
        {"udp://t:65536", NULL, 0, NULL},
        {"udp://t:+80", NULL, 0, NULL},
        {"udp://t:080", NULL, 0, NULL},
        {"udp://:80", NULL, 0, NULL},
        {"udp://[]:80", NULL, 0, NULL},
        {"udp://user@t:80", NULL, 0, NULL},
        {"udp://", NULL, 0, NULL},
        {"http://t:80/announce", NULL, 0, NULL},
        {"", NULL, 0, NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tracker_udp_url u;
        bool ok = tracker_udp_url_parse(cases[i].url, &u);
        if (ok != (cases[i].host != NULL)) {
            fail_msg("'%s'", cases[i].url);
        }
        if (ok) {
            assert_string_equal(u.host, cases[i].host);
            assert_int_equal(u.port, cases[i].port);
            assert_string_equal(u.path, cases[i].path);
        }
    }
}

/* Names and paths that are too long for their place. */
static void udp_test_url_long(void **state)
{
    (void)state;
    struct tracker_udp_url u;
    char *url = malloc(4096);
    memset(url, 'a', 4096);
    memcpy(url, "udp://", 6);
    memcpy(url + 6 + TRACKER_UDP_HOST_MAX, ":80", 4);
    assert_false(tracker_udp_url_parse(url, &u));
    memset(url, 'a', 4096);
    memcpy(url, "udp://t:80/", 11);
    url[4095] = '\0';
    assert_true(tracker_udp_url_parse(url, &u));
    assert_string_equal(u.path, "");
    free(url);
}

static void udp_test_requests(void **state)
{
    (void)state;
    static const uint8_t connect[16] = {0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80,
                                        0, 0, 0, 0,    0xde, 0xad, 0xbe, 0xef};
    struct tracker_request r = {.key = 0x01020304,
                                .port = 6881,
                                .uploaded = 7,
                                .downloaded = 8,
                                .left = 9,
                                .event = TRACKER_EVENT_STARTED,
                                .numwant = 200};
    struct buf out;
    memset(r.info_hash, 'h', sizeof(r.info_hash));
    memset(r.peer_id, 'p', sizeof(r.peer_id));
    buf_init(&out, TRACKER_UDP_REQUEST_MAX);
    tracker_udp_put_connect(0xdeadbeef, &out);
    assert_true(slice_eq(buf_slice(&out), slice_of(connect, 16)));
    buf_clear(&out);
    tracker_udp_put_announce(0x1122334455667788, 5, &r, "/a?b", &out);
    struct slice s = buf_slice(&out);
    assert_int_equal(s.len, 98 + 2 + 4);
    assert_true(bytes_get_be64(s.p) == 0x1122334455667788);
    assert_int_equal(bytes_get_be32(s.p + 8), 1);
    assert_int_equal(bytes_get_be32(s.p + 12), 5);
    assert_memory_equal(s.p + 16, r.info_hash, 20);
    assert_memory_equal(s.p + 36, r.peer_id, 20);
    assert_true(bytes_get_be64(s.p + 56) == 8);
    assert_true(bytes_get_be64(s.p + 64) == 9);
    assert_true(bytes_get_be64(s.p + 72) == 7);
    assert_int_equal(bytes_get_be32(s.p + 80), 2);
    assert_int_equal(bytes_get_be32(s.p + 84), 0);
    assert_int_equal(bytes_get_be32(s.p + 88), 0x01020304);
    assert_int_equal(bytes_get_be32(s.p + 92), 200);
    assert_int_equal(bytes_get_be16(s.p + 96), 6881);
    assert_memory_equal(s.p + 98, "\x02\x04/a?b", 6);
    buf_clear(&out);
    tracker_udp_put_scrape(1, 6, r.info_hash, &out);
    assert_int_equal(buf_len(&out), 36);
    buf_fini(&out);
}

/* The longest path that a URL may have still fits, cut into options. */
static void udp_test_long_path(void **state)
{
    (void)state;
    struct tracker_request r = {.event = TRACKER_EVENT_STOPPED};
    char path[TRACKER_UDP_PATH_MAX];
    struct buf out;
    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    buf_init(&out, TRACKER_UDP_REQUEST_MAX);
    tracker_udp_put_announce(1, 2, &r, path, &out);
    struct slice s = buf_slice(&out);
    assert_int_equal(s.len, 98 + sizeof(path) - 1 + 2 * 5);
    assert_int_equal(bytes_get_be32(s.p + 80), 3);
    assert_memory_equal(s.p + 98, "\x02\xff", 2);
    assert_memory_equal(s.p + 98 + 257, "\x02\xff", 2);
    buf_fini(&out);
}

/* Every length up to the whole: too short is said, never read past. */
static void udp_test_answers_cut(void **state)
{
    (void)state;
    static const uint8_t whole[32] = {0, 0, 0, 1, 9, 9, 9, 9};
    struct guard g;
    guard_init(&g, 4096);
    for (size_t len = 0; len <= sizeof(whole); len++) {
        struct slice in = slice_of(guard_put(&g, whole, len), len);
        struct tracker_udp_head head;
        struct tracker_reply r;
        uint64_t id = 0;
        assert_int_equal(tracker_udp_head_parse(in, &head), len >= 8);
        assert_int_equal(tracker_udp_connect_parse(in, &id),
                         len >= 16 ? 0 : BTC_E_PROTO);
        assert_int_equal(tracker_udp_announce_parse(in, ADDR_V4, &r),
                         len >= 20 ? 0 : BTC_E_PROTO);
        tracker_reply_fini(&r);
        assert_int_equal(tracker_udp_announce_parse(in, ADDR_V6, &r),
                         len >= 20 ? 0 : BTC_E_PROTO);
        tracker_reply_fini(&r);
        assert_int_equal(tracker_udp_scrape_parse(in, &r),
                         len >= 20 ? 0 : BTC_E_PROTO);
        assert_int_equal(tracker_udp_error_parse(in, &r),
                         len >= 8 ? 0 : BTC_E_PROTO);
    }
    guard_fini(&g);
}

static void udp_test_announce(void **state)
{
    (void)state;
    static const uint8_t v4[] = {
        0, 0,  0, 1, 0, 0, 0, 5,  0xff, 0xff, 0xff, 0xff, 0, 0,   0,   2, 0, 0,
        0, 3,  1, 2, 3, 4, 0, 80, 1,    2,    3,    4,    0, 80,  224, 0, 0, 1,
        0, 80, 5, 6, 7, 8, 0, 0,  9,    9,    9,    9,    1, 187, 1,   2};
    static const uint8_t v6[] = {0, 0, 0, 1, 0, 0, 0, 5,  0, 0,   0,    0, 0,
                                 0, 0, 2, 0, 0, 0, 3, 32, 1, 0xd, 0xb8, 0, 0,
                                 0, 0, 0, 0, 0, 0, 0, 0,  0, 1,   0,    80};
    struct tracker_reply r;
    char text[ADDR_TEXT_MAX];
    assert_int_equal(
        tracker_udp_announce_parse(slice_of(v4, sizeof(v4)), ADDR_V4, &r), 0);
    assert_int_equal(r.interval, TRACKER_MAX_INTERVAL);
    assert_int_equal(r.leechers, 2);
    assert_int_equal(r.seeders, 3);
    assert_int_equal(r.downloaded, -1);
    assert_int_equal(r.n_peers, 2); /* no double, no multicast, no port 0 */
    addr_format(&r.peers[1], text);
    assert_string_equal(text, "9.9.9.9:443");
    tracker_reply_fini(&r);
    assert_int_equal(
        tracker_udp_announce_parse(slice_of(v6, sizeof(v6)), ADDR_V6, &r), 0);
    assert_int_equal(r.interval, TRACKER_MIN_INTERVAL);
    assert_int_equal(r.n_peers, 1);
    addr_format(&r.peers[0], text);
    assert_string_equal(text, "[2001:db8::1]:80");
    tracker_reply_fini(&r);
}

static void udp_test_error(void **state)
{
    (void)state;
    struct tracker_reply r;
    struct tracker_udp_head head;
    struct slice in = slice_of("\0\0\0\3abcd go\x07 away\0", 19);
    assert_true(tracker_udp_head_parse(in, &head));
    assert_int_equal(head.action, TRACKER_UDP_ERROR);
    assert_int_equal(tracker_udp_error_parse(in, &r), 0);
    assert_string_equal(r.failure, "go  away");
    in.len = 8;
    assert_int_equal(tracker_udp_error_parse(in, &r), 0);
    assert_string_equal(r.failure, "an error without a text");
    assert_false(tracker_udp_head_parse(slice_of("\0\0\0\4abcd", 8), &head));
    assert_false(tracker_udp_head_parse(slice_of("d1:ad2:id", 9), &head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(udp_test_url),
        cmocka_unit_test(udp_test_url_long),
        cmocka_unit_test(udp_test_requests),
        cmocka_unit_test(udp_test_long_path),
        cmocka_unit_test(udp_test_answers_cut),
        cmocka_unit_test(udp_test_announce),
        cmocka_unit_test(udp_test_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
