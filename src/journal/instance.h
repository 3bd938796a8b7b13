/* Which file a log belongs to; see instance.c. */
#ifndef BTC_JOURNAL_INSTANCE_H
#define BTC_JOURNAL_INSTANCE_H

#include "journal/internal.h"

#define JOURNAL_INSTANCE_LEN 24
/* A new instance for the file that is open. */
int journal_instance_renew(struct journal *db, struct err *e);
/* The same for an engine that starts: FILE-lock names it as well. */
int journal_instance_begin(struct journal *db, struct err *e);
/* 0, or BTC_E_DB when the log beside the file belongs to another file. Before
 * SQLite opens it. */
int journal_instance_check(const char *path, struct err *e);
/* It certainly does: the file itself names another instance. For who holds the
 * lock. */
bool journal_instance_is_other(const char *path);

#endif
