/* A magnet learns what its content is: the connections that it has go on, with
 * what their peers said before. */
#include "core/torrent/torrent_kit.h"

#include "core/swarm/internal.h"
#include "core/torrent/internal.h"

/* A magnet that runs, and nothing logged. */
static struct kit *magnet(void)
{
    struct kit *k = kit_new_magnet();
    kit_event(k, EVENT_START);
    kit_forget(k);
    return k;
}

/* Its content is known, and it starts with that. */
static void learn(struct kit *k)
{
    kit_forget(k);
    kit_learn(k, false);
    kit_event(k, EVENT_START);
}

/* What was logged has the text, or has it not. */
static void expect_text(struct kit *k, const char *text, bool has)
{
    if ((strstr(buf_cstr(&k->log), text) != NULL) != has) {
        fail_msg("'%s' %s in\n%s", text, has ? "is not" : "is",
                 buf_cstr(&k->log));
    }
}

static uint32_t seeds(struct kit *k)
{
    struct torrent_stats ts;
    torrent_get_stats(k->t, k->now_ms, &ts);
    return ts.seeds;
}

/* Each block is asked for at once, of a seed that has said all before. It has
 * heard that we are interested, so that its slot is ours by then. */
static void test_seed_goes_on(void **state)
{
    struct kit *k = magnet();
    uint32_t p = kit_peer(k, false);
    (void)state;
    KIT_EXPECT(k, "1: handshake\n");
    kit_bitfield(k, p, 0xf0);
    KIT_EXPECT(k, "1: interested\n");
    kit_simple(k, p, WIRE_UNCHOKE);
    kit_learn(k, false);
    kit_wait(k, 1000);
    KIT_EXPECT(k, "");
    kit_event(k, EVENT_START);
    expect_text(k, "1: request", true);
    expect_text(k, "request 0/0+16384", true);
    expect_text(k, "request 3/16384+1000", true);
    expect_text(k, "close", false);
    assert_int_equal(seeds(k), 1);
    for (uint32_t i = 0; i < KIT_PIECES; i++) {
        kit_block(k, p, i, 0, true);
        kit_block(k, p, i, 1, true);
        kit_answer(k, EVENT_FINISHED, i, 0);
    }
    expect_text(k, "notify complete", true);
    kit_free(k);
}

/* Messages of one peer before the pieces are known, and what becomes of it. */
static const struct {
    const char *what;
    const char *bytes; /* as hex */
    bool fast;
    bool refused; /* at once */
    bool closes;  /* when the pieces are known */
    bool wants;   /* it hears that we are interested */
    const char *after;
} early_cases[] = {
    {"bitfield", "0000000205f0", false, false, false, true, ""},
    {"empty bitfield", "000000020500", false, false, false, false, ""},
    {"no bitfield", "0000000105", false, false, false, false, ""},
    {"long bitfield", "0000000305f000", false, false, true, true, ""},
    {"spare bits", "0000000205f8", false, false, true, true, ""},
    {"have", "000000050400000003", false, false, false, true, ""},
    {"have beyond", "000000050400000004", false, false, true, true, ""},
    {"have of no torrent", "0000000504ffffffff", false, true, false, false, ""},
    {"have all", "000000010e", true, false, false, true, ""},
    {"have all, slow", "000000010e", false, true, false, false, ""},
    {"have none", "000000010f", true, false, false, false, ""},
    {"none after all", "000000010e000000010f", true, true, false, false, ""},
    {"two lengths", "0000000205f00000000305f000", false, true, false, false,
     ""},
    {"two bitfields", "0000000205f00000000205c0", false, false, false, true,
     ""},
    {"fast piece", "000000010e000000051100000002", true, false, false, true,
     "1: request 2/0+16384 request 2/16384+16384\n"},
    {"fast piece beyond", "000000051100000004", true, false, true, false, ""},
    {"suggest", "000000050d00000001", true, false, false, false, ""},
};

static void test_early_messages(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(early_cases) / sizeof(*early_cases); i++) {
        struct kit *k = magnet();
        uint32_t p = kit_peer(k, early_cases[i].fast);
        uint8_t bytes[64];
        size_t len = strlen(early_cases[i].bytes) / 2;
        assert_true(
            bytes_from_hex(slice_str(early_cases[i].bytes), bytes, len));
        kit_forget(k);
        print_message("%s\n", early_cases[i].what);
        kit_bytes(k, p, bytes, len);
        expect_text(k, "close", early_cases[i].refused);
        expect_text(k, "1: interested", early_cases[i].wants);
        learn(k);
        expect_text(k, "close", early_cases[i].closes);
        expect_text(k, early_cases[i].after, true);
        assert_int_equal(slots_by_conn(k->t->swarm, p) == NULL,
                         early_cases[i].refused || early_cases[i].closes);
        kit_free(k);
    }
}

/* One that is asked for what nobody has hears so (BEP 6). */
static void test_early_request(void **state)
{
    struct kit *k = magnet();
    uint32_t p = kit_peer(k, true);
    (void)state;
    kit_forget(k);
    kit_range(k, p, WIRE_REQUEST, (struct wire_block){.len = KIT_BLOCK});
    KIT_EXPECT(k, "1: reject 0/0+16384\n");
    kit_free(k);
}

