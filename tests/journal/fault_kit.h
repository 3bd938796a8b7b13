/* A VFS of SQLite that stands before the system's own: it fails the n-th write,
 * sync or truncate (and all later ones), and keeps beside each file what of it
 * would survive a power cut that loses everything not synced.
 *
 * The surviving bytes of FILE are in FILE.safe; a file never synced has none.
 */
#ifndef BTC_TESTS_JOURNAL_FAULT_KIT_H
#define BTC_TESTS_JOURNAL_FAULT_KIT_H

#include "base/mem.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Fails when it comes down to 0; below: never. */
extern int fault_left;
/* What the failing call answers. */
extern int fault_rc;
/* Write FILE.safe at each sync. */
extern bool fault_keep;

struct fault_file {
    sqlite3_file base;
    const char *name; /* borrows, SQLite's; NULL for a temporary file */
    sqlite3_file *real;
};

/* Makes it the VFS that every connection of this process gets. */
void fault_install(void);

#endif
