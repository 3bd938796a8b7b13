/* Taking a torrent away, step by step. */
#ifndef BTC_JOURNAL_REMOVAL_H
#define BTC_JOURNAL_REMOVAL_H

#include "journal/journal.h"
#include "journal/rows.h"

enum journal_removal_step {
    JOURNAL_REMOVAL_GONE,   /* no row of it is left */
    JOURNAL_REMOVAL_DELETE, /* its files are to be deleted first: the fields
                               below */
    JOURNAL_REMOVAL_KEEP    /* it is wished back: `wanted` */
};

struct journal_removal {
    enum journal_removal_step step;
    int64_t id;
    enum wanted wanted;         /* as it stands in the row */
    char *save_path;            /* owns */
    struct journal_file *files; /* owns */
    size_t n_files;
    bool *shared;      /* owns; per file: another torrent has it, too */
    uint64_t root_dev; /* filesystem on which data was; 0 = none, unknown */
    int64_t made_ns; /* since then files were made that no row tells of, or 0 */
};

/* The next step of taking a torrent away, by what is wished of it now. Its rows
 * go, and the event "removed" comes, when `remove` is wished, or `remove-data`
 * and the caller has deleted its files (`data_gone`). When its files are gone
 * and it is wished back, it has no claims any more. */
int journal_remove_torrent(struct journal *db, int64_t id, bool data_gone,
                           struct journal_removal *out, struct err *e);
/* Before the first of its files goes: nothing is claimed any more, whatever
 * ends this in the middle. What is left then, and is wished back, is found by
 * the next look for data beyond the journal. */
int journal_removal_unclaim(struct journal *db, int64_t id, struct err *e);
void journal_removal_fini(struct journal_removal *r);

#endif
