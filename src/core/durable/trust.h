/* What of the data on disk is trusted: a judgement over fingerprints, pure and
 * without reading a byte of data.
 *
 * A claim is what the journal says is verified on disk. A file is trusted when
 * there is a reason: its fingerprint is the journaled one, or it differs only
 * as the last run that wrote to this torrent can have left it. That run must
 * have been killed, so that it could not journal its last fingerprint; the
 * change must be of its time and in the way a write makes it: the same inode,
 * not shorter, content and inode changed at the same time, neither of them
 * older. (Only when the power went may both be older: fdatasync does not keep
 * the times.) Whatever else differs, older or newer, is doubted.
 *
 * What a killed run wrote after its last fingerprint of a file cannot be told
 * from what somebody else wrote in place, beside it or right behind it; nor can
 * what a power cut left from a snapshot of the drive that was put back. So such
 * a change is trusted to go on from, and hashed before the torrent is called
 * complete. The heartbeat says how long the run was alive for certain.
 */
#ifndef BTC_CORE_DURABLE_TRUST_H
#define BTC_CORE_DURABLE_TRUST_H

#include "model/fingerprint.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A killed run may have written for so long after its last heartbeat, beside a
 * journal interval: the sync before the commit, the granularity of both clocks.
 */
#define TRUST_GRACE_S 2
/* A write sets both times of a file to the same instant; some file systems
 * round one of them, and where they are whole seconds the store sets that of
 * the data back (store/left.c). */
#define TRUST_APART_S 4

enum trust_verdict {
    TRUST_NOTHING, /* the journal claims nothing in it */
    TRUST_TRUST,   /* claims stand */
    TRUST_LATE,    /* maybe ours, maybe not: hash before it is complete */
    TRUST_RECHECK, /* changed by somebody else: hash every claim again */
    TRUST_LOST,    /* the file is gone: its claims are lost */
    TRUST_N_VERDICTS
};

struct trust_file {
    uint64_t length;  /* 0 and pads: leave out of the array */
    bool claimed;     /* the journal claims pieces or blocks in it */
    bool whole;       /* it claims all of them: nobody had to write here */
    bool has_journal; /* `journal` is known */
    struct fingerprint journal; /* `exists` and `blocks` unused; ctime_ns 0:
                                 * journaled by a version that knew none */
    struct fingerprint now;     /* absent: `dev` is that of the folder where it
                                 * would be, 0 = unknown */
    enum trust_verdict verdict; /* out */
    bool beyond;                /* out: may hold data beyond the journal */
};

/* The last run that wrote to this torrent. */
struct trust_run {
    bool known;           /* there was one, and its row is still there */
    bool clean;           /* it ended by itself */
    bool same_boot;       /* the system has run on since: nothing was lost */
    int64_t interval_s;   /* of the journal: added to the grace */
    int64_t started_at;   /* unix; its first second */
    int64_t heartbeat_at; /* unix; when it last wrote of this torrent. Before
                           * started_at: it did nothing with it */
    int64_t now;          /* unix. Before heartbeat_at: the clock ran backwards,
                           * so times prove nothing */
    uint64_t root_dev; /* filesystem journaled for the save path; 0 unknown */
    bool bare; /* another filesystem at the save path is none that was only
                * numbered anew: the one that was there is not mounted */
};

/* Fills the verdicts. False when the storage is gone, so that nothing may be
 * created: the save path does not exist; or all files that hold claims are
 * absent; or some are and the save path lies on another filesystem than
 * journaled; or all that lay on a filesystem of their own below the save path
 * are absent, and it is not mounted there. */
bool trust_judge(const struct trust_run *run, const struct fingerprint *root,
                 struct trust_file *files, size_t n);

/* While a run has the file: is it as the run's own last write, or its last
 * look, left it? If not, somebody else wrote to it, and every claim in it is to
 * be hashed again. `blocks` does not matter: they change by themselves. */
bool trust_is_untouched(const struct fingerprint *left,
                        const struct fingerprint *now);

/* Is the file as it was journaled in this run? Its number does not count: some
 * file systems give another at each look. Nor does what trust_print did. */
bool trust_is_left(const struct fingerprint *journal,
                   const struct fingerprint *now);

/* What is to be journaled of a file that was looked at `now` (unix). Where
 * times are whole seconds, a write of the same second would leave the same
 * ones: such a print must not be found again, nor one of a second that is yet
 * to come, for our clock may be behind that of the drive. A write sets both
 * times; a time of the data alone somebody has chosen. The store marks what it
 * has written itself (store/left.c), so this is for files that somebody else
 * has just made. */
struct fingerprint trust_print(const struct fingerprint *seen, int64_t now);

/* When a piece counts as verified, for somebody who wants to know what was
 * verified before some time. What lies in the future was written while the
 * clock was wrong: 0, never. */
int64_t trust_verified_at(int64_t verified_at, int64_t now);

#endif
