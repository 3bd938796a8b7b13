/* The info dictionary served to others (BEP 9), in memory or read when it is
 * asked for. */
#include "core/swarm/internal.h"
#include "core/torrent/internal.h"
#include "core/torrent/torrent_kit.h"

#define INFO_LEN (2 * UT_METADATA_PIECE + 100u)

static uint8_t info[INFO_LEN];

static struct kit *running(const uint8_t *bytes)
{
    struct kit *k = kit_new();
    kit_event(k, EVENT_START);
    torrent_give_info(k->t, slice_of(bytes, INFO_LEN));
    kit_forget(k);
    return k;
}

static void extended(struct kit *k, uint32_t conn, uint8_t id, const char *text)
{
    uint8_t m[WIRE_HEADER_MAX];
    struct wire_msg msg = {.type = WIRE_EXTENDED};
    msg.extended.id = id;
    msg.extended.payload = slice_str(text);
    kit_bytes(k, conn, m, wire_encode(&msg, m));
    kit_bytes(k, conn, text, strlen(text));
}

/* A peer that speaks ut_metadata. */
static uint32_t caller(struct kit *k, uint8_t last)
{
    struct event ev = {.type = EVENT_ACCEPTED};
    struct addr a = {.family = ADDR_V4, .port = 7000, .ip = {10, 1, 0, last}};
    ev.conn = torrent_new_conn(k->t, &a, k->now_ms);
    ev.accepted.addr = a;
    memcpy(ev.accepted.handshake.info_hash, k->info_hash, SHA1_LEN);
    memset(ev.accepted.handshake.peer_id, 'a' + last, 20);
    ev.accepted.handshake.reserved[5] = 0x10;
    kit_input(k, &ev);
    extended(k, ev.conn, 0, "d1:md11:ut_metadatai3eee");
    kit_forget(k);
    return ev.conn;
}

static void ask(struct kit *k, uint32_t conn, uint32_t piece)
{
    char text[64];
    (void)snprintf(text, sizeof(text), "d8:msg_typei0e5:piecei%uee", piece);
    extended(k, conn, EXT_UT_METADATA, text);
}

/* What comes next: the action INFO, or messages of ut_metadata to anybody, as
 * "data 0", "reject 7". */
static void expect(struct kit *k, const char *want)
{
    struct buf got;
    struct action a;
    buf_init(&got, 4096);
    while (torrent_next_action(k->t, &a)) {
        struct wire_decoder d;
        struct slice in = a.data;
        struct wire_msg m;
        struct ut_metadata u;
        if (a.type == ACTION_INFO) {
            (void)buf_append_str(&got, "info ");
        }
        wire_decoder_init(&d);
        d.handshaken = true;
        while (a.type == ACTION_SEND && in.len > 0) {
            ptrdiff_t n = wire_decode(&d, in, &m);
            assert_true(n > 0);
            assert_int_equal(m.type, WIRE_EXTENDED);
            assert_int_equal(ut_metadata_decode(m.extended.payload, &u), 0);
            if (u.type == UT_METADATA_DATA) {
                assert_int_equal(u.total_size, INFO_LEN);
                assert_memory_equal(u.data.p,
                                    info + (size_t)u.piece * UT_METADATA_PIECE,
                                    u.data.len);
            }
            (void)buf_printf(&got, "%s %u ",
                             u.type == UT_METADATA_DATA ? "data" : "reject",
                             u.piece);
            in = slice_sub(in, (size_t)n, in.len - (size_t)n);
        }
    }
    (void)buf_append_str(&got, "");
    assert_string_equal(buf_cstr(&got), want);
    buf_fini(&got);
}

/* The kit would log what it drains: here the events go in without that. */
static void ask_raw(struct kit *k, uint32_t conn, uint32_t piece)
{
    uint8_t m[WIRE_HEADER_MAX];
    char text[64];
    struct wire_msg msg = {.type = WIRE_EXTENDED};
    struct event ev = {.type = EVENT_DATA, .conn = conn};
    (void)snprintf(text, sizeof(text), "d8:msg_typei0e5:piecei%uee", piece);
    msg.extended.id = EXT_UT_METADATA;
    msg.extended.payload = slice_str(text);
    ev.data = slice_of(m, wire_encode(&msg, m));
    torrent_input(k->t, &ev, k->now_ms, KIT_UNIX);
    ev.data = slice_str(text);
    torrent_input(k->t, &ev, k->now_ms, KIT_UNIX);
}

static void test_in_memory(void **state)
{
    struct kit *k = running(info);
    (void)state;
    uint32_t conn = caller(k, 1);
    ask_raw(k, conn, 2);
    expect(k, "data 2 ");
    ask_raw(k, conn, 3);
    expect(k, "reject 3 ");
    kit_free(k);
}

