/* Piece, block and file arithmetic: the only place where an index off the wire
 * becomes trusted.
 *
 * Vocabulary: a torrent is one stream of `total` bytes, cut into pieces of
 * piece_length (the last may be short) and those into blocks of 16 KiB (the
 * last of a piece may be short); the files lie in the stream one behind the
 * other. A span is a run of bytes inside one file.
 */
#ifndef BTC_CORE_CONTENT_LAYOUT_H
#define BTC_CORE_CONTENT_LAYOUT_H

#include "base/bytes.h"
#include "model/block.h"
#include "model/layout_file.h"
#include "model/span.h"

struct layout {
    uint64_t total;
    uint32_t piece_length;
    uint32_t n_pieces;
    uint32_t n_files;
    const struct layout_file *files; /* borrows; ascending, without gaps */
};

uint32_t layout_piece_size(const struct layout *g, uint32_t piece);
uint64_t layout_piece_offset(const struct layout *g, uint32_t piece);
uint32_t layout_n_blocks(const struct layout *g, uint32_t piece);
uint32_t layout_block_size(const struct layout *g, uint32_t piece,
                           uint32_t block);
/* The whole block lies in pad files: known zeros, never asked for. */
bool layout_block_is_pad(const struct layout *g, uint32_t piece,
                         uint32_t block);

/* From the wire. A piece index. */
bool layout_has_piece(const struct layout *g, uint32_t piece);
/* A range asked of us: inside the piece, len in 1..max_len. */
bool layout_has_range(const struct layout *g, uint32_t piece, uint32_t begin,
                      uint32_t len, uint32_t max_len);
/* A block sent to us: exactly one of our blocks; its index in `block`. */
bool layout_is_block(const struct layout *g, uint32_t piece, uint32_t begin,
                     uint32_t len, uint32_t *block);

/* The file that holds a stream offset (offset < total); with files of length 0
 * around, the one that really has the byte. Binary search. */
uint32_t layout_file_at(const struct layout *g, uint64_t offset);
/* First piece and the one behind the last that hold bytes of the file;
 * *first == *end for an empty file. */
void layout_file_pieces(const struct layout *g, uint32_t file, uint32_t *first,
                        uint32_t *end);

struct layout_spans {
    const struct layout *g;
    uint64_t offset;
    uint64_t left;
    uint32_t file;
};
/* Walks the spans of stream bytes [offset, offset+len), inside the total. */
void layout_spans_init(struct layout_spans *it, const struct layout *g,
                       uint64_t offset, uint64_t len);
bool layout_spans_next(struct layout_spans *it, struct span *out);

#endif
