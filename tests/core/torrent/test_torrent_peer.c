/* Messages of one peer at a time: what a hostile one may do to us, and what we
 * answer. */
#include "core/torrent/torrent_kit.h"

#include "core/swarm/internal.h"
#include "core/torrent/internal.h"

/* Has pieces 0 and 1 (not 2 and 3), runs. */
static struct kit *kit_half(void)
{
    struct kit *k = kit_new();
    torrent_restore_piece(k->t, 0);
    torrent_restore_piece(k->t, 1);
    kit_event(k, EVENT_START);
    kit_forget(k);
    return k;
}

static struct wire_block range_of(uint32_t piece, uint32_t begin, uint32_t len)
{
    return (struct wire_block){.piece = piece, .begin = begin, .len = len};
}

/* What we say first, to each kind of peer. */
static void test_first_words(void **state)
{
    struct kit *k = kit_half();
    (void)state;
    (void)kit_peer(k, true);
    KIT_EXPECT(k, "1: handshake bitfield c0\n");
    (void)kit_peer(k, false);
    KIT_EXPECT(k, "2: handshake bitfield c0\n");
    kit_free(k);
    k = kit_new();
    kit_event(k, EVENT_START);
    kit_forget(k);
    (void)kit_peer(k, true);
    KIT_EXPECT(k, "1: handshake have_none\n");
    (void)kit_peer(k, false);
    KIT_EXPECT(k, "2: handshake\n");
    kit_free(k);
    k = kit_new();
    for (uint32_t i = 0; i < KIT_PIECES; i++) {
        torrent_restore_piece(k->t, i);
    }
    kit_event(k, EVENT_START);
    kit_forget(k);
    (void)kit_peer(k, true);
    KIT_EXPECT(k, "1: handshake have_all\n");
    (void)kit_peer(k, false);
    KIT_EXPECT(k, "2: handshake bitfield f0\n");
    kit_free(k);
}

/* One message after which the connection ends, or does not. `bytes` as hex. */
static const struct {
    const char *what;
    const char *bytes;
    bool fast;
    bool closes;
} messages[] = {
    {"have beyond the end",
     "0000000504"
     "00000004",
     true, true},
    {"have far beyond the end",
     "0000000504"
     "ffffffff",
     true, true},
    {"have of the last piece",
     "0000000504"
     "00000003",
     true, false},
    {"bitfield with spare bits",
     "0000000205"
     "f8",
     true, true},
    {"bitfield too long",
     "0000000305"
     "f000",
     true, true},
    {"bitfield too short", "0000000105", true, true},
    {"bitfield",
     "0000000205"
     "f0",
     true, false},
    {"two bitfields (aria2)",
     "0000000205"
     "f0"
     "0000000205"
     "f0",
     true, false},
    {"bitfield, then have all",
     "0000000205"
     "c0"
     "000000010e",
     true, false},
    {"bitfield, then have none",
     "0000000205"
     "f0"
     "000000010f",
     true, true},
    {"have all without BEP 6", "000000010e", false, true},
    {"have none without BEP 6", "000000010f", false, true},
    {"have all", "000000010e", true, false},
    {"suggest without BEP 6",
     "000000050d"
     "00000000",
     false, true},
    {"suggest beyond the end",
     "000000050d"
     "00000004",
     true, true},
    {"allowed fast without BEP 6",
     "0000000511"
     "00000000",
     false, true},
    {"allowed fast beyond the end",
     "0000000511"
     "00000004",
     true, true},
    {"reject without BEP 6",
     "0000000d10"
     "000000000000000000004000",
     false, true},
    {"reject of nothing",
     "0000000d10"
     "ffffffffffffffffffffffff",
     true, false},
    {"request beyond the end",
     "0000000d06"
     "000000040000000000004000",
     true, true},
    {"request of nothing",
     "0000000d06"
     "000000000000000000000000",
     true, true},
    {"request that wraps",
     "0000000d06"
     "00000000ffffff0000000200",
     true, true},
    {"huge request",
     "0000000d06"
     "000000000000000000020001",
     true, true},
    {"cancel of nothing",
     "0000000d08"
     "ffffffffffffffffffffffff",
     true, false},
    {"piece beyond the end",
     "0000400907"
     "0000000400000000",
     true, true},
    {"piece between blocks",
     "0000400907"
     "0000000000000001",
     true, true},
    {"piece of a wrong length",
     "0000300907"
     "0000000000000000",
     true, true},
    {"extended without BEP 10",
     "000000041400"
     "6465",
     true, true},
    {"length of 2^31", "80000000", true, true},
    {"unknown id",
     "0000000363"
     "0000",
     true, false},
    {"keep-alive", "00000000", true, false},
    {"a wrong length for choke",
     "0000000200"
     "00",
     true, true},
};

