/* One torrent, step by step: the life of a piece, stops, failures, blame. */
#include "core/torrent/torrent_kit.h"

/* A torrent that runs, with a seed that has unchoked us. */
static struct kit *kit_running(uint32_t *conn)
{
    struct kit *k = kit_new();
    kit_event(k, EVENT_START);
    *conn = kit_peer(k, true);
    kit_simple(k, *conn, WIRE_HAVE_ALL);
    torrent_set_sequential(k->t, true);
    kit_forget(k);
    kit_simple(k, *conn, WIRE_UNCHOKE);
    return k;
}

/* From the first request to COMPLETE. */
static void test_life(void **state)
{
    uint32_t a;
    struct kit *k = kit_running(&a);
    (void)state;
    KIT_EXPECT(k, "1: request 0/0+16384 request 0/16384+16384"
                  " request 1/0+16384 request 1/16384+16384"
                  " request 2/0+16384 request 2/16384+16384"
                  " request 3/0+16384 request 3/16384+1000\n");
    kit_block(k, a, 0, 0, true);
    KIT_EXPECT(k, "");
    kit_block(k, a, 0, 1, true);
    KIT_EXPECT(k, "finish 0 x x\n");
    kit_answer(k, EVENT_FINISHED, 0, 0);
    KIT_EXPECT(k, "fact piece 0\nnotify piece\n");
    /* the journal's tick takes what is there of the next one */
    kit_block(k, a, 1, 0, true);
    torrent_flush(k->t);
    kit_drain(k);
    KIT_EXPECT(k, "write 1 x -\n");
    kit_block(k, a, 1, 1, true);
    KIT_EXPECT(k, "");
    kit_answer(k, EVENT_WRITTEN, 1, 0);
    KIT_EXPECT(k, "fact block 1/0\nfinish 1 - x\n");
    kit_answer(k, EVENT_FINISHED, 1, 0);
    for (uint32_t i = 2; i < 4; i++) {
        kit_block(k, a, i, 0, true);
        kit_block(k, a, i, 1, true);
        kit_answer(k, EVENT_FINISHED, i, 0);
    }
    KIT_EXPECT(k, "fact piece 1\nnotify piece\n"
                  "finish 2 x x\nfact piece 2\nnotify piece\n"
                  "finish 3 x x\n1: not_interested\n"
                  "notify file\nfact piece 3\nnotify piece\n"
                  "notify state 3\nnotify complete\n");
    struct torrent_stats ts;
    torrent_get_stats(k->t, k->now_ms, &ts);
    assert_int_equal(ts.bytes_done, KIT_TOTAL);
    assert_int_equal(ts.downloaded, KIT_TOTAL);
    assert_int_equal(ts.wasted, 0);
    kit_free(k);
}

/* A full pool is no reason to write ahead while most of it is with requests and
 * jobs; when a quarter waits for the rest of pieces, it is. */
static void test_short_of_memory(void **state)
{
    uint32_t a;
    struct kit *k = kit_running(&a);
    (void)state;
    k->pool.max = 8; /* as many as are asked for */
    kit_forget(k);
    kit_block(k, a, 0, 0, true);
    kit_block(k, a, 1, 0, true);
    KIT_EXPECT(k, "");
    kit_block(k, a, 2, 0, true);
    KIT_EXPECT(k, "write 0 x -\n");
    kit_block(k, a, 2, 1, true);
    KIT_EXPECT(k, "finish 2 x x\n");
    kit_answer(k, EVENT_WRITTEN, 0, 0);
    kit_answer(k, EVENT_FINISHED, 2, 0);
    KIT_EXPECT(k, "fact block 0/0\nfact piece 2\nnotify piece\n");
    assert_int_equal(k->shared.content.mem_partial, 1);
    kit_free(k);
}

/* Bytes lent with a SEND are safe from an input that comes before the next
 * action, and what that input says is not lost. */
