/* Fairness: equal peers get equal parts of what we send, and nobody is dialled,
 * kept out or blamed for what it did not do. */
#include "core/swarm/choker.h"
#include "sim/sim_fake.h"
#include "sim/sim_node.h"

#define KIB 1024ull
#define MIB (1024ull * 1024)

/* A torrent that a node has and seeds. */
static struct sim_torrent *seed_new(struct sim *s, struct sim_node *n,
                                    uint64_t total)
{
    struct sim_shape sh = {.total = total, .piece_length = 65536};
    struct sim_content *c = sim_content_new(s, &sh);
    struct sim_torrent *st = sim_torrent_new(n, c, NULL, false);
    struct sim_fake *f = sim_fake_new(s, c, SIM_HONEST, 8 * MIB);
    sim_start(st);
    sim_add_peer(st, &f->host);
    SIM_CHECK(s, sim_run_until(s, sim_is_complete, st, 60000));
    return st;
}

/* The torrent's limit, or that of the run. */
static void limit_uploads(struct sim *s, struct sim_torrent *st, uint64_t limit)
{
    if (s->seed % 2 == 0) {
        torrent_set_limits(st->t, limit, 0, s->now_ms);
    } else {
        bucket_set_rate(&st->node->shared.swarm.up, limit, s->now_ms);
    }
}

/* Leechers that come to the node, and what each has got. */
struct crowd {
    struct sim_fake *f[16];
    uint64_t had[16];
    uint32_t n;
};

static void crowd_come(struct crowd *k, struct sim *s, struct sim_torrent *st,
                       uint32_t n)
{
    k->n = n;
    for (uint32_t i = 0; i < n; i++) {
        k->f[i] = sim_fake_new(s, st->c, SIM_LEECH, 8 * MIB);
        k->f[i]->host.latency_ms = 1 + 40 * i;
        sim_fake_dial(k->f[i], &st->node->host);
    }
}

static void crowd_mark(struct crowd *k)
{
    for (uint32_t i = 0; i < k->n; i++) {
        k->had[i] = k->f[i]->bytes_got;
    }
}

/* Bytes since the mark: of all, of who got least and of who got most. */
static uint64_t crowd_got(const struct crowd *k, uint64_t *least,
                          uint64_t *most)
{
    uint64_t sum = 0;
    *least = UINT64_MAX;
    *most = 0;
    for (uint32_t i = 0; i < k->n; i++) {
        uint64_t got = k->f[i]->bytes_got - k->had[i];
        sum += got;
        *least = got < *least ? got : *least;
        *most = got > *most ? got : *most;
    }
    return sum;
}

/* Up to eight leechers share a limit evenly over a few seconds, whatever their
 * latency and whether the limit is the torrent's or the run's. */
static void body_shares(struct sim *s)
{
    static const uint64_t limits[] = {200 * KIB, 50 * KIB, 3 * MIB};
    uint64_t limit = limits[s->seed % 3];
    uint64_t least = 0, most = 0;
    struct sim_node *n = sim_node_new(s, 8 * MIB, 8 * MIB);
    struct sim_torrent *st = seed_new(s, n, 24 * MIB);
    struct crowd k;
    limit_uploads(s, st, limit);
    crowd_come(&k, s, st, 2 + (uint32_t)(s->seed % 7));
    sim_run(s, 6000);
    crowd_mark(&k);
    sim_run(s, 6000);
    uint64_t sum = crowd_got(&k, &least, &most);
    uint64_t mean = sum / k.n;
    SIM_CHECK(s, sum >= limit * 6 * 8 / 10 && sum <= limit * 6 * 12 / 10);
    SIM_CHECK(s, most - least <= mean / 4 + 2 * 16384);
}

static void test_shares(void **state)
{
    (void)state;
    sim_each_seed(21, body_shares);
}

/* Those that hold a slot and ask for nothing keep out nobody: who comes then
 * has all of the limit within seconds. */
static void body_squatters(struct sim *s)
{
    uint64_t limit = 400 * KIB;
    uint64_t least = 0, most = 0;
    struct sim_node *n = sim_node_new(s, 8 * MIB, 8 * MIB);
    struct sim_torrent *st = seed_new(s, n, 24 * MIB);
    struct crowd k;
    limit_uploads(s, st, limit);
    for (int i = 0; i < 30; i++) {
        sim_fake_haunt(sim_fake_new(s, st->c, SIM_SQUATTER, MIB), &n->host);
    }
    sim_run(s, 5000 + sim_below(s, 60000));
    crowd_come(&k, s, st, 1 + (uint32_t)sim_below(s, 6));
    sim_run(s, 3000);
    crowd_mark(&k);
    sim_run(s, 4000);
    uint64_t sum = crowd_got(&k, &least, &most);
    SIM_CHECK(s, sum >= limit * 4 * 8 / 10);
    SIM_CHECK(s, least >= sum / k.n / 2);
}

