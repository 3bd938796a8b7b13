/* What the rows of a torrent say at a commit, and what is told when it is made;
 * for commit.c, step by step. */
#ifndef BTC_ENGINE_LEDGER_H
#define BTC_ENGINE_LEDGER_H

#include "engine/internal.h"

/* TAKE: counts what goes into the commit. The rows that count, those of files
 * and the stat row, wait for the SYNC if there is to be one. */
void ledger_take(struct engine_torrent *st);
/* A SYNC was good: those rows go into the commit, with fingerprints. */
void ledger_synced(struct engine_torrent *st, const struct fingerprint *prints);
/* TELL: pieces, files, and DONE. With `refused` the journal would not hold some
 * of its rows: it is not complete. */
void ledger_tell(struct engine_torrent *st, bool refused);
/* A piece that was counted was refused: what counts is put anew. */
void ledger_recount(struct engine_torrent *st);
/* A second has passed: rates that have died down and time spent seeding are
 * told, too. */
void ledger_second(struct engine_torrent *st);

#endif
