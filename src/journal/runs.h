/* The table of runs: which run of an engine wrote here, and how it ended. */
#ifndef BTC_JOURNAL_RUNS_H
#define BTC_JOURNAL_RUNS_H

#include "journal/journal.h"

/* The run before this one. */
struct journal_run {
    int64_t id; /* 0 = there was none */
    char boot_id[40];
    int64_t started_at, heartbeat_at, ended_at; /* unix; ended 0 = not clean */
};
/* The run of an id; its id is 0 when its row is not there any more. */
int journal_load_run(struct journal *db, int64_t id, struct journal_run *out,
                     struct err *e);
/* This run's, 0 before journal_begin_run. */
int64_t journal_run_id(const struct journal *db);
/* Inserts this run's row (version, pid, boot id) and gives the one before. */
int journal_begin_run(struct journal *db, struct journal_run *before,
                      struct err *e);

#endif
