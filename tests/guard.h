/* Input that ends at an inaccessible page: a decoder that reads one byte too
 * far faults in every build, not only under a sanitizer. */
#ifndef BTC_TESTS_GUARD_H
#define BTC_TESTS_GUARD_H

#include "base/err.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct guard {
    uint8_t *map; /* owns: `len` readable bytes, then the guard page */
    size_t len;
    size_t page;
};

/* Room for at least `max` bytes. */
void guard_init(struct guard *g, size_t max);

void guard_fini(struct guard *g);

/* The bytes, with nothing readable behind them; until the next call. */
const uint8_t *guard_put(struct guard *g, const void *p, size_t len);

#endif