static void test_lent_bytes(void **state)
{
    struct kit *k = kit_new();
    struct action action;
    (void)state;
    kit_event(k, EVENT_START);
    uint32_t a = kit_peer(k, true);
    kit_simple(k, a, WIRE_HAVE_ALL);
    kit_forget(k);
    /* REQUESTs are on their way out ... */
    uint8_t m[WIRE_HEADER_MAX];
    struct event ev = {.type = EVENT_DATA, .conn = a};
    ev.data = slice_of(m, wire_encode_simple(WIRE_UNCHOKE, m));
    torrent_input(k->t, &ev, k->now_ms, KIT_UNIX);
    assert_true(torrent_next_action(k->t, &action));
    assert_int_equal(action.type, ACTION_SEND);
    assert_int_equal(action.data.len, 8 * 17);
    /* ... when the peer becomes interested and is unchoked */
    ev.data = slice_of(m, wire_encode_simple(WIRE_INTERESTED, m));
    torrent_input(k->t, &ev, k->now_ms, KIT_UNIX);
    kit_drain(k);
    KIT_EXPECT(k, "1: unchoke\n");
    kit_free(k);
}

/* STOP: connections end, and the rates with them; blocks go to the disk, also
 * those that came while a WRITE was out; the deadline does not lie in the past
 * meanwhile. */
static void test_stop(void **state)
{
    struct torrent_stats stats;
    uint32_t a;
    struct kit *k = kit_running(&a);
    (void)state;
    kit_block(k, a, 0, 0, true);
    kit_block(k, a, 3, 0, true);
    torrent_flush(k->t);
    kit_drain(k);
    kit_block(k, a, 3, 1, true);
    kit_block(k, a, 1, 1, true);
    kit_forget(k);
    torrent_get_stats(k->t, k->now_ms, &stats);
    assert_true(stats.down_rate > 0);
    kit_event(k, EVENT_STOP);
    torrent_get_stats(k->t, k->now_ms, &stats);
    assert_int_equal(stats.down_rate, 0);
    KIT_EXPECT(k, "1: close\nwrite 1 - x\n");
    k->now_ms += 10000;
    kit_event(k, EVENT_TICK);
    assert_true(torrent_deadline(k->t) > k->now_ms);
    assert_false(torrent_is_stopped(k->t));
    kit_answer(k, EVENT_WRITTEN, 0, 0);
    kit_answer(k, EVENT_WRITTEN, 1, 0);
    KIT_EXPECT(k, "fact block 0/0\nfact block 1/1\n");
    kit_answer(k, EVENT_WRITTEN, 3, 0);
    KIT_EXPECT(k, "fact block 3/0\nfinish 3 - x\n");
    kit_answer(k, EVENT_FINISHED, 3, 0);
    KIT_EXPECT(k, "fact piece 3\nnotify piece\nnotify state 0\n");
    assert_true(torrent_is_stopped(k->t));
    assert_true(torrent_deadline(k->t) == UINT64_MAX);
    kit_free(k);
}

/* One block of piece 0 is on the disk, the other comes and the disk fails. */
static struct kit *kit_failing(int result, bool unwritten)
{
    uint32_t a;
    struct kit *k = kit_running(&a);
    kit_block(k, a, 0, 0, true);
    torrent_flush(k->t);
    kit_drain(k);
    kit_answer(k, EVENT_WRITTEN, 0, 0);
    kit_block(k, a, 0, 1, true);
    kit_forget(k);
    k->unwritten = unwritten;
    kit_answer(k, EVENT_FINISHED, 0, result);
    k->unwritten = false;
    assert_int_equal(torrent_state(k->t), TORRENT_FAILED);
    return k;
}

/* A full disk, a spot that takes no write: what is on it stays claimed. What
 * was in memory goes once more as the torrent stops, and is not claimed when
 * that fails, too. */
static void test_unwritten(void **state)
{
    static const int results[] = {BTC_E_NOSPACE, BTC_E_IO};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct kit *k = kit_failing(results[i], true);
        KIT_EXPECT(k, i == 0 ? "notify error NOSPACE\n" : "notify error IO\n");
        kit_event(k, EVENT_STOP);
        KIT_EXPECT(k, "1: close\nwrite 0 - x\n");
        kit_answer(k, EVENT_WRITTEN, 0, results[i]);
        assert_int_equal(k->pool.in_use, 0);
        assert_true(torrent_is_stopped(k->t));
        kit_free(k);
    }
}

