/* The disk path: worker threads, a cache of open files, jobs over spans of
 * files. One wake-up of the loop per batch of results.
 *
 * A store is the set of a torrent's files below one save path. A job names
 * spans of those files; who computed them (core/geom) is not known here. Jobs
 * are the caller's memory: submitted, they belong to the disk until `done` is
 * called with them on the loop thread, exactly once each. Jobs of one store may
 * run in any order and at the same time: whoever needs an order submits the
 * next when the one before is done.
 *
 * A claim never runs ahead of the data: FINISH writes only after the hash
 * matched; SYNC returns after fdatasync of every file written since the last
 * SYNC (and fsync of folders made), and tells the fingerprint of each. A SYNC
 * that fails counts for nothing: its files stay dirty. When an fdatasync failed
 * the data may be gone although the next SYNC succeeds: what was written since
 * the last good SYNC must be hashed again (low jobs do) before it is claimed.
 *
 * Two trees never write one file on disk, whatever names lead to it: from
 * CREATE until it rests or is freed, a tree holds its files. What another one
 * writes, or has where we would write, is STORAGE; the text names who has it.
 *
 * A file that somebody has replaced since we wrote to it, or since STAT, is not
 * written: what is claimed of it lies elsewhere. STORAGE tells so, and a new
 * STAT knows the new file.
 *
 * A file that somebody has written to in place, or cut, since our last write or
 * since STAT is not written, synced or served: STORAGE. HASH and READ read it.
 *
 * A link in a file's place is read through, never written through: what it
 * leads to is not ours. Folders may be links, because people keep big ones on
 * other drives; DELETE alone follows none. A file is opened for writing only
 * while it is written, until the SYNC after; so read-only media can be seeded.
 */
#ifndef BTC_STORE_STORE_H
#define BTC_STORE_STORE_H

#include "base/bits.h"
#include "base/err.h"
#include "base/hash.h"
#include "model/block.h"
#include "model/fingerprint.h"
#include "model/layout_file.h"
#include "model/span.h"
#include "net/loop.h"
#include "store/look.h"
#include "store/stays.h"

#define STORE_MAX_LANES 8 /* drives that are synced at the same time */

struct store;
struct store_tree;

struct store_file {
    const char *path; /* relative, sanitised, '/' between elements */
    uint64_t offset;  /* in the torrent's stream */
    uint64_t length;
    const char *link; /* NULL: a regular file; else one of no bytes, the text
                       * of the symbolic link that CREATE makes */
    const char *from; /* NULL, or where it lies until STAT takes it to `path`;
                       * like `path` */
    const char *home; /* NULL, or where STAT and DELETE find it: see home.h */
    const struct fingerprint *own; /* with `home`, `from`; borrows */
    bool sparse;     /* takes no more space than is written, also with `full` */
    bool pad;        /* never opened, reads as zeros */
    bool executable; /* CREATE lets it be run by those who may read it */
};

struct store_options {
    /* Low jobs that run at once; 0 = number of cores, at least 2. One worker is
     * free for other jobs, one thread for SYNC: or store_new gives NULL. */
    uint32_t threads;
};

/* For tests, which make the n-th operation fail: called before each system call
 * that writes, reads, syncs, opens or creates; a value other than 0 is the
 * errno it fails with. NULL in production. Called by the workers, at the same
 * time; set before the first job. `op` is open, create, mkdir, ftruncate,
 * fallocate, pread, pwrite, fdatasync, fsync (folders), fstat, stat, lseek,
 * statvfs or unlink. */
typedef int store_fault_fn(void *ctx, const char *op, const char *path);

struct store *store_new(struct loop *l, const struct store_options *o);
void store_free(struct store *d); /* runs what is queued to its end first */
void store_set_fault(struct store *d, store_fault_fn *fn, void *ctx);
uint32_t store_threads(const struct store *d);

/* Leads to a file below the save path: no empty element, "." or "..". */
bool store_path_is_clean(const char *path);
/* Whether a file on disk is the one that the journal has seen (dev, ino, size
 * and mtime_ns count). A device may be numbered anew with each boot; then size
 * and time say it. A file that has become shorter, or was made after the other
 * was last seen, has got a number that was free again. */
