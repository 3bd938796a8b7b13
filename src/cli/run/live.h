/* The live view on a terminal: frames drawn over each other with one write()
 * and no clearing, log lines above. The cursor is hidden while a frame is drawn
 * and there between two frames: kill -9 leaves the terminal in order. */
#ifndef BTC_CLI_RUN_LIVE_H
#define BTC_CLI_RUN_LIVE_H

#include <stdbool.h>
#include <stddef.h>

#include "front/text.h"

struct cli_live;

struct cli_live *cli_live_new(int fd);
/* Leaves the last frame as plain lines. NULL allowed. */
void cli_live_free(struct cli_live *l);
/* Keeps lines to be printed above the next frame; from any thread. */
void cli_live_log(struct cli_live *l, const char *line);
/* Draws `lines` (each ended by a newline) over the frame before. */
void cli_live_draw(struct cli_live *l, const char *lines, size_t width);
/* The next frame begins on new lines: somebody else wrote to the terminal. */
void cli_live_restart(struct cli_live *l);
/* The bytes of one frame: for cli_live_draw and tests. */
void cli_live_frame(struct cli_live *l, const char *lines, size_t width,
                    struct front_text *out);

#endif
