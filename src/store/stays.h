/* What a DELETE has left where it was, and why: somebody's files in the
 * torrent's places and folders. */
#ifndef BTC_STORE_STAYS_H
#define BTC_STORE_STAYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store_stay {
    char *path;      /* owns; whole */
    const char *why; /* for a person, behind the path */
};
struct store_stays {
    struct store_stay *items; /* owns */
    size_t n;
    uint32_t cap;
};

void store_stays_add(struct store_stays *s, const char *path, const char *why);
/* Something in the folder is told already. */
bool store_stays_below(const struct store_stays *s, const char *folder);
void store_stays_fini(struct store_stays *s);

#endif