bool store_is_owned(const struct fingerprint *own,
                    const struct fingerprint *now);
/* Copies everything; the paths must be clean. `full`: CREATE uses fallocate. */
struct store_tree *store_tree_new(struct store *d, const char *save_path,
                                  const struct store_file *files,
                                  uint32_t n_files, bool full);
/* As long as the tree is: a file's path, as the tree was made with it; the text
 * of a link, NULL: it is none; where the files lie in the stream. */
const char *store_tree_name(const struct store_tree *s, uint32_t file);
const char *store_tree_link(const struct store_tree *s, uint32_t file);
const struct layout_file *store_tree_layout(const struct store_tree *s);
/* STAT has found it at its `home`: that is its path now. */
bool store_tree_is_home(const struct store_tree *s, uint32_t file);
/* Closes the files that nobody uses and no SYNC owes anything; they open again
 * when they are needed. Lets the files go to others. */
void store_tree_rest(struct store_tree *s);
/* It is whole: others may read its files, too, until it writes again. */
void store_tree_only_reads(struct store_tree *s);
/* A file of it is not written: `text` says why. */
void store_tree_forbid(struct store_tree *s, uint32_t file, const char *text);
void store_tree_allow(struct store_tree *s); /* all may be again */
bool store_is_dirty(struct store_tree *s); /* written to since the last SYNC */
/* On which drive it lies, as a number that the caller gives: its SYNCs wait
 * only for those of trees with the same one (beyond STORE_MAX_LANES some
 * share). Only while no SYNC of it is out; 0 until it is told. */
void store_tree_set_lane(struct store_tree *s, uint32_t lane);
/* Looks for calls that do not come back; the loop does it once a second. Other
 * drives get workers in place of those that wait, and what is for the same one
 * waits. True when a drive does not answer: else no tree need be asked. */
bool store_look(struct store *d, uint64_t now_ms);
/* When a call to its drive was found to be out that is not back yet, once that
 * is seconds ago; 0: the drive answers. */
uint64_t store_tree_silent_ms(struct store_tree *s);
/* Closes its files; freed when its last job and last fd reference are gone. */
void store_tree_free(struct store_tree *s);

enum store_op {
    STORE_CREATE, /* creates all non-pad files that are absent (only those with
                   * `select` set, NULL = all): folders, sparse size or
                   * fallocate; several workers at once. What is there is never
                   * truncated, but with `overwrite`; a longer one is EXISTS. A
                   * missing save path is STORAGE. `prints`: all selected. */
    STORE_FINISH, /* verdict over a whole piece, then write (see below) */
    STORE_WRITE,  /* writes blocks[0..n_blocks) over the spans, NULL ones are
                   * skipped; no verdict */
    STORE_HASH,   /* reads the spans and compares; nothing is written */
    STORE_READ,   /* reads the spans into `data` */
    STORE_PREFETCH, /* brings the spans into the page cache, gives `fds` */
    STORE_SYNC,     /* makes everything written so far durable */
    STORE_STAT,     /* prints of all files, and of the save path; files that lie
                     * at their `from` are moved before. Another file in their
                     * place is BTC_E_EXISTS. */
    STORE_SCAN, /* which pieces may have data in all their bytes (SEEK_HOLE) */
    STORE_LOOK, /* whether somebody has put anything into a file: `look` */
    STORE_DELETE, /* removes the files that `owned` knows and the folders that
                   * become empty. No link is followed; a folder, a longer or
                   * another file in the place of an owned one stays and is
                   * EXISTS. A missing save path is BTC_E_STORAGE. */
    STORE_SPACE   /* bytes free at the save path */
};

struct store_job;
typedef void store_done_fn(struct store_job *job);

struct store_job {
    enum store_op op;
    bool low; /* behind all others (verification) */
    struct store_tree *store;
    store_done_fn *done;
    void *ctx;    /* the caller's */
    uint64_t tag; /* the caller's */

