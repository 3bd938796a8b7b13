/* Announce URLs, and replies read into a line of text. Input lies against an
 * inaccessible page. */
#include "proto/tracker/http.h"

#include "guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TEST_TEXT_MAX  8192
#define TEST_INPUT_MAX (1u << 20)

/* The query of test_request. */
#define QUERY                                                         \
    "info_hash=%00%01%FFazAZ09-_.~%20%25%26%2B%3D%3F%C3"              \
    "&peer_id=-BT0100-aaaaaaaaaaaa&port=6881&uploaded=1&downloaded=2" \
    "&left=18446744073709551615&key=0BADCAFE&numwant=50&compact=1"

static struct tracker_request test_request(void)
{
    struct tracker_request r = {.port = 6881,
                                .uploaded = 1,
                                .downloaded = 2,
                                .left = UINT64_MAX,
                                .numwant = 50,
                                .key = 0x0badcafe};

    memcpy(r.info_hash,
           "\x00\x01\xff"
           "azAZ09-_.~ %&+=?\xc3",
           20);
    memcpy(r.peer_id, "-BT0100-aaaaaaaaaaaa", 20);
    return r;
}

struct test_url {
    const char *announce;
    const char *want; /* before the query */
};

/* clang-format off */
static const struct test_url test_urls[] = {
    {"http://t/announce", "http://t/announce?"},
    {"http://t/announce?", "http://t/announce?"},
    {"http://t/announce?passkey=1", "http://t/announce?passkey=1&"},
    {"http://t/announce?passkey=1&", "http://t/announce?passkey=1&"},
    {"http://t/a&", "http://t/a&?"},
    {"http://t/a#frag", "http://t/a?"},
    {"http://t/a?x=1#frag?y=2&", "http://t/a?x=1&"},
    {"http://t/a#?", "http://t/a?"},
    {"https://[::1]:8080/%41%zz/a", "https://[::1]:8080/%41%zz/a?"},
    {"http://t/a b\r\nHost: x\x7f\xc3\xa4",
     "http://t/a%20b%0D%0AHost:%20x%7F%C3%A4?"},
};
/* clang-format on */

static void test_url_of(const char *announce, const struct tracker_request *r,
                        const char *want)
{
    struct buf out;

    buf_init(&out, 4096);
    assert_int_equal(tracker_http_url(announce, r, &out), 0);
    assert_string_equal(buf_cstr(&out), want);
    buf_fini(&out);
}

static void test_url_base(void **state)
{
    struct tracker_request r = test_request();
    char want[1024];

    (void)state;
    for (size_t i = 0; i < sizeof test_urls / sizeof test_urls[0]; i++) {
        snprintf(want, sizeof want, "%s%s", test_urls[i].want, QUERY);
        test_url_of(test_urls[i].announce, &r, want);
    }
}

static void test_url_optional(void **state)
{
    struct tracker_request r = test_request();

    (void)state;
    r.event = TRACKER_EVENT_STARTED;
    test_url_of("http://t/a", &r, "http://t/a?" QUERY "&event=started");
    r.event = TRACKER_EVENT_COMPLETED;
    test_url_of("http://t/a", &r, "http://t/a?" QUERY "&event=completed");
    r.event = TRACKER_EVENT_STOPPED;
    memcpy(r.tracker_id, "a&b=\xff", sizeof "a&b=\xff");
    test_url_of("http://t/a", &r,
                "http://t/a?" QUERY "&event=stopped&trackerid=a%26b%3D%FF");
    r.partial_seed = true;
    test_url_of("http://t/a", &r,
                "http://t/a?" QUERY "&event=stopped&trackerid=a%26b%3D%FF");
    r.event = TRACKER_EVENT_NONE;
    test_url_of("http://t/a", &r,
                "http://t/a?" QUERY "&event=paused&trackerid=a%26b%3D%FF");
    r.partial_seed = false;
    test_url_of("http://t/a", &r, "http://t/a?" QUERY "&trackerid=a%26b%3D%FF");
}

static void test_url_limit(void **state)
{
    struct tracker_request r = test_request();
    size_t full = strlen("http://t/a?" QUERY);
    struct buf out;

    (void)state;
    for (size_t max = 0; max < full; max++) {
        buf_init(&out, max);
        assert_int_equal(tracker_http_url("http://t/a", &r, &out), BTC_E_LIMIT);
        assert_true(buf_len(&out) <= max);
        buf_fini(&out);
    }
}

