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

#define GEOM_BLOCK_LEN 16384u

struct geom_file {
    uint64_t offset; /* in the stream */
    uint64_t length;
    bool pad; /* zeros that are never on disk (BEP 47) */
};

struct geom {
    uint64_t total;
    uint32_t piece_length;
    uint32_t n_pieces;
    uint32_t n_files;
    const struct geom_file *files; /* borrows; ascending, without gaps */
};

uint32_t geom_piece_size(const struct geom *g, uint32_t piece);
uint64_t geom_piece_offset(const struct geom *g, uint32_t piece);
uint32_t geom_n_blocks(const struct geom *g, uint32_t piece);
uint32_t geom_block_size(const struct geom *g, uint32_t piece, uint32_t block);
/* The whole block lies in pad files: known zeros, never asked for. */
bool geom_block_is_pad(const struct geom *g, uint32_t piece, uint32_t block);

/* From the wire. A piece index. */
bool geom_has_piece(const struct geom *g, uint32_t piece);
/* A range asked of us: inside the piece, len in 1..max_len. */
bool geom_has_range(const struct geom *g, uint32_t piece, uint32_t begin,
                    uint32_t len, uint32_t max_len);
/* A block sent to us: exactly one of our blocks; its index in `block`. */
bool geom_is_block(const struct geom *g, uint32_t piece, uint32_t begin,
                   uint32_t len, uint32_t *block);

/* The file that holds a stream offset (offset < total); with files of length 0
 * around, the one that really has the byte. Binary search. */
uint32_t geom_file_at(const struct geom *g, uint64_t offset);
/* First piece and the one behind the last that hold bytes of the file;
 * *first == *end for an empty file. */
void geom_file_pieces(const struct geom *g, uint32_t file, uint32_t *first,
                      uint32_t *end);

struct geom_span {
    uint32_t file;
    bool pad;
    uint64_t offset; /* in the file */
    uint32_t len;
};
struct geom_spans {
    const struct geom *g;
    uint64_t offset;
    uint64_t left;
    uint32_t file;
};
/* Walks the spans of stream bytes [offset, offset+len), inside the total. */
void geom_spans_init(struct geom_spans *it, const struct geom *g,
                     uint64_t offset, uint64_t len);
bool geom_spans_next(struct geom_spans *it, struct geom_span *out);

#endif
