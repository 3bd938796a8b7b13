/* Signals; see signal.h. The handlers need one place to find the engine and
 * the words: that and the counters are the module's only state. */
#include "cli/run/signal.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#define CLI_SIGNAL_N     6
#define CLI_SIGNAL_AGAIN 3 /* so many INTs end the program at once */

static struct btc *volatile cli_signal_engine;
static const struct cli_signal_words *volatile cli_signal_words;
static volatile sig_atomic_t cli_signal_count;
static volatile sig_atomic_t cli_signal_kept; /* of these, not passed on yet */
static volatile sig_atomic_t cli_signal_reloads; /* before the engine ran */
static volatile sig_atomic_t cli_signal_came_back;
static volatile sig_atomic_t cli_signal_is_daemon;
static bool cli_signal_taken;

static const int cli_signal_numbers[CLI_SIGNAL_N] = {SIGINT,  SIGTERM, SIGHUP,
                                                     SIGUSR1, SIGCONT, SIGPIPE};
static struct sigaction cli_signal_old[CLI_SIGNAL_N];

/* Writes what it can; who does not read it must not keep the program. */
static void cli_signal_write(int fd, const char *text)
{
    if (text != NULL) {
        (void)!write(fd, text, strlen(text));
    }
}

/* Ends the program with its last words. */
static void cli_signal_exit(const struct cli_signal_words *w)
{
    cli_signal_write(STDERR_FILENO, w->err);
    cli_signal_write(STDOUT_FILENO, w->out);
    _exit(w->status);
}

/* Asks the engine to stop; a third time there is no more asking. */
static void cli_signal_stop(void)
{
    cli_signal_count++;
    const struct cli_signal_words *words = cli_signal_words;
    if (words != NULL) {
        cli_signal_exit(words);
    }
    if (cli_signal_count >= CLI_SIGNAL_AGAIN) {
        _exit(BTC_STATUS_INTERRUPTED);
    }
    if (cli_signal_engine != NULL) {
        btc_signal(cli_signal_engine, BTC_SIGNAL_STOP);
    } else {
        cli_signal_kept++;
    }
}

/* HUP of the daemon. */
static void cli_signal_reload(void)
{
    if (cli_signal_engine != NULL) {
        btc_signal(cli_signal_engine, BTC_SIGNAL_RELOAD);
    } else {
        cli_signal_reloads = 1;
    }
}

/* The handler of all of them. */
static void cli_signal_handle(int number)
{
    int saved = errno;

    if (number == SIGUSR1) {
        if (cli_signal_engine != NULL) {
            btc_signal(cli_signal_engine, BTC_SIGNAL_STATS);
        }
    } else if (number == SIGCONT) {
        cli_signal_came_back = 1;
    } else if (number == SIGHUP && cli_signal_is_daemon != 0) {
        cli_signal_reload();
    } else {
        cli_signal_stop();
    }
    errno = saved;
}

/* Blocks the signals, or gives `old` back: for changes that a handler must not
 * see half done. */
static void cli_signal_mask(sigset_t *old, bool block)
{
    sigset_t set;

    if (!block) {
        sigprocmask(SIG_SETMASK, old, NULL);
        return;
    }
    sigemptyset(&set);
    for (size_t i = 0; i < CLI_SIGNAL_N; i++) {
        sigaddset(&set, cli_signal_numbers[i]);
    }
    sigprocmask(SIG_BLOCK, &set, old);
}

/* Takes the signals over. Those that nohup ignores stay so: it means it. INT is
 * taken though: a script's background job begins with it ignored, and `kill
 * -INT` must work. `flags` are those of a stop. */
static void cli_signal_install(int flags)
{
    struct sigaction sa = {.sa_handler = cli_signal_handle};

    sigemptyset(&sa.sa_mask);
    for (size_t i = 0; i < CLI_SIGNAL_N; i++) {
        int number = cli_signal_numbers[i];
        bool nohup =
            number == SIGHUP && cli_signal_old[i].sa_handler == SIG_IGN;
        bool asks = number == SIGUSR1 || number == SIGCONT;
        sa.sa_flags = flags;
        if (asks) {
            sa.sa_flags = SA_RESTART;
        }
        if (number != SIGPIPE && !nohup) {
            sigaction(number, &sa, NULL);
        }
    }
}

void cli_signal_take(bool daemon)
{
    cli_signal_count = 0;
    cli_signal_kept = 0;
    cli_signal_reloads = 0;
    cli_signal_came_back = 0;
    cli_signal_is_daemon = daemon;
    cli_signal_engine = NULL;
    cli_signal_words = NULL;
    cli_signal_taken = true;
    for (size_t i = 0; i < CLI_SIGNAL_N; i++) {
        sigaction(cli_signal_numbers[i], NULL, &cli_signal_old[i]);
    }
    cli_signal_install(SA_RESTART);
}

/* See signal.h. A wait that is under way is not begun again then. */
void cli_signal_ends(const struct cli_signal_words *words)
{
    sigset_t old;

    cli_signal_mask(&old, true);
    if (words != NULL && cli_signal_kept > 0) {
        cli_signal_exit(words);
    }
    cli_signal_words = words;
    if (cli_signal_taken) {
        cli_signal_install(words != NULL ? 0 : SA_RESTART);
    }
    cli_signal_mask(&old, false);
}

/* See signal.h. PIPE is ignored from here on: an engine does not end
 * because nobody reads its standard output. */
void cli_signal_start(struct btc *b)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigset_t old;

    sigemptyset(&ignore.sa_mask);
    sigaction(SIGPIPE, &ignore, NULL);
    cli_signal_mask(&old, true);
    cli_signal_engine = b;
    for (; cli_signal_kept > 0; cli_signal_kept--) {
        btc_signal(b, BTC_SIGNAL_STOP);
    }
    if (cli_signal_reloads > 0) {
        btc_signal(b, BTC_SIGNAL_RELOAD);
    }
    cli_signal_mask(&old, false);
}

void cli_signal_end(void)
{
    cli_signal_engine = NULL;
}

void cli_signal_release(void)
{
    for (size_t i = 0; cli_signal_taken && i < CLI_SIGNAL_N; i++) {
        sigaction(cli_signal_numbers[i], &cli_signal_old[i], NULL);
    }
    cli_signal_taken = false;
}

int cli_signal_stops(void)
{
    return cli_signal_count;
}

bool cli_signal_resumed(void)
{
    bool came_back = cli_signal_came_back != 0;

    cli_signal_came_back = 0;
    return came_back;
}