struct test_case {
    const char *input;
    size_t len; /* 0: strlen */
    const char *want;
};

#define REPLY(text) text, sizeof(text) - 1

/* 192.0.2.1:6881 and 192.0.2.2:80 */
#define P1 "\xc0\x00\x02\x01\x1a\xe1"
#define P2 "\xc0\x00\x02\x02\x00\x50"
/* [2001:db8::1]:6881 */
#define P6 "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x1a\xe1"
/* [::ffff:192.0.2.1]:6881 */
#define P1_MAPPED "\0\0\0\0\0\0\0\0\0\0\xff\xff" P1

/* clang-format off */
static const struct test_case test_cases[] = {
    {REPLY("de"), ""},
    {REPLY("d8:intervali1800e5:peers12:" P1 P2 "e"),
     "interval=1800 192.0.2.1:6881 192.0.2.2:80"},
    {REPLY("d8:completei5e10:downloadedi70e10:incompletei3e8:intervali900e"
           "12:min intervali60e5:peers0:e"),
     "interval=900 min=60 seeders=5 leechers=3 downloaded=70"},
    {REPLY("d8:completei-5e10:downloaded1:710:incompletei0ee"), "leechers=0"},
    /* peers6, alone and beside peers; a mapped address is a double */
    {REPLY("d6:peers618:" P6 "e"), "[2001:db8::1]:6881"},
    {REPLY("d5:peers6:" P1 "6:peers636:" P6 P1_MAPPED "e"),
     "192.0.2.1:6881 [2001:db8::1]:6881"},
    /* whole entries only */
    {REPLY("d5:peers11:" P1 "\xc0\x00\x02\x02\x00" "e"), "192.0.2.1:6881"},
    {REPLY("d5:peers5:\xc0\x00\x02\x02\x00" "e"), ""},
    {REPLY("d6:peers617:aaaaaaaaaaaaaaaaae"), ""},
    /* doubles, and what cannot be dialled */
    {REPLY("d5:peers18:" P1 P2 P1 "e"), "192.0.2.1:6881 192.0.2.2:80"},
    {REPLY("d5:peers24:\xc0\x00\x02\x01\0\0" "\0\0\0\0\x1a\xe1"
           "\xff\xff\xff\xff\x1a\xe1" "\xe0\0\0\x01\x1a\xe1" "e"), ""},
    {REPLY("d5:peers6:\x7f\0\0\x01\x1a\xe1" "e"), "127.0.0.1:6881"},
    /* the list of dictionaries */
    {REPLY("d5:peersl"
           "d2:ip9:192.0.2.17:peer id20:aaaaaaaaaaaaaaaaaaaa4:porti6881ee"
           "d2:ip11:2001:db8::14:porti6881ee"
           "d2:ip16:::ffff:192.0.2.24:porti80ee"
           "d2:ip9:192.0.2.14:porti6881ee"
           "ee"),
     "192.0.2.1:6881 [2001:db8::1]:6881 192.0.2.2:80"},
    {REPLY("d5:peersl"
           "d2:ip11:example.com4:porti6881ee"
           "d2:ip0:4:porti6881ee"
           "d2:ip9:192.0.2.14:porti0ee"
           "d2:ip9:192.0.2.14:porti65536ee"
           "d2:ip9:192.0.2.14:porti-1ee"
           "d2:ip9:192.0.2.14:port4:6881e"
           "d2:ip9:192.0.2.1e"
           "d4:porti6881ee"
           "d2:ipi1e4:porti6881ee"
           "i7e" "le" "4:spam"
           "d2:ip9:192.0.2.24:porti80ee"
           "ee"),
     "192.0.2.2:80"},
    {REPLY("d5:peersl" "d2:ip9:192.0.2.14:porti6881ee" "e6:peers6"
           "l" "d2:ip3:::24:porti9ee" "e" "e"),
     "192.0.2.1:6881 [::2]:9"},
    {REPLY("d5:peersde6:peers6i1ee"), ""},
    /* wrong types count as absent */
    {REPLY("d11:external ip3:abc14:failure reasoni1e8:interval4:1800"
           "12:min intervalle5:peersi5e8:retry inle10:tracker idi9e"
           "15:warning messagedee"), ""},
    /* intervals are clamped */
    {REPLY("d8:intervali1e12:min intervali-4ee"), "interval=30"},
    {REPLY("d8:intervali0e12:min intervali29ee"), "min=30"},
    {REPLY("d8:intervali9223372036854775807e12:min intervali86401ee"),
     "interval=86400 min=86400"},
    /* failures and BEP 31 */
    {REPLY("d14:failure reason14:no such hash!\ne"),
     "failure=no such hash!"},
    {REPLY("d14:failure reason0:e"), "failure=no reason given"},
    {REPLY("d14:failure reason4:busy8:retry ini5ee"),
     "failure=busy retry=300"},
    {REPLY("d14:failure reason4:gone8:retry in5:nevere"),
     "failure=gone retry=-1"},
    {REPLY("d8:retry in5:latere"), ""},
    {REPLY("d8:retry ini-1ee"), ""},
    {REPLY("d8:retry ini9223372036854775807ee"), "retry=86400"},
    {REPLY("d8:retry ini1440ee"), "retry=86400"},
    {REPLY("d14:failure reason5:\x1b[31me"), "failure=[31m"},
    {REPLY("d8:intervali60e15:warning message7:old\xff" "url"
           "e"),
     "warning=old\xef\xbf\xbdurl interval=60"},
    /* tracker id: as it is, or not at all */
    {REPLY("d10:tracker id5:a\xff &be"), "id=a\xff &b"},
    {REPLY("d10:tracker id3:a\0be"), ""},
    {REPLY("d10:tracker id0:e"), ""},
    /* external ip, BEP 24 */
    {REPLY("d11:external ip4:\xc0\x00\x02\x09" "e"), "ext=192.0.2.9"},
    {REPLY("d11:external ip16:\x20\x01\x0d\xb8" "\0\0\0\0\0\0\0\0\0\0\0\x09" "e"),
     "ext=2001:db8::9"},
    /* keys out of order; bytes behind the reply */
    {REPLY("d5:peers6:" P1 "8:intervali99ee\r\n"),
     "interval=99 192.0.2.1:6881"},
    /* no reply at all */
    {REPLY(""), "! the tracker's reply is empty"},
    {REPLY("<html><body>404"), "! the tracker sent a web page (HTML), not a "
                               "reply: 404"},
    {REPLY("\xef\xbb\xbf\r\n <!DOCTYPE html>"),
     "! the tracker sent a web page (HTML), not a reply"},
    {REPLY("<HTML>"), "! the tracker sent a web page (HTML), not a reply"},
    {REPLY("le"), "! the tracker's reply is no dictionary: le"},
    {REPLY("i5e"), "! the tracker's reply is no dictionary: i5e"},
    {REPLY("3:abc"), "! the tracker's reply is no dictionary: 3:abc"},
    {REPLY("<htm"), "! the tracker's reply is not bencoded"},
    {REPLY("404 not found"),
     "! the tracker's reply is not bencoded: 404 not found"},
    {REPLY("<br />\n<b>Notice</b>:  Undefined index: \x1b[31mkey in <b>/a</b>"),
     "! the tracker's reply is not bencoded: Notice : Undefined index:  [31mkey "
     "in /a"},
    {REPLY("\x1f\x8b\x08\0\0\0\0\0"),
     "! the tracker's reply is not bencoded: gzip data that is not labelled so"},
    {REPLY("\x01\xff" "abc"),
     "! the tracker's reply is not bencoded: binary data (hex 01ff616263...)"},
    {REPLY("d8:interval"), "! the tracker's reply is not bencoded: unexpected end at byte 11"},
    {REPLY("d5:peers7:" P1 "e"), "!"},
};
/* clang-format on */

