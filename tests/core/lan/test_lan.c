/* lan: when torrents are announced, and what is heard of others. */
#include "core/lan/lan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TEST_NOW   1000000u
#define TEST_CROWD 100u

struct kit {
    struct rng rng;
    struct lan *lan;
};

static struct kit kit_new(uint64_t seed)
{
    struct kit k;
    rng_init(&k.rng, seed);
    k.lan = NULL;
    return k;
}

static void test_hash(uint32_t i, uint8_t out[20])
{
    memset(out, 0, 20);
    (void)bytes_put_be32(out, i);
}

static struct addr test_addr(const char *text)
{
    struct addr a;
    assert_true(addr_parse(slice_str(text), &a));
    return a;
}

/* The datagram that would go now, decoded; it is sent. */
static struct lsd_announce test_send(struct lan *lan, uint64_t now)
{
    struct lsd_announce a;
    struct buf out;
    buf_init(&out, LSD_MAX_BYTES);
    assert_int_equal(lan_encode(lan, 6881, false, &out), 0);
    assert_int_equal(lsd_decode(buf_slice(&out), &a), 0);
    buf_fini(&out);
    lan_sent(lan, now);
    return a;
}

/* A torrent alone: at once, after 2 s, 4 s later, then every five minutes. */
static void test_schedule(void **state)
{
    struct kit k = kit_new(1);
    struct lan_turn turn = {.at_ms = 0};
    uint8_t hash[20];
    uint64_t at[5];
    size_t n = 0;
    (void)state;
    k.lan = lan_new(&k.rng);
    test_hash(7, hash);
    for (uint64_t now = TEST_NOW; n < 5; now += 1000) {
        lan_offer(k.lan, &turn, hash, now);
        assert_int_equal(lan_has_hope(&turn, now),
                         now < TEST_NOW + 6000 + LAN_ANSWER_MS);
        if (lan_is_due(k.lan, now)) {
            struct lsd_announce a = test_send(k.lan, now);
            assert_int_equal(a.n_hashes, 1);
            assert_memory_equal(a.info_hash[0], hash, 20);
            assert_int_equal(a.port, 6881);
            at[n++] = now - TEST_NOW;
        }
    }
    assert_int_equal(at[0], 0);
    assert_int_equal(at[1], 2000);
    assert_int_equal(at[2], 6000);
    for (size_t i = 3; i < 5; i++) {
        assert_in_range(at[i] - at[i - 1], LAN_AGAIN_MS,
                        LAN_AGAIN_MS + LAN_JITTER_MS + 1000);
    }
    lan_free(k.lan);
}

/* More torrents than a datagram holds: one a second goes, and each torrent has
 * its turn. */
static void test_crowd(void **state)
{
    struct kit k = kit_new(2);
    struct lan_turn turns[TEST_CROWD];
    uint32_t told[TEST_CROWD] = {0};
    uint32_t n_sent = 0;
    (void)state;
    memset(turns, 0, sizeof(turns));
    k.lan = lan_new(&k.rng);
    for (uint64_t s = 0; s < 60; s++) {
        uint64_t now = TEST_NOW + s * 1000;
        for (uint32_t i = 0; i < TEST_CROWD; i++) {
            uint8_t hash[20];
            test_hash(i, hash);
            lan_offer(k.lan, &turns[i], hash, now);
        }
        if (!lan_is_due(k.lan, now)) {
            continue;
        }
        struct lsd_announce a = test_send(k.lan, now);
        n_sent++;
        assert_false(lan_is_due(k.lan, now));
        for (uint32_t i = 0; i < a.n_hashes; i++) {
            told[bytes_get_be32(a.info_hash[i])]++;
        }
    }
    for (uint32_t i = 0; i < TEST_CROWD; i++) {
        assert_int_equal(told[i], LAN_TRIES);
    }
    assert_in_range(n_sent, 3 * TEST_CROWD / LSD_MAX_HASHES, 60);
    lan_free(k.lan);
}