static void test_messages(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        for (size_t step = 1; step < 100; step += 98) { /* bytewise, whole */
            struct kit *k = kit_half();
            uint32_t a = kit_peer(k, messages[i].fast);
            uint8_t m[64];
            size_t n = strlen(messages[i].bytes) / 2;
            assert_true(bytes_from_hex(slice_str(messages[i].bytes), m, n));
            kit_forget(k);
            for (size_t at = 0; at < n; at += step) {
                kit_bytes(k, a, m + at, n - at < step ? n - at : step);
            }
            bool closed = strstr(buf_cstr(&k->log), "1: close\n") != NULL;
            if (closed != messages[i].closes) {
                fail_msg("%s: %s", messages[i].what, buf_cstr(&k->log));
            }
            kit_free(k);
        }
    }
}

/* Requests while choked, of what we have and what we have not. */
static void test_serving(void **state)
{
    struct kit *k = kit_half();
    (void)state;
    uint32_t fast = kit_peer(k, true);
    uint32_t slow = kit_peer(k, false);
    kit_forget(k);
    kit_range(k, fast, WIRE_REQUEST, range_of(0, 0, 16384));
    KIT_EXPECT(k, "1: reject 0/0+16384\n");
    kit_range(k, slow, WIRE_REQUEST, range_of(0, 0, 16384));
    KIT_EXPECT(k, "");
    kit_simple(k, fast, WIRE_INTERESTED);
    kit_simple(k, slow, WIRE_INTERESTED);
    KIT_EXPECT(k, "1: unchoke\n2: unchoke\n");
    kit_range(k, fast, WIRE_REQUEST, range_of(2, 0, 16384));
    KIT_EXPECT(k, "1: reject 2/0+16384\n");
    kit_range(k, slow, WIRE_REQUEST, range_of(2, 0, 16384));
    KIT_EXPECT(k, "");
    kit_range(k, fast, WIRE_REQUEST, range_of(1, 100, 5));
    KIT_EXPECT(k, "1: upload 1/100+5 by 5\n");
    struct event ev = {.type = EVENT_UPLOADED, .conn = fast, .piece = 1};
    ev.uploaded.len = 5;
    kit_input(k, &ev);
    /* a read that fails: the piece is hashed again, the peer goes */
    kit_range(k, fast, WIRE_REQUEST, range_of(1, 0, 16384));
    ev.result = BTC_E_SHORT;
    ev.uploaded.len = 16384;
    kit_forget(k);
    kit_input(k, &ev);
    KIT_EXPECT(k, "event read-failed\n1: close\nhash 1\n");
    kit_range(k, slow, WIRE_REQUEST, range_of(1, 0, 16384));
    KIT_EXPECT(k, "");
    kit_answer(k, EVENT_HASHED, 1, BTC_E_SHORT);
    KIT_EXPECT(k, "event piece-lost\nfact piece-lost 1\nnotify checked\n");
    kit_free(k);
}