static void test_squatters(void **state)
{
    (void)state;
    sim_each_seed(20, body_squatters);
}

/* Three times as many hosts as there are places call a seed again and again and
 * want nothing: an honest one that calls once is let in and served. */
static void body_flood(struct sim *s)
{
    struct sim_node *n = sim_node_new(s, 8 * MIB, 8 * MIB);
    struct sim_torrent *st = seed_new(s, n, MIB);
    for (int i = 0; i < 3 * SWARM_DEF_PEERS; i++) {
        enum sim_script script = i % 2 == 0 ? SIM_SQUATTER : SIM_CHOKER;
        sim_fake_haunt(sim_fake_new(s, st->c, script, MIB), &n->host);
    }
    sim_run(s, 50000 + sim_below(s, 60000));
    struct sim_fake *good = sim_fake_new(s, st->c, SIM_LEECH, MIB);
    sim_fake_dial(good, &n->host);
    sim_run(s, 15000);
    SIM_CHECK(s, good->bytes_got >= MIB);
}

static void test_flood(void **state)
{
    (void)state;
    sim_each_seed(6, body_flood);
}

/* Fakes that share an IP, each with a port of its own, and come again whenever
 * they are thrown out. */
static void haunt_from_one_ip(struct sim *s, struct sim_torrent *st,
                              enum sim_script script, uint32_t n, uint64_t rate)
{
    struct addr first = addr_none();
    for (uint32_t i = 0; i < n; i++) {
        struct sim_fake *f = sim_fake_new(s, st->c, script, rate);
        if (i == 0) {
            first = f->host.addr;
        }
        f->host.addr = first;
        f->host.addr.port = (uint16_t)(10000 + i);
        sim_fake_haunt(f, &st->node->host);
    }
}

/* Eight connections of one host have no more of a limit than the host's part:
 * two others get at least a quarter each. */
static void body_one_host(struct sim *s)
{
    uint64_t limit = 400 * KIB;
    uint64_t least = 0, most = 0;
    struct sim_node *n = sim_node_new(s, 8 * MIB, 8 * MIB);
    struct sim_torrent *st = seed_new(s, n, 24 * MIB);
    struct crowd k;
    torrent_set_limits(st->t, limit, 0, s->now_ms);
    haunt_from_one_ip(s, st, SIM_LEECH, 8, 8 * MIB);
    sim_run(s, 5000 + sim_below(s, 10000));
    crowd_come(&k, s, st, 2);
    sim_run(s, 2 * CHOKER_INTERVAL_MS);
    crowd_mark(&k);
    sim_run(s, 8000);
    uint64_t sum = crowd_got(&k, &least, &most);
    SIM_CHECK(s, least >= limit * 8 / 4);
    SIM_CHECK(s, sum <= limit * 8 * 8 / 10);
}

static void test_one_host(void **state)
{
    (void)state;
    sim_each_seed(6, body_one_host);
}

/* Two torrents share the limit of the run, however many leechers each has. */
static void share_torrents(struct sim *s, uint64_t limit, uint64_t seconds)
{
    uint64_t least = 0, most = 0;
    struct sim_node *n = sim_node_new(s, 8 * MIB, 8 * MIB);
    struct sim_torrent *a = seed_new(s, n, 8 * MIB);
    struct sim_torrent *b = seed_new(s, n, 8 * MIB);
    struct crowd many, one;
    bucket_set_rate(&n->shared.swarm.up, limit, s->now_ms);
    crowd_come(&many, s, a, 7);
    sim_run(s, 3000);
    crowd_come(&one, s, b, 1);
    sim_run(s, 5000);
    crowd_mark(&many);
    crowd_mark(&one);
    sim_run(s, seconds * 1000);
    uint64_t sum_many = crowd_got(&many, &least, &most);
    uint64_t sum_one = crowd_got(&one, &least, &most);
    uint64_t sum = limit * seconds;
    SIM_CHECK(s, sum_many + sum_one >= sum * 8 / 10);
    SIM_CHECK(s, sum_many + sum_one <= sum * 12 / 10);
    SIM_CHECK(s, sum_one >= sum / 3);
    SIM_CHECK(s, sum_many >= sum / 3);
}

static void body_torrents(struct sim *s)
{
    share_torrents(s, 300 * KIB, 8);
}