/* Two torrents that come within a second share a datagram or wait for it. */
static void test_gap(void **state)
{
    struct kit k = kit_new(3);
    struct lan_turn turns[2] = {{.at_ms = 0}, {.at_ms = 0}};
    uint8_t hash[20];
    (void)state;
    k.lan = lan_new(&k.rng);
    test_hash(0, hash);
    lan_offer(k.lan, &turns[0], hash, TEST_NOW);
    (void)test_send(k.lan, TEST_NOW);
    lan_offer(k.lan, &turns[1], hash, TEST_NOW + 1);
    assert_false(lan_is_due(k.lan, TEST_NOW + LAN_GAP_MS - 1));
    assert_true(lan_is_due(k.lan, TEST_NOW + LAN_GAP_MS));
    lan_free(k.lan);
}

/* Our own announce is not heard; another's is, and so is one without cookie. */
static void test_cookie(void **state)
{
    struct kit k = kit_new(4);
    struct addr from = test_addr("192.168.1.2:6771");
    struct lan_turn turn = {.at_ms = 0};
    struct lsd_announce a;
    struct buf ours;
    uint8_t hash[20];
    (void)state;
    k.lan = lan_new(&k.rng);
    struct lan *other = lan_new(&k.rng);
    test_hash(9, hash);
    lan_offer(k.lan, &turn, hash, TEST_NOW);
    buf_init(&ours, LSD_MAX_BYTES);
    assert_int_equal(lan_encode(k.lan, 1, false, &ours), 0);
    assert_false(lan_take(k.lan, &from, buf_slice(&ours), TEST_NOW, &a));
    assert_true(lan_take(other, &from, buf_slice(&ours), TEST_NOW, &a));
    assert_int_equal(a.n_hashes, 1);
    buf_fini(&ours);
    a.cookie[0] = '\0';
    buf_init(&ours, LSD_MAX_BYTES);
    assert_int_equal(lsd_encode(&a, true, &ours), 0);
    assert_true(lan_take(k.lan, &from, buf_slice(&ours), TEST_NOW, &a));
    assert_false(lan_take(k.lan, &from, slice_str("d1:qe"), TEST_NOW, &a));
    buf_fini(&ours);
    lan_free(other);
    lan_free(k.lan);
}

/* So many announces of one torrent from a source, each of another port. */
static uint32_t test_flood_from(struct lan *lan, const struct addr *from,
                                uint32_t n, uint64_t now)
{
    uint32_t taken = 0;
    for (uint32_t i = 1; i <= n; i++) {
        struct lsd_announce a = {.port = (uint16_t)i, .n_hashes = 1};
        struct buf out;
        buf_init(&out, LSD_MAX_BYTES);
        assert_int_equal(lsd_encode(&a, false, &out), 0);
        taken += lan_take(lan, from, buf_slice(&out), now, &a) ? 1 : 0;
        buf_fini(&out);
    }
    return taken;
}

/* A source that floods is heard for a while, others are heard beside it, and
 * all together no more than so much. Later it is heard again. */
static void test_flood(void **state)
{
    struct kit k = kit_new(5);
    struct addr loud = test_addr("192.168.1.3:6771");
    uint32_t taken = 0;
    (void)state;
    k.lan = lan_new(&k.rng);
    assert_int_equal(test_flood_from(k.lan, &loud, 10000, TEST_NOW),
                     LAN_PER_PLACE);
    loud.port = 4;
    assert_int_equal(test_flood_from(k.lan, &loud, 10, TEST_NOW + 1), 0);
    for (uint32_t i = 0; i < 200; i++) {
        struct addr a = {.family = ADDR_V4, .port = 1, .ip = {10, 0, 0, 0}};
        a.ip[3] = (uint8_t)i;
        taken += test_flood_from(k.lan, &a, 100, TEST_NOW + 2);
    }
    assert_int_equal(taken, LAN_PER_WINDOW - LAN_PER_PLACE);
    assert_int_equal(
        test_flood_from(k.lan, &loud, 10, TEST_NOW + 2 * LAN_WINDOW_MS), 10);
    lan_free(k.lan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schedule), cmocka_unit_test(test_crowd),
        cmocka_unit_test(test_gap),      cmocka_unit_test(test_cookie),
        cmocka_unit_test(test_flood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
