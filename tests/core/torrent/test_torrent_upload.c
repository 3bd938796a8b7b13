/* Serving: what a peer gets while it is choked. */
#include "core/torrent/torrent_kit.h"

#include "core/swarm/internal.h"
#include "core/torrent/internal.h"

#define N_PIECES 32

/* Asks for a block; the bytes that leave for it. */
static uint32_t ask(struct kit *k, uint32_t conn, uint32_t piece)
{
    struct event ev = {.type = EVENT_UPLOADED, .conn = conn, .piece = piece};
    kit_forget(k);
    kit_range(k, conn, WIRE_REQUEST,
              (struct wire_block){.piece = piece, .len = KIT_BLOCK});
    if (strstr(buf_cstr(&k->log), "upload") == NULL) {
        assert_non_null(strstr(buf_cstr(&k->log), "reject"));
        return 0;
    }
    ev.uploaded.len = KIT_BLOCK;
    kit_input(k, &ev);
    return KIT_BLOCK;
}

/* A peer that speaks BEP 6, always from the same address. */
static uint32_t arrive(struct kit *k)
{
    k->n_peers = 0;
    return kit_peer(k, true);
}

/* The pieces that a choked peer may have start it; it cannot live on them, nor
 * by coming again. */
static void test_allowed_fast(void **state)
{
    struct kit *k = kit_new_pieces(N_PIECES);
    uint64_t got = 0;
    (void)state;
    for (uint32_t i = 0; i < N_PIECES; i++) {
        torrent_restore_piece(k->t, i);
    }
    kit_event(k, EVENT_START);
    uint32_t a = arrive(k);
    for (int i = 0; i < 1000; i++) {
        const struct peer *p = slots_by_conn(k->t->swarm, a);
        assert_true(p->am_choking);
        assert_int_equal(p->fast.n_out, PEER_OUR_FAST);
        got += ask(k, a, p->fast.out[i % PEER_OUR_FAST]);
        if (i % 300 == 299) {
            struct event ev = {.type = EVENT_CLOSED, .conn = a};
            kit_input(k, &ev);
            a = arrive(k);
        }
    }
    assert_int_equal(got, PEER_FAST_BYTES);
    /* with a slot it goes on */
    kit_simple(k, a, WIRE_INTERESTED);
    assert_int_equal(ask(k, a, 0), KIT_BLOCK);
    kit_free(k);
}

/* Peers are told when we only upload from now on (BEP 21), and when not. */
static void test_upload_only(void **state)
{
    struct kit *k = kit_new_pieces(N_PIECES);
    struct event ev = {.type = EVENT_ACCEPTED};
    struct addr a = {.family = ADDR_V4, .port = 7000, .ip = {10, 1, 1, 1}};
    (void)state;
    kit_event(k, EVENT_START);
    ev.conn = torrent_new_conn(k->t, &a, k->now_ms);
    ev.accepted.addr = a;
    memcpy(ev.accepted.handshake.info_hash, k->info_hash, SHA1_LEN);
    ev.accepted.handshake.reserved[5] = 0x10;
    kit_input(k, &ev);
    for (int i = 0; i < 2; i++) {
        kit_forget(k);
        kit_wait(k, 1000);
        assert_null(strstr(buf_cstr(&k->log), "extended"));
        torrent_set_priorities(
            k->t, (uint8_t[]){i == 0 ? PICKER_PRIO_OFF : PICKER_PRIO_NORMAL});
        kit_wait(k, 1000);
        assert_non_null(strstr(buf_cstr(&k->log), "extended"));
    }
    kit_free(k);
}

/* Uploads in the log: their number, and the ranges of files of `file` bytes. */
static uint32_t uploads_out(struct kit *k, uint32_t file, uint32_t *ranges)
{
    uint32_t n = 0;
    const char *at = buf_cstr(&k->log);
    while ((at = strstr(at, ": upload ")) != NULL) {
        at = strchr(at, '+') + 1;
        uint32_t len = 0;
        for (; *at >= '0' && *at <= '9'; at++) {
            len = len * 10 + (uint32_t)(*at - '0');
        }
        *ranges += len / file;
        n++;
    }
    return n;
}

/* A torrent of tiny files is served to a peer that asks for 32 blocks at once,
 * and never are more ranges of files under way than a connection takes. */
