/* Kills the program that it is preloaded into, before the n-th call that
 * changes files: BTC_KILL_NTH=N LD_PRELOAD=.../libkill.so btc ... With N from 1
 * on until the program ends by itself, each place at which a kill can come has
 * been tried. With BTC_KILL_LACKS set the file system knows no renameat2, as
 * many do not. Linux alone. */
#include "calls.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The C library names its parameters with reserved words.
 * NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */

static atomic_long kill_count;

/* One more call: the n-th is never made. */
static void kill_count_call(void)
{
    const char *text = getenv("BTC_KILL_NTH");
    long nth = 0;
    for (; text && *text >= '0' && *text <= '9'; text++) {
        nth = nth * 10 + (*text - '0');
    }
    if (atomic_fetch_add(&kill_count, 1) + 1 == nth) {
        (void)kill(getpid(), SIGKILL);
    }
}

/* Counts a call, but for one that the file system does not know. */
static bool kill_lacks(const char *name)
{
    if (strcmp(name, "renameat2") == 0 && getenv("BTC_KILL_LACKS")) {
        errno = ENOSYS;
        return true;
    }
    kill_count_call();
    return false;
}

/* An open counts when it makes a file. */
static bool kill_opens(int flags)
{
    if (flags & O_CREAT) {
        kill_count_call();
    }
    return false;
}

/* Wherever they are made. */
#define CALLS_STOP(name, where)      kill_lacks(#name)
#define CALLS_STOP_OPEN(name, where) kill_opens(flags)

CALLS_CHANGE(CALLS_WRAP)
CALLS_OPEN(CALLS_WRAP_OPEN)

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
