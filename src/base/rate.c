/* Token bucket and moving rate over a clock that comes in.
 *
 * Tokens are kept in thousandths of a byte: rate * milliseconds is then exact,
 * and many small refills give as much as one large one.
 */
#include "base/rate.h"

#include "base/num.h"

#include <stdbool.h>
#include <stddef.h>

/* How long an idle bucket goes on filling: the largest burst. */
#define BUCKET_BURST_MS 500
/* Thousandths. */
#define BUCKET_UNIT 1000
/* Far from overflow for sums of two, and still over 10^15 bytes. */
#define BUCKET_TOKENS_MAX (INT64_MAX / 4)

/* a * b, not above BUCKET_TOKENS_MAX. */
static int64_t bucket_product(uint64_t a, uint64_t b)
{
    if (b != 0 && a > (uint64_t)BUCKET_TOKENS_MAX / b) {
        return BUCKET_TOKENS_MAX;
    }
    return (int64_t)(a * b);
}

/* The most that the bucket holds; at least one byte, or it would never open. */
static int64_t bucket_burst(uint64_t rate)
{
    int64_t burst = bucket_product(rate, BUCKET_BURST_MS);
    if (burst < BUCKET_UNIT) {
        return BUCKET_UNIT;
    }
    return burst;
}

/* Adds what the time since the last refill has earned. */
static void bucket_refill(struct bucket *b, uint64_t now_ms)
{
    if (now_ms <= b->last_ms) {
        return;
    }
    int64_t burst = bucket_burst(b->rate);
    b->tokens += bucket_product(b->rate, now_ms - b->last_ms);
    if (b->tokens > burst) {
        b->tokens = burst;
    }
    b->last_ms = now_ms;
}

/* An empty bucket: the first byte may go after the first refill. */
void bucket_init(struct bucket *b, uint64_t rate, uint64_t now_ms)
{
    *b = (struct bucket){.rate = rate, .last_ms = now_ms};
}

/* Changes the rate from now on. */
void bucket_set_rate(struct bucket *b, uint64_t rate, uint64_t now_ms)
{
    bucket_refill(b, now_ms);
    int64_t burst = bucket_burst(rate);
    if (rate == 0 || b->rate == 0) {
        b->tokens = 0;
    } else if (b->tokens > burst) {
        b->tokens = burst;
    }
    b->rate = rate;
}

/* Bytes that may go now. */
uint64_t bucket_available(struct bucket *b, uint64_t now_ms)
{
    bucket_refill(b, now_ms);
    if (b->rate == 0) {
        return UINT64_MAX;
    }
    if (b->tokens > 0) {
        return (uint64_t)b->tokens / BUCKET_UNIT;
    }
    return 0;
}

/* Bytes that went; below zero when more than there was. */
void bucket_take(struct bucket *b, uint64_t n)
{
    if (b->rate == 0) {
        return;
    }
    b->tokens -= bucket_product(n, BUCKET_UNIT);
    if (b->tokens < -BUCKET_TOKENS_MAX) {
        b->tokens = -BUCKET_TOKENS_MAX;
    }
}

/* Nothing counted yet. */
void rate_init(struct rate *r)
{
    *r = (struct rate){0};
}

/* Counts n bytes. A clock that stepped back counts into the newest slot. */
void rate_add(struct rate *r, uint64_t n, uint64_t now_ms)
{
    uint64_t slot = now_ms / RATE_SLOT_MS;
    uint64_t steps = num_sub_u64(slot, r->head);
    for (uint64_t i = 1; i <= steps && i <= RATE_SLOTS; i++) {
        r->slot[(r->head + i) % RATE_SLOTS] = 0;
    }
    r->head += steps;
    if (r->first_ms == 0) {
        if (now_ms > 0) {
            r->first_ms = now_ms;
        } else {
            r->first_ms = 1;
        }
    }
    r->slot[r->head % RATE_SLOTS] += n;
    r->total += n;
}

/* Bytes per second over the window that ends now. */
uint64_t rate_get(const struct rate *r, uint64_t now_ms)
{
    uint64_t slot = now_ms / RATE_SLOT_MS;
    uint64_t sum = 0;
    if (slot < r->head) {
        slot = r->head;
    }
    for (uint64_t i = 0; i < RATE_SLOTS && i <= r->head; i++) {
        /* Slots that the window has already left behind do not count. */
        if (slot - (r->head - i) < RATE_SLOTS) {
            sum += r->slot[(r->head - i) % RATE_SLOTS];
        }
    }
    uint64_t oldest = num_sub_u64(slot, RATE_SLOTS - 1);
    uint64_t begin = oldest * RATE_SLOT_MS;
    if (begin < r->first_ms) {
        begin = r->first_ms;
    }
    uint64_t span = num_sub_u64(now_ms, begin);
    if (span < RATE_SLOT_MS) {
        span = RATE_SLOT_MS;
    }
    bool is_huge = sum > UINT64_MAX / 1000;
    if (is_huge) {
        return sum / span * 1000;
    }
    return sum * 1000 / span;
}
