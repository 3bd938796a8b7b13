/* Piece, block and file arithmetic against tables and a byte-by-byte model. */
#include "core/content/layout.h"

#include "base/rng.h"
#include "model/block.h"
#include "model/span.h"
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define MAX_FILES 12

/* The seed under test, printed behind the test, so also when it fails. */
static uint64_t last_seed;

static int print_seed(void **state)
{
    (void)state;
    print_message("last seed %" PRIu64 "\n", last_seed);
    return 0;
}

struct world {
    struct layout g;
    struct layout_file files[MAX_FILES];
};

/* A geom of the given file lengths; a negative one is a pad file. */
static void world_init(struct world *w, uint32_t piece_length,
                       const int64_t *lengths, uint32_t n)
{
    w->g = (struct layout){
        .piece_length = piece_length, .n_files = n, .files = w->files};
    for (uint32_t i = 0; i < n; i++) {
        bool pad = lengths[i] < 0;
        uint64_t len = (uint64_t)(pad ? -lengths[i] : lengths[i]);

        w->files[i] = (struct layout_file){
            .offset = w->g.total, .length = len, .pad = pad};
        w->g.total += len;
    }
    w->g.n_pieces =
        (uint32_t)((w->g.total + (piece_length - 1)) / piece_length);
}

/* Pieces and blocks tile the stream exactly. */
static void check_tiling(const struct layout *g)
{
    uint64_t at = 0;

    for (uint32_t i = 0; i < g->n_pieces; i++) {
        uint32_t size = layout_piece_size(g, i);
        uint32_t sum = 0;

        assert_true(layout_piece_offset(g, i) == at);
        for (uint32_t b = 0; b < layout_n_blocks(g, i); b++) {
            uint32_t len = layout_block_size(g, i, b);
            uint32_t found = UINT32_MAX;

            assert_in_range(len, 1, BLOCK_LEN);
            assert_true(layout_is_block(g, i, sum, len, &found));
            assert_int_equal(found, b);
            assert_false(layout_is_block(g, i, sum + 1, len, &found));
            assert_false(layout_is_block(g, i, sum, len + 1, &found));
            assert_false(layout_is_block(g, i, sum, len - 1, &found));
            sum += len;
        }
        assert_int_equal(sum, size);
        at += size;
    }
    assert_true(at == g->total);
}

static void test_pieces_tile(void **state)
{
    static const uint32_t lengths[] = {1,     1024,  16383, 16384,
                                       16385, 20000, 32768, 98305};
    static const int64_t totals[] = {1,     1023,  1024,   16384,
                                     16385, 98304, 100000, 1000000};

    (void)state;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        for (size_t j = 0; j < sizeof(totals) / sizeof(totals[0]); j++) {
            struct world w;

            if (lengths[i] == 1 && totals[j] > 2000) {
                continue; /* a million one-byte pieces prove no more */
            }
            world_init(&w, lengths[i], &totals[j], 1);
            check_tiling(&w.g);
        }
    }
}

static void test_nothing(void **state)
{
    struct layout g = {.piece_length = 16384};
    int64_t empties[] = {0, 0, 0};
    struct layout_spans it;
    struct span s;
    struct world w;
    uint32_t first;
    uint32_t end;
    uint32_t block;

    (void)state;
    assert_false(layout_has_piece(&g, 0));
    assert_false(layout_has_range(&g, 0, 0, 1, 16384));
    assert_false(layout_is_block(&g, 0, 0, 0, &block));
    layout_spans_init(&it, &g, 0, 0);
    assert_false(layout_spans_next(&it, &s));
    world_init(&w, 16384, empties, 3);
    for (uint32_t i = 0; i < 3; i++) {
        layout_file_pieces(&w.g, i, &first, &end);
        assert_int_equal(first, end);
    }
}

