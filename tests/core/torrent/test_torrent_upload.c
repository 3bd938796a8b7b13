/* Serving: what a peer gets while it is choked. */
#define KIT_PIECES 32
#include "core/torrent/torrent_kit.h"

#include "core/swarm/internal.h"
#include "core/torrent/internal.h"

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
    struct kit *k = kit_new();
    uint64_t got = 0;
    (void)state;
    for (uint32_t i = 0; i < KIT_PIECES; i++) {
        torrent_restore_piece(k->t, i);
    }
    kit_event(k, EVENT_START);
    uint32_t a = arrive(k);
    for (int i = 0; i < 1000; i++) {
        const struct peer *p = slots_by_conn(k->t->swarm, a);
        assert_true(p->am_choking);
        assert_int_equal(p->n_fast_out, PEER_OUR_FAST);
        got += ask(k, a, p->fast_out[i % PEER_OUR_FAST]);
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
    struct kit *k = kit_new();
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
        torrent_set_priority(k->t, 0,
                             i == 0 ? PICKER_PRIO_OFF : PICKER_PRIO_NORMAL);
        kit_wait(k, 1000);
        assert_non_null(strstr(buf_cstr(&k->log), "extended"));
    }
    kit_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_allowed_fast),
        cmocka_unit_test(test_upload_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