    struct span *spans; /* borrows until done; in stream order. LOOK: bytes of
                         * the file that do not count */
    uint32_t n_spans;
    /* FINISH, WRITE: blocks of BLOCK_LEN (the last may be short),
     * covering the spans from their start. NULL: on disk already (FINISH) or to
     * be left alone (WRITE). Borrows until done. */
    uint8_t *const *blocks;
    uint32_t n_blocks;
    uint8_t expected[SHA1_LEN]; /* FINISH, HASH */
    uint8_t *data;              /* READ: caller's memory of the spans' length */
    const struct bits *select;  /* CREATE, DELETE: the files; NULL = all */
    struct {
        const struct bits *writes; /* files sure to be written, or NULL */
        const char *label;         /* who holds the files from now on */
        bool overwrite;            /* cut longer files to their length */
        bool may_insist;         /* result: it failed for want of `overwrite` */
        struct store_part *part; /* the store's: its files */
    } create;
    struct store_look look;
    struct {
        /* Per file which one is ours; `exists` false: none, what is there
         * stays. Of the rest dev, ino, size and mtime_ns count.
         * Borrows until done; NULL: all are. */
        const struct fingerprint *owned;
        int64_t made_ns; /* else what CREATE made since then; 0: see made.h */
        bool look;       /* nothing goes: `n_removed` would */
        uint32_t n_removed;       /* result: files that were there */
        struct store_stays stays; /* result: did not go; store_stays_fini */
    } remove;                     /* DELETE */
    struct {
        uint32_t piece_length;
        uint32_t n_pieces;
        struct bits found; /* result: bits_init'ed by the disk; caller fini */
    } scan;
    struct {
        bool claimed; /* HASH: an absent file means that the storage is */
        bool wanted;  /* FINISH: also when good; WRITE: of `blocks` */
        /* Result: malloc'ed n_blocks SHA-1s. FINISH: when the piece failed or
         * they were wanted; WRITE: when they were, of the blocks that are in
         * memory. Caller frees. */
        uint8_t (*of_blocks)[SHA1_LEN];
    } hashes;

    /* Results; but for `hashes` they are there only when `result` is 0. */
    int result; /* 0; HASH (mismatch), SHORT (file missing or too short),
                 * NOSPACE, IO, PERMISSION, EXISTS (also: not a regular
                 * file), STORAGE (the save path is missing, or a file that
                 * is to be written or synced, or another is in its place),
                 * LIMIT (descriptors or memory of the process), CANCELLED */
    struct {
        int32_t file;   /* index of the file that failed, -1 none */
        bool touched;   /* somebody else has written to that file */
        bool changed;   /* or replaced or removed it: look anew and go on */
        bool unwritten; /* FINISH: it matched, and could not be written */
        char text[160]; /* for a person: which file, why */
    } fail;
    int *fds; /* PREFETCH: malloc'ed, one per span, -1 for pads; each but
               * -1 holds a reference: store_fd_release; caller frees */
    struct fingerprint *prints; /* STAT, CREATE, SYNC: malloc'ed, one per file
                                 * (CREATE, SYNC: `exists` is false for files
                                 * not touched; STAT: an absent one has the
                                 * `dev` of the folder where it would be) */
    struct fingerprint root; /* STAT, DELETE: the save path; exists and dev */
    uint64_t bytes_free;     /* SPACE */

    struct store_job *next; /* the disk's */
};

void store_submit(struct store *d, struct store_job *job);
/* Gives up low jobs that no worker has begun: done with BTC_E_CANCELLED. */
void store_cancel_low(struct store *d, struct store_tree *s);
/* True when the spans of the job can be sent at once, for their files stand
 * open and the page cache has their bytes: fills `fds` as PREFETCH does, and
 * the job needs no worker. Never waits for a device; for the loop. */
bool store_warm(struct store_job *job);
/* Ends a PREFETCH reference; any thread. */
void store_fd_release(struct store_tree *s, uint32_t file, int fd);
/* Somebody may have written to a file between two writes of ours and wiped out
 * the traces. accept: its pieces are hashed again, and it is known anew. */
bool store_is_stirred(struct store_tree *s, uint32_t file);
void store_accept(struct store_tree *s, uint32_t file);
/* The file was written by an earlier run or by somebody else and is claimed
 * now: the next SYNC includes it. */
void store_mark_dirty(struct store_tree *s, uint32_t file);

#endif
