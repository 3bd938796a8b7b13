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
 *
 * A log that is cut (`: > FILE-wal`) is the same log, but the index still tells
 * of frames that are gone: what the next transaction writes behind them, and
 * any checkpoint, would make pages of nothing. So the log must be as long as
 * its index says, and have there what the index says (sqlite.org/walformat).
 */
#include "journal/internal.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of the log: its head and that of a frame, before the frame's page; where the
 * two numbers stand that a log has until it begins anew. */
#define BESIDE_LOG_HEAD   32
#define BESIDE_FRAME_HEAD 24
#define BESIDE_FRAME_SALT 8
/* Of the index: its first region, and the copies of its head in there. */
#define BESIDE_INDEX_SIZE 32768
#define BESIDE_INDEX_HEAD 48
/* Behind them: how many frames were moved into the file. */
#define BESIDE_INDEX_MOVED ((size_t)2 * BESIDE_INDEX_HEAD)
/* Looks while others write. */
#define BESIDE_LOOKS 8

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

/* --- a log that is cut --- */

/* The head of the index, as SQLite lays it out. The same stands twice. */
struct beside_head {
    uint32_t version, unused, change;
    uint8_t is_init, big_endian;
    uint16_t page; /* 65536 is 1 */
    uint32_t n_frames;
    uint32_t n_pages;
    uint32_t frame_sum[2], salt[2], sum[2];
};
_Static_assert(sizeof(struct beside_head) == BESIDE_INDEX_HEAD, "as in SQLite");

/* The index is mapped by SQLite, which is asked for it: a descriptor of our own
 * would drop SQLite's locks when it is closed (lock.c). NULL: there is none. */
static const volatile char *journal_beside_index(struct journal *db)
{
    sqlite3_file *f = NULL;
    volatile void *at = NULL;
    if (db->sql == NULL || journal_beside_look(db, 1) == 0 ||
        sqlite3_file_control(db->sql, "main", SQLITE_FCNTL_FILE_POINTER,
                             (void *)&f) != SQLITE_OK ||
        f == NULL || f->pMethods == NULL || f->pMethods->iVersion < 2 ||
        f->pMethods->xShmMap(f, 0, BESIDE_INDEX_SIZE, 0, &at) != SQLITE_OK) {
        return NULL;
    }
    return at;
}

/* False while somebody writes it, and when nothing stands in it. */
static bool journal_beside_head(const volatile char *index,
                                struct beside_head *out)
{
    struct beside_head copies[2];
    char *to = (char *)copies;
    atomic_thread_fence(memory_order_seq_cst);
    for (size_t i = 0; i < sizeof(copies); i++) {
        to[i] = index[i];
    }
    *out = copies[0];
    return memcmp(&copies[0], &copies[1], sizeof(copies[0])) == 0 &&
           out->is_init;
}

static int64_t journal_beside_frame(const struct beside_head *h, uint32_t n)
{
    int64_t page = h->page == 1 ? 65536 : h->page;
    return BESIDE_LOG_HEAD + (int64_t)n * (BESIDE_FRAME_HEAD + page);
}

/* The log is as long as the index says, and its frame `known` (from 1) belongs
 * to it: what was cut away and is a hole since somebody wrote behind it does
 * not. It is the log that is open which counts, whether or not it has a name.
 */
static bool journal_beside_agrees(struct journal *db,
                                  const struct beside_head *h, uint32_t known)
{
    sqlite3_file *f = NULL;
    sqlite3_int64 size = 0;
    uint32_t salt[2] = {0, 0};
    int64_t at = journal_beside_frame(h, known - 1) + BESIDE_FRAME_SALT;
    if (sqlite3_file_control(db->sql, "main", SQLITE_FCNTL_JOURNAL_POINTER,
                             (void *)&f) != SQLITE_OK ||
        f == NULL || f->pMethods == NULL ||
        f->pMethods->xFileSize(f, &size) != SQLITE_OK) {
        return true; /* whoever needs it will tell */
    }
    if (size < journal_beside_frame(h, h->n_frames)) {
        return false;
    }
    return f->pMethods->xRead(f, salt, sizeof(salt), at) != SQLITE_OK ||
           memcmp(salt, h->salt, sizeof(salt)) == 0;
}

/* Looks until nobody has written between the index and the log: whoever makes
 * the log shorter or begins it anew has said so in the index before. The frame
 * that was the last when we looked before is read, too. */
static bool journal_beside_is_cut(struct journal *db)
{
    const volatile char *index = journal_beside_index(db);
    struct beside_head before, after;
    bool is_cut = false, is_same = false;
    for (int i = 0; index != NULL && !is_same && i < BESIDE_LOOKS; i++) {
        if (!journal_beside_head(index, &before)) {
            continue;
        }
        uint32_t known = before.n_frames;
        if (db->n_frames != 0 && db->n_frames < known) {
            known = db->n_frames;
        }
        is_cut = known > 0 && !journal_beside_agrees(db, &before, known);
        is_same = journal_beside_head(index, &after) &&
                  memcmp(&before, &after, sizeof(before)) == 0;
    }
    if (is_same && !is_cut) {
        db->n_frames = before.n_frames;
    }
    return is_same && is_cut;
}

/* When some of it has been moved into the file, what is left of the log may be
 * older than the file, and must not be read over it: the file is the database.
 */
static void journal_beside_drop_log(struct journal *db)
{
    const volatile char *index = journal_beside_index(db);
    uint32_t moved = 0;
    for (size_t i = 0; index != NULL && i < sizeof(moved); i++) {
        ((char *)&moved)[i] = index[BESIDE_INDEX_MOVED + i];
    }
    if (moved > 0) {
        char *name = mem_printf("%s-wal", db->path);
        (void)!truncate(name, 0);
        free(name);
    }
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
    if (journal_beside_is_cut(db)) {
        return err_set(e, BTC_E_DB,
                       "%s-wal was cut while btc works on the database, which "
                       "it is a part of: what was journaled last is gone, and "
                       "nothing more is journaled; `btc resume` goes on with "
                       "what is there",
                       db->path);
    }
    return 0;
}

bool journal_beside_is_broken(struct journal *db)
{
    for (size_t i = 0; i < JOURNAL_N_BESIDE; i++) {
        uint64_t now = journal_beside_look(db, i);
        if (db->beside[i] != 0 && now != 0 && now != db->beside[i]) {
            return true;
        }
    }
    bool is_cut = journal_beside_is_cut(db);
    if (is_cut) {
        journal_beside_drop_log(db);
    }
    return is_cut;
}