static void test_describe(int rc, const struct tracker_reply *r,
                          const struct err *e, struct buf *b)
{
    char text[ADDR_TEXT_MAX];

    buf_clear(b);
    if (rc != 0) {
        assert_int_equal(rc, BTC_E_PROTO);
        assert_int_equal(e->code, BTC_E_PROTO);
        assert_int_equal(r->n_peers, 0);
        assert_int_equal(buf_printf(b, "! %s ", e->msg), 0);
        return;
    }
    rc |= r->failure[0] ? buf_printf(b, "failure=%s ", r->failure) : 0;
    rc |= r->warning[0] ? buf_printf(b, "warning=%s ", r->warning) : 0;
    rc |= r->tracker_id[0] ? buf_printf(b, "id=%s ", r->tracker_id) : 0;
    rc |= r->interval ? buf_printf(b, "interval=%u ", r->interval) : 0;
    rc |= r->min_interval ? buf_printf(b, "min=%u ", r->min_interval) : 0;
    rc |= r->retry_in ? buf_printf(b, "retry=%d ", (int)r->retry_in) : 0;
    rc |= r->seeders != -1 ? buf_printf(b, "seeders=%d ", (int)r->seeders) : 0;
    rc |=
        r->leechers != -1 ? buf_printf(b, "leechers=%d ", (int)r->leechers) : 0;
    rc |= r->downloaded != -1
              ? buf_printf(b, "downloaded=%d ", (int)r->downloaded)
              : 0;
    if (r->external_ip.family != ADDR_NONE) {
        addr_format_ip(&r->external_ip, text);
        rc |= buf_printf(b, "ext=%s ", text);
    }
    for (uint32_t i = 0; i < r->n_peers; i++) {
        addr_format(&r->peers[i], text);
        rc |= buf_printf(b, "%s ", text);
    }
    assert_int_equal(rc, 0);
}

