/* See stays.h. */
#include "store/stays.h"

#include "base/mem.h"
#include "base/vec.h"

#include <stdlib.h>
#include <string.h>

void store_stays_add(struct store_stays *s, const char *path, const char *why)
{
    s->items = vec_room(s->items, s->n, &s->cap, sizeof(*s->items));
    s->items[s->n++] =
        (struct store_stay){.path = mem_strdup(path), .why = why};
}

bool store_stays_below(const struct store_stays *s, const char *folder)
{
    size_t len = strlen(folder);
    for (size_t i = 0; i < s->n; i++) {
        if (strncmp(s->items[i].path, folder, len) == 0 &&
            s->items[i].path[len] == '/') {
            return true;
        }
    }
    return false;
}

void store_stays_fini(struct store_stays *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->items[i].path);
    }
    free(s->items);
    *s = (struct store_stays){0};
}