static void body_torrents_tiny(struct sim *s)
{
    share_torrents(s, KIB, 800);
}

static void test_torrents(void **state)
{
    (void)state;
    sim_each_seed(6, body_torrents);
    sim_each_seed(2, body_torrents_tiny);
}

/* Eighty connections of one IP that drip keep the only seed out neither when it
 * comes nor when it is dialled. */
static void body_drips(struct sim *s)
{
    struct sim_shape sh = {.total = 2 * MIB, .piece_length = 65536};
    struct sim_content *c = sim_content_new(s, &sh);
    struct sim_node *n = sim_node_new(s, 8 * MIB, 8 * MIB);
    struct sim_torrent *st = sim_torrent_new(n, c, NULL, false);
    sim_start(st);
    haunt_from_one_ip(s, st, SIM_HONEST, SWARM_DEF_PEERS + 20, 400);
    sim_run(s, 20000 + sim_below(s, 40000));
    struct sim_fake *good = sim_fake_new(s, c, SIM_HONEST, MIB / 4);
    if (s->seed % 2 == 0) {
        sim_fake_dial(good, &n->host);
    } else {
        sim_add_peer(st, &good->host);
    }
    SIM_CHECK(s, sim_run_until(s, sim_is_complete, st, 70000));
    SIM_CHECK(s, good->n_blocks > 0);
}

static void test_drips(void **state)
{
    (void)state;
    sim_each_seed(4, body_drips);
}

/* More peers than places, and none of them ever unchokes us: after each was
 * tried, few are dialled. */
static void body_chokers(struct sim *s)
{
    struct sim_shape sh = {.total = MIB, .piece_length = 65536};
    struct sim_content *c = sim_content_new(s, &sh);
    struct sim_node *n = sim_node_new(s, MIB, MIB);
    struct sim_torrent *st = sim_torrent_new(n, c, NULL, false);
    uint32_t before = 0, after = 0;
    torrent_set_limits(st->t, 0, 30, s->now_ms);
    sim_start(st);
    for (int i = 0; i < 150; i++) {
        sim_add_peer(st, &sim_fake_new(s, c, SIM_CHOKER, MIB)->host);
    }
    sim_run(s, 600000);
    for (const struct sim_fake *f = s->fakes; f != NULL; f = f->next) {
        SIM_CHECK(s, f->n_accepted > 0);
        before += f->n_accepted;
    }
    sim_run(s, 600000);
    for (const struct sim_fake *f = s->fakes; f != NULL; f = f->next) {
        after += f->n_accepted;
    }
    SIM_CHECK(s, after - before < 40);
}

static void test_chokers(void **state)
{
    (void)state;
    sim_each_seed(1, body_chokers);
}

/* Hundreds of addresses are dead, or take a connection and say nothing: the one
 * that lives is found in a time that they cannot draw out. */
static void body_dead(struct sim *s)
{
    struct sim_shape sh = {.total = MIB, .piece_length = 65536};
    struct sim_content *c = sim_content_new(s, &sh);
    struct sim_node *n = sim_node_new(s, 8 * MIB, MIB);
    struct sim_torrent *st = sim_torrent_new(n, c, NULL, false);
    struct sim_host dead;
    sim_start(st);
    for (uint32_t i = 0; i < 450; i++) {
        sim_host_init(s, &dead, 1);
        sim_add_peer(st, &dead);
        sim_add_peer(st, &sim_fake_new(s, c, SIM_MUTE, MIB)->host);
    }
    sim_add_peer(st, &sim_fake_new(s, c, SIM_HONEST, MIB)->host);
    SIM_CHECK(s, sim_run_until(s, sim_is_complete, st, 170000));
}

static void test_dead(void **state)
{
    (void)state;
    sim_each_seed(12, body_dead);
}

/* Two nodes that dial each other at once keep one connection. */
static void body_twins(struct sim *s)
{
    struct sim_shape sh = {.total = MIB, .piece_length = 65536};
    struct sim_content *c = sim_content_new(s, &sh);
    struct sim_node *n = sim_node_new(s, MIB, MIB);
    struct sim_node *m = sim_node_new(s, MIB, MIB);
    struct sim_torrent *a = sim_torrent_new(n, c, NULL, false);
    struct sim_torrent *b = sim_torrent_new(m, c, NULL, false);
    struct torrent_stats ts;
    sim_start(a);
    sim_start(b);
    sim_add_peer(a, &m->host);
    sim_add_peer(b, &n->host);
    for (int i = 0; i < 60; i++) {
        sim_run(s, 2000);
        torrent_get_stats(a->t, s->now_ms, &ts);
        SIM_CHECK(s, ts.peers == 1);
        torrent_get_stats(b->t, s->now_ms, &ts);
        SIM_CHECK(s, ts.peers == 1);
    }
}