/* The text of a reply, its last blank cut off. */
static char *test_parse(struct guard *guard, const char *input, size_t len)
{
    struct tracker_reply r;
    struct err e = {0};
    struct buf text;
    int rc =
        tracker_http_parse(slice_of(guard_put(guard, input, len), len), &r, &e);
    char *out = NULL;

    buf_init(&text, TEST_TEXT_MAX);
    test_describe(rc, &r, &e, &text);
    tracker_reply_fini(&r);
    out = buf_take_str(&text);
    assert_non_null(out);
    if (out[0] != '\0') {
        out[strlen(out) - 1] = '\0';
    }
    buf_fini(&text);
    return out;
}

static void test_replies(void **state)
{
    struct guard guard;

    (void)state;
    guard_init(&guard, TEST_TEXT_MAX);
    for (size_t i = 0; i < sizeof test_cases / sizeof test_cases[0]; i++) {
        const struct test_case *c = &test_cases[i];
        char *have = test_parse(&guard, c->input, c->len);
        bool same = strcmp(c->want, "!") == 0 ? have[0] == '!'
                                              : strcmp(c->want, have) == 0;

        if (!same) {
            fail_msg("%s:\n  want %s\n  have %s", c->input, c->want, have);
        }
        free(have);
    }
    guard_fini(&guard);
}

/* No truncation of a reply is a reply. */
static void test_truncated(void **state)
{
    const struct test_case *c = &test_cases[5];
    struct guard guard;

    (void)state;
    guard_init(&guard, TEST_TEXT_MAX);
    for (size_t len = 0; len < c->len; len++) {
        char *have = test_parse(&guard, c->input, len);

        assert_int_equal(have[0], '!');
        free(have);
    }
    guard_fini(&guard);
}

/* Long texts are cut, a long id is dropped: half of it would be another. */
static void test_long_texts(void **state)
{
    char input[2048];
    struct tracker_reply r;
    int n =
        snprintf(input, sizeof input,
                 "d14:failure reason300:%0300d10:tracker id256:%0256de", 7, 7);

    (void)state;
    assert_int_equal(tracker_http_parse(slice_of(input, (size_t)n), &r, NULL),
                     0);
    assert_int_equal(strlen(r.failure), TRACKER_TEXT_MAX - 1);
    assert_string_equal(r.tracker_id, "");
    tracker_reply_fini(&r);
    n = snprintf(input, sizeof input, "d10:tracker id255:%0255de", 7);
    assert_int_equal(tracker_http_parse(slice_of(input, (size_t)n), &r, NULL),
                     0);
    assert_int_equal(strlen(r.tracker_id), TRACKER_ID_MAX - 1);
    tracker_reply_fini(&r);
}

