/* Signals while an engine runs. The handlers need one place to find the engine:
 * cli_signal_engine is the module's only state besides two counters. */
#include "cli_signal.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#define CLI_SIGNAL_N     6
#define CLI_SIGNAL_AGAIN 3 /* so many INTs end the program at once */

static struct btc *volatile cli_signal_engine;
static volatile sig_atomic_t cli_signal_count;
static volatile sig_atomic_t cli_signal_came_back;
static volatile sig_atomic_t cli_signal_is_daemon;

static const int cli_signal_numbers[CLI_SIGNAL_N] = {SIGINT,  SIGTERM, SIGHUP,
                                                     SIGUSR1, SIGCONT, SIGPIPE};
static struct sigaction cli_signal_old[CLI_SIGNAL_N];

/* Asks the engine to stop; a third time there is no more asking. */
static void cli_signal_stop(void)
{
    cli_signal_count++;
    if (cli_signal_count >= CLI_SIGNAL_AGAIN) {
        _exit(BTC_STATUS_INTERRUPTED);
    }
    btc_signal(cli_signal_engine, BTC_SIGNAL_STOP);
}

/* The handler of all of them. */
static void cli_signal_handle(int number)
{
    int saved = errno;

    if (cli_signal_engine == NULL) {
        return;
    }
    switch (number) {
    case SIGUSR1:
        btc_signal(cli_signal_engine, BTC_SIGNAL_STATS);
        break;
    case SIGCONT:
        cli_signal_came_back = 1;
        break;
    case SIGHUP:
        if (cli_signal_is_daemon != 0) {
            btc_signal(cli_signal_engine, BTC_SIGNAL_RELOAD);
            break;
        }
        cli_signal_stop();
        break;
    default:
        cli_signal_stop();
        break;
    }
    errno = saved;
}

/* Takes the signals over. */
void cli_signal_start(struct btc *b, bool daemon)
{
    struct sigaction sa = {.sa_handler = cli_signal_handle,
                           .sa_flags = SA_RESTART};

    sigemptyset(&sa.sa_mask);
    cli_signal_count = 0;
    cli_signal_came_back = 0;
    cli_signal_is_daemon = daemon ? 1 : 0;
    cli_signal_engine = b;
    for (size_t i = 0; i < CLI_SIGNAL_N; i++) {
        sa.sa_handler =
            cli_signal_numbers[i] == SIGPIPE ? SIG_IGN : cli_signal_handle;
        sigaction(cli_signal_numbers[i], &sa, &cli_signal_old[i]);
        if (cli_signal_old[i].sa_handler == SIG_IGN &&
            cli_signal_numbers[i] == SIGHUP) {
            /* nohup means it. INT is taken though: a script's background job
             * begins with it ignored, and `kill -INT` must work */
            sigaction(cli_signal_numbers[i], &cli_signal_old[i], NULL);
        }
    }
}

/* Gives the signals back. */
void cli_signal_end(void)
{
    if (cli_signal_engine == NULL) {
        return;
    }
    for (size_t i = 0; i < CLI_SIGNAL_N; i++) {
        sigaction(cli_signal_numbers[i], &cli_signal_old[i], NULL);
    }
    cli_signal_engine = NULL;
}

/* How often somebody asked to stop. */
int cli_signal_stops(void)
{
    return cli_signal_count;
}

/* Whether the program was asleep since the last call. */
bool cli_signal_resumed(void)
{
    bool came_back = cli_signal_came_back != 0;

    cli_signal_came_back = 0;
    return came_back;
}
