/* Log lines that say the same again, as when one tracker refuses ten thousand
 * torrents. The first is said at once; those that follow are counted, and after
 * a while one line says how many they were. Lines come from any thread. Pure:
 * times come in.
 */
#ifndef BTC_CLI_RUN_REPEATS_H
#define BTC_CLI_RUN_REPEATS_H

#include <stdbool.h>
#include <stdint.h>

#include "front/text.h"

#define CLI_REPEATS_MAX 8     /* different lines that are remembered */
#define CLI_REPEATS_MS  10000 /* one is counted for so long */

struct cli_repeats;

struct cli_repeats *cli_repeats_new(void);
void cli_repeats_free(struct cli_repeats *r);
/* False: the line was said a moment ago, and is counted. */
bool cli_repeats_take(struct cli_repeats *r, const char *line);
/* Time goes on, by whatever clock. A line and its count are due: they are
 * appended. False: none is. INT64_MAX: all are. */
bool cli_repeats_next(struct cli_repeats *r, int64_t now_ms,
                      struct front_text *out);

#endif
