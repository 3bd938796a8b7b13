/* KRPC: what nodes send, read into a line of text; what we send, byte for byte
 * (the examples of BEP 5 among them) and read back. */
#include "proto/krpc.h"

#include "base/err.h"
#include "guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TEST_INPUT_MAX 4096
#define ID_A           "abcdefghij0123456789"
#define ID_M           "mnopqrstuvwxyz123456"

struct test_case {
    const char *input;
    const char *want; /* NULL: BTC_E_SYNTAX; "!": BTC_E_PROTO */
};

/* clang-format off */
static const struct test_case test_cases[] = {
    /* the examples of BEP 5 */
    {"d1:ad2:id20:" ID_A "e1:q4:ping1:t2:aa1:y1:qe", "q ping aa id=a"},
    {"d1:rd2:id20:" ID_M "e1:t2:aa1:y1:re", "r aa id=m"},
    {"d1:ad2:id20:" ID_A "6:target20:" ID_M "e1:q9:find_node1:t2:aa1:y1:qe",
     "q find_node aa id=a target=m"},
    {"d1:ad2:id20:" ID_A "9:info_hash20:" ID_M "e1:q9:get_peers1:t2:aa1:y1:qe",
     "q get_peers aa id=a target=m"},
    {"d1:rd2:id20:" ID_A "5:token8:aoeusnth6:valuesl6:axje.u6:idhtnmee1:t2:aa"
     "1:y1:re", "r aa id=a token=8 97.120.106.101:11893 105.100.104.116:28269"},
    {"d1:ad2:id20:" ID_A "12:implied_porti1e9:info_hash20:" ID_M
     "4:porti6881e5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe",
     "q announce_peer aa id=a target=m port=6881 implied token=8"},
    {"d1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee",
     "e aa 201 A Generic Error Ocurred"},
    /* IPv6 (BEP 32), ip (BEP 42), ro (BEP 43), version */
    {"d1:ad2:id20:" ID_A "9:info_hash20:" ID_M "4:wantl2:n42:n62:xxi1eee"
     "1:q9:get_peers2:roi1e1:t2:aa1:v4:BT011:y1:qe",
     "q get_peers aa ro v=4 id=a target=m want=3"},
    {"d2:ip6:\x01\x02\x03\x04\x1a\xe1" "1:rd2:id20:" ID_A "5:nodes52:" ID_M
     "\x05\x06\x07\x08\x1a\xe1" ID_A "\x05\x06\x07\x09\x1a\xe1" "6:nodes638:"
     ID_M "\x20\x01" "aaaaaaaaaaaaaa\x1a\xe1" "e1:t2:aa1:y1:re",
     "r aa ip=1.2.3.4:6881 id=a lists=3 m@5.6.7.8:6881 a@5.6.7.9:6881 "
     "m@[2001:6161:6161:6161:6161:6161:6161:6161]:6881"},
    {"d2:ip4:\x01\x02\x03\x04" "1:rd2:id20:" ID_A "e1:t2:aa1:y1:re",
     "r aa ip=1.2.3.4:0 id=a"},
    /* a cut entry; an address that nobody can dial; IPv4 among IPv6 */
    {"d1:rd2:id20:" ID_A "5:nodes29:" ID_M "\x05\x06\x07\x08\x1a\xe1xxxe"
     "1:t2:aa1:y1:re", "r aa id=a lists=1 m@5.6.7.8:6881"},
    {"d1:rd2:id20:" ID_A "5:nodes26:" ID_M "\xe0\x06\x07\x08\x1a\xe1" "e"
     "1:t2:aa1:y1:re", "r aa id=a lists=1"},
    {"d1:rd2:id20:" ID_A "6:valuesl6:aaaa\x01\x01" "3:abci5e6:\x7f" "aaa\x01\x01"
     "lee" "e1:t2:aa1:y1:re",
     "r aa id=a 97.97.97.97:257 127.97.97.97:257"},
    /* fields of a wrong type count as absent */
    {"d2:ipi5e1:rd2:id20:" ID_A "5:nodesi1e5:tokenle6:values3:abce2:ro1:1"
     "1:t2:aa1:vi1e1:y1:re", "r aa id=a"},
    {"d1:t2:aa1:y1:ee", "e aa 0 "},
    {"d1:e3:abc1:t2:aa1:y1:ee", "e aa 0 "},
    {"d1:eli-5ei6ee1:t2:aa1:y1:ee", "e aa -5 "},
    /* other queries have a sender as well */
    {"d1:ad2:id20:" ID_A "e1:q4:vote1:t2:aa1:y1:qe", "q ? aa id=a"},
    /* queries that make no sense */
    {"d1:ad2:id19:abcdefghij012345678e1:q4:ping1:t2:aa1:y1:qe", "!"},
    {"d1:q4:ping1:t2:aa1:y1:qe", "!"},
    {"d1:ale1:q4:ping1:t2:aa1:y1:qe", "!"},
    {"d1:ad2:id20:" ID_A "e1:t2:aa1:y1:qe", "!"},
    {"d1:ad2:id20:" ID_A "e1:q9:find_node1:t2:aa1:y1:qe", "!"},
    {"d1:ad2:id20:" ID_A "9:info_hash20:" ID_M "4:porti0e5:token2:xxe"
     "1:q13:announce_peer1:t2:aa1:y1:qe", "!"},
    {"d1:ad2:id20:" ID_A "9:info_hash20:" ID_M "4:porti65536e5:token2:xxe"
     "1:q13:announce_peer1:t2:aa1:y1:qe", "!"},
    {"d1:ad2:id20:" ID_A "9:info_hash20:" ID_M "4:porti1e5:token0:e"
     "1:q13:announce_peer1:t2:aa1:y1:qe", "!"},
    /* no KRPC */
    {"", NULL},
    {"de", NULL},
    {"le", NULL},
    {"d1:t0:1:y1:ee", NULL},
    {"d1:ti1e1:y1:ee", NULL},
    {"d1:t2:aae", NULL},
    {"d1:t2:aa1:y1:xe", NULL},
    {"d1:t2:aa1:y2:rre", NULL},
    {"d1:t2:aa1:y1:re", NULL},
    {"d1:rd2:id3:abce1:t2:aa1:y1:re", NULL},
    {"d1:t33:012345678901234567890123456789012" "1:y1:ee", NULL},
};
/* clang-format on */

