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

/* SQLite maps the index of its WAL into memory, so a drive that fails, or is
 * full, or a file that somebody cut, is told by a signal in the middle of an
 * access. There is no way on from there, and nothing is lost by ending: the
 * journal is as after a kill. */
static void main_on_bus(int number, siginfo_t *info, void *context)
{
    static const char text[] =
        "btc: what is mapped of a file cannot be read any more (the "
        "database's index, btc.db-shm): Input/output error; the journal is as "
        "the last commit left it, `btc resume` goes on when the drive is "
        "well\n";
    (void)context;
    if (info->si_code == BUS_ADRERR) {
        (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
        _exit(BTC_STATUS_IO);
    }
    (void)signal(number, SIG_DFL); /* again, and then it ends btc */
}

static void main_take_bus(void)
{
    struct sigaction bus = {.sa_sigaction = main_on_bus,
                            .sa_flags = SA_SIGINFO};
    (void)sigaction(SIGBUS, &bus, NULL);
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
    main_take_bus();
    main_share_heap();
    return cli_main(argc, argv, stdout, stderr);
}