/* It was one call that failed: nothing of the piece is lost. */
static void test_written_late(void **state)
{
    struct kit *k = kit_failing(BTC_E_IO, true);
    (void)state;
    kit_event(k, EVENT_STOP);
    kit_forget(k);
    kit_answer(k, EVENT_WRITTEN, 0, 0);
    KIT_EXPECT(k, "fact block 0/1\nfinish 0 - -\n");
    kit_answer(k, EVENT_FINISHED, 0, 0);
    KIT_EXPECT(k, "fact piece 0\nnotify piece\nnotify state 0\n");
    assert_int_equal(k->pool.in_use, 0);
    kit_free(k);
}

/* So it is with blocks that go ahead of their piece: once more, not twice. */
static void test_ahead_late(void **state)
{
    static const int results[] = {0, BTC_E_IO};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        uint32_t a;
        struct kit *k = kit_running(&a);
        kit_block(k, a, 0, 0, true);
        torrent_flush(k->t);
        kit_drain(k);
        kit_forget(k);
        kit_answer(k, EVENT_WRITTEN, 0, BTC_E_IO);
        KIT_EXPECT(k, "notify error IO\n");
        kit_event(k, EVENT_STOP);
        KIT_EXPECT(k, "1: close\nwrite 0 x -\n");
        kit_answer(k, EVENT_WRITTEN, 0, results[i]);
        KIT_EXPECT(k, i == 0 ? "fact block 0/0\nnotify state 0\n"
                             : "notify error IO\nnotify state 0\n");
        assert_int_equal(k->pool.in_use, 0);
        kit_free(k);
    }
}

/* What is on the disk cannot be read: the piece is fetched again. */
static void test_unread(void **state)
{
    struct kit *k = kit_failing(BTC_E_IO, false);
    (void)state;
    KIT_EXPECT(k, "fact blocks-lost 0\nnotify error IO\n");
    kit_event(k, EVENT_STOP);
    KIT_EXPECT(k, "1: close\nnotify state 0\n");
    assert_int_equal(k->pool.in_use, 0);
    kit_free(k);
}

/* Two senders, one of them lied: the piece is fetched from one alone, and the
 * other is banned when it passes. */
static void test_blame(void **state)
{
    uint32_t a;
    struct kit *k = kit_running(&a);
    (void)state;
    uint32_t b = kit_peer(k, true);
    kit_simple(k, b, WIRE_HAVE_ALL);
    kit_simple(k, b, WIRE_UNCHOKE);
    kit_forget(k);
    kit_wait(k, 1000); /* in the endgame b is asked, too */
    kit_forget(k);
    kit_block(k, a, 0, 0, true);
    kit_block(k, b, 0, 1, false);
    kit_forget(k);
    kit_answer(k, EVENT_FINISHED, 0, BTC_E_HASH);
    const char *log = buf_cstr(&k->log);
    assert_non_null(strstr(log, "event hash-failed\n"));
    assert_non_null(strstr(log, "fact blocks-lost 0\n"));
    assert_null(strstr(log, "close"));
    kit_forget(k);
    /* the others come in; then piece 0 is asked of one peer only */
    for (uint32_t i = 1; i < 4; i++) {
        kit_block(k, a, i, 0, true);
        kit_block(k, a, i, 1, true);
        kit_answer(k, EVENT_FINISHED, i, 0);
    }
    kit_wait(k, 500);
    log = buf_cstr(&k->log);
    bool from_a = strstr(log, "1: request 0/0+16384") != NULL;
    bool from_b = strstr(log, "2: request 0/0+16384") != NULL;
    if (from_a == from_b) {
        fail_msg("%s", log);
    }
    uint32_t owner = from_a ? a : b;
    kit_block(k, owner, 0, 0, true);
    kit_block(k, owner, 0, 1, true);
    kit_forget(k);
    kit_answer(k, EVENT_FINISHED, 0, 0);
    log = buf_cstr(&k->log);
    assert_non_null(strstr(log, "event ban\n"));
    assert_non_null(strstr(log, "2: close\n"));
    assert_null(strstr(log, "1: close\n"));
    kit_free(k);
}

/* An owner that stops in the middle of a suspect piece loses it and its blocks
 * of it, so that the next try has one sender, too. */
