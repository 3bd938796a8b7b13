/* Numbers as people read them: sizes, rates, durations, shares, times. Each
 * writes into the caller's `buf` and gives it back. */
#ifndef BTC_FRONT_FORMAT_H
#define BTC_FRONT_FORMAT_H

#include <stdint.h>

#define FRONT_FORMAT_MAX 40

/* "0 B", "1023 B", "1.2 GiB", "512 MiB": 1024 steps, rounded down. */
const char *front_format_size(char buf[FRONT_FORMAT_MAX], uint64_t bytes);
const char *front_format_rate(char buf[FRONT_FORMAT_MAX], uint64_t per_second);
/* "1.2/2.8 GiB", or "900 KiB/2.8 GiB" where the units differ. */
const char *front_format_share(char buf[FRONT_FORMAT_MAX], uint64_t done,
                               uint64_t total);
/* "45s", "2m10s", "3h05m", "2d04h"; "-" for less than 0. */
const char *front_format_duration(char buf[FRONT_FORMAT_MAX], int64_t seconds);
/* Thousandths of done in total, rounded down: 1000 only when all is done. */
unsigned front_format_permille(uint64_t done, uint64_t total);
/* "43.1 %"; "100 %" only when all is done. */
const char *front_format_percent(char buf[FRONT_FORMAT_MAX], uint64_t done,
                                 uint64_t total);
/* "2026-11-22 07:51:07" in local time; "-" for 0 and less. */
const char *front_format_time(char buf[FRONT_FORMAT_MAX], int64_t unix_s);
const char *front_format_clock(char buf[FRONT_FORMAT_MAX], int64_t unix_s);

#endif
