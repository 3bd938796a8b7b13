/* Rows of the DHT: its nodes, our place in it, searches, ways of a run. */
#include "journal/db_kit.h"
#include "journal/nodes.h"
#include "journal/ways.h"

/* Node i, 10.x.y.z:1000 + i. */
static struct journal_node test_node(uint32_t i, bool is_gone)
{
    struct journal_node n = {.is_gone = is_gone};
    n.addr = (struct addr){.family = ADDR_V4, .port = (uint16_t)(1000 + i)};
    (void)bytes_put_be32(n.addr.ip, 0x0a000000u + i);
    memset(n.id, (int)(i & 0xff), sizeof(n.id));
    return n;
}

static void test_save(struct journal *db, uint32_t first, uint32_t n,
                      bool is_gone)
{
    struct err e = {0};
    struct journal_node *nodes = mem_calloc(n, sizeof(*nodes));
    for (uint32_t i = 0; i < n; i++) {
        nodes[i] = test_node(first + i, is_gone);
    }
    assert_int_equal(journal_save_nodes(db, nodes, n, &e), 0);
    free(nodes);
}

static size_t test_count(struct journal *db)
{
    struct journal_node *nodes = NULL;
    size_t n = 0;
    struct err e = {0};
    assert_int_equal(journal_load_nodes(db, &nodes, &n, &e), 0);
    free(nodes);
    return n;
}

/* What is saved comes back, in both families; what is gone does not. */
static void test_nodes_kept(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    struct journal_node six = test_node(9, false);
    struct journal_node *back = NULL;
    size_t n = 0;
    struct err e = {0};
    assert_int_equal(test_count(db), 0);
    test_save(db, 0, 3, false);
    assert_true(addr_parse(slice_str("[2001:db8::9]:9"), &six.addr));
    assert_int_equal(journal_save_nodes(db, &six, 1, &e), 0);
    test_save(db, 1, 1, true);
    journal_close(db);
    db = test_db_open(t->path, 0);
    assert_int_equal(journal_load_nodes(db, &back, &n, &e), 0);
    assert_int_equal(n, 3);
    uint32_t seen = 0;
    for (size_t i = 0; i < n; i++) {
        struct journal_node want = test_node(back[i].id[0], false);
        if (back[i].id[0] == 9) {
            want.addr = six.addr;
        }
        assert_true(addr_eq(&back[i].addr, &want.addr));
        assert_memory_equal(back[i].id, want.id, sizeof(want.id));
        seen |= 1u << back[i].id[0];
    }
    assert_int_equal(seen, 1u << 0 | 1u << 2 | 1u << 9);
    free(back);
    journal_close(db);
}

/* Never more than so many, and the newest stay. */
static void test_nodes_bounded(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    test_save(db, 0, 400, false);
    assert_int_equal(
        test_db_sql(t->path, "UPDATE dht_node SET last_seen = last_seen - 9"),
        SQLITE_OK);
    test_save(db, 1000, 400, false);
    assert_int_equal(test_count(db), JOURNAL_NODES_MAX);
    TEST_DB_IS(t->path, "SELECT count(*) FROM dht_node", "512");
    TEST_DB_IS(t->path, "SELECT count(*) FROM dht_node WHERE port >= 2000",
               "400");
    journal_close(db);
}

/* Rows that somebody wrote by hand, in which nothing is right. */
static void test_nodes_nonsense(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    test_save(db, 5, 1, false);
    assert_int_equal(
        test_db_sql(t->path,
                    "INSERT INTO dht_node VALUES ('nowhere', 5, "
                    "zeroblob(20), 1), ('10.0.0.300', 5, zeroblob(20), 2),"
                    "('', 5, zeroblob(20), 3), ('10.0.0.1', 5, NULL, 4)"),
        SQLITE_OK);
    assert_int_equal(test_count(db), 1);
    journal_close(db);
}

/* Our place is there in the next run, and in the one after that. */
static void test_places(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    struct journal_place in[2] = {{.nodes = 50, .good_nodes = 40}}, out[2];
    struct err e = {0};
    assert_int_equal(journal_load_places(db, out, &e), 0);
    assert_false(out[0].is_known || out[1].is_known);
    memset(in[0].id, 0x41, sizeof(in[0].id));
    memset(in[1].id, 0x61, sizeof(in[1].id));
    assert_true(addr_parse_ip(slice_str("203.0.113.7"), 0, &in[0].ip));
    assert_int_equal(journal_set_ways(db, true, false, true, false, &e), 0);
    assert_int_equal(journal_save_places(db, in, &e), 0);
    assert_int_equal(journal_set_ways(db, true, true, false, true, &e), 0);
    journal_close(db);
    db = test_db_open(t->path, 0);
    assert_int_equal(journal_load_places(db, out, &e), 0);
    for (int i = 0; i < 2; i++) {
        assert_true(out[i].is_known);
        assert_memory_equal(out[i].id, in[i].id, sizeof(in[i].id));
        assert_true(addr_eq(&out[i].ip, &in[i].ip));
    }
    TEST_DB_IS(t->path, "SELECT group_concat(way || is_on || nodes) FROM reach",
               "dht410,dht610,lsd10,pex00");
    assert_int_equal(test_db_sql(t->path, "UPDATE reach SET address = '::1',"
                                          " node_id = NULL WHERE way = 'dht4'"),
                     SQLITE_OK);
    assert_int_equal(journal_load_places(db, out, &e), 0);
    assert_false(out[0].is_known);
    assert_int_equal(out[0].ip.family, ADDR_NONE);
    journal_close(db);
}

/* A search shows in way_list; that of a torrent that is gone leaves nothing. */
static void test_searches(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    struct journal_place places[2] = {{.nodes = 5, .good_nodes = 4},
                                      {.nodes = 2, .good_nodes = 1}};
    struct journal_search s[2] = {
        {.torrent_id = test_db_add(db, 1), .answers = 31, .peers = 4},
        {.torrent_id = 4711, .answers = 1}};
    struct err e = {0};
    assert_int_equal(journal_set_ways(db, true, true, true, false, &e), 0);
    assert_int_equal(journal_save_places(db, places, &e), 0);
    assert_int_equal(journal_save_searches(db, s, 2, &e), 0);
    s[0].peers = 6;
    assert_int_equal(journal_save_searches(db, s, 1, &e), 0);
    TEST_DB_IS(t->path, "SELECT count(*) FROM dht_search", "1");
    TEST_DB_IS(t->path,
               "SELECT is_on || ' ' || nodes || ' ' || good_nodes || ' ' ||"
               " answers || ' ' || found FROM way_list WHERE way = 'dht'",
               "1 7 5 31 6");
    TEST_DB_IS(t->path,
               "SELECT group_concat(way || is_on) FROM way_list"
               " WHERE way <> 'dht'",
               "lsd0,pex1");
    test_db_sql(t->path, "UPDATE torrent SET wanted = 'remove'");
    assert_int_equal(test_db_sql(t->path, "PRAGMA foreign_keys = ON;"
                                          "DELETE FROM torrent"),
                     SQLITE_OK);
    TEST_DB_IS(t->path, "SELECT count(*) FROM dht_search", "0");
    journal_close(db);
}

#define TEST(f) \
    cmocka_unit_test_setup_teardown(f, test_db_setup, test_db_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nodes_kept), TEST(test_nodes_bounded),
        TEST(test_nodes_nonsense), TEST(test_places), TEST(test_searches)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
