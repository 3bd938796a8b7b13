/* What LOOK is asked for and finds. Part of store.h. */
#ifndef BTC_STORE_LOOK_H
#define BTC_STORE_LOOK_H

#include "model/fingerprint.h"

#include <stdbool.h>
#include <stdint.h>

struct store_look {
    uint32_t file;
    char *const *others; /* where others may have it; borrows until done */
    uint32_t n_others;
    /* Results: */
    uint32_t other; /* the first of them who has it, or n_others. One that is
                     * gone, while the file has one more name, may. */
    bool used;      /* a byte outside of the spans is not zero */
    struct fingerprint print; /* as it was then */
};

#endif
