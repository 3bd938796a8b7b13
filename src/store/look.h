/* What LOOK is asked for and finds, and STAT beside its prints. Part of
 * store.h. */
#ifndef BTC_STORE_LOOK_H
#define BTC_STORE_LOOK_H

#include "model/fingerprint.h"

#include <stdbool.h>
#include <stdint.h>

/* Where another may have the file. */
struct store_look_place {
    const char *path; /* borrows until done */
    bool likely; /* when nothing is there and the file has one more name: then
                  * that may be his, moved away */
};

struct store_look {
    uint32_t file;
    const struct store_look_place *others; /* borrows until done */
    uint32_t n_others;
    bool blocked; /* STAT: the prints are to say `is_blocked` */
    /* Results: */
    uint32_t other;           /* the first of them who has it, or n_others */
    bool used;                /* a byte outside of the spans is not zero */
    struct fingerprint print; /* as it was then */
};

#endif
