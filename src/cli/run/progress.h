/* Progress on standard error: the live view, plain lines, JSON lines or
 * nothing.
 */
#ifndef BTC_CLI_RUN_PROGRESS_H
#define BTC_CLI_RUN_PROGRESS_H

#include "cli/cli.h"
#include "cli/run/track.h"

struct cli_progress;

/* Decides by --progress, --quiet and what standard error is. Log lines go
 * through it until it is freed. `b` is borrowed. */
struct cli_progress *cli_progress_new(struct cli *c, struct btc *b);
/* Leaves the last frame; log lines go where they went before. NULL allowed. */
void cli_progress_free(struct cli_progress *p);
uint32_t cli_progress_tick_ms(const struct cli_progress *p);
/* After `track` took the event's facts over. */
void cli_progress_event(struct cli_progress *p, const struct btc_event *ev,
                        struct cli_track *track, int64_t now_ms);
/* The last frame, from the last facts. */
void cli_progress_end(struct cli_progress *p, struct cli_track *track);
/* One plain line on a torrent, without a newline. */
void cli_progress_line(const struct front_screen *s, int64_t at,
                       const struct btc_progress *p, struct front_text *out);

#endif
