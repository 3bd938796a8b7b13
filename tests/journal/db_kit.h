/* What the tests of the journal share: a private folder, a torrent to add, and
 * SQL from outside, as a person with sqlite3 would write it.
 */
#ifndef BTC_TESTS_JOURNAL_DB_KIT_H
#define BTC_TESTS_JOURNAL_DB_KIT_H

#include "base/mem.h"
#include "journal/add.h"
#include "journal/batch.h"
#include "journal/care.h"
#include "model/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct test_db {
    char dir[64];
    char path[96]; /* of the database in it; not made yet */
};

int test_db_setup(void **state);

int test_db_teardown(void **state);

/* Memory that a batch takes. */
size_t test_db_batch_bytes(const struct journal_batch *b);

/* Opens, and it must work. */
struct journal *test_db_open(const char *path, unsigned flags);

/* Opens, and it must fail with this code and a text that has this in it. */
void test_db_refused(const char *path, unsigned flags, int want,
                     const char *text);

/* The connection of somebody else, without any of our settings. */
sqlite3 *test_db_foreign(const char *path);

/* Runs SQL as somebody else; gives SQLite's result. */
int test_db_sql(const char *path, const char *text);

/* The first value of the first row, as text ("" for NULL or no row). */
const char *test_db_get(const char *path, const char *text, char *out,
                        size_t cap);

/* What a query of somebody else gives must be this text. */
#define TEST_DB_IS(path, query, want)                                         \
    do {                                                                      \
        char got_[512];                                                       \
        assert_string_equal(test_db_get((path), (query), got_, sizeof(got_)), \
                            (want));                                          \
    } while (0)

/* A torrent of three files, one of them a pad, and 5 pieces. `n` makes hash and
 * name different. */
int64_t test_db_add(struct journal *db, unsigned n);
/* Its pages, schema and keys are right. Not asked is whether a torrent has the
 * pieces of the rows: tests write more than those of test_db_add have. */
void test_db_is_sound(struct journal *db);

#endif
