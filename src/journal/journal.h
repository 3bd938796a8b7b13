/* The journal: SQLite behind rows. One connection (struct journal) is used by
 * one thread at a time; the engine hands its connection to a journal_thread,
 * which groups commits and watches for foreign writes (wishes).
 *
 * Nothing here knows the protocol: rows in, rows out. The SQL of the schema,
 * its views and guards lives in schema/NNN_name.sql, embedded at build time.
 * Every step's result is checked; SQLITE_BUSY is BTC_E_LOCKED, SQLITE_FULL is
 * NOSPACE, SQLITE_IOERR is IO, CORRUPT and NOTADB are DB.
 *
 * This is the connection: open, lock, transactions. What goes through it:
 *   rows.h     the rows as structs
 *   load.h     rows out; runs.h: the table of runs; views.h: for people
 *   add.h      what a front writes: torrents and wishes; move.h: a move
 *   batch.h    facts, applied in one transaction; refused.h: less what a rule
 *              forbids; writer.h: by a thread that looks for wishes as well
 *   wishes.h   what was wished since the last time
 *   removal.h  the steps by which a torrent is taken away
 *   shared.h   files that several torrents have
 *   magnet.h   torrents without an info dictionary
 *   nodes.h    nodes of the DHT; ways.h: how peers are looked for
 *   care.h     check, backup, repair, restore, salvage
 */
#ifndef BTC_JOURNAL_JOURNAL_H
#define BTC_JOURNAL_JOURNAL_H

#include "base/err.h"
#include <stdint.h>

#define JOURNAL_BUSY_MS      5000 /* patience with another writer */
#define JOURNAL_WISH_POLL_MS 250  /* PRAGMA data_version this often */
#define JOURNAL_HURRY_MS     1000 /* the same when the run is to end */

struct journal;

enum {
    JOURNAL_CREATE =
        1, /* make the file, its folder and the schema when absent */
    JOURNAL_READ_ONLY = 2,
    JOURNAL_ENGINE =
        4, /* take the engine lock: BTC_E_LOCKED when another has it */
    JOURNAL_NETWORK = 8, /* also where locks and shared memory may not work */
    JOURNAL_ANY_VERSION = 16 /* READ_ONLY: an older schema is read as it is */
};

/* Opens, checks the header and user_version, migrates (in one transaction, with
 * a backup FILE.backup-vN beside it first). BTC_E_NOTFOUND without
 * JOURNAL_CREATE; BTC_E_DB for damage, no database, a newer schema;
 * BTC_E_LOCKED. The engine lock is two flocks that the kernel drops with the
 * process: one on FILE-lock, which holds the pid for people, and one on the
 * file itself, so that no other name of it leads a second engine in. Pragmas:
 * WAL, synchronous FULL, foreign_keys on, a busy handler.
 */
int journal_open(const char *path, unsigned flags, struct journal **out,
                 struct err *e);
void journal_close(struct journal *db); /* NULL allowed; releases the lock */
const char *journal_path(const struct journal *db);
/* The engine lock on a handle that was opened without JOURNAL_ENGINE. */
int journal_lock_engine(struct journal *db, struct err *e);
void journal_unlock_engine(struct journal *db);
/* Pid of the engine that holds the lock now; 0 = no engine, -1 = one that has
 * not signed yet. Needs no lock. */
int64_t journal_engine_pid(const char *path);

/* Begins a transaction, or inside one a part that can be undone by itself. (A
 * part of a part is undone with the part, so its failure must be passed on.) */
int journal_begin(struct journal *db, struct err *e);
/* Begins a transaction of many small parts. The pages that SQLite keeps to undo
 * a part stay in memory; in a file each of them costs two writes. */
int journal_begin_many(struct journal *db, struct err *e);
/* Commits when code is 0, else rolls back; gives what came of it. Of a part:
 * keeps it, or undoes it alone. */
int journal_end(struct journal *db, int code, struct err *e);

#endif