/* A reply with `n` compact peers, each `repeat` times. */
static void test_many(uint32_t n, uint32_t repeat, struct tracker_reply *r)
{
    struct buf b;

    buf_init(&b, TEST_INPUT_MAX);
    assert_int_equal(buf_printf(&b, "d5:peers%u:", n * repeat * 6), 0);
    for (uint32_t i = 0; i < n * repeat; i++) {
        uint32_t ip = 0x0a000001 + i / repeat;
        const uint8_t p[6] = {(uint8_t)(ip >> 24),
                              (uint8_t)(ip >> 16),
                              (uint8_t)(ip >> 8),
                              (uint8_t)ip,
                              0x1a,
                              0xe1};

        assert_int_equal(buf_append(&b, p, sizeof p), 0);
    }
    assert_int_equal(buf_append_str(&b, "e"), 0);
    assert_int_equal(tracker_http_parse(buf_slice(&b), r, NULL), 0);
    buf_fini(&b);
}

static void test_peer_limit(void **state)
{
    struct tracker_reply r;

    (void)state;
    test_many(TRACKER_MAX_PEERS, 1, &r);
    assert_int_equal(r.n_peers, TRACKER_MAX_PEERS);
    assert_int_equal(r.peers[TRACKER_MAX_PEERS - 1].ip[3],
                     (0x01 + TRACKER_MAX_PEERS - 1) & 0xff);
    tracker_reply_fini(&r);
    assert_null(r.peers);
    test_many(3 * TRACKER_MAX_PEERS, 1, &r);
    assert_int_equal(r.n_peers, TRACKER_MAX_PEERS);
    tracker_reply_fini(&r);
    /* doubles cost entries, and those are bounded too */
    test_many(TRACKER_MAX_PEERS, 8, &r);
    assert_int_equal(r.n_peers, TRACKER_MAX_PEERS / 2);
    tracker_reply_fini(&r);
}

static void test_too_long(void **state)
{
    size_t len = TRACKER_MAX_REPLY + 1;
    uint8_t *body = calloc(1, len);
    struct tracker_reply r;
    struct err e = {0};

    (void)state;
    assert_non_null(body);
    body[0] = 'd';
    body[1] = 'e';
    assert_int_equal(tracker_http_parse(slice_of(body, len), &r, &e),
                     BTC_E_PROTO);
    assert_non_null(strstr(e.msg, "longer"));
    tracker_reply_fini(&r);
    assert_int_equal(tracker_http_parse(slice_of(body, len - 1), &r, &e), 0);
    tracker_reply_fini(&r);
    free(body);
}

/* What a status means: a failure text counts whatever the status says. */
static void test_status(void **state)
{
    struct tracker_reply r;
    struct err e = {0};

    (void)state;
    assert_int_equal(tracker_http_decode(
                         404, 0, slice_str("d14:failure reason2:noe"), &r, &e),
                     0);
    assert_string_equal(r.failure, "no");
    tracker_reply_fini(&r);
    assert_int_equal(tracker_http_decode(502, 0, slice_str("<html>"), &r, &e),
                     BTC_E_PROTO);
    assert_string_equal(e.msg, "HTTP status 502");
    tracker_reply_fini(&r);
    assert_int_equal(
        tracker_http_decode(503, 0, slice_str("<h1>Come back\r\nlater</h1>"),
                            &r, &e),
        BTC_E_PROTO);
    assert_string_equal(e.msg, "HTTP status 503: Come back later");
    tracker_reply_fini(&r);
    assert_int_equal(tracker_http_decode(200, 0, slice_str("<html>"), &r, &e),
                     BTC_E_PROTO);
    assert_non_null(strstr(e.msg, "HTML"));
    tracker_reply_fini(&r);
}

/* Retry-After: how long who refuses us is not to be asked. */
static void test_retry_after(void **state)
{
    struct tracker_reply r;
    struct err e = {0};

    (void)state;
    assert_int_equal(
        tracker_http_decode(429, 3600, slice_str("<b>slow down"), &r, &e), 0);
    assert_string_equal(r.failure, "HTTP status 429: slow down");
    assert_int_equal(r.retry_in, 3600);
    assert_int_equal(
        tracker_http_decode(503, UINT32_MAX, slice_str(""), &r, &e), 0);
    assert_string_equal(r.failure, "HTTP status 503");
    assert_int_equal(r.retry_in, TRACKER_MAX_INTERVAL);
    /* what the tracker says itself goes before it */
    assert_int_equal(
        tracker_http_decode(429, 3600,
                            slice_str("d14:failure reason2:no8:retry ini1ee"),
                            &r, &e),
        0);
    assert_int_equal(r.retry_in, 60);
    assert_int_equal(tracker_http_decode(
                         429, 90, slice_str("d14:failure reason2:noe"), &r, &e),
                     0);
    assert_int_equal(r.retry_in, 90);
    /* and who refuses nothing is taken at its word */
    assert_int_equal(
        tracker_http_decode(400, 90, slice_str("d8:intervali60ee"), &r, &e), 0);
    assert_int_equal(r.retry_in, 0);
    assert_string_equal(r.failure, "");
}