/* 64 blocks that nobody asked for are forgiven, not more. */
static void test_unasked(void **state)
{
    struct kit *k = kit_half();
    (void)state;
    uint32_t a = kit_peer(k, true);
    kit_simple(k, a, WIRE_HAVE_ALL);
    kit_forget(k);
    for (int i = 0; i < PEER_MAX_STRIKES; i++) {
        kit_block(k, a, 2, 0, true);
    }
    KIT_EXPECT(k, "");
    /* nor do they earn him anything */
    struct swarm_peer_info info;
    assert_true(torrent_peer_info(k->t, 0, k->now_ms, &info));
    assert_int_equal(info.down_rate, 0);
    assert_int_equal(peerset_get(torrent_peerset(k->t), 0)->bytes_down, 0);
    kit_block(k, a, 2, 0, true);
    KIT_EXPECT(k, "1: close\n");
    assert_int_equal(k->pool.in_use + k->pool.reserved, 0);
    kit_free(k);
}

/* Blocks asked for before a CHOKE are welcome after it, and no strikes. */
static void test_late_blocks(void **state)
{
    struct kit *k = kit_half();
    (void)state;
    uint32_t a = kit_peer(k, false);
    kit_bitfield(k, a, 0xf0);
    for (int i = 0; i < 200; i++) {
        k->now_ms += 2000; /* not so fast that it is put off */
        kit_simple(k, a, WIRE_UNCHOKE);
        kit_simple(k, a, WIRE_CHOKE);
    }
    assert_int_equal(k->pool.reserved, 0);
    kit_forget(k);
    for (int i = 0; i < 30; i++) {
        kit_block(k, a, 2, 0, true);
        kit_block(k, a, 2, 0, true);
        kit_block(k, a, 3, 0, true);
    }
    KIT_EXPECT(k, "");
    assert_int_equal(k->pool.in_use, 2);
    /* whatever became of them: they came from it because we asked */
    struct torrent_stats ts;
    torrent_get_stats(k->t, k->now_ms, &ts);
    assert_int_equal(peerset_get(torrent_peerset(k->t), 0)->bytes_down,
                     ts.downloaded);
    assert_int_equal(ts.downloaded, 90ull * KIT_BLOCK);
    kit_block(k, a, 2, 1, true);
    KIT_EXPECT(k, "finish 2 x x\n");
    kit_answer(k, EVENT_FINISHED, 2, 0);
    kit_free(k);
}

/* A peer that stops in the middle of a block does not keep others from it. */
static void test_stuck_block(void **state)
{
    struct kit *k = kit_half();
    (void)state;
    uint32_t a = kit_peer(k, true);
    uint32_t b = kit_peer(k, true);
    kit_simple(k, a, WIRE_HAVE_ALL);
    kit_simple(k, a, WIRE_UNCHOKE);
    const uint8_t head[] = {0, 0, 0x40, 9, 7, 0, 0, 0, 2, 0, 0, 0, 0, 1, 2, 3};
    kit_bytes(k, a, head, sizeof head);
    kit_simple(k, b, WIRE_HAVE_ALL);
    kit_simple(k, b, WIRE_UNCHOKE);
    kit_wait(k, 1000);
    kit_forget(k);
    for (uint32_t i = 0; i < 2; i++) {
        kit_block(k, b, 2, i, true);
        kit_block(k, b, 3, i, true);
    }
    const char *log = buf_cstr(&k->log);
    assert_non_null(strstr(log, "finish 2 x x"));
    assert_non_null(strstr(log, "finish 3 x x"));
    kit_answer(k, EVENT_FINISHED, 2, 0);
    kit_answer(k, EVENT_FINISHED, 3, 0);
    kit_wait(k, 6000);
    assert_int_equal(k->pool.in_use, 0);
    kit_free(k);
}

