/* The log and its index, which SQLite has open beside the database (FILE-wal,
 * FILE-shm). When somebody deletes one of them under an engine, or puts another
 * in its place, the next program that opens the database has one of its own.
 * From then on each writes without the other, and what the first moves into the
 * file is no longer what its index tells: that destroys the database. So both
 * are looked at before each commit, as the file itself is (lock.c).
 *
 * While nobody has made new ones, the log that is open is the database's, and
 * the end of the engine moves it into the file. When somebody has, that file
 * with his log is the database, and ours goes.
 */
#include "journal/internal.h"

#include "base/mem.h"

#include <stdlib.h>
#include <sys/stat.h>

static const char *const journal_beside[] = {"-wal", "-shm"};
#define JOURNAL_N_BESIDE (sizeof(journal_beside) / sizeof(journal_beside[0]))

/* The inode at one of the names, 0: nothing is there. */
static uint64_t journal_beside_look(const struct journal *db, size_t i)
{
    struct stat st;
    char *name = mem_printf("%s%s", db->path, journal_beside[i]);
    uint64_t ino = 0;
    if (stat(name, &st) == 0) {
        ino = st.st_ino;
    }
    free(name);
    return ino;
}

int journal_beside_check(struct journal *db, struct err *e)
{
    for (size_t i = 0; db->sql && i < JOURNAL_N_BESIDE; i++) {
        uint64_t now = journal_beside_look(db, i);
        if (db->beside[i] == 0) {
            db->beside[i] = now;
        }
        if (now != db->beside[i]) {
            return err_set(e, BTC_E_DB,
                           "%s%s was deleted or replaced while btc works on "
                           "the database, which it is a part of: nothing more "
                           "is journaled; `btc resume` goes on with what is "
                           "there",
                           db->path, journal_beside[i]);
        }
    }
    return 0;
}

bool journal_beside_is_other(const struct journal *db)
{
    bool other = false;
    for (size_t i = 0; i < JOURNAL_N_BESIDE; i++) {
        uint64_t now = journal_beside_look(db, i);
        other |= db->beside[i] != 0 && now != 0 && now != db->beside[i];
    }
    return other;
}