static void test_tiny_files(void **state)
{
    static const uint32_t sizes[] = {20, 100, 700, 5000};
    (void)state;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        struct kit *k = kit_new_pieces(N_PIECES);
        uint32_t n =
            (uint32_t)((KIT_TOTAL_OF(N_PIECES) + sizes[s] - 1) / sizes[s]);
        struct layout_file *files = mem_calloc(n, sizeof *files);
        struct torrent_config c = {
            .shared = &k->shared, .geom = &k->geom, .info_hash = k->info_hash};
        uint64_t served = 0;
        for (uint32_t i = 0; i < n; i++) {
            files[i].offset = (uint64_t)i * sizes[s];
            files[i].length =
                i + 1 < n ? sizes[s] : KIT_TOTAL_OF(N_PIECES) - files[i].offset;
        }
        torrent_free(k->t);
        k->geom.files = files;
        k->geom.n_files = n;
        k->t = torrent_new(&c, k->now_ms);
        for (uint32_t i = 0; i < N_PIECES; i++) {
            torrent_restore_piece(k->t, i);
        }
        kit_event(k, EVENT_START);
        uint32_t conn = kit_peer(k, true);
        kit_simple(k, conn, WIRE_INTERESTED);
        struct buf m;
        buf_init(&m, 4096);
        for (uint32_t i = 0; i < 32; i++) {
            struct wire_block b = {
                .piece = i / 2, .begin = i % 2 * KIT_BLOCK, .len = KIT_BLOCK};
            uint8_t one[WIRE_HEADER_MAX];
            (void)buf_append(&m, one, wire_encode_block(WIRE_REQUEST, &b, one));
        }
        kit_forget(k);
        kit_bytes(k, conn, buf_slice(&m).p, buf_len(&m));
        buf_fini(&m);
        for (;;) {
            struct peer *p = slots_by_conn(k->t->swarm, conn);
            uint32_t ranges = 0;
            if (uploads_out(k, sizes[s], &ranges) == 0) {
                break;
            }
            kit_forget(k);
            assert_in_range(ranges, 1, 1300);
            struct event ev = {.type = EVENT_UPLOADED, .conn = conn};
            /* all of it leaves before the next is started */
            uint32_t jobs = p->up.jobs;
            ev.uploaded.len = p->up.inflight / jobs;
            served += p->up.inflight;
            p->up.inflight = ev.uploaded.len;
            p->up.jobs = 1;
            k->t->swarm->up.jobs = 1;
            kit_input(k, &ev);
        }
        assert_int_equal(served, 32 * KIT_BLOCK);
        kit_free(k);
        free(files);
    }
}

/* Fetches a piece of the seed. */
static void fetch(struct kit *k, uint32_t seed, uint32_t piece)
{
    kit_block(k, seed, piece, 0, true);
    kit_block(k, seed, piece, 1, true);
    kit_forget(k);
    kit_answer(k, EVENT_FINISHED, piece, 0);
}

/* Who is idle hears of a new piece at once. Who is interested in us hears of
 * several at once, with whatever else we say or with the next tick; a seed
 * hears of nothing. */
static void test_news(void **state)
{
    struct kit *k = kit_new();
    (void)state;
    kit_event(k, EVENT_START);
    uint32_t seed = kit_peer(k, true);
    uint32_t idle = kit_peer(k, true);
    uint32_t busy = kit_peer(k, true);
    uint32_t other = kit_peer(k, true);
    kit_bitfield(k, seed, 0xf0);
    kit_bitfield(k, idle, 0x00);
    kit_bitfield(k, busy, 0x00);
    kit_bitfield(k, other, 0xc0);
    kit_simple(k, busy, WIRE_INTERESTED);
    kit_simple(k, other, WIRE_INTERESTED);
    kit_wait(k, TORRENT_TICK_MS);
    kit_simple(k, seed, WIRE_UNCHOKE);
    fetch(k, seed, 0);
    KIT_EXPECT(k, "2: have 0\nfact piece 0\nnotify piece\n");
    fetch(k, seed, 1);
    KIT_EXPECT(k, "2: have 1\n4: have 0 have 1 not_interested\nfact piece "
                  "1\nnotify piece\n");
    kit_wait(k, TORRENT_TICK_MS);
    KIT_EXPECT(k, "3: have 0 have 1\n");
    kit_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_allowed_fast),
        cmocka_unit_test(test_upload_only),
        cmocka_unit_test(test_tiny_files),
        cmocka_unit_test(test_news),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
