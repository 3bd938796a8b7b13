/* A torrent in a vice, for tests of single steps: events by hand, the actions
 * as a line of text each. 4 pieces (unless a test wants more) of 2 blocks, the
 * last piece and its last block short; the data is a pattern. One file, or two
 * that meet at a byte of the test's choice. */
#ifndef BTC_TESTS_CORE_TORRENT_TORRENT_KIT_H
#define BTC_TESTS_CORE_TORRENT_TORRENT_KIT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "core/torrent/torrent.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KIT_PIECES     4
#define KIT_MAX_PIECES 200
#define KIT_PIECE      32768u
#define KIT_BLOCK      16384u
#define KIT_TOTAL_OF(n_pieces) \
    (((n_pieces)-1ull) * KIT_PIECE + KIT_BLOCK + 1000)
#define KIT_TOTAL KIT_TOTAL_OF(KIT_PIECES)
#define KIT_UNIX  1700000000

struct kit {
    struct rng rng;
    struct pool pool;
    struct torrent_shared shared;
    struct layout geom;
    struct layout_file files[2];
    uint8_t *data; /* owns */
    uint8_t hashes[KIT_MAX_PIECES][SHA1_LEN];
    uint8_t info_hash[SHA1_LEN];
    struct torrent *t;
    uint64_t now_ms;
    uint8_t n_peers;
    bool jobs[KIT_MAX_PIECES];
    bool unwritten;                               /* what a FINISHED says */
    uint8_t *const *blocks[KIT_MAX_PIECES];       /* of the job that is out */
    uint8_t on_disk[KIT_MAX_PIECES][2][SHA1_LEN]; /* what was written ahead */
    struct buf log;
    struct tracker_request announced; /* of the last announce */
};

/* `first`: bytes of the first file; 0: it is the only one. */
struct kit *kit_new_split(uint64_t first);

struct kit *kit_new(void);
/* With so many pieces, KIT_MAX_PIECES at most; kit_free frees each of them. */
struct kit *kit_new_pieces(uint32_t n_pieces);

/* Of a magnet: it knows nothing of its pieces until kit_learn. */
struct kit *kit_new_magnet(void);
void kit_learn(struct kit *k, bool is_private);

void kit_drain(struct kit *k);

void kit_input(struct kit *k, const struct event *ev);

void kit_event(struct kit *k, enum event_type type);

/* Time passes, tick by tick. */
void kit_wait(struct kit *k, uint64_t ms);

/* What was logged since the last look. */
void kit_expect_at(struct kit *k, const char *want, int line);
#define KIT_EXPECT(k, want) kit_expect_at((k), (want), __LINE__)

void kit_forget(struct kit *k);

/* A peer that came to us, with handshakes done. */
uint32_t kit_peer(struct kit *k, bool fast);

void kit_bytes(struct kit *k, uint32_t conn, const void *p, size_t len);

void kit_simple(struct kit *k, uint32_t conn, enum wire_type type);

void kit_range(struct kit *k, uint32_t conn, enum wire_type type,
               struct wire_block b);

void kit_bitfield(struct kit *k, uint32_t conn, uint8_t bits);

/* A block, good or with one bit wrong. */
void kit_block(struct kit *k, uint32_t conn, uint32_t piece, uint32_t block,
               bool good);

/* The answer to the job of a piece; hashes of its blocks come from memory or
 * from the disk. */
void kit_answer(struct kit *k, enum event_type type, uint32_t piece,
                int result);

void kit_free(struct kit *k);

#endif