static void test_ranges_of_the_wire(void **state)
{
    static const int64_t total = 20000 + 7000;
    static const struct {
        uint32_t piece, begin, len, max;
        bool ok;
    } cases[] = {
        {0, 0, 1, 16384, true},
        {0, 0, 16384, 16384, true},
        {0, 0, 16385, 16384, false},
        {0, 19999, 1, 16384, true},
        {0, 19999, 2, 16384, false},
        {0, 20000, 1, 16384, false},
        {0, 0, 20000, 131072, true},
        {0, 0, 20001, 131072, false},
        {0, 3, 0, 16384, false},
        {1, 6999, 1, 16384, true},
        {1, 7000, 1, 16384, false},
        {1, 0, 7000, 16384, true},
        {1, 0, 7001, 16384, false},
        {2, 0, 1, 16384, false},
        {UINT32_MAX, 0, 1, 16384, false},
        {0, UINT32_MAX, 1, 16384, false},
        {0, UINT32_MAX, UINT32_MAX, UINT32_MAX, false},
        {0, 1, UINT32_MAX, UINT32_MAX, false},
        {0, 16384, UINT32_MAX - 16383, UINT32_MAX, false},
    };
    struct world w;

    (void)state;
    world_init(&w, 20000, &total, 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(layout_has_range(&w.g, cases[i].piece, cases[i].begin,
                                          cases[i].len, cases[i].max),
                         cases[i].ok);
    }
}

static void test_blocks_of_the_wire(void **state)
{
    static const int64_t total = 20000 + 7000;
    static const struct {
        uint32_t piece, begin, len;
        int block; /* -1: not one of ours */
    } cases[] = {
        {0, 0, 16384, 0},        {0, 16384, 3616, 1},
        {0, 16384, 16384, -1},   {0, 0, 3616, -1},
        {0, 1, 16384, -1},       {0, 32768, 16384, -1},
        {0, 16384, 0, -1},       {1, 0, 7000, 0},
        {1, 0, 16384, -1},       {1, 16384, 7000, -1},
        {2, 0, 7000, -1},        {UINT32_MAX, 0, 16384, -1},
        {0, 4294950912u, 0, -1},
    };
    struct world w;

    (void)state;
    world_init(&w, 20000, &total, 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint32_t block = 99;
        bool ok = layout_is_block(&w.g, cases[i].piece, cases[i].begin,
                                  cases[i].len, &block);

        assert_int_equal(ok, cases[i].block >= 0);
        assert_int_equal(block, ok ? cases[i].block : 99);
    }
}

/* 2^62 bytes in one file: nothing wraps. */
static void test_huge(void **state)
{
    static const int64_t lengths[] = {0, INT64_C(1) << 61, 0,
                                      (INT64_C(1) << 61) - 5, 0};
    struct layout_spans it;
    struct span s;
    struct world w;
    uint32_t first;
    uint32_t end;
    uint32_t last;

    (void)state;
    world_init(&w, UINT32_C(3) << 30, lengths, 5);
    last = w.g.n_pieces - 1;
    assert_true(layout_piece_offset(&w.g, last) < w.g.total);
    assert_true(layout_piece_offset(&w.g, last) +
                    layout_piece_size(&w.g, last) ==
                w.g.total);
    assert_int_equal(layout_file_at(&w.g, w.g.total - 1), 3);
    assert_int_equal(layout_file_at(&w.g, (UINT64_C(1) << 61) - 1), 1);
    assert_int_equal(layout_file_at(&w.g, UINT64_C(1) << 61), 3);
    layout_file_pieces(&w.g, 3, &first, &end);
    assert_int_equal(end, w.g.n_pieces);
    /* Longer than a span's length can say: comes in several. */
    layout_spans_init(&it, &w.g, 1, UINT64_C(5) << 32);
    for (uint64_t left = UINT64_C(5) << 32, at = 1; left > 0;) {
        assert_true(layout_spans_next(&it, &s));
        assert_int_equal(s.file, 1);
        assert_true(s.offset == at && s.len > 0 && s.len <= left);
        at += s.len;
        left -= s.len;
    }
    assert_false(layout_spans_next(&it, &s));
}

/* A small random torrent and the file that owns each of its bytes. */
struct model {
    struct world w;
    uint32_t owner[MAX_FILES * 300];
};

