/* What a run tells: states, progress, rows of torrent_stat, the map of pieces,
 * events. */
#ifndef BTC_ENGINE_REPORT_H
#define BTC_ENGINE_REPORT_H

#include "engine/internal.h"

enum btc_state report_state(const struct engine_torrent *st);
/* The seeding goal is reached; the run's own option beats the torrent's wish.
 */
bool report_goal_is_reached(const struct engine_torrent *st);
/* No payload moves. */
bool report_is_idle(const struct engine_torrent *st);
void report_fill_stat(struct engine_torrent *st, struct journal_stat *out);
/* Fills what is common to all events and tells it. */
void report_tell(struct engine_torrent *st, struct btc_event *ev);
void report_tell_type(struct engine_torrent *st, enum btc_event_type type);
/* STATE, when it has changed. */
void report_tell_state(struct engine_torrent *st);
/* STATS: all torrents of this run. */
void report_tell_stats(struct engine *s, bool asked);
/* ERROR; `st` NULL: the engine itself. */
void report_tell_error(struct engine *s, struct engine_torrent *st, int code,
                       const char *text);

#endif