/* Who rejects everything is asked less and less. */
static void test_rejects(void **state)
{
    struct kit *k = kit_half();
    uint32_t asked = 0;
    (void)state;
    uint32_t a = kit_peer(k, true);
    kit_simple(k, a, WIRE_HAVE_ALL);
    kit_simple(k, a, WIRE_UNCHOKE);
    for (int tick = 0; tick < 400; tick++) {
        for (uint32_t piece = 2; piece < 4; piece++) {
            for (uint32_t i = 0; i < 2; i++) {
                struct wire_block b =
                    range_of(piece, i * KIT_BLOCK,
                             layout_block_size(&k->geom, piece, i));
                char text[64];
                (void)snprintf(text, sizeof text, "request %u/%u", piece,
                               b.begin);
                const char *log = buf_cstr(&k->log);
                if (strstr(log, text) != NULL) {
                    asked++;
                    kit_range(k, a, WIRE_REJECT, b);
                }
            }
        }
        kit_forget(k);
        kit_wait(k, 250);
    }
    assert_in_range(asked, 4, 120);
    assert_int_equal(k->pool.reserved, 0);
    kit_free(k);
}

/* A flood of requests that are rejected, then the longest message there may
 * be: what they took is given back, and a longer one is not waited for. */
static void test_memory_of_floods(void **state)
{
    struct kit *k = kit_half();
    (void)state;
    uint32_t a = kit_peer(k, true);
    const struct peer *p = slots_by_conn(k->t->swarm, a);
    uint8_t *m = mem_zalloc(4 + WIRE_MAX_EXTENDED);
    size_t n = 0;
    struct wire_block b = range_of(0, 0, KIT_BLOCK);
    while (n < WIRE_MAX_EXTENDED - WIRE_HEADER_MAX) {
        n += wire_encode_block(WIRE_REQUEST, &b, m + n);
    }
    kit_bytes(k, a, m, n);
    assert_true(p->wire.out.cap <= PEER_KEEP_MEM);
    kit_forget(k);
    memset(m, 0, 4 + WIRE_MAX_EXTENDED);
    bytes_put_be32(m, WIRE_MAX_EXTENDED);
    m[4] = 99; /* unknown */
    kit_bytes(k, a, m, WIRE_MAX_EXTENDED / 2);
    kit_bytes(k, a, m + WIRE_MAX_EXTENDED / 2, WIRE_MAX_EXTENDED / 2 + 4);
    KIT_EXPECT(k, "");
    assert_true(p->wire.in.cap <= PEER_KEEP_MEM);
    bytes_put_be32(m, WIRE_MAX_EXTENDED + 1);
    kit_bytes(k, a, m, 5);
    KIT_EXPECT(k, "1: close\n");
    free(m);
    kit_free(k);
}

/* Connections that say they are us are left to end by themselves; they do not
 * count among the dials that may be out at once. */
static void test_mirrors(void **state)
{
    struct kit *k = kit_half();
    (void)state;
    for (uint8_t i = 1; i <= CONNS_CONNECTING + 1; i++) {
        struct event ev = {.type = EVENT_ACCEPTED};
        struct addr a = {.family = ADDR_V4, .port = 7000, .ip = {10, 1, 0, i}};
        ev.conn = torrent_new_conn(k->t, &a, k->now_ms);
        ev.accepted.addr = a;
        memcpy(ev.accepted.handshake.info_hash, k->info_hash, SHA1_LEN);
        memcpy(ev.accepted.handshake.peer_id, k->shared.swarm.peer_id, 20);
        kit_input(k, &ev);
    }
    kit_forget(k);
    struct event ev = {.type = EVENT_PEER};
    ev.peer.addr =
        (struct addr){.family = ADDR_V4, .port = 7000, .ip = {10, 2, 0, 1}};
    kit_input(k, &ev);
    KIT_EXPECT(k, "32: connect\n");
    kit_wait(k, PEER_HANDSHAKE_MS + 1000);
    struct torrent_stats ts;
    torrent_get_stats(k->t, k->now_ms, &ts);
    assert_int_equal(ts.connecting, 1);
    kit_free(k);
}

