/* How long a torrent is served; see seed_goal.h. */
#include "model/seed_goal.h"

#include "base/bytes.h"

#include <string.h>

/* "1.5" as 1500, at most three digits behind the dot. */
static bool seed_goal_parse_ratio(struct slice s, int64_t *out)
{
    static const uint64_t unit[] = {1000, 100, 10, 1};
    const uint8_t *dot = NULL;
    if (s.len > 0) {
        dot = memchr(s.p, '.', s.len);
    }
    size_t whole = s.len;
    if (dot) {
        whole = (size_t)(dot - s.p);
    }
    size_t digits = 0;
    if (dot) {
        digits = s.len - whole - 1;
    }
    uint64_t n, part = 0;
    if (!bytes_parse_u64(slice_sub(s, 0, whole), &n) || n > 1000000) {
        return false;
    }
    if (dot && (digits == 0 || digits > 3)) {
        return false;
    }
    for (size_t i = 0; i < digits; i++) {
        uint8_t c = s.p[whole + 1 + i];
        if (c < '0' || c > '9') {
            return false;
        }
        part = part * 10 + (uint64_t)(c - '0');
    }
    *out = (int64_t)(n * 1000 + part * unit[digits]);
    return true;
}

int seed_goal_parse(const char *text, struct seed_goal *out, struct err *e)
{
    struct slice s = slice_str(text);
    uint64_t ms;
    *out = (struct seed_goal){.mode = SEED_MODE_NONE};
    if (slice_eq_str(s, "none")) {
        return 0;
    }
    if (slice_eq_str(s, "forever")) {
        out->mode = SEED_MODE_FOREVER;
        return 0;
    }
    if (slice_has_prefix(s, "ratio:") &&
        seed_goal_parse_ratio(slice_sub(s, 6, s.len - 6), &out->value)) {
        out->mode = SEED_MODE_RATIO;
        return 0;
    }
    if (slice_has_prefix(s, "time:") &&
        bytes_parse_duration_ms(slice_sub(s, 5, s.len - 5), &ms)) {
        out->mode = SEED_MODE_TIME;
        out->value = (int64_t)(ms / 1000 + (ms % 1000 != 0));
        return 0;
    }
    return err_set(e, BTC_E_USAGE,
                   "seed is none, forever, ratio:NUMBER (ratio:1.5) or "
                   "time:SPAN (time:60m), not '%.100s'",
                   text);
}

bool seed_goal_is_reached(const struct seed_goal *g, uint64_t uploaded,
                          uint64_t size, int64_t seconds)
{
    switch (g->mode) {
    case SEED_MODE_NONE:
        return true;
    case SEED_MODE_FOREVER:
        return false;
    case SEED_MODE_RATIO:
        return (double)uploaded * 1000.0 >= (double)size * (double)g->value;
    case SEED_MODE_TIME:
        return seconds >= g->value;
    }
    return true;
}
