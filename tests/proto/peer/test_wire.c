/* The wire codec: golden messages (bytes in, event log out), each fed whole,
 * byte by byte and at every split on a guard page; lengths that must be
 * refused; encoders against the decoder. */
#include "proto/peer/wire.h"

#include "base/buf.h"
#include "base/err.h"
#include "guard.h"
#include "wire_names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TEST_INPUT_MAX 4096
#define TEST_LOG_MAX   4096

/* 19, the name, reserved (extended, fast, dht), 20 times a, 20 times b. */
#define HS                                                                \
    "13 426974546f7272656e742070726f746f636f6c 0000000000100005 (61*20) " \
    "(62*20) "
#define HS_LOG "handshake 0000000000100005;"

struct test_case {
    const char *name;
    uint32_t n_pieces; /* 0: unknown */
    const char *input; /* hex, blanks ignored, (HH*N) repeats */
    const char *log;   /* events, each with ';' behind it */
};

/* clang-format off */
static const struct test_case test_cases[] = {
    {"nothing", 0, "", ""},
    {"handshake", 0, HS, HS_LOG},
    {"half a handshake", 0, "13 426974546f7272656e7420", ""},
    {"wrong first byte", 0, "14", "error;"},
    {"wrong name", 0, "13 42697454 70", "error;"},
    {"http", 0, "474554202f", "error;"},
    {"keep-alive", 0, HS "00000000 00000000", HS_LOG "keepalive;keepalive;"},
    {"no body", 0,
     HS "00000001 00 00000001 01 00000001 02 00000001 03 00000001 0e "
        "00000001 0f",
     HS_LOG "choke;unchoke;interested;not_interested;have_all;have_none;"},
    {"one number", 0,
     HS "00000005 04 00000007 00000005 0d fffffffe 00000005 11 80000001",
     HS_LOG "have 7;suggest 4294967294;allowed_fast 2147483649;"},
    {"three numbers", 0,
     HS "0000000d 06 00000001 00004000 00004000"
        "0000000d 08 00000001 00008000 00004000"
        "0000000d 10 ffffffff ffffffff ffffffff",
     HS_LOG "request 1 16384 16384;cancel 1 32768 16384;"
            "reject 4294967295 4294967295 4294967295;"},
    {"port", 0, HS "00000003 09 1ae1", HS_LOG "port 6881;"},
    {"bitfield, count unknown", 0, HS "00000004 05 ff00a5",
     HS_LOG "bitfield ff00a5;"},
    {"empty bitfield, count unknown", 0, HS "00000001 05",
     HS_LOG "bitfield ;"},
    {"bitfield of 8", 8, HS "00000002 05 ff", HS_LOG "bitfield ff;"},
    {"bitfield of 9", 9, HS "00000003 05 ff80", HS_LOG "bitfield ff80;"},
    {"bitfield too short", 9, HS "00000002 05", HS_LOG "error;"},
    {"bitfield too long", 8, HS "00000003 05", HS_LOG "error;"},
    {"bitfield empty", 1, HS "00000001 05", HS_LOG "error;"},
    {"bitfield of 2 MiB", 0, HS "00200001 05 00", HS_LOG},
    {"bitfield over the cap", 0, HS "00200002", HS_LOG "error;"},
    {"extended", 0, HS "00000004 14 00 6465 00000002 14 07",
     HS_LOG "extended 0 6465;extended 7 ;"},
    {"extended without id", 0, HS "00000001 14", HS_LOG "error;"},
    {"extended at the cap", 0, HS "00010000 14 01", HS_LOG},
    {"extended over the cap", 0, HS "00010001 14", HS_LOG "error;"},
    {"anything over the cap, pieces known", 9, HS "00010001",
     HS_LOG "error;"},
    {"piece", 0, HS "0000000d 07 00000002 00004000 01020304",
     HS_LOG "piece 2 16384 4;payload 01020304;"},
    {"piece, then more", 0,
     HS "0000000a 07 00000002 00004000 ff 00000001 00",
     HS_LOG "piece 2 16384 1;payload ff;choke;"},
    {"payload that looks like a message", 0,
     HS "0000000e 07 00000000 00000000 00000001 00 00000001 01",
     HS_LOG "piece 0 0 5;payload 0000000100;unchoke;"},
    {"piece without payload", 0, HS "00000009 07", HS_LOG "error;"},
    {"piece shorter than its header", 0, HS "00000008 07",
     HS_LOG "error;"},
    {"piece of one byte's length", 0, HS "00000001 07", HS_LOG "error;"},
    {"piece at the cap", 0, HS "00020009 07 00000000 00000000",
     HS_LOG "piece 0 0 131072;"},
    {"piece over the cap", 0, HS "0002000a 07", HS_LOG "error;"},
    {"unknown ids", 0, HS "00000001 0a 00000003 15 0102 00000002 ff 00",
     HS_LOG "unknown 10;unknown 21;unknown 255;"},
    {"unknown over the cap", 0, HS "00010001 0b", HS_LOG "error;"},
    {"longest length", 0, HS "ffffffff", HS_LOG "error;"},
    {"choke with a body", 0, HS "00000002 00", HS_LOG "error;"},
    {"have_none with a body", 0, HS "00000002 0f", HS_LOG "error;"},
    {"have too short", 0, HS "00000004 04", HS_LOG "error;"},
    {"have too long", 0, HS "00000006 04", HS_LOG "error;"},
    {"request too short", 0, HS "0000000c 06", HS_LOG "error;"},
    {"request too long", 0, HS "0000000e 06", HS_LOG "error;"},
    {"cancel too long", 0, HS "0000000e 08", HS_LOG "error;"},
    {"reject too short", 0, HS "0000000c 10", HS_LOG "error;"},
    {"port too short", 0, HS "00000002 09", HS_LOG "error;"},
    {"port too long", 0, HS "00000005 09", HS_LOG "error;"},
    {"suggest too short", 0, HS "00000001 0d", HS_LOG "error;"},
    {"allowed_fast too long", 0, HS "00000009 11", HS_LOG "error;"},
    {"an error sticks", 0, HS "00000002 00 00 00000001 01",
     HS_LOG "error;"},
};
/* clang-format on */