static const char *const test_methods[] = {
    [KRPC_UNKNOWN] = "?",
    [KRPC_PING] = "ping",
    [KRPC_FIND_NODE] = "find_node",
    [KRPC_GET_PEERS] = "get_peers",
    [KRPC_ANNOUNCE_PEER] = "announce_peer",
};

static void test_put(struct buf *out, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void test_put(struct buf *out, const char *fmt, ...)
{
    char text[512];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    assert_int_equal(buf_append_str(out, text), 0);
}

static void test_describe_query(const struct krpc_query *q, struct buf *out)
{
    static const uint8_t none[KRPC_ID_LEN];

    if (memcmp(q->target, none, KRPC_ID_LEN) != 0) {
        test_put(out, " target=%c", q->target[0]);
    }
    if (q->want != 0) {
        test_put(out, " want=%u", q->want);
    }
    if (q->port != 0) {
        test_put(out, " port=%u", q->port);
    }
    if (q->implied_port) {
        test_put(out, " implied");
    }
    if (q->token.len > 0) {
        test_put(out, " token=%zu", q->token.len);
    }
}

static void test_describe_response(const struct krpc_response *r,
                                   struct buf *out)
{
    char text[ADDR_TEXT_MAX];

    if (r->lists != 0) {
        test_put(out, " lists=%u", r->lists);
    }
    if (r->token.len > 0) {
        test_put(out, " token=%zu", r->token.len);
    }
    for (size_t i = 0; i < r->n_nodes; i++) {
        addr_format(&r->nodes[i].addr, text);
        test_put(out, " %c@%s", r->nodes[i].id[0], text);
    }
    for (size_t i = 0; i < r->n_peers; i++) {
        addr_format(&r->peers[i], text);
        test_put(out, " %s", text);
    }
}

/* What was said, in a fixed order. */
static void test_describe(const struct krpc_msg *m, struct buf *out)
{
    char text[ADDR_TEXT_MAX];

    buf_clear(out);
    test_put(out, "%c", "qre"[m->type]);
    if (m->type == KRPC_QUERY) {
        test_put(out, " %s", test_methods[m->query.method]);
    }
    test_put(out, " %.*s", (int)m->tid.len, (const char *)m->tid.p);
    if (m->read_only) {
        test_put(out, " ro");
    }
    if (m->version.len > 0) {
        test_put(out, " v=%zu", m->version.len);
    }
    if (m->ip.family != ADDR_NONE) {
        addr_format(&m->ip, text);
        test_put(out, " ip=%s", text);
    }
    if (m->type == KRPC_ERROR) {
        test_put(out, " %lld %.*s", (long long)m->error.code,
                 (int)m->error.text.len, (const char *)m->error.text.p);
        return;
    }
    test_put(out, " id=%c", m->id[0]);
    if (m->type == KRPC_QUERY) {
        test_describe_query(&m->query, out);
    } else {
        test_describe_response(&m->response, out);
    }
}

static void test_decode(void **state)
{
    struct guard guard;
    struct buf text;

    (void)state;
    guard_init(&guard, TEST_INPUT_MAX);
    buf_init(&text, TEST_INPUT_MAX);
    for (size_t i = 0; i < sizeof test_cases / sizeof test_cases[0]; i++) {
        const struct test_case *c = &test_cases[i];
        size_t len = strlen(c->input);
        struct krpc_msg m;
        int rc =
            krpc_decode(slice_of(guard_put(&guard, c->input, len), len), &m);

        if (c->want == NULL) {
            assert_int_equal(rc, BTC_E_SYNTAX);
        } else if (strcmp(c->want, "!") == 0) {
            assert_int_equal(rc, BTC_E_PROTO);
            assert_int_equal(m.type, KRPC_QUERY);
            assert_true(slice_eq_str(m.tid, "aa"));
        } else {
            assert_int_equal(rc, 0);
            test_describe(&m, &text);
            assert_string_equal(buf_cstr(&text), c->want);
        }
    }
    buf_fini(&text);
    guard_fini(&guard);
}

/* A datagram that was cut anywhere is no message. */
static void test_truncated(void **state)
{
    struct guard guard;

    (void)state;
    guard_init(&guard, TEST_INPUT_MAX);
    for (size_t i = 0; i < sizeof test_cases / sizeof test_cases[0]; i++) {
        const char *input = test_cases[i].input;

        for (size_t len = 0; len < strlen(input); len++) {
            struct krpc_msg m;
            int rc =
                krpc_decode(slice_of(guard_put(&guard, input, len), len), &m);

            assert_int_equal(rc, BTC_E_SYNTAX);
        }
    }
    guard_fini(&guard);
}

/* What is read and has nothing to leave out is written the same. */
static void test_encode(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, KRPC_SEND_MAX);
    for (size_t i = 0; i < 7; i++) {
        struct slice in = slice_str(test_cases[i].input);
        struct krpc_msg m;

        assert_int_equal(krpc_decode(in, &m), 0);
        buf_clear(&out);
        assert_int_equal(krpc_encode(&m, &out), 0);
        assert_true(slice_eq(buf_slice(&out), in));
    }
    buf_fini(&out);
}