/* Blocks that nobody asked for, one too many. */
static void test_early_blocks(void **state)
{
    struct kit *k = magnet();
    uint32_t p = kit_peer(k, false);
    (void)state;
    kit_forget(k);
    for (uint32_t i = 0; i < PEER_MAX_STRIKES; i++) {
        kit_block(k, p, 0, 0, true);
    }
    KIT_EXPECT(k, "");
    kit_block(k, p, 0, 0, true);
    KIT_EXPECT(k, "1: close\n");
    kit_free(k);
}

/* A block begins before the pieces are known and ends after: it is nobody's. */
static void test_block_between(void **state)
{
    struct kit *k = magnet();
    uint32_t p = kit_peer(k, false);
    uint8_t m[WIRE_PIECE_HEADER + KIT_BLOCK] = {0};
    struct wire_block b = {.len = KIT_BLOCK};
    struct torrent_stats ts;
    (void)state;
    (void)wire_encode_block(WIRE_PIECE, &b, m);
    kit_bytes(k, p, m, 1000);
    learn(k);
    kit_forget(k);
    kit_bytes(k, p, m + 1000, sizeof(m) - 1000);
    kit_bitfield(k, p, 0xf0);
    kit_simple(k, p, WIRE_UNCHOKE);
    expect_text(k, "1: interested\n1: request", true);
    torrent_get_stats(k->t, k->now_ms, &ts);
    assert_int_equal(ts.downloaded, 0);
    kit_free(k);
}

/* What peers say is remembered up to a sum; whoever is beyond it is not thrown
 * out before the pieces are known. */
static void test_early_memory(void **state)
{
    struct kit *k = magnet();
    uint32_t conns[100];
    uint32_t n_lost = 0;
    (void)state;
    torrent_set_limits(k->t, 0, 100, k->now_ms);
    for (uint32_t i = 0; i < 100; i++) {
        uint8_t m[WIRE_HEADER_MAX];
        conns[i] = kit_peer(k, false);
        kit_bytes(k, conns[i], m,
                  wire_encode_piece_idx(WIRE_HAVE, EARLY_MAX_PIECES - 1, m));
    }
    for (uint32_t i = 0; i < 100; i++) {
        const struct peer *p = slots_by_conn(k->t->swarm, conns[i]);
        assert_non_null(p);
        n_lost += p->have.early.lost ? 1 : 0;
    }
    assert_in_range(n_lost, 10, 30);
    assert_true(k->t->swarm->extend.early_len <= 16u << 20);
    learn(k);
    assert_int_equal(k->t->swarm->extend.early_len, 0);
    kit_free(k);
}

/* Peers of the DHT and of other peers are not those of a private torrent. */
static void test_private(void **state)
{
    static const enum peer_source sources[] = {
        PEER_SOURCE_PEX,    PEER_SOURCE_DHT,     PEER_SOURCE_LSD,
        PEER_SOURCE_RESUME, PEER_SOURCE_TRACKER, PEER_SOURCE_USER};
    struct kit *k = magnet();
    struct event ev = {.type = EVENT_PEER};
    uint32_t p = kit_peer(k, false);
    (void)state;
    for (uint8_t i = 0; i < 6; i++) {
        ev.peer.addr =
            (struct addr){.family = ADDR_V4, .ip = {10, 0, 1, i}, .port = 6881};
        ev.peer.source = (int)sources[i];
        kit_input(k, &ev);
    }
    kit_forget(k);
    kit_learn(k, true);
    KIT_EXPECT(k, "2: close\n3: close\n4: close\n5: close\n");
    kit_event(k, EVENT_START);
    expect_text(k, "close", false);
    kit_wait(k, 60000);
    expect_text(k, "connect", false);
    assert_non_null(slots_by_conn(k->t->swarm, p));
    kit_free(k);
}

/* It is stopped before it starts with its content, and goes on later. */
static void test_stop_between(void **state)
{
    struct kit *k = magnet();
    (void)state;
    (void)kit_peer(k, false);
    kit_learn(k, false);
    kit_forget(k);
    kit_event(k, EVENT_STOP);
    KIT_EXPECT(k, "1: close\nnotify state 0\n");
    kit_event(k, EVENT_START);
    uint32_t p = kit_peer(k, false);
    kit_bitfield(k, p, 0xf0);
    expect_text(k, "1: interested", true);
    kit_free(k);
}

/* Interest ends with the content when nothing is wanted of it. */
static void test_nothing_wanted(void **state)
{
    struct kit *k = magnet();
    uint32_t p = kit_peer(k, false);
    (void)state;
    kit_bitfield(k, p, 0xf0);
    kit_learn(k, false);
    torrent_set_priorities(k->t, (uint8_t[]){PICKER_PRIO_OFF});
    kit_forget(k);
    kit_event(k, EVENT_START);
    expect_text(k, "1: not_interested", true);
    expect_text(k, "request", false);
    kit_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seed_goes_on),
        cmocka_unit_test(test_early_messages),
        cmocka_unit_test(test_early_request),
        cmocka_unit_test(test_early_blocks),
        cmocka_unit_test(test_block_between),
        cmocka_unit_test(test_early_memory),
        cmocka_unit_test(test_private),
        cmocka_unit_test(test_stop_between),
        cmocka_unit_test(test_nothing_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
