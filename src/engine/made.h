/* The files that CREATE makes, and the journal. Two transactions stand around
 * it, so that a run that is killed at any place leaves nothing that nobody
 * knows: before it stands that files are made and where, behind it which they
 * are. What was made between the two is known by its age and its emptiness
 * (store/made.h). Before it, too, whoever else has data in a file that may be
 * written over loses his claims: as long as the file is as his row has it, it
 * is found, also on a drive that has another number since.
 */
#ifndef BTC_ENGINE_MADE_H
#define BTC_ENGINE_MADE_H

#include "engine/internal.h"

/* 0, or an error of the database. The job of the torrent is still to be
 * counted down. */
typedef void made_done_fn(struct engine_torrent *st, int code,
                          const char *text);

/* After STAT: the files that are there. */
void made_see(struct engine_torrent *st, const struct fingerprint *prints);
/* Fills st->startup.adopt: files of `select` that lack a piece, as far as is
 * known before it is checked, will be written. No other torrent may have them
 * then.
 */
void made_find_writes(struct engine_torrent *st);
/* CREATE is done with them; so is made_own when it has begun. */
void made_forget_writes(struct engine_torrent *st);
/* What was seen is of no use any more. */
void made_forget(struct engine_torrent *st);

/* Before CREATE of `select`. Of the files that are to be written (or `all` may
 * be) no other torrent claims anything any more. */
void made_announce(struct engine_torrent *st, bool all, made_done_fn *done);
/* After CREATE: journals the files of `prints` that were not known as the
 * torrent's own, before a byte goes into them. */
void made_own(struct engine_torrent *st, const struct fingerprint *prints,
              made_done_fn *done);
/* CREATE has failed and has taken back what it had made, or did not begin. */
void made_none(struct engine_torrent *st);

#endif
