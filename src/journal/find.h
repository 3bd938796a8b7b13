/* Which torrent a person means. */
#ifndef BTC_JOURNAL_FIND_H
#define BTC_JOURNAL_FIND_H

#include "journal/journal.h"

/* Row id, name, or unique prefix (>= 4 digits) of the info hash. NOTFOUND (also
 * when ambiguous, with the candidates in the text). */
int journal_find(struct journal *db, const char *text, int64_t *id,
                 struct err *e);

#endif