/* It is asked for once, however many wait; then all are answered. */
static void test_read_for_many(void **state)
{
    struct kit *k = running(NULL);
    (void)state;
    uint32_t one = caller(k, 1), two = caller(k, 2);
    ask_raw(k, one, 0);
    expect(k, "info ");
    ask_raw(k, two, 1);
    ask_raw(k, one, 2);
    ask_raw(k, one, 99);
    expect(k, "reject 99 ");
    torrent_give_info(k->t, slice_of(info, INFO_LEN));
    expect(k, "data 1 data 0 data 2 ");
    ask_raw(k, two, 0);
    expect(k, "data 0 ");
    /* Dropped again: the next one has to wait again. */
    torrent_give_info(k->t, slice_of(NULL, INFO_LEN));
    expect(k, "");
    ask_raw(k, two, 0);
    expect(k, "info ");
    kit_free(k);
}

/* Who asks for more than may wait is refused, and who waits is refused when
 * nothing comes. */
static void test_refused(void **state)
{
    struct kit *k = running(NULL);
    (void)state;
    uint32_t conn = caller(k, 1);
    for (uint32_t i = 0; i < PEER_METADATA_MAX; i++) {
        ask_raw(k, conn, 0);
    }
    expect(k, "info ");
    ask_raw(k, conn, 1);
    expect(k, "reject 1 ");
    torrent_give_info(k->t, slice_of(NULL, INFO_LEN));
    expect(k, "reject 0 reject 0 reject 0 reject 0 ");
    ask_raw(k, conn, 1);
    expect(k, "info ");
    kit_free(k);
}

/* It goes while it waits: nobody is answered. */
static void test_closed(void **state)
{
    struct kit *k = running(NULL);
    (void)state;
    uint32_t conn = caller(k, 1);
    ask(k, conn, 0);
    KIT_EXPECT(k, "info\n");
    struct event ev = {.type = EVENT_CLOSED, .conn = conn};
    kit_input(k, &ev);
    kit_forget(k);
    torrent_give_info(k->t, slice_of(info, INFO_LEN));
    expect(k, "");
    kit_free(k);
}

/* A request of a few bytes is answered by thousands: not for ever. */
static void test_sated(void **state)
{
    struct kit *k = running(info);
    (void)state;
    uint32_t one = caller(k, 1), two = caller(k, 2);
    for (int i = 0; i < 9; i++) {
        ask_raw(k, one, 2);
        expect(k, "data 2 ");
    }
    ask_raw(k, one, 2);
    expect(k, "reject 2 ");
    ask_raw(k, two, 2);
    expect(k, "data 2 ");
    kit_free(k);
}

/* Pieces that were sent in so much time. */
static uint32_t served_in(struct kit *k, uint64_t ms)
{
    struct event tick = {.type = EVENT_TICK};
    uint32_t n = 0;
    for (uint64_t end = k->now_ms + ms; k->now_ms < end;) {
        struct action a;
        k->now_ms += TORRENT_TICK_MS;
        torrent_input(k->t, &tick, k->now_ms, KIT_UNIX);
        while (torrent_next_action(k->t, &a)) {
            n += a.type == ACTION_SEND && a.data.len > UT_METADATA_PIECE;
        }
    }
    return n;
}

/* A limit of uploads holds for the info dictionary, which has a quarter of it;
 * those that ask wait and are all served. */
static void test_limited(void **state)
{
    struct kit *k = running(info);
    (void)state;
    uint32_t one = caller(k, 1), two = caller(k, 2);
    torrent_set_limits(k->t, 4 * UT_METADATA_PIECE, 0, k->now_ms);
    for (uint32_t i = 0; i < PEER_METADATA_MAX; i++) {
        ask_raw(k, one, i % 2);
    }
    ask_raw(k, two, 0);
    expect(k, "");
    uint32_t n = served_in(k, 2000);
    assert_true(n >= 1 && n <= 3);
    assert_int_equal(n + served_in(k, 4000), PEER_METADATA_MAX + 1);
    kit_free(k);
}

/* A peer says where its node of the DHT is, as often as it likes. */
static void test_ports(void **state)
{
    struct kit *k = running(info);
    struct action a;
    uint32_t n = 0;
    (void)state;
    k->t->swarm->extend.use_dht = true;
    uint32_t conn = caller(k, 1);
    for (uint16_t i = 1; i < 100; i++) {
        uint8_t m[WIRE_HEADER_MAX];
        struct wire_msg msg = {.type = WIRE_PORT, .port = i};
        struct event ev = {.type = EVENT_DATA, .conn = conn};
        ev.data = slice_of(m, wire_encode(&msg, m));
        torrent_input(k->t, &ev, k->now_ms, KIT_UNIX);
    }
    while (torrent_next_action(k->t, &a)) {
        n += a.type == ACTION_NODE;
    }
    assert_in_range(n, 1, 8);
    kit_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_memory), cmocka_unit_test(test_read_for_many),
        cmocka_unit_test(test_refused),   cmocka_unit_test(test_closed),
        cmocka_unit_test(test_sated),     cmocka_unit_test(test_limited),
        cmocka_unit_test(test_ports),
    };
    for (size_t i = 0; i < INFO_LEN; i++) {
        info[i] = (uint8_t)(i * 7 + i / 251);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
