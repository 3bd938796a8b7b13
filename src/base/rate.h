/* A token bucket and a moving rate. Neither reads a clock: `now_ms` comes in
 * (any monotonic milliseconds), so tests need no sleep.
 */
#ifndef BTC_BASE_RATE_H
#define BTC_BASE_RATE_H

#include <stdint.h>

/* Token bucket: bytes that may still go now. */
struct bucket {
    uint64_t rate;    /* bytes per second; 0 = unlimited */
    int64_t tokens;   /* 1/1000 bytes; below zero is a debt, paid first */
    uint64_t last_ms; /* of the last refill */
};

void bucket_init(struct bucket *b, uint64_t rate, uint64_t now_ms);
void bucket_set_rate(struct bucket *b, uint64_t rate, uint64_t now_ms);
/* Bytes that may go now; UINT64_MAX when unlimited; 0 while in debt. */
uint64_t bucket_available(struct bucket *b, uint64_t now_ms);
void bucket_take(struct bucket *b, uint64_t n); /* may make a debt */

/* Moving rate: bytes per second over the last RATE_WINDOW_MS, in slots. */
#define RATE_SLOTS     20
#define RATE_SLOT_MS   250ull
#define RATE_WINDOW_MS (RATE_SLOTS * RATE_SLOT_MS)

struct rate {
    uint64_t slot[RATE_SLOTS]; /* bytes per slot, a ring */
    uint64_t head;             /* absolute number of the newest slot */
    uint64_t first_ms;         /* of the first count; 0 = none yet */
    uint64_t total;            /* bytes ever counted */
};

void rate_init(struct rate *r);
void rate_add(struct rate *r, uint64_t n, uint64_t now_ms);
/* Bytes per second; measured over the time since the first count while that is
 * shorter than the window (but at least one slot). */
uint64_t rate_get(const struct rate *r, uint64_t now_ms);

#endif