static void test_twins(void **state)
{
    (void)state;
    sim_each_seed(20, body_twins);
}

/* One client of three addresses, all of them dialled, and a thief of its id
 * that sends a little: the client keeps one connection, and the thief cannot
 * take it away. */
static void body_addresses(struct sim *s)
{
    struct sim_shape sh = {.total = 24 * MIB, .piece_length = 65536};
    struct sim_content *c = sim_content_new(s, &sh);
    struct sim_node *n = sim_node_new(s, MIB, MIB);
    struct sim_torrent *st = sim_torrent_new(n, c, NULL, false);
    struct sim_fake *f[4];
    struct torrent_stats ts;
    sim_start(st);
    for (int i = 0; i < 4; i++) {
        bool thief = i == (int)(s->seed % 4);
        f[i] = sim_fake_new(s, c, thief ? SIM_CREEP : SIM_HONEST, MIB / 12);
        f[i]->guise = f[0];
        sim_add_peer(st, &f[i]->host);
    }
    sim_run(s, 60000);
    torrent_get_stats(st->t, s->now_ms, &ts);
    SIM_CHECK(s, ts.peers == 1);
    SIM_CHECK(s, ts.down_rate > MIB / 12 * 8 / 10);
}

static void test_addresses(void **state)
{
    (void)state;
    sim_each_seed(20, body_addresses);
}

/* Behind the IP of two honest seeds (a carrier's NAT) live others that say
 * their ids: they came first, call again whenever they are thrown out, and
 * bring little or nothing. The seeds are used all the same. */
static void body_neighbours(struct sim *s)
{
    static const enum sim_script scripts[] = {
        SIM_THIEF, SIM_TRICKLE, SIM_NINETY, SIM_REVEAL,
        SIM_LEECH, SIM_CREEP,   SIM_CHURN,  SIM_SQUATTER};
    struct sim_shape sh = {.total = 4 * MIB, .piece_length = 65536};
    struct sim_content *c = sim_content_new(s, &sh);
    struct sim_node *n = sim_node_new(s, 8 * MIB, 8 * MIB);
    struct sim_torrent *st = sim_torrent_new(n, c, NULL, false);
    struct sim_fake *f[8];
    sim_start(st);
    for (int i = 0; i < 8; i++) {
        f[i] = sim_fake_new(s, c, i < 2 ? SIM_HONEST : scripts[s->seed % 8],
                            MIB / 4);
        f[i]->host.addr = f[0]->host.addr;
        f[i]->host.addr.port = (uint16_t)(10000 + i);
        f[i]->guise = f[i % 2];
        if (i >= 2 && i % 4 < 2) {
            sim_fake_haunt(f[i], &n->host);
        } else if (i >= 2) {
            sim_add_peer(st, &f[i]->host);
        }
    }
    sim_run(s, sim_below(s, 10000));
    for (int i = 0; i < 2; i++) {
        sim_add_peer(st, &f[i]->host);
    }
    SIM_CHECK(s, sim_run_until(s, sim_is_complete, st, 70000));
}

static void test_neighbours(void **state)
{
    (void)state;
    sim_each_seed(32, body_neighbours);
}

/* One client that calls six times, or has six ports, keeps one connection. */
static void body_one_client(struct sim *s)
{
    struct sim_shape sh = {.total = 24 * MIB, .piece_length = 65536};
    struct sim_content *c = sim_content_new(s, &sh);
    struct sim_node *n = sim_node_new(s, MIB, MIB);
    struct sim_torrent *st = sim_torrent_new(n, c, NULL, false);
    struct sim_fake *f[6];
    struct torrent_stats ts;
    sim_start(st);
    for (int i = 0; i < 6; i++) {
        f[i] = sim_fake_new(s, c, SIM_HONEST, MIB / 12);
        f[i]->guise = f[0];
        f[i]->host.addr = f[0]->host.addr;
        f[i]->host.addr.port = (uint16_t)(10000 + i);
        if (s->seed % 2 == 0) {
            sim_fake_dial(f[i], &n->host);
        } else {
            sim_add_peer(st, &f[i]->host);
        }
    }
    for (int i = 0; i < 5; i++) {
        sim_run(s, i == 0 ? 50000 : 5000);
        torrent_get_stats(st->t, s->now_ms, &ts);
        SIM_CHECK(s, ts.peers == 1);
    }
}

