/* What a CREATE has made that was killed before its files stood in the journal.
 *
 * They are known by what a CREATE leaves: each is younger than the moment at
 * which it was announced, and there is nothing in it. Whatever holds a byte, is
 * older or has another name is somebody's.
 */
#ifndef BTC_STORE_MADE_H
#define BTC_STORE_MADE_H

#include <stdbool.h>
#include <stdint.h>

/* Whether `name` in the folder `dir` (or AT_FDCWD) is such a file of that
 * length, or a link in the place of one without bytes. `since_ns`: unix, 0 =
 * nothing was announced. Reads it where the file system cannot tell holes. */
bool store_is_made(int dir, const char *name, uint64_t length,
                   int64_t since_ns);

/* The earliest `since_ns` for which no file that was last changed at that
 * moment or before is taken for one of these. */
int64_t store_made_since(int64_t changed_ns);

#endif
