/* What the journal keeps of the DHT: gathered, written together, read by the
 * next run. */
#include "engine/node_rows.h"

#include "journal/db_kit.h"
#include "journal/ways.h"
#include "journal/wishes.h"

#define TEST_GATHER_MS 5000 /* as node_rows.c has it */
#define TEST_BATCH     1024 /* nodes at most in one */

/* As much of an engine as is needed. */
struct rig {
    struct engine *s;
    struct journal *db;
    struct node_rows *rows;
};

static void rig_on_wishes(void *ctx, struct journal_wishes *w)
{
    (void)ctx;
    journal_wishes_free(w);
}

static void rig_open(struct rig *r, const char *path)
{
    r->s = mem_zalloc(sizeof(*r->s));
    r->s->loop = loop_new();
    r->db = r->s->db = test_db_open(path, JOURNAL_CREATE | JOURNAL_ENGINE);
    assert_int_equal(journal_set_ways(r->db, true, false, false, false, NULL),
                     0);
    r->rows = node_rows_new(r->s);
}

/* The database thread has the database from now on. */
static void rig_run(struct rig *r)
{
    static const struct journal_thread_callbacks cb = {.on_wishes =
                                                           rig_on_wishes};
    r->s->journal_thread = journal_thread_start(r->db, r->s->loop, &cb, r);
    r->s->db = NULL;
}

/* What was given to the thread is written by then. */
static void rig_close(struct rig *r)
{
    if (r->s->journal_thread != NULL) {
        assert_ptr_equal(journal_thread_stop(r->s->journal_thread), r->db);
    }
    node_rows_free(r->rows);
    loop_free(r->s->loop);
    journal_close(r->db);
    free(r->s);
}

static struct krpc_node node_at(unsigned i)
{
    struct krpc_node n;
    char text[40];
    memset(&n, 0, sizeof(n));
    (void)snprintf(text, sizeof(text), "10.0.%u.%u", i / 250, i % 250 + 1);
    assert_true(addr_parse_ip(slice_str(text), (uint16_t)(1000 + i), &n.addr));
    n.id[0] = (uint8_t)i;
    return n;
}

static void put(struct rig *r, unsigned i, bool is_gone)
{
    struct krpc_node n = node_at(i);
    node_rows_node(r->rows, &n, is_gone);
}

/* A change waits for others, not for ever; nothing is due without one. */
static void test_gathered(void **state)
{
    struct test_db *t = *state;
    struct dht_stats stats = {.v4 = {.n_nodes = 7, .n_good = 5}};
    struct rig r;
    rig_open(&r, t->path);
    rig_run(&r);
    assert_true(node_rows_deadline(r.rows) == UINT64_MAX);
    node_rows_write(r.rows, &stats);
    put(&r, 1, false);
    assert_true(node_rows_deadline(r.rows) ==
                loop_now_ms(r.s->loop) + TEST_GATHER_MS);
    put(&r, 2, false);
    stats.v4.id[0] = 0xab;
    stats.v4.ip = node_at(99).addr;
    node_rows_write(r.rows, &stats);
    assert_true(node_rows_deadline(r.rows) == UINT64_MAX);
    rig_close(&r);
    TEST_DB_IS(t->path,
               "SELECT group_concat(address || ' ' || port) FROM"
               " (SELECT * FROM dht_node ORDER BY port)",
               "10.0.0.2 1001,10.0.0.3 1002");
    TEST_DB_IS(t->path,
               "SELECT nodes || ' ' || good_nodes FROM reach"
               " WHERE way = 'dht4'",
               "7 5");
}

/* The next run begins with what this one has left: nodes and our own place. */
static void test_next_run(void **state)
{
    struct test_db *t = *state;
    struct dht_stats stats = {.v4 = {.n_nodes = 2}};
    struct dht_config c = {.read_only = false};
    struct krpc_node *nodes = NULL;
    struct rig r;
    rig_open(&r, t->path);
    assert_int_equal(node_rows_load(r.rows, &nodes), 0);
    free(nodes);
    rig_run(&r);
    for (unsigned i = 0; i < 3; i++) {
        put(&r, i, false);
    }
    put(&r, 1, true); /* it does not answer any more */
    stats.v4.id[0] = 0xab;
    node_rows_write(r.rows, &stats);
    rig_close(&r);
    rig_open(&r, t->path);
    assert_int_equal(node_rows_load(r.rows, &nodes), 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_not_equal(nodes[i].id[0], 1);
        struct krpc_node want = node_at(nodes[i].id[0]);
        assert_true(addr_eq(&nodes[i].addr, &want.addr));
    }
    free(nodes);
    node_rows_restore(r.rows, &c);
    assert_int_equal(c.id4[0], 0xab);
    rig_close(&r);
}

/* A full batch is due at once; what finds no place in it is not lost memory. */
static void test_full(void **state)
{
    struct test_db *t = *state;
    struct dht_stats stats = {.v4 = {.n_nodes = 1}};
    struct dht_search_result found = {.n_answers = 1};
    struct rig r;
    rig_open(&r, t->path);
    rig_run(&r);
    for (unsigned i = 0; i < TEST_BATCH; i++) {
        put(&r, i, false);
    }
    assert_true(node_rows_deadline(r.rows) > loop_now_ms(r.s->loop));
    put(&r, TEST_BATCH, false);
    assert_true(node_rows_deadline(r.rows) == loop_now_ms(r.s->loop));
    node_rows_write(r.rows, &stats);
    for (unsigned i = 0; i <= JOURNAL_SEARCHES_MAX; i++) {
        node_rows_search(r.rows, 1, &found); /* of no torrent that is there */
    }
    assert_true(node_rows_deadline(r.rows) == loop_now_ms(r.s->loop));
    node_rows_write(r.rows, &stats);
    rig_close(&r);
    TEST_DB_IS(t->path, "SELECT count(*) FROM dht_node", "512");
    TEST_DB_IS(t->path, "SELECT count(*) FROM dht_search", "0");
}

/* A run that ends before its thread began has nothing to write with. */
static void test_no_thread(void **state)
{
    struct test_db *t = *state;
    struct dht_stats stats = {.v4 = {.n_nodes = 1}};
    struct rig r;
    rig_open(&r, t->path);
    put(&r, 1, false);
    node_rows_write(r.rows, &stats);
    assert_true(node_rows_deadline(r.rows) == UINT64_MAX);
    rig_close(&r);
    node_rows_free(NULL);
    TEST_DB_IS(t->path, "SELECT count(*) FROM dht_node", "0");
}

#define TEST(f) \
    cmocka_unit_test_setup_teardown(f, test_db_setup, test_db_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_gathered), TEST(test_next_run),
                                       TEST(test_full), TEST(test_no_thread)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