/* Scrape URLs (BEP 48); NULL: it cannot be scraped. */
static void test_scrape_url(void **state)
{
    static const struct test_url rows[] = {
        {"http://t/announce", "http://t/scrape?"},
        {"http://t/x/announce.php?k=1", "http://t/x/scrape.php?k=1&"},
        {"http://t/announce?a=/announce#f", "http://t/scrape?a=/announce&"},
        {"https://announce/announce", "https://announce/scrape?"},
        {"http://t/a", NULL},
        {"http://t/announce/x", NULL},
        {"http://t/xannounce", NULL},
        {"http://t/a?x=/announce", NULL},
        {"http://announce", NULL},
        {"http:/announce", NULL},
        {"announce", NULL},
        {"", NULL},
    };
    struct tracker_request r = test_request();

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf out;
        int rc = 0;
        buf_init(&out, TEST_TEXT_MAX);
        rc = tracker_http_scrape_url(rows[i].announce, r.info_hash, &out);
        assert_int_equal(rc, rows[i].want ? 0 : BTC_E_UNSUPPORTED);
        if (rows[i].want) {
            size_t len = strlen(rows[i].want);
            assert_true(
                slice_eq_str(slice_sub(buf_slice(&out), 0, len), rows[i].want));
            assert_true(slice_eq_str(
                slice_sub(buf_slice(&out), len, TEST_TEXT_MAX),
                "info_hash=%00%01%FFazAZ09-_.~%20%25%26%2B%3D%3F%C3"));
        }
        buf_fini(&out);
    }
}

/* A good scrape, one of another torrent, failures, and each truncation. */
static void test_scrape_parse(void **state)
{
    static const char good[] =
        "d5:filesd20:bbbbbbbbbbbbbbbbbbbbd8:completei1ee"
        "20:aaaaaaaaaaaaaaaaaaaad8:completei5e10:downloadedi50e"
        "10:incompletei10eeee";
    const uint8_t *hash = (const uint8_t *)"aaaaaaaaaaaaaaaaaaaa";
    struct tracker_reply r;
    struct guard g;
    struct err e = {0};

    (void)state;
    assert_int_equal(tracker_http_scrape_parse(slice_str(good), hash, &r, &e),
                     0);
    assert_int_equal(r.seeders, 5);
    assert_int_equal(r.downloaded, 50);
    assert_int_equal(r.leechers, 10);
    hash = (const uint8_t *)"cccccccccccccccccccc";
    assert_int_equal(tracker_http_scrape_parse(slice_str(good), hash, &r, &e),
                     0);
    assert_int_equal(r.seeders, -1);
    assert_int_equal(tracker_http_scrape_parse(
                         slice_str("d14:failure reason2:noe"), hash, &r, &e),
                     0);
    assert_string_equal(r.failure, "no");
    assert_int_equal(
        tracker_http_scrape_parse(slice_str("d5:filesi1ee"), hash, &r, &e), 0);
    guard_init(&g, sizeof good);
    for (size_t n = 0; n < sizeof good - 1; n++) {
        struct slice in = slice_of(guard_put(&g, good, n), n);
        assert_int_equal(tracker_http_scrape_parse(in, hash, &r, &e),
                         BTC_E_PROTO);
    }
    guard_fini(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scrape_url), cmocka_unit_test(test_scrape_parse),
        cmocka_unit_test(test_url_base),   cmocka_unit_test(test_url_optional),
        cmocka_unit_test(test_url_limit),  cmocka_unit_test(test_replies),
        cmocka_unit_test(test_truncated),  cmocka_unit_test(test_long_texts),
        cmocka_unit_test(test_peer_limit), cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_status),     cmocka_unit_test(test_retry_after),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