/* Lists are cut at their limits, and the longest message is refused whole. */
static void test_limits(void **state)
{
    struct krpc_msg m = {.type = KRPC_RESPONSE, .tid = slice_str("aa")};
    struct krpc_msg back;
    struct buf out;
    uint8_t big[KRPC_RECEIVE_MAX + 1] = {0};

    (void)state;
    memset(m.id, 'a', KRPC_ID_LEN);
    for (size_t i = 0; i < KRPC_PEERS_MAX; i++) {
        m.response.peers[i] = (struct addr){
            .family = ADDR_V4, .port = (uint16_t)(i + 1), .ip = {9, 9, 9, 9}};
    }
    m.response.n_peers = KRPC_PEERS_MAX;
    m.response.lists = KRPC_NODES4;
    for (size_t i = 0; i < KRPC_NODES_MAX; i++) {
        memset(m.response.nodes[i].id, 'n', KRPC_ID_LEN);
        m.response.nodes[i].addr = m.response.peers[i];
    }
    m.response.n_nodes = KRPC_NODES_MAX;
    buf_init(&out, KRPC_RECEIVE_MAX);
    assert_int_equal(krpc_encode(&m, &out), 0);
    assert_int_equal(krpc_decode(buf_slice(&out), &back), 0);
    assert_int_equal(back.response.n_peers, KRPC_PEERS_MAX);
    assert_int_equal(back.response.n_nodes, KRPC_LIST_MAX);
    buf_fini(&out);
    buf_init(&out, KRPC_SEND_MAX);
    assert_int_equal(krpc_encode(&m, &out), BTC_E_LIMIT);
    buf_fini(&out);
    assert_int_equal(krpc_decode(slice_of(big, sizeof big), &back),
                     BTC_E_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_encode),
        cmocka_unit_test(test_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
