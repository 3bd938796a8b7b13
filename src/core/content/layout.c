/* Piece, block and file arithmetic; see the header for the vocabulary.
 *
 * Everything is 64 bit and compares as `len > max - off`, so nothing wraps for
 * totals up to 2^62. The last piece is the only short one, and blocks are cut
 * per piece: a piece length that is no multiple of 16 KiB gives each piece a
 * short last block.
 *
 * Files lie without gaps, so of several files with the same offset all but the
 * last are empty: the last file that starts at or before a byte holds it.
 */
#include "core/content/layout.h"

#include "base/err.h"
#include "base/num.h"
#include "model/block.h"
#include "model/span.h"

/* Longest span given out at once; whole runs are longer only for spans of the
 * stream, never for pieces of a sane torrent. */
#define LAYOUT_SPAN_MAX (1u << 30)

/* Bytes in the piece. */
uint32_t layout_piece_size(const struct layout *g, uint32_t piece)
{
    uint64_t left;

    BTC_ASSERT(piece < g->n_pieces);
    left = g->total - layout_piece_offset(g, piece);
    return (uint32_t)num_min_u64(left, g->piece_length);
}

/* Where the piece starts in the stream. */
uint64_t layout_piece_offset(const struct layout *g, uint32_t piece)
{
    return (uint64_t)piece * g->piece_length;
}

/* Blocks in the piece. */
uint32_t layout_n_blocks(const struct layout *g, uint32_t piece)
{
    uint32_t size = layout_piece_size(g, piece);

    return (uint32_t)block_count(size);
}

/* Bytes in the block. */
uint32_t layout_block_size(const struct layout *g, uint32_t piece,
                           uint32_t block)
{
    uint32_t size = layout_piece_size(g, piece);
    uint64_t offset = (uint64_t)block * BLOCK_LEN;
    uint32_t left;

    BTC_ASSERT(offset < size);
    left = size - (uint32_t)offset;
    return num_min_u32(left, BLOCK_LEN);
}

/* True when no byte of the block lies in a real file. */
bool layout_block_is_pad(const struct layout *g, uint32_t piece, uint32_t block)
{
    struct layout_spans it;
    struct span s;

    layout_spans_init(
        &it, g, layout_piece_offset(g, piece) + (uint64_t)block * BLOCK_LEN,
        layout_block_size(g, piece, block));
    while (layout_spans_next(&it, &s)) {
        if (!s.pad) {
            return false;
        }
    }
    return true;
}

/* A piece index off the wire. */
bool layout_has_piece(const struct layout *g, uint32_t piece)
{
    return piece < g->n_pieces;
}

/* A range off the wire. */
bool layout_has_range(const struct layout *g, uint32_t piece, uint32_t begin,
                      uint32_t len, uint32_t max_len)
{
    uint32_t size;

    if (!layout_has_piece(g, piece) || len == 0 || len > max_len) {
        return false;
    }
    size = layout_piece_size(g, piece);
    return begin < size && len <= size - begin;
}

/* A block off the wire. */
bool layout_is_block(const struct layout *g, uint32_t piece, uint32_t begin,
                     uint32_t len, uint32_t *block)
{
    uint32_t idx = begin / BLOCK_LEN;

    if (!layout_has_piece(g, piece) || begin % BLOCK_LEN != 0 ||
        idx >= layout_n_blocks(g, piece) ||
        len != layout_block_size(g, piece, idx)) {
        return false;
    }
    *block = idx;
    return true;
}

/* The last file that starts at or before the offset. */
uint32_t layout_file_at(const struct layout *g, uint64_t offset)
{
    uint32_t lo = 0;
    uint32_t hi = g->n_files;

    BTC_ASSERT(offset < g->total && g->n_files > 0);
    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (g->files[mid].offset <= offset) {
            lo = mid;
        } else {
            hi = mid;
        }
    }
    return lo;
}

/* The half-open range of pieces that hold bytes of the file. */
void layout_file_pieces(const struct layout *g, uint32_t file, uint32_t *first,
                        uint32_t *end)
{
    const struct layout_file *f;

    BTC_ASSERT(file < g->n_files);
    f = &g->files[file];
    if (g->n_pieces == 0) {
        *first = *end = 0;
        return;
    }
    *first = (uint32_t)(f->offset / g->piece_length);
    if (f->length == 0) {
        /* An empty file behind the last byte may start at a piece that is
         * not there. */
        *first = *first < g->n_pieces ? *first : g->n_pieces;
        *end = *first;
        return;
    }
    *end = (uint32_t)((f->offset + (f->length - 1)) / g->piece_length) + 1;
}

/* Starts a walk. */
void layout_spans_init(struct layout_spans *it, const struct layout *g,
                       uint64_t offset, uint64_t len)
{
    BTC_ASSERT(offset <= g->total && len <= g->total - offset);
    it->g = g;
    it->offset = offset;
    it->left = len;
    if (len > 0) {
        it->file = layout_file_at(g, offset);
    } else {
        it->file = 0;
    }
}

/* The next run of bytes inside one file; false at the end. */
bool layout_spans_next(struct layout_spans *it, struct span *out)
{
    const struct layout_file *f;
    uint64_t len;

    if (it->left == 0) {
        return false;
    }
    f = &it->g->files[it->file];
    while (it->offset - f->offset >= f->length) {
        it->file++;
        BTC_ASSERT(it->file < it->g->n_files);
        f = &it->g->files[it->file];
    }
    out->file = it->file;
    out->pad = f->pad;
    out->offset = it->offset - f->offset;
    len = f->length - out->offset;
    len = num_min_u64(len, it->left);
    out->len = (uint32_t)num_min_u64(len, LAYOUT_SPAN_MAX);
    it->offset += out->len;
    it->left -= out->len;
    return true;
}
