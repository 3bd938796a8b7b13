/* The other place of a file that is out of sight: a run was killed after it had
 * taken the file to its place, and the journal does not know that. */
#ifndef BTC_STORE_HOME_H
#define BTC_STORE_HOME_H

#include "model/fingerprint.h"

#include <stdbool.h>
#include <stdint.h>

struct store_home {
    uint32_t file;
    uint32_t dir;           /* of that place */
    const char *path;       /* borrows the tree's text */
    struct fingerprint own; /* the file, as the journal has seen it */
    bool taken;             /* it is there: its path and folder are these */
};

#endif
