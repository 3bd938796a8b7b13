/* Numbers as people read them. Nothing is rounded up: what is shown is there.
 */
#include "front/format.h"

#include "base/num.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const front_format_units[] = {"B",   "KiB", "MiB", "GiB",
                                                 "TiB", "PiB", "EiB"};

/* The number alone; the unit's index goes to *unit. */
static void front_format_number(char buf[FRONT_FORMAT_MAX], uint64_t bytes,
                                unsigned *unit)
{
    unsigned i = 0;

    while (i < 6 && bytes >> (10 * (i + 1)) != 0) {
        i++;
    }
    *unit = i;
    if (i == 0) {
        snprintf(buf, FRONT_FORMAT_MAX, "%u", (unsigned)bytes);
        return;
    }
    uint64_t whole = bytes >> (10 * i);
    /* the next ten bits are the fraction in 1/1024 */
    uint64_t tenth = (bytes >> (10 * (i - 1)) & 1023) * 10 / 1024;
    if (whole < 100) {
        snprintf(buf, FRONT_FORMAT_MAX, "%u.%u", (unsigned)whole,
                 (unsigned)tenth);
    } else {
        snprintf(buf, FRONT_FORMAT_MAX, "%u", (unsigned)whole);
    }
}

/* A size with its unit. */
const char *front_format_size(char buf[FRONT_FORMAT_MAX], uint64_t bytes)
{
    unsigned unit = 0;

    front_format_number(buf, bytes, &unit);
    size_t len = strlen(buf);
    snprintf(buf + len, FRONT_FORMAT_MAX - len, " %s",
             front_format_units[unit]);
    return buf;
}

/* A rate with its unit. */
const char *front_format_rate(char buf[FRONT_FORMAT_MAX], uint64_t per_second)
{
    front_format_size(buf, per_second);
    size_t len = strlen(buf);
    snprintf(buf + len, FRONT_FORMAT_MAX - len, "/s");
    return buf;
}

/* How much of how much. */
const char *front_format_share(char buf[FRONT_FORMAT_MAX], uint64_t done,
                               uint64_t total)
{
    char a[FRONT_FORMAT_MAX];
    char b[FRONT_FORMAT_MAX];
    unsigned unit_a = 0;
    unsigned unit_b = 0;

    front_format_number(a, done, &unit_a);
    front_format_number(b, total, &unit_b);
    if (unit_a == unit_b || done == 0) {
        snprintf(buf, FRONT_FORMAT_MAX, "%.9s/%.9s %s", a, b,
                 front_format_units[unit_b]);
    } else {
        snprintf(buf, FRONT_FORMAT_MAX, "%.9s %s/%.9s %s", a,
                 front_format_units[unit_a], b, front_format_units[unit_b]);
    }
    return buf;
}

/* A length of time in its two largest units. */
const char *front_format_duration(char buf[FRONT_FORMAT_MAX], int64_t seconds)
{
    long long s = seconds;

    if (s < 0) {
        snprintf(buf, FRONT_FORMAT_MAX, "-");
    } else if (s < 60) {
        snprintf(buf, FRONT_FORMAT_MAX, "%llds", s);
    } else if (s < 3600) {
        snprintf(buf, FRONT_FORMAT_MAX, "%lldm%02llds", s / 60, s % 60);
    } else if (s < 86400) {
        snprintf(buf, FRONT_FORMAT_MAX, "%lldh%02lldm", s / 3600, s / 60 % 60);
    } else if (s < 86400LL * 1000) {
        snprintf(buf, FRONT_FORMAT_MAX, "%lldd%02lldh", s / 86400,
                 s / 3600 % 24);
    } else {
        snprintf(buf, FRONT_FORMAT_MAX, ">999d");
    }
    return buf;
}

/* Thousandths, rounded down. */
unsigned front_format_permille(uint64_t done, uint64_t total)
{
    if (done >= total) {
        if (total == 0) {
            return 0;
        }
        return 1000;
    }
    uint64_t permille;
    if (done <= UINT64_MAX / 1000) {
        permille = done * 1000 / total;
    } else {
        permille = done / (total / 1000);
    }
    return (unsigned)num_min_u64(permille, 999);
}

/* A share in per cent. */
const char *front_format_percent(char buf[FRONT_FORMAT_MAX], uint64_t done,
                                 uint64_t total)
{
    unsigned permille = front_format_permille(done, total);

    if (permille == 1000) {
        snprintf(buf, FRONT_FORMAT_MAX, "100 %%");
    } else {
        snprintf(buf, FRONT_FORMAT_MAX, "%u.%u %%", permille / 10,
                 permille % 10);
    }
    return buf;
}

/* Date (unless `clock`) and time of day, local. */
static const char *front_format_local(char buf[FRONT_FORMAT_MAX],
                                      int64_t unix_s, bool clock)
{
    time_t at = (time_t)unix_s;
    struct tm tm;
    size_t n = 0;

    if (unix_s > 0 && localtime_r(&at, &tm) != NULL) {
        if (clock) {
            n = strftime(buf, FRONT_FORMAT_MAX, "%H:%M:%S", &tm);
        } else {
            n = strftime(buf, FRONT_FORMAT_MAX, "%Y-%m-%d %H:%M:%S", &tm);
        }
    }
    if (n == 0) {
        snprintf(buf, FRONT_FORMAT_MAX, "-");
    }
    return buf;
}

/* Date and time. */
const char *front_format_time(char buf[FRONT_FORMAT_MAX], int64_t unix_s)
{
    return front_format_local(buf, unix_s, false);
}

/* The time of day. */
const char *front_format_clock(char buf[FRONT_FORMAT_MAX], int64_t unix_s)
{
    return front_format_local(buf, unix_s, true);
}
