/* Patience with other programs that hold the write lock. */
#ifndef BTC_JOURNAL_BUSY_H
#define BTC_JOURNAL_BUSY_H

#include "journal/internal.h"

/* From now on the connection waits JOURNAL_BUSY_MS for another writer. */
void journal_busy_begin(struct journal *db);
/* Any thread; also for a wait that is under way. Gives what it was. */
int journal_set_patience(struct journal *db, int ms);

#endif
