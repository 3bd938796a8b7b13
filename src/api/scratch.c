/* A folder for a short while, for btc_open_scratch of btc.h. */
#include "api/api.h"

#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* $TMPDIR as everybody uses it; free(). */
static char *api_scratch_name(void)
{
    const char *tmp = getenv("TMPDIR");
    if (tmp == NULL || tmp[0] != '/') {
        tmp = "/tmp";
    }
    return mem_printf("%s/btc-XXXXXX", tmp);
}

/* Nobody but us writes there, and we make no folders in it. */
static void api_scratch_remove(const char *folder)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.') {
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    (void)rmdir(folder);
}

char *api_scratch_make(struct err *e)
{
    char *folder = api_scratch_name();
    if (mkdtemp(folder) == NULL) {
        (void)err_set_errno(e, errno, "cannot make '%s'", folder);
        free(folder);
        return NULL;
    }
    return folder;
}

void api_scratch_fini(char *folder)
{
    if (folder != NULL) {
        api_scratch_remove(folder);
        free(folder);
    }
}