static void test_owner_changes(void **state)
{
    uint32_t a;
    struct kit *k = kit_running(&a);
    (void)state;
    uint32_t b = kit_peer(k, true);
    kit_simple(k, b, WIRE_HAVE_ALL);
    kit_simple(k, b, WIRE_UNCHOKE);
    kit_wait(k, 1000);
    kit_block(k, a, 0, 0, false);
    kit_block(k, b, 0, 1, true);
    kit_answer(k, EVENT_FINISHED, 0, BTC_E_HASH);
    for (uint32_t i = 1; i < 4; i++) {
        kit_block(k, a, i, 0, true);
        kit_block(k, a, i, 1, true);
        kit_answer(k, EVENT_FINISHED, i, 0);
    }
    kit_forget(k);
    kit_wait(k, 500);
    bool is_a = strstr(buf_cstr(&k->log), "1: request 0/0+16384") != NULL;
    uint32_t owner = is_a ? a : b;
    kit_block(k, owner, 0, 0, false);
    const struct picker *pk = torrent_picker(k->t);
    assert_true(picker_is_received(pk, (struct picker_block){0, 0}));
    uint32_t c = kit_peer(k, true); /* one that owes nothing */
    kit_simple(k, c, WIRE_HAVE_ALL);
    kit_simple(k, c, WIRE_UNCHOKE);
    kit_wait(k, 10000);
    assert_false(picker_is_received(pk, (struct picker_block){0, 0}));
    kit_block(k, c, 0, 0, true);
    kit_block(k, c, 0, 1, true);
    kit_forget(k);
    kit_answer(k, EVENT_FINISHED, 0, 0);
    assert_non_null(strstr(buf_cstr(&k->log), "fact piece 0\n"));
    kit_free(k);
}

/* With a liar go his blocks of other pieces, from memory, from the disk and
 * from the journal; those of others stay. */
static void test_purge(void **state)
{
    uint32_t a;
    struct kit *k = kit_running(&a);
    (void)state;
    uint32_t b = kit_peer(k, true);
    kit_simple(k, b, WIRE_HAVE_ALL);
    kit_simple(k, b, WIRE_UNCHOKE);
    kit_wait(k, 1000);
    kit_block(k, b, 1, 0, false);
    kit_block(k, a, 3, 0, true);
    torrent_flush(k->t);
    kit_drain(k);
    kit_answer(k, EVENT_WRITTEN, 1, 0);
    kit_answer(k, EVENT_WRITTEN, 3, 0);
    kit_block(k, b, 0, 0, false);
    kit_block(k, b, 2, 0, true);
    kit_block(k, b, 2, 1, false);
    kit_forget(k);
    kit_answer(k, EVENT_FINISHED, 2, BTC_E_HASH);
    const char *log = buf_cstr(&k->log);
    assert_non_null(strstr(log, "fact blocks-lost 1\n"));
    assert_null(strstr(log, "fact blocks-lost 0\n"));
    assert_null(strstr(log, "fact blocks-lost 3\n"));
    const struct picker *pk = torrent_picker(k->t);
    for (uint32_t piece = 0; piece < 4; piece++) {
        struct picker_block first = {.piece = piece};
        assert_int_equal(picker_is_received(pk, first), piece == 3);
    }
    assert_int_equal(k->pool.in_use, 0);
    for (uint32_t piece = 0; piece < 3; piece++) {
        kit_block(k, a, piece, 0, true);
        kit_block(k, a, piece, 1, true);
        kit_answer(k, EVENT_FINISHED, piece, 0);
    }
    kit_block(k, a, 3, 1, true);
    kit_answer(k, EVENT_FINISHED, 3, 0);
    assert_true(torrent_is_complete(k->t));
    kit_free(k);
}

/* A block on its way to the disk when its sender is banned becomes no fact; one
 * of another sender in the same job does. */
