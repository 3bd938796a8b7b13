/* What is in the way of a file that is to be made; see blocked.h. */
#include "store/blocked.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool store_is_blocked(const char *root, const char *path)
{
    size_t len = strlen(root);
    char *at = mem_strdup(path);
    struct stat st;
    bool is_there = lstat(at, &st) == 0; /* the file itself: no folder may be */
    bool is_blocked = is_there;
    char *slash = strrchr(at, '/');
    while (!is_there && slash != NULL && (size_t)(slash - at) > len) {
        *slash = '\0';
        is_there = lstat(at, &st) == 0;
        is_blocked = is_there && (stat(at, &st) != 0 || !S_ISDIR(st.st_mode));
        slash = strrchr(at, '/');
    }
    free(at);
    return is_blocked;
}
