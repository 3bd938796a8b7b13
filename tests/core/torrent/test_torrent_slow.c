/* Peers that answer slowly, or some requests and others never. */
#include "core/torrent/torrent_kit.h"

#include "core/swarm/internal.h"
#include "core/torrent/internal.h"

#define N_PIECES 200

/* A seed that unchokes us. */
static uint32_t kit_seed(struct kit *k)
{
    uint32_t conn = kit_peer(k, true);
    kit_simple(k, conn, WIRE_HAVE_ALL);
    kit_simple(k, conn, WIRE_UNCHOKE);
    return conn;
}

/* One block in `ms`, in the order of the requests but for the first `held`. */
static void kit_drip(struct kit *k, uint32_t conn, uint32_t held, int n,
                     uint64_t ms)
{
    struct peer *p = slots_by_conn(k->t->swarm, conn);
    for (int i = 0; i < n; i++) {
        kit_wait(k, ms);
        assert_true(p->window.n > held);
        struct picker_block b = peer_req_at(p, held)->b;
        kit_block(k, conn, b.piece, b.block, true);
    }
}

/* Whether somebody else would be asked for the first block now. */
static bool is_free(struct kit *k)
{
    uint32_t askers[PICKER_MAX_ASKERS];
    struct picker_block first = {0, 0};
    return picker_askers(torrent_picker(k->t), first, askers) == 0;
}

/* A request that is passed over is taken back, whatever else is answered. */
static void test_held_back(void **state)
{
    static const uint64_t pace[] = {1000, 2500, 4000, 4900};
    (void)state;
    for (size_t i = 0; i < sizeof pace / sizeof *pace; i++) {
        struct kit *k = kit_new_pieces(N_PIECES);
        torrent_set_sequential(k->t, true);
        kit_event(k, EVENT_START);
        uint32_t a = kit_seed(k);
        uint32_t b = kit_peer(k, true); /* somebody else is there */
        kit_drip(k, a, 1, (int)(24000 / pace[i]), pace[i]);
        assert_true(is_free(k));
        kit_forget(k);
        kit_simple(k, b, WIRE_HAVE_ALL);
        kit_simple(k, b, WIRE_UNCHOKE);
        assert_non_null(strstr(buf_cstr(&k->log), " request 0/0+16384"));
        for (uint32_t piece = 0; piece < N_PIECES; piece++) {
            if (k->jobs[piece]) {
                kit_answer(k, EVENT_FINISHED, piece, 0);
            }
        }
        kit_free(k);
    }
}

/* One that answers in order, however slowly, keeps what it was asked. */
static void test_slow_in_order(void **state)
{
    struct kit *k = kit_new_pieces(N_PIECES);
    (void)state;
    torrent_set_sequential(k->t, true);
    kit_event(k, EVENT_START);
    uint32_t a = kit_seed(k);
    (void)kit_peer(k, true);
    struct peer *p = slots_by_conn(k->t->swarm, a);
    for (int i = 0; i < 12; i++) {
        kit_drip(k, a, 0, 1, 4000);
        assert_int_equal(p->window.n_late, 0);
    }
    for (uint32_t piece = 0; piece < N_PIECES; piece++) {
        if (k->jobs[piece]) {
            kit_answer(k, EVENT_FINISHED, piece, 0);
        }
    }
    kit_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_held_back),
        cmocka_unit_test(test_slow_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
