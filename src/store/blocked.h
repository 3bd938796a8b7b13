/* What is in the way of a file that is not there, so that none can be made. */
#ifndef BTC_STORE_BLOCKED_H
#define BTC_STORE_BLOCKED_H

#include <stdbool.h>

/* Whether in the place of the absent file `path`, or of one of its folders
 * below `root`, there is something that is no folder: a file, or a link that
 * leads nowhere. Waits for the device. */
bool store_is_blocked(const char *root, const char *path);

#endif
