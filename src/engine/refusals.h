/* Rows of a torrent that a rule of the database forbids: a trigger that
 * somebody made. What the journal cannot hold is not counted as done and not
 * told, and the torrent is never complete; all the rest goes on. */
#ifndef BTC_ENGINE_REFUSALS_H
#define BTC_ENGINE_REFUSALS_H

#include "engine/internal.h"
#include "journal/refused.h"

/* Notes a row. True: it is refused for another reason than the last one, so
 * people are to hear of it. */
bool refusals_note(struct engine_torrent *st, const struct journal_refused *r);
void refusals_forget(struct engine_torrent *st); /* all of them */
/* The piece is claimed anew. */
void refusals_retry(struct engine_torrent *st, uint32_t piece);
bool refusals_has_piece(const struct engine_torrent *st, uint32_t piece);
bool refusals_has_any(const struct engine_torrent *st); /* pieces */
/* The last row and its reason, for people; "" when there is none. */
const char *refusals_text(const struct engine_torrent *st);
uint32_t refusals_n_pieces(const struct engine_torrent *st);
uint64_t refusals_bytes(const struct engine_torrent *st); /* of those pieces */
/* What of a file lies in them. */
uint64_t refusals_file_bytes(const struct engine_torrent *st, uint32_t file);

#endif
