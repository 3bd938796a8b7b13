/* What of the data on disk is trusted at startup: a judgement over
 * fingerprints, pure and without reading a byte of data.
 *
 * A claim is what the journal says is verified on disk. A fingerprint is
 * device, inode, size and modification time of a file as of the last commit.
 * The run before this one ended cleanly, was killed (its heartbeat tells until
 * when it wrote) or lost its power. A change is ours only when that run can
 * have made it: it had this torrent, it had something to write there, and it
 * was its time.
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

enum trust_verdict {
    TRUST_NOTHING, /* the journal claims nothing in it */
    TRUST_TRUST,   /* claims stand */
    TRUST_RECHECK, /* changed by somebody else: hash every claim again */
    TRUST_LOST     /* the file is gone: its claims are lost */
};

struct trust_file {
    uint64_t length;  /* 0 and pads: leave out of the array */
    bool claimed;     /* the journal claims pieces or blocks in it */
    bool whole;       /* it claims all of them: nobody had to write here */
    bool has_journal; /* `journal` is known */
    struct fingerprint journal; /* `exists` and `blocks` unused */
    struct fingerprint now;
    enum trust_verdict verdict; /* out */
    bool beyond;                /* out: may hold data beyond the journal */
};

struct trust_run {
    bool had_run;         /* there was one before */
    bool clean;           /* and it ended by itself */
    bool same_boot;       /* the system has run on since: nothing was lost */
    int64_t interval_s;   /* of the journal: added to the grace */
    int64_t started_at;   /* unix; its first second */
    int64_t heartbeat_at; /* unix; when it last wrote of this torrent. Before
                           * started_at: it did nothing with it */
    uint64_t root_dev; /* filesystem journaled for the save path; 0 unknown */
};

/* Fills the verdicts. False when the storage is gone: the save path does not
 * exist, or all files that hold claims are absent, or some are and the save
 * path lies on another filesystem than journaled. Then nothing may be created.
 */
bool trust_judge(const struct trust_run *run, const struct fingerprint *root,
                 struct trust_file *files, size_t n);

#endif