/* Events of a connection that is gone change nothing. */
static void test_stale(void **state)
{
    struct kit *k = kit_half();
    (void)state;
    uint32_t a = kit_peer(k, true);
    struct event ev = {.type = EVENT_CLOSED, .conn = a};
    kit_input(k, &ev);
    uint32_t b = kit_peer(k, true);
    assert_int_not_equal(a, b);
    kit_forget(k);
    kit_simple(k, a, WIRE_HAVE_ALL);
    kit_simple(k, a, WIRE_INTERESTED);
    kit_input(k, &ev);
    ev.type = EVENT_CONNECTED;
    kit_input(k, &ev);
    KIT_EXPECT(k, "");
    struct torrent_stats ts;
    torrent_get_stats(k->t, k->now_ms, &ts);
    assert_int_equal(ts.peers, 1);
    kit_free(k);
}

/* A torrent that nobody called for long has no input in all that time: whoever
 * calls then is as welcome as any, whatever was the time of the last input. */
static void test_call_after_rest(void **state)
{
    struct kit *k = kit_new();
    (void)state;
    for (uint32_t i = 0; i < KIT_PIECES; i++) {
        torrent_restore_piece(k->t, i);
    }
    kit_event(k, EVENT_START);
    for (uint64_t rest = 1000; rest < 20 * PEER_IDLE_MS; rest = rest * 3 + 7) {
        k->now_ms += rest;
        uint32_t conn = kit_peer(k, true);
        kit_wait(k, 2 * TORRENT_TICK_MS);
        kit_forget(k);
        kit_simple(k, conn, WIRE_INTERESTED);
        char want[32];
        (void)snprintf(want, sizeof want, "%u: unchoke\n",
                       (conn & 0xffffu) + 1);
        KIT_EXPECT(k, want);
        kit_simple(k, conn, WIRE_NOT_INTERESTED);
        struct event ev = {.type = EVENT_CLOSED, .conn = conn};
        kit_input(k, &ev);
        kit_forget(k);
    }
    kit_free(k);
}

/* The same before a handshake: the time it may take starts when it comes. */
static void test_handshake_after_rest(void **state)
{
    struct kit *k = kit_new();
    struct addr a = {.family = ADDR_V4, .port = 7000, .ip = {10, 0, 0, 9}};
    (void)state;
    kit_event(k, EVENT_START);
    k->now_ms += 10 * PEER_HANDSHAKE_MS;
    assert_int_not_equal(torrent_new_conn(k->t, &a, k->now_ms), 0);
    kit_forget(k);
    kit_wait(k, PEER_HANDSHAKE_MS - TORRENT_TICK_MS);
    KIT_EXPECT(k, "");
    kit_wait(k, 2 * TORRENT_TICK_MS);
    KIT_EXPECT(k, "1: close\n");
    kit_free(k);
}

/* Requests that come in one read go out as one upload, up to a hole. */
static void test_one_run(void **state)
{
    struct kit *k = kit_half();
    uint8_t m[4 * WIRE_HEADER_MAX];
    size_t n = 0;
    (void)state;
    uint32_t a = kit_peer(k, true);
    kit_simple(k, a, WIRE_INTERESTED);
    kit_forget(k);
    for (uint32_t i = 0; i < 2; i++) {
        struct wire_block b = {0, i * KIT_BLOCK, KIT_BLOCK};
        n += wire_encode_block(WIRE_REQUEST, &b, m + n);
    }
    struct wire_block other = {1, KIT_BLOCK, KIT_BLOCK};
    n += wire_encode_block(WIRE_REQUEST, &other, m + n);
    kit_bytes(k, a, m, n);
    KIT_EXPECT(k, "1: upload 0/0+32768 by 16384\n"
                  "1: upload 1/16384+16384 by 16384\n");
    struct event ev = {.type = EVENT_UPLOADED, .conn = a, .piece = 0};
    ev.uploaded.len = 32768;
    kit_input(k, &ev);
    ev.piece = 1;
    ev.uploaded.len = KIT_BLOCK;
    kit_input(k, &ev);
    kit_free(k);
}

/* A slot that is given up and wanted again is lost to who waits, whatever the
 * order and number of those that toggle. */
