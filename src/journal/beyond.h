/* Rows of pieces and blocks that their torrent does not have: btc writes none,
 * and a torrent with one of them does not run. */
#ifndef BTC_JOURNAL_BEYOND_H
#define BTC_JOURNAL_BEYOND_H

/* A sentence for each torrent that has some. */
extern const char journal_beyond_sql[];
/* Take them away. */
extern const char journal_beyond_pieces_sql[];
extern const char journal_beyond_blocks_sql[];

#endif
