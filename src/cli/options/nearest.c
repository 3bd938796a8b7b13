/* "Did you mean": the word that a short one begins, or that a misspelt one is
 * nearest to, by the number of letters added, lost, changed or swapped with
 * their neighbour. */
#include <string.h>

#include "base/num.h"
#include "cli/options/options.h"

#define CLI_NEAREST_MAX 24 /* longer words are not compared */

/* Edits from `a` to `b` (optimal string alignment). */
static unsigned cli_nearest_distance(const char *a, const char *b)
{
    unsigned d[CLI_NEAREST_MAX + 1][CLI_NEAREST_MAX + 1];
    size_t n = strlen(a);
    size_t m = strlen(b);

    if (n > CLI_NEAREST_MAX || m > CLI_NEAREST_MAX) {
        return CLI_NEAREST_MAX;
    }
    for (unsigned i = 0; i <= CLI_NEAREST_MAX; i++) {
        d[i][0] = i;
        d[0][i] = i;
    }
    for (size_t i = 1; i <= n; i++) {
        for (size_t j = 1; j <= m; j++) {
            unsigned cost = a[i - 1] != b[j - 1];
            unsigned best = num_min_u32(d[i - 1][j], d[i][j - 1]) + 1;
            best = num_min_u32(best, d[i - 1][j - 1] + cost);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
                a[i - 2] == b[j - 1]) {
                best = num_min_u32(best, d[i - 2][j - 2] + 1);
            }
            d[i][j] = best;
        }
    }
    return d[n][m];
}

/* The first word that begins with `text`, else the nearest one of those that
 * are one or two edits away. */
const char *cli_options_nearest(const char *text, const char *const *words)
{
    const char *found = NULL;
    size_t len = strlen(text);
    unsigned best = len < 5 ? 2 : 3; /* must be below */

    for (; *words != NULL; words++) {
        if (len >= 2 && strncmp(*words, text, len) == 0) {
            return *words;
        }
        unsigned d = cli_nearest_distance(text, *words);
        if (d < best) {
            best = d;
            found = *words;
        }
    }
    return found;
}