static void test_one_client(void **state)
{
    (void)state;
    sim_each_seed(8, body_one_client);
}

/* One or few places, and as many that drip call again and again, each at the
 * moment at which the one before has had its time: an address that was not
 * tried yet is dialled all the same. */
static void body_few_places(struct sim *s)
{
    uint32_t places = 1 + (uint32_t)(s->seed % 3);
    enum sim_script script = s->seed % 2 == 0 ? SIM_CREEP : SIM_TRICKLE;
    struct sim_shape sh = {.total = MIB, .piece_length = 65536};
    struct sim_content *c = sim_content_new(s, &sh);
    struct sim_node *n = sim_node_new(s, MIB, MIB);
    struct sim_torrent *st = sim_torrent_new(n, c, NULL, false);
    torrent_set_limits(st->t, 0, places, s->now_ms);
    sim_start(st);
    for (uint32_t i = 0; i < 2 * places; i++) {
        sim_fake_haunt(sim_fake_new(s, c, script, MIB), &n->host);
    }
    sim_run(s, 2000 + sim_below(s, 20000));
    struct sim_fake *good = sim_fake_new(s, c, SIM_HONEST, MIB);
    sim_add_peer(st, &good->host);
    SIM_CHECK(s, sim_run_until(s, sim_is_complete, st, 90000));
}

/* A crowd for few places, each of which has brought a block in its time: those
 * that come later and have brought nothing yet are dialled all the same. */
static void body_known_creepers(struct sim *s)
{
    struct sim_shape sh = {.total = 4 * MIB, .piece_length = 32768};
    struct sim_content *c = sim_content_new(s, &sh);
    struct sim_node *n = sim_node_new(s, MIB, 8 * MIB);
    struct sim_torrent *st = sim_torrent_new(n, c, NULL, false);
    torrent_set_limits(st->t, 0, 3, s->now_ms);
    sim_start(st);
    for (int i = 0; i < 20; i++) {
        struct sim_fake *f = sim_fake_new(s, c, SIM_CREEP, MIB);
        if (i % 2 == 0) {
            sim_fake_haunt(f, &n->host);
        }
        sim_add_peer(st, &f->host);
    }
    sim_run(s, 30000 + sim_below(s, 60000));
    sim_add_peer(st, &sim_fake_new(s, c, SIM_HONEST, MIB)->host);
    SIM_CHECK(s, sim_run_until(s, sim_is_complete, st, 700000));
}

static void test_few_places(void **state)
{
    (void)state;
    sim_each_seed(12, body_few_places);
    sim_each_seed(12, body_known_creepers);
}

/* Behind the IP of an honest seed that only calls lives one that says its id,
 * was first, and brings a little all the time. The seed is let in all the same,
 * and the other one goes, however often it comes back. */
static void body_caller(struct sim *s)
{
    static const uint64_t rates[] = {5000, 10000, 20000, 60000};
    struct sim_shape sh = {.total = 4 * MIB, .piece_length = 65536};
    struct sim_content *c = sim_content_new(s, &sh);
    struct sim_node *n = sim_node_new(s, 8 * MIB, 8 * MIB);
    struct sim_torrent *st = sim_torrent_new(n, c, NULL, false);
    struct sim_fake *good = sim_fake_new(s, c, SIM_HONEST, MIB / 4);
    struct sim_fake *thief = sim_fake_new(s, c, SIM_HONEST, rates[s->seed % 4]);
    sim_start(st);
    thief->host.addr = good->host.addr;
    thief->host.addr.port = 10001;
    thief->guise = good;
    if (s->seed % 8 < 4) {
        sim_fake_haunt(thief, &n->host);
    } else {
        sim_add_peer(st, &thief->host);
    }
    sim_run(s, 1000 + sim_below(s, 40000));
    sim_fake_haunt(good, &n->host);
    SIM_CHECK(s, sim_run_until(s, sim_is_complete, st, 90000));
}

static void test_caller(void **state)
{
    (void)state;
    sim_each_seed(16, body_caller);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shares),     cmocka_unit_test(test_squatters),
        cmocka_unit_test(test_flood),      cmocka_unit_test(test_one_host),
        cmocka_unit_test(test_torrents),   cmocka_unit_test(test_drips),
        cmocka_unit_test(test_chokers),    cmocka_unit_test(test_twins),
        cmocka_unit_test(test_addresses),  cmocka_unit_test(test_dead),
        cmocka_unit_test(test_neighbours), cmocka_unit_test(test_one_client),
        cmocka_unit_test(test_few_places), cmocka_unit_test(test_caller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
