/* The btc program: see cli.h. */
#include "cli/cli.h"

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <unistd.h>

/* Who starts btc without a standard stream (`>&-`) would have it print into the
 * first file that it opens: a .torrent, a file of a torrent. What stands there
 * instead fails as a closed stream does: it is open the wrong way round. */
static void main_fill_streams(void)
{
    static const int flags[] = {O_WRONLY, O_RDONLY, O_RDONLY};
    for (int fd = 0; fd < 3; fd++) {
        if (fcntl(fd, F_GETFD) < 0) {
            (void)open("/dev/null", flags[fd]); /* the lowest one: this one */
        }
    }
}

/* A file that may not grow (`ulimit -f`) is an error of a write, which is told
 * and saved like any other. The signal would end btc without a word. */
static void main_ignore_signals(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGXFSZ, &ignore, NULL);
}

/* One heap for all threads. Of itself glibc gives each its own, and what the
 * threads of the disk and the journal free there helps nobody else. They
 * allocate too seldom to wait for each other. */
static void main_share_heap(void)
{
#ifdef M_ARENA_MAX
    (void)mallopt(M_ARENA_MAX, 1);
#endif
}

/* Runs the command line on the standard streams. */
int main(int argc, char **argv)
{
    main_fill_streams();
    main_ignore_signals();
    main_share_heap();
    return cli_main(argc, argv, stdout, stderr);
}