/* Bytes and what the decoder made of them so far. */
struct test_feed {
    struct wire_decoder decoder;
    struct guard guard;
    size_t done; /* input bytes used */
    bool failed;
    struct buf log; /* events so far */
};

/* Adds to the log; the text is in a buf, which knows its end. */
#define TEST_LOG(f, ...) assert_int_equal(buf_printf(&(f)->log, __VA_ARGS__), 0)

static void test_log_hex(struct test_feed *f, struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        TEST_LOG(f, "%02x", s.p[i]);
    }
}

static uint8_t test_digit(char c)
{
    assert_true((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'));
    return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* The mini language of the table into bytes. */
static size_t test_bytes(const char *text, uint8_t *dst)
{
    size_t n = 0;

    for (const char *p = text; *p != '\0';) {
        uint64_t count = 1;
        bool repeat = *p == '(';
        uint8_t byte = 0;

        if (*p == ' ') {
            p++;
            continue;
        }
        p += repeat;
        byte = (uint8_t)(test_digit(p[0]) << 4 | test_digit(p[1]));
        p += 2;
        if (repeat) {
            const char *end = strchr(p, ')');

            assert_true(*p == '*' && end != NULL);
            assert_true(bytes_parse_u64(slice_of(p + 1, (size_t)(end - p - 1)),
                                        &count));
            p = end + 1;
        }
        assert_true(count <= TEST_INPUT_MAX - n);
        memset(dst + n, byte, count);
        n += count;
    }
    return n;
}

static void test_log_msg(struct test_feed *f, const struct wire_msg *m)
{
    const char *name = wire_type_name(m->type);

    switch (m->type) {
    case WIRE_HANDSHAKE:
        TEST_LOG(f, "%s ", name);
        test_log_hex(f, slice_of(m->handshake.reserved, 8));
        assert_memory_equal(m->handshake.info_hash, "aaaaaaaaaaaaaaaaaaaa", 20);
        assert_memory_equal(m->handshake.peer_id, "bbbbbbbbbbbbbbbbbbbb", 20);
        break;
    case WIRE_HAVE:
    case WIRE_SUGGEST:
    case WIRE_ALLOWED_FAST:
        TEST_LOG(f, "%s %u", name, m->piece);
        break;
    case WIRE_REQUEST:
    case WIRE_CANCEL:
    case WIRE_REJECT:
        TEST_LOG(f, "%s %u %u %u", name, m->block.piece, m->block.begin,
                 m->block.len);
        break;
    case WIRE_PIECE:
        TEST_LOG(f, "%s %u %u %u;payload ", name, m->block.piece,
                 m->block.begin, m->block.len);
        return;
    case WIRE_PAYLOAD:
        test_log_hex(f, m->payload.data);
        assert_int_equal(m->payload.left, f->decoder.payload_left);
        if (m->payload.left > 0) {
            return;
        }
        break;
    case WIRE_BITFIELD:
        TEST_LOG(f, "%s ", name);
        test_log_hex(f, m->bitfield);
        break;
    case WIRE_EXTENDED:
        TEST_LOG(f, "%s %u ", name, m->extended.id);
        test_log_hex(f, m->extended.payload);
        break;
    case WIRE_PORT:
        TEST_LOG(f, "%s %u", name, m->port);
        break;
    case WIRE_UNKNOWN:
        TEST_LOG(f, "%s %u", name, m->unknown_id);
        break;
    default:
        TEST_LOG(f, "%s", name);
        break;
    }
    TEST_LOG(f, ";");
}

/* Input is there up to `end`: decodes all that is complete, each time with
 * nothing readable behind `end`. */
static void test_arrive(struct test_feed *f, const uint8_t *in, size_t end)
{
    struct wire_msg msg;
    ptrdiff_t used = 1;

    while (!f->failed && used > 0) {
        size_t left = end - f->done;
        const uint8_t *p = guard_put(&f->guard, in + f->done, left);
        size_t need = wire_decoder_need(&f->decoder);

        used = wire_decode(&f->decoder, slice_of(p, left), &msg);
        if (used > 0) {
            assert_true((size_t)used <= left);
            f->done += (size_t)used;
            test_log_msg(f, &msg);
        } else if (used == 0) {
            /* What waits is less than the bound said before the call. */
            assert_true(left < need);
        } else {
            assert_int_equal(used, BTC_E_PROTO);
            TEST_LOG(f, "error;");
            f->failed = true;
        }
    }
    if (f->failed) {
        used = wire_decode(&f->decoder, slice_of(in, end), &msg);
        assert_int_equal(used, BTC_E_PROTO);
        assert_int_equal(wire_decoder_need(&f->decoder), 0);
    }
}

static void test_reset(struct test_feed *f, uint32_t n_pieces)
{
    wire_decoder_init(&f->decoder);
    wire_decoder_set_pieces(&f->decoder, n_pieces);
    f->done = 0;
    f->failed = false;
    buf_fini(&f->log);
    buf_init(&f->log, TEST_LOG_MAX);
}

/* The log against what is wanted, a block that has not come yet aside. */
static void test_compare(const struct test_case *c, struct test_feed *f,
                         const char *how)
{
    static const char tail[] = "payload ";
    const char *log = buf_cstr(&f->log);
    size_t len = buf_len(&f->log);

    assert_non_null(log);
    if (len >= sizeof tail - 1 &&
        strcmp(log + len - (sizeof tail - 1), tail) == 0) {
        len -= sizeof tail - 1;
    }
    if (len != strlen(c->log) || memcmp(c->log, log, len) != 0) {
        fail_msg("%s, %s:\n  want %s\n  have %s", c->name, how, c->log, log);
    }
}

static void test_golden(void **state)
{
    struct test_feed f = {0};
    uint8_t in[TEST_INPUT_MAX];

    (void)state;
    guard_init(&f.guard, TEST_INPUT_MAX);
    for (size_t i = 0; i < sizeof test_cases / sizeof test_cases[0]; i++) {
        const struct test_case *c = &test_cases[i];
        size_t len = test_bytes(c->input, in);

        test_reset(&f, c->n_pieces);
        test_arrive(&f, in, len);
        test_compare(c, &f, "whole");

        test_reset(&f, c->n_pieces);
        for (size_t end = 0; end <= len; end++) {
            test_arrive(&f, in, end);
        }
        test_compare(c, &f, "byte by byte");

        for (size_t cut = 0; cut <= len; cut++) {
            char how[32];

            snprintf(how, sizeof how, "cut at %zu", cut);
            test_reset(&f, c->n_pieces);
            test_arrive(&f, in, cut);
            test_arrive(&f, in, len);
            test_compare(c, &f, how);
        }
    }
    guard_fini(&f.guard);
    buf_fini(&f.log);
}

static void test_need(void **state)
{
    struct wire_decoder d;
    struct wire_msg msg;
    uint8_t in[TEST_INPUT_MAX];
    size_t len = test_bytes(HS, in);

    (void)state;
    wire_decoder_init(&d);
    assert_int_equal(wire_decoder_need(&d), WIRE_HANDSHAKE_LEN);
    assert_int_equal(wire_decode(&d, slice_of(in, len), &msg), 68);
    assert_int_equal(wire_decoder_need(&d), 4 + 1 + WIRE_MAX_BITFIELD);
    wire_decoder_set_pieces(&d, 100);
    assert_int_equal(wire_decoder_need(&d), 4 + WIRE_MAX_EXTENDED);
    wire_decoder_set_pieces(&d, 8u << 20);
    assert_int_equal(wire_decoder_need(&d), 4 + 1 + (1u << 20));
    len = test_bytes("0000000b 07 00000000 00000000 ff", in);
    assert_int_equal(wire_decode(&d, slice_of(in, len), &msg), 13);
    assert_int_equal(wire_decoder_need(&d), 1);
    assert_int_equal(wire_decode(&d, slice_of(in, 0), &msg), 0);
    assert_int_equal(wire_decode(&d, slice_of(in, 1), &msg), 1);
    assert_int_equal(msg.payload.left, 1);
    assert_int_equal(wire_decode(&d, slice_of(in, len), &msg), 1);
    assert_int_equal(msg.payload.left, 0);
    assert_int_equal(wire_decoder_need(&d), 4 + 1 + (1u << 20));
}

/* The slices of a message lie in the input: nothing was copied. */
static void test_borrows(void **state)
{
    struct wire_decoder d = {.handshaken = true};
    struct wire_msg msg;
    uint8_t in[64];
    size_t len = test_bytes("00000003 05 aabb", in);

    (void)state;
    assert_int_equal(wire_decode(&d, slice_of(in, len), &msg), 7);
    assert_ptr_equal(msg.bitfield.p, in + 5);
    len = test_bytes("00000004 14 01 aabb", in);
    assert_int_equal(wire_decode(&d, slice_of(in, len), &msg), 8);
    assert_ptr_equal(msg.extended.payload.p, in + 6);
}

/* Encodes, appends the payload, decodes. */
static void test_round_trip_one(struct wire_msg *m, struct slice payload,
                                const char *want)
{
    struct test_feed f = {0};
    uint8_t in[TEST_INPUT_MAX];
    size_t len = wire_encode(m, in);

    assert_true(len > 0 &&
                len <= (m->type == WIRE_HANDSHAKE ? WIRE_HANDSHAKE_LEN
                                                  : WIRE_HEADER_MAX));
    if (payload.len > 0) {
        memcpy(in + len, payload.p, payload.len);
    }
    guard_init(&f.guard, sizeof in);
    test_reset(&f, 0);
    f.decoder.handshaken = m->type != WIRE_HANDSHAKE;
    test_arrive(&f, in, len + payload.len);
    assert_string_equal(buf_cstr(&f.log), want);
    assert_int_equal(f.done, len + payload.len);
    guard_fini(&f.guard);
    buf_fini(&f.log);
}

static void test_round_trip(void **state)
{
    static const enum wire_type bare[] = {
        WIRE_CHOKE,    WIRE_UNCHOKE,   WIRE_INTERESTED, WIRE_NOT_INTERESTED,
        WIRE_HAVE_ALL, WIRE_HAVE_NONE, WIRE_KEEPALIVE};
    static const enum wire_type index[] = {WIRE_HAVE, WIRE_SUGGEST,
                                           WIRE_ALLOWED_FAST};
    static const enum wire_type block[] = {WIRE_REQUEST, WIRE_CANCEL,
                                           WIRE_REJECT};
    struct slice none = slice_of(NULL, 0);
    struct slice data = slice_str("xyz");
    struct wire_msg m = {.type = WIRE_KEEPALIVE};
    char want[64];

    (void)state;
    for (size_t i = 0; i < sizeof bare / sizeof bare[0]; i++) {
        m.type = bare[i];
        snprintf(want, sizeof want, "%s;", wire_type_name(m.type));
        test_round_trip_one(&m, none, want);
    }
    for (size_t i = 0; i < sizeof index / sizeof index[0]; i++) {
        m = (struct wire_msg){.type = index[i], .piece = 4000000000u};
        snprintf(want, sizeof want, "%s 4000000000;", wire_type_name(m.type));
        test_round_trip_one(&m, none, want);
    }
    for (size_t i = 0; i < sizeof block / sizeof block[0]; i++) {
        m = (struct wire_msg){.type = block[i], .block = {1, 2, 3}};
        snprintf(want, sizeof want, "%s 1 2 3;", wire_type_name(m.type));
        test_round_trip_one(&m, none, want);
    }
    m = (struct wire_msg){.type = WIRE_PIECE, .block = {9, 8, 3}};
    test_round_trip_one(&m, data, "piece 9 8 3;payload 78797a;");
    m = (struct wire_msg){.type = WIRE_BITFIELD, .bitfield = data};
    test_round_trip_one(&m, data, "bitfield 78797a;");
    m = (struct wire_msg){.type = WIRE_EXTENDED, .extended = {3, data}};
    test_round_trip_one(&m, data, "extended 3 78797a;");
    m = (struct wire_msg){.type = WIRE_PORT, .port = 51413};
    test_round_trip_one(&m, none, "port 51413;");
    m = (struct wire_msg){.type = WIRE_HANDSHAKE};
    memset(m.handshake.info_hash, 'a', 20);
    memset(m.handshake.peer_id, 'b', 20);
    wire_set_reserved(&m.handshake, true);
    test_round_trip_one(&m, none, HS_LOG);
}

static void test_no_encoding(void **state)
{
    uint8_t dst[WIRE_HEADER_MAX];
    struct wire_msg m = {.type = WIRE_PAYLOAD};

    (void)state;
    assert_int_equal(wire_encode(&m, dst), 0);
    m.type = WIRE_UNKNOWN;
    assert_int_equal(wire_encode(&m, dst), 0);
}

static void test_reserved(void **state)
{
    struct wire_handshake h = {
        .reserved = {0xff, 0xff, 0xff, 0xff, 0xff, 0xef, 0xff, 0xfa}};

    (void)state;
    assert_false(wire_has_extended(&h));
    assert_false(wire_has_fast(&h));
    assert_false(wire_has_dht(&h));
    wire_set_reserved(&h, false);
    assert_true(wire_has_extended(&h));
    assert_true(wire_has_fast(&h));
    assert_false(wire_has_dht(&h));
    wire_set_reserved(&h, true);
    assert_memory_equal(h.reserved, "\0\0\0\0\0\x10\0\x05", 8);
    assert_true(wire_has_dht(&h));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),      cmocka_unit_test(test_need),
        cmocka_unit_test(test_borrows),     cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_no_encoding), cmocka_unit_test(test_reserved),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
