/* What the disk's tests share: a loop, a disk, a private folder, jobs run to
 * their end, a torrent of random bytes with its spans.
 */
#ifndef BTC_TESTS_STORE_DISK_KIT_H
#define BTC_TESTS_STORE_DISK_KIT_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "base/mem.h"
#include "base/rng.h"
#include "model/block.h"
#include "model/span.h"
#include "store/store.h"
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KIT_SEED 20240229u

struct kit {
    struct loop *l;
    struct store *d;
    char dir[64];
};

/* A torrent: its files, its bytes (pads are zeros). */
struct kit_torrent {
    struct store_file *files; /* borrows */
    uint32_t n_files;
    uint32_t piece_length;
    uint64_t total;
    uint32_t n_pieces;
    uint8_t *bytes; /* owns */
};

/* A piece as a job wants it. */
struct kit_piece {
    struct span *spans; /* owns */
    uint32_t n_spans;
    uint32_t len;
    uint8_t *bytes;   /* owns: a copy */
    uint8_t **blocks; /* owns; into `bytes` */
    uint32_t n_blocks;
};

int kit_remove_one(const char *path, const struct stat *st, int type,
                   struct FTW *ftw);

void kit_remove(const char *dir);

void kit_open(struct kit *k, uint32_t threads);

void kit_close(struct kit *k);

void kit_on_done(struct store_job *job);

/* Runs one job to its end; its result. */
int kit_run(struct kit *k, struct store_job *job);

/* A job without more than its kind. */
struct store_job kit_do(struct kit *k, struct store_tree *s, enum store_op op);

/* CREATE, its prints thrown away. */
struct store_job kit_create(struct kit *k, struct store_tree *s);

/* SYNC, its prints thrown away. */
int kit_sync(struct kit *k, struct store_tree *s);

/* Lays the files one behind the other, fills all but pads with chance. */
void kit_torrent_init(struct kit_torrent *t, struct store_file *files,
                      uint32_t n_files, uint32_t piece_length);

void kit_torrent_fini(struct kit_torrent *t);

/* The spans and blocks of a piece. */
void kit_piece_init(struct kit_piece *p, const struct kit_torrent *t,
                    uint32_t piece);

void kit_piece_fini(struct kit_piece *p);

/* A job over a piece; the hash that is right stands in it. */
struct store_job kit_job(struct store_tree *s, enum store_op op,
                         const struct kit_piece *p);

/* Runs an operation over one piece. */
int kit_piece_do(struct kit *k, struct store_tree *s, enum store_op op,
                 const struct kit_torrent *t, uint32_t piece);

/* The path of a name in the private folder; static, for one use at a time. */
const char *kit_path(const struct kit *k, const char *name, char *out,
                     size_t size);

/* Writes a file of the outside world. */
void kit_put(const struct kit *k, const char *name, const void *bytes,
             size_t len);

/* The file holds exactly these bytes. */
void kit_expect(const struct kit *k, const char *name, const void *bytes,
                size_t len);

bool kit_exists(const struct kit *k, const char *name);

void kit_mkdir(const struct kit *k, const char *name);

struct store_tree *kit_store(struct kit *k, const struct kit_torrent *t);

#endif