static void test_purge_under_way(void **state)
{
    uint32_t a;
    struct kit *k = kit_running(&a);
    (void)state;
    uint32_t b = kit_peer(k, true);
    kit_simple(k, b, WIRE_HAVE_ALL);
    kit_simple(k, b, WIRE_UNCHOKE);
    kit_wait(k, 1000);
    kit_block(k, b, 1, 0, false);
    kit_block(k, a, 3, 0, true);
    kit_block(k, b, 0, 0, false);
    torrent_flush(k->t);
    kit_drain(k);
    kit_block(k, b, 2, 0, true);
    kit_block(k, b, 2, 1, false);
    kit_answer(k, EVENT_FINISHED, 2, BTC_E_HASH);
    kit_forget(k);
    kit_answer(k, EVENT_WRITTEN, 1, 0);
    kit_answer(k, EVENT_WRITTEN, 0, BTC_E_NOSPACE);
    kit_answer(k, EVENT_WRITTEN, 3, 0);
    const char *log = buf_cstr(&k->log);
    assert_null(strstr(log, "fact block 1/0\n"));
    assert_non_null(strstr(log, "fact block 3/0\n"));
    const struct picker *pk = torrent_picker(k->t);
    assert_false(picker_is_received(pk, (struct picker_block){1, 0}));
    assert_false(picker_is_received(pk, (struct picker_block){0, 0}));
    assert_true(picker_is_received(pk, (struct picker_block){3, 0}));
    assert_int_equal(k->pool.in_use, 0);
    kit_free(k);
}

/* One sender, but its first block went by the disk, which gives back other
 * bytes: it is not banned. A liar whose block went the same way is. */
static void test_changed_by_disk(void **state)
{
    (void)state;
    for (int liar = 0; liar < 2; liar++) {
        uint32_t a;
        struct kit *k = kit_running(&a);
        kit_block(k, a, 2, 0, liar == 0);
        torrent_flush(k->t);
        kit_drain(k);
        kit_answer(k, EVENT_WRITTEN, 2, 0);
        kit_block(k, a, 2, 1, true);
        k->on_disk[2][0][0] ^= liar == 0 ? 1 : 0;
        kit_forget(k);
        kit_answer(k, EVENT_FINISHED, 2, BTC_E_HASH);
        const char *log = buf_cstr(&k->log);
        assert_int_equal(strstr(log, "event ban\n") != NULL, liar);
        assert_int_equal(strstr(log, "event disk-changed\n") != NULL, !liar);
        assert_non_null(strstr(log, "fact blocks-lost 2\n"));
        kit_free(k);
    }
}

/* One sender of a bad piece is banned at once. */
static void test_ban(void **state)
{
    uint32_t a;
    struct kit *k = kit_running(&a);
    (void)state;
    kit_block(k, a, 2, 0, true);
    kit_block(k, a, 2, 1, false);
    kit_forget(k);
    kit_answer(k, EVENT_FINISHED, 2, BTC_E_HASH);
    KIT_EXPECT(k, "event hash-failed\nfact blocks-lost 2\n"
                  "event ban\n1: close\n");
    struct addr again = {.family = ADDR_V4, .port = 9999, .ip = {10, 0, 0, 1}};
    assert_int_equal(torrent_new_conn(k->t, &again, k->now_ms), 0);
    kit_free(k);
}

/* Restored pieces and blocks; a piece whose last block was journaled before its
 * verdict is finished at the start. */
static void test_restore(void **state)
{
    struct kit *k = kit_new();
    (void)state;
    torrent_restore_piece(k->t, 0);
    torrent_restore_piece(k->t, KIT_PIECES); /* out of range: ignored */
    torrent_restore_block(k->t, 1, 1);
    torrent_restore_block(k->t, 1, 2);
    torrent_restore_block(k->t, 2, 0);
    torrent_restore_block(k->t, 2, 1);
    kit_event(k, EVENT_START);
    KIT_EXPECT(k, "finish 2 - -\nnotify state 2\nnotify checked\n");
    uint32_t a = kit_peer(k, true);
    KIT_EXPECT(k, "1: handshake bitfield 80\n");
    kit_simple(k, a, WIRE_HAVE_ALL);
    kit_simple(k, a, WIRE_UNCHOKE);
    const char *log = buf_cstr(&k->log);
    assert_non_null(strstr(log, "request 1/0+16384"));
    assert_null(strstr(log, "request 1/16384"));
    assert_null(strstr(log, "request 0/"));
    assert_null(strstr(log, "request 2/"));
    kit_forget(k);
    kit_answer(k, EVENT_FINISHED, 2, BTC_E_SHORT);
    log = buf_cstr(&k->log);
    assert_non_null(strstr(log, "fact blocks-lost 2\n"));
    kit_free(k);
}

