/* Is one statement of a schema another one? */
#ifndef BTC_JOURNAL_ALIKE_H
#define BTC_JOURNAL_ALIKE_H

#include <stdbool.h>

/* Whether both say the same, however they are laid out: blanks, comments, the
 * case of words and quotes around names do not count. SQLite writes names anew
 * when a table is renamed, and each version does it in its own way. */
bool journal_sql_is_alike(const char *a, const char *b);

#endif
