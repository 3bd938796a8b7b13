/* See limit.h. */
#include "base/limit.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

/* " (ulimit -X is N)", "" when there is none. */
static void limit_text(int resource, char letter, rlim_t unit, char *text,
                       size_t size)
{
    struct rlimit r;
    text[0] = '\0';
    if (getrlimit((__rlimit_resource_t)resource, &r) == 0 &&
        r.rlim_cur != RLIM_INFINITY) {
        (void)snprintf(text, size, " (ulimit -%c is %llu)", letter,
                       (unsigned long long)(r.rlim_cur / unit));
    }
}

int limit_threads(struct err *e)
{
    char processes[48];
    char memory[48];
    limit_text(RLIMIT_NPROC, 'u', 1, processes, sizeof(processes));
    limit_text(RLIMIT_AS, 'v', 1024, memory, sizeof(memory));
    return err_set(e, BTC_E_LIMIT,
                   "no thread can be started: too many processes%s, too "
                   "little memory%s, or a limit of its control group; allow "
                   "more and try again, nothing is lost",
                   processes, memory);
}

int limit_files(struct err *e)
{
    char files[48];
    limit_text(RLIMIT_NOFILE, 'n', 1, files, sizeof(files));
    return err_set(e, BTC_E_LIMIT,
                   "too many open files%s: allow more and try again, nothing "
                   "is lost",
                   files);
}

bool limit_has_files(uint32_t n)
{
    int *fds = mem_array(n, sizeof(*fds));
    uint32_t got = 0;
    while (got < n && (fds[got] = eventfd(0, EFD_CLOEXEC)) >= 0) {
        got++;
    }
    for (uint32_t i = 0; i < got; i++) {
        (void)close(fds[i]);
    }
    free(fds);
    return got == n;
}
