/* The table of facts fits the schema: what it says can be prepared, and writes
 * to the table that it names. */
#include "db_kit.h"

#include "journal/facts.h"
#include "journal/ops.h"

#include <string.h>

/* What an authorizer has seen being written. */
struct seen {
    const char *table; /* the one that is looked for */
    bool is_written;
};

static int note(void *ctx, int action, const char *table, const char *b,
                const char *c, const char *d)
{
    struct seen *seen = ctx;
    (void)b;
    (void)c;
    (void)d;
    bool writes = action == SQLITE_INSERT || action == SQLITE_UPDATE ||
                  action == SQLITE_DELETE;
    if (writes && strcmp(table, seen->table) == 0) {
        seen->is_written = true;
    }
    return SQLITE_OK;
}

static void test_schema(void **state)
{
    struct test_db *t = *state;
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE);
    for (size_t kind = 0; kind < JOURNAL_N_OPS; kind++) {
        const struct journal_fact *f = &journal_facts[kind];
        struct seen seen = {.table = f->table};
        assert_non_null(f->table);
        assert_non_null(f->sql[0]);
        assert_int_equal(sqlite3_set_authorizer(db->sql, note, &seen),
                         SQLITE_OK);
        for (size_t i = 0; i < JOURNAL_FACT_SQL && f->sql[i] != NULL; i++) {
            sqlite3_stmt *s = NULL;
            struct err e = {0};
            assert_int_equal(journal_prepare(db, f->sql[i], &s, &e), 0);
            if (f->bind == NULL) {
                assert_in_range(sqlite3_bind_parameter_count(s), 1, 4);
            }
            (void)sqlite3_finalize(s);
        }
        assert_true(seen.is_written);
        (void)sqlite3_set_authorizer(db->sql, NULL, NULL);
    }
    journal_close(db);
}

/* What counts pieces is a claim or a sum of claims, and tells of the torrent.
 */
static void test_kinds(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < JOURNAL_N_OPS; kind++) {
        const struct journal_fact *f = &journal_facts[kind];
        assert_true(f->weighs || !(f->is_claim || f->is_count));
    }
    assert_true(journal_facts[JOURNAL_OP_PUT_FILE].is_claim);
    assert_false(journal_facts[JOURNAL_OP_PUT_DOUBT].is_claim);
    assert_false(journal_facts[JOURNAL_OP_DEL_PIECE].is_claim);
}

#define T(f) cmocka_unit_test_setup_teardown(f, test_db_setup, test_db_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_schema),
        cmocka_unit_test(test_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
