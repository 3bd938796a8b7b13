/* What the tests of the public interface share: a private folder that is the
 * working folder too, an open database in it, torrents made on the spot.
 */
#ifndef BTC_TESTS_API_API_KIT_H
#define BTC_TESTS_API_API_KIT_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "base/mem.h"
#include "btc/btc.h"
#include "journal/rows.h"
#include "proto/metainfo/metainfo.h"
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KIT_PIECE 16384u

struct kit {
    char dir[64]; /* private; the working folder */
    struct btc *b;
    struct btc_error e; /* of the last call */
};

/* The text of the last error contains... */
void kit_assert_says(const struct kit *k, const char *text);

int kit_remove_one(const char *path, const struct stat *st, int type,
                   struct FTW *ftw);

int kit_setup(void **state);

int kit_teardown(void **state);

/* Writes a file of the working folder, its folders too. */
void kit_write(const char *path, const void *data, size_t len);

bool kit_exists(const char *path);

/* A file of a torrent that is made up. */
struct kit_file {
    const char *path; /* below the torrent's folder */
    uint64_t length;
    bool pad;
};

/* Writes NAME.torrent with hashes that fit nothing. `salt` makes another info
 * hash. One file without a path: a single-file torrent. */
void kit_torrent(const char *name, const struct kit_file *files, uint32_t n,
                 uint8_t salt);

/* The torrent most tests use: four files and a pad. Numbers as people count:
 * 1 readme.txt, 2 a pad, 3 Season 1/e1.mkv, 4 Season 1/e2.mkv, 5 sample.mkv. */
void kit_show(const char *name, uint8_t salt);

/* Loads and adds; the status. */
int kit_add(struct kit *k, const char *torrent, const struct btc_add_options *o,
            int64_t *id, bool *known);

/* One column of the first row of a view, as text; "" for NULL, no row. */
struct kit_cell {
    const char *column;
    const char *where; /* another column ... */
    int64_t is;        /* ... with this number; NULL: the first row */
    char text[512];
};

int kit_take_cell(void *ctx, const struct btc_value *v, size_t n);

struct kit_cell kit_cell_where(struct kit *k, const char *view, int64_t id,
                               const char *column, const char *where,
                               int64_t is);

/* The same of the first row is as expected. */
void kit_assert_cell(struct kit *k, const char *view, int64_t id,
                     const char *column, const char *expected);

void kit_assert_priorities(struct kit *k, int64_t id, const char *expected);

#endif