static void test_toggling(void **state)
{
    for (uint32_t victim = 0; victim < 8; victim += 3) {
        struct kit *k = kit_half();
        uint32_t conn[11];
        (void)state;
        for (uint32_t i = 0; i < 11; i++) {
            conn[i] = kit_peer(k, true);
            kit_simple(k, conn[i], WIRE_INTERESTED);
            k->now_ms += 50; /* soon: none of the slots is idle yet */
        }
        assert_false(slots_by_conn(k->t->swarm, conn[7])->am_choking);
        assert_true(slots_by_conn(k->t->swarm, conn[8])->am_choking);
        for (uint32_t turn = 0; turn < 3; turn++) {
            uint32_t at = (victim + turn) % 8;
            kit_simple(k, conn[at], WIRE_NOT_INTERESTED);
            kit_simple(k, conn[at], WIRE_INTERESTED);
            assert_true(slots_by_conn(k->t->swarm, conn[at])->am_choking);
            assert_false(
                slots_by_conn(k->t->swarm, conn[8 + turn])->am_choking);
            k->now_ms += 10;
        }
        kit_free(k);
    }
}

/* Alone, it gets its slot back, but its turn does not begin anew. */
static void test_turn_goes_on(void **state)
{
    struct kit *k = kit_half();
    (void)state;
    uint32_t a = kit_peer(k, true);
    kit_simple(k, a, WIRE_INTERESTED);
    uint64_t began = k->now_ms;
    k->now_ms += CHOKER_OPTIMISTIC_MS - 1;
    kit_simple(k, a, WIRE_NOT_INTERESTED);
    kit_simple(k, a, WIRE_INTERESTED);
    assert_int_equal(slots_by_conn(k->t->swarm, a)->slot.unchoked_ms, began);
    k->now_ms += 1;
    kit_simple(k, a, WIRE_NOT_INTERESTED);
    kit_simple(k, a, WIRE_INTERESTED);
    assert_int_equal(slots_by_conn(k->t->swarm, a)->slot.unchoked_ms,
                     k->now_ms);
    kit_free(k);
}

/* Peers that cannot be asked take nothing from the window of one that can. */
static void test_windows(void **state)
{
    struct kit *k = kit_half();
    uint32_t idle[24];
    (void)state;
    uint32_t fast = kit_peer(k, true);
    kit_simple(k, fast, WIRE_HAVE_ALL);
    kit_simple(k, fast, WIRE_UNCHOKE);
    for (uint32_t i = 0; i < 24; i++) {
        idle[i] = kit_peer(k, true);
        if (i % 3 == 1) {
            kit_simple(k, idle[i], WIRE_HAVE_ALL); /* but chokes */
        } else if (i % 3 == 2) {
            kit_simple(k, idle[i], WIRE_UNCHOKE); /* but has nothing */
        }
        if (k->n_peers == 'U' - 'A' - 1) {
            k->n_peers++; /* that would be our own peer id */
        }
    }
    struct peer *p = slots_by_conn(k->t->swarm, fast);
    p->rate.quick = 1e9;
    p->time.block_ms = k->now_ms;
    kit_wait(k, TORRENT_TICK_MS);
    assert_int_equal(p->window.depth, k->pool.max);
    kit_simple(k, idle[1], WIRE_UNCHOKE); /* now it shares */
    p->rate.quick = 1e9;
    kit_wait(k, TORRENT_TICK_MS);
    assert_int_equal(p->window.depth, k->pool.max / 2);
    kit_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_words),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_serving),
        cmocka_unit_test(test_unasked),
        cmocka_unit_test(test_late_blocks),
        cmocka_unit_test(test_stuck_block),
        cmocka_unit_test(test_rejects),
        cmocka_unit_test(test_stale),
        cmocka_unit_test(test_memory_of_floods),
        cmocka_unit_test(test_mirrors),
        cmocka_unit_test(test_one_run),
        cmocka_unit_test(test_toggling),
        cmocka_unit_test(test_turn_goes_on),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_call_after_rest),
        cmocka_unit_test(test_handshake_after_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