static void model_init(struct model *m, struct rng *rng)
{
    int64_t lengths[MAX_FILES];
    uint32_t n = 1 + rng_below(rng, MAX_FILES);

    *m = (struct model){0};
    for (uint32_t i = 0; i < n; i++) {
        lengths[i] = rng_below(rng, 3) == 0 ? 0 : (int64_t)rng_below(rng, 300);
        lengths[i] = rng_below(rng, 4) == 0 ? -lengths[i] : lengths[i];
    }
    world_init(&m->w, 1 + rng_below(rng, 100), lengths, n);
    for (uint32_t i = 0, at = 0; i < n; i++) {
        for (uint64_t k = 0; k < m->w.files[i].length; k++) {
            m->owner[at++] = i;
        }
    }
}

/* The files' pieces and the owner of each byte. */
static void model_check_files(const struct model *m)
{
    const struct layout *g = &m->w.g;

    for (uint32_t i = 0; i < g->n_files; i++) {
        const struct layout_file *f = &g->files[i];
        uint32_t first;
        uint32_t end;

        layout_file_pieces(g, i, &first, &end);
        assert_true(first <= end && end <= g->n_pieces);
        assert_int_equal(first == end, f->length == 0);
        if (first < end) {
            assert_int_equal(first, f->offset / g->piece_length);
            assert_int_equal(end - 1,
                             (f->offset + f->length - 1) / g->piece_length);
        }
    }
    for (uint64_t i = 0; i < g->total; i++) {
        assert_int_equal(layout_file_at(g, i), m->owner[i]);
    }
}

/* Which pieces (of one block here) are pads through and through. */
static void model_check_pads(const struct model *m)
{
    const struct layout *g = &m->w.g;

    for (uint32_t i = 0; i < g->n_pieces; i++) {
        bool pad = true;

        for (uint32_t k = 0; k < layout_piece_size(g, i); k++) {
            pad = pad && g->files[m->owner[layout_piece_offset(g, i) + k]].pad;
        }
        assert_int_equal(layout_block_is_pad(g, i, 0), pad);
    }
}

/* A random walk of spans covers its bytes exactly. */
static void model_check_spans(const struct model *m, struct rng *rng)
{
    const struct layout *g = &m->w.g;
    uint32_t at = rng_below(rng, (uint32_t)g->total);
    uint32_t left = rng_below(rng, (uint32_t)g->total - at + 1);
    struct layout_spans it;
    struct span s;

    layout_spans_init(&it, g, at, left);
    while (layout_spans_next(&it, &s)) {
        assert_true(s.len > 0 && s.len <= left);
        assert_int_equal(s.file, m->owner[at]);
        assert_int_equal(s.file, m->owner[at + s.len - 1]);
        assert_int_equal(s.pad, g->files[s.file].pad);
        assert_true(g->files[s.file].offset + s.offset == at);
        at += s.len;
        left -= s.len;
    }
    assert_int_equal(left, 0);
}

static void test_files_like_the_bytes(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 500; seed++) {
        struct model m;
        struct rng rng;

        rng_init(&rng, seed);
        last_seed = seed;
        model_init(&m, &rng);
        model_check_files(&m);
        model_check_pads(&m);
        for (int i = 0; m.w.g.total > 0 && i < 20; i++) {
            model_check_spans(&m, &rng);
        }
        check_tiling(&m.w.g);
    }
}

/* A pad block inside a piece of several blocks (BEP 47). */
static void test_pad_blocks(void **state)
{
    /* piece 0: data, pad inside block 0, then pad block 1; piece 1: data. */
    static const int64_t lengths[] = {100, -(32768 - 100), 0, 32768, -5};
    struct world w;

    (void)state;
    world_init(&w, 32768, lengths, 5);
    assert_int_equal(w.g.n_pieces, 3);
    assert_false(layout_block_is_pad(&w.g, 0, 0));
    assert_true(layout_block_is_pad(&w.g, 0, 1));
    assert_false(layout_block_is_pad(&w.g, 1, 0));
    assert_false(layout_block_is_pad(&w.g, 1, 1));
    assert_true(layout_block_is_pad(&w.g, 2, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_tile),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_ranges_of_the_wire),
        cmocka_unit_test(test_blocks_of_the_wire),
        cmocka_unit_test(test_huge),
        cmocka_unit_test_teardown(test_files_like_the_bytes, print_seed),
        cmocka_unit_test(test_pad_blocks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
