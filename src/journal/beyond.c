/* Rows of pieces and blocks beyond the end of a torrent; see beyond.h. */
#include "journal/beyond.h"

#define BEYOND_PIECE \
    " piece >= (SELECT n_pieces FROM torrent WHERE id = torrent_id)"
/* 16384: the length of a block. */
#define BEYOND_BLOCK                                               \
    BEYOND_PIECE " OR block >= (SELECT (16383 + min(piece_length," \
                 "  total_size - piece_length * piece)) / 16384"   \
                 " FROM torrent WHERE id = torrent_id)"

const char journal_beyond_sql[] =
    "SELECT 'torrent ' || torrent_id || ' has ' || count(*) || ' rows of ' ||"
    " what || ' beyond its end: `btc db check --repair` takes them away'"
    " FROM (SELECT torrent_id, 'pieces' AS what FROM piece WHERE" BEYOND_PIECE
    "       UNION ALL"
    "       SELECT torrent_id, 'blocks' FROM block WHERE" BEYOND_BLOCK ")"
    " GROUP BY torrent_id, what";

const char journal_beyond_pieces_sql[] = "DELETE FROM piece WHERE" BEYOND_PIECE;
const char journal_beyond_blocks_sql[] = "DELETE FROM block WHERE" BEYOND_BLOCK;
