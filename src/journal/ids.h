/* The ids of a table whose rows are numbered (AUTOINCREMENT) are used up when
 * somebody has written a row with the largest there is: SQLite gives no number
 * twice, so it takes no further row, and calls that a full disk. */
#ifndef BTC_JOURNAL_IDS_H
#define BTC_JOURNAL_IDS_H

#include "journal/internal.h"

/* A sentence for each table whose ids are used up, or nearly so. */
extern const char journal_ids_sql[];
/* The name of one whose ids are used up; false: there is none. */
bool journal_ids_used_up(struct journal *db, char *table, size_t size);
/* Numbers the rows that somebody has numbered so high behind the others; a
 * torrent keeps its number. */
extern const char journal_ids_mend_sql[];

#endif