/* Claims under verification: kept, lost, or owed when nothing could be read. */
static void test_check(void **state)
{
    struct kit *k = kit_new();
    (void)state;
    torrent_restore_piece(k->t, 0);
    for (uint32_t i = 0; i < 4; i++) {
        torrent_check_piece(k->t, i, i != 3);
        torrent_check_piece(k->t, i, i != 3); /* twice is once */
    }
    kit_event(k, EVENT_START);
    KIT_EXPECT(k, "notify state 1\nhash 0\nhash 1\n");
    kit_answer(k, EVENT_HASHED, 0, 0);
    KIT_EXPECT(k, "fact piece 0\nnotify piece\nhash 2\n");
    kit_answer(k, EVENT_HASHED, 1, BTC_E_HASH);
    KIT_EXPECT(k, "event piece-lost\nfact piece-lost 1\nhash 3\n"
                  "notify state 2\n");
    kit_answer(k, EVENT_HASHED, 3, BTC_E_HASH);
    KIT_EXPECT(k, "");
    kit_answer(k, EVENT_HASHED, 2, BTC_E_STORAGE);
    KIT_EXPECT(k, "notify error STORAGE\n");
    assert_int_equal(torrent_state(k->t), TORRENT_FAILED);
    kit_event(k, EVENT_STOP);
    KIT_EXPECT(k, "notify state 0\n");
    kit_free(k);
}

/* A spot that cannot be read is called that, whether it was claimed or not; the
 * claim goes, the rest goes on. */
static void test_read_error(void **state)
{
    struct kit *k = kit_new();
    (void)state;
    for (uint32_t i = 0; i < 4; i++) {
        torrent_check_piece(k->t, i, i != 1);
    }
    kit_event(k, EVENT_START);
    KIT_EXPECT(k, "notify state 1\nhash 0\nhash 1\n");
    kit_answer(k, EVENT_HASHED, 0, BTC_E_IO);
    KIT_EXPECT(k, "event read-error\nfact piece-lost 0\nhash 2\n"
                  "notify state 2\n");
    kit_answer(k, EVENT_HASHED, 1, BTC_E_IO);
    KIT_EXPECT(k, "event read-error\nhash 3\n");
    kit_answer(k, EVENT_HASHED, 2, 0);
    KIT_EXPECT(k, "fact piece 2\nnotify piece\n");
    kit_answer(k, EVENT_HASHED, 3, BTC_E_HASH);
    KIT_EXPECT(k, "event piece-lost\nfact piece-lost 3\nnotify checked\n");
    kit_event(k, EVENT_STOP);
    kit_free(k);
}

/* A seed that shows one piece after the other (BEP 16) waits for our HAVE of
 * the last one; one that says that it has everything learns nothing by it. */
static void test_super_seed(void **state)
{
    struct kit *k = kit_new();
    uint8_t m[WIRE_HEADER_MAX];
    (void)state;
    kit_event(k, EVENT_START);
    uint32_t shy = kit_peer(k, true);
    uint32_t seed = kit_peer(k, true);
    kit_simple(k, shy, WIRE_HAVE_NONE);
    kit_simple(k, seed, WIRE_HAVE_ALL);
    kit_simple(k, shy, WIRE_UNCHOKE);
    kit_forget(k);
    kit_bytes(k, shy, m, wire_encode_piece_idx(WIRE_HAVE, 2, m));
    KIT_EXPECT(k, "1: interested request 2/0+16384 request 2/16384+16384\n");
    kit_block(k, shy, 2, 0, true);
    kit_block(k, shy, 2, 1, true);
    kit_forget(k);
    kit_answer(k, EVENT_FINISHED, 2, 0);
    KIT_EXPECT(k, "1: have 2 not_interested\nfact piece 2\nnotify piece\n");
    kit_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_error),
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_short_of_memory),
        cmocka_unit_test(test_lent_bytes),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_unwritten),
        cmocka_unit_test(test_written_late),
        cmocka_unit_test(test_ahead_late),
        cmocka_unit_test(test_unread),
        cmocka_unit_test(test_blame),
        cmocka_unit_test(test_owner_changes),
        cmocka_unit_test(test_ban),
        cmocka_unit_test(test_purge),
        cmocka_unit_test(test_purge_under_way),
        cmocka_unit_test(test_changed_by_disk),
        cmocka_unit_test(test_restore),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_super_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
