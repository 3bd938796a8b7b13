/* --on-done and --on-error: posix_spawn of /bin/sh -c, never waited for on the
 * engine's thread until the end.
 *
 * One of --on-done that was killed, as by ^C, has not run: it stays owed, and
 * the next run with that option starts it again. */
#include "cli/run/hooks.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "front/text.h"

#define CLI_HOOKS_VARS 9

/* "NAME=value"; free(). */
static char *cli_hooks_var(const char *name, const char *value)
{
    struct front_text t = {0};

    front_text_puts(&t, name);
    front_text_puts(&t, "=");
    front_text_puts(&t, front_text_or(value, ""));
    return t.data;
}

/* Fills `vars` with what is told about the torrent. */
static void cli_hooks_vars(char *vars[CLI_HOOKS_VARS],
                           const struct btc_progress *p, int status)
{
    char id[24];
    char code[24];

    snprintf(id, sizeof(id), "%lld", (long long)p->id);
    snprintf(code, sizeof(code), "%d", status);
    vars[0] = cli_hooks_var("BTC_ID", id);
    vars[1] = cli_hooks_var("BTC_NAME", p->name);
    vars[2] = cli_hooks_var("BTC_INFO_HASH", p->info_hash);
    vars[3] = cli_hooks_var("BTC_DIR", p->save_path);
    vars[4] = cli_hooks_var("BTC_STATUS", code);
    vars[5] = cli_hooks_var("TR_TORRENT_ID", id);
    vars[6] = cli_hooks_var("TR_TORRENT_NAME", p->name);
    vars[7] = cli_hooks_var("TR_TORRENT_HASH", p->info_hash);
    vars[8] = cli_hooks_var("TR_TORRENT_DIR", p->save_path);
}

/* Whether an inherited variable is one of ours: ours replaces it. */
static bool cli_hooks_is_ours(const char *inherited, char *const *vars)
{
    size_t name = strcspn(inherited, "=") + 1;

    for (size_t i = 0; i < CLI_HOOKS_VARS; i++) {
        if (strncmp(vars[i], inherited, name) == 0) {
            return true;
        }
    }
    return false;
}

/* The whole environment; the array is the caller's to free. */
static char **cli_hooks_environment(char *const *vars)
{
    size_t n = 0;
    size_t used = CLI_HOOKS_VARS;

    while (environ[n] != NULL) {
        n++;
    }
    char **all = mem_calloc(n + CLI_HOOKS_VARS + 1, sizeof(*all));
    memcpy(all, vars, CLI_HOOKS_VARS * sizeof(*all));
    for (size_t i = 0; i < n; i++) {
        if (!cli_hooks_is_ours(environ[i], vars)) {
            all[used++] = environ[i];
        }
    }
    return all;
}

/* Starts the shell; 0 or errno. */
static int cli_hooks_spawn(pid_t *pid, const char *command, char **environment)
{
    char shell[] = "sh";
    char flag[] = "-c";
    char *copy = mem_strdup(command);
    char *argv[] = {shell, flag, copy, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t defaults;

    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attr);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    /* standard output is for data alone */
    posix_spawn_file_actions_adddup2(&files, 2, 1);
    posix_spawn_file_actions_addclosefrom_np(&files, 3);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_setsigdefault(&attr, &defaults);
    sigemptyset(&defaults);
    posix_spawnattr_setsigmask(&attr, &defaults);
    posix_spawnattr_setflags(&attr,
                             POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    int error = posix_spawn(pid, "/bin/sh", &files, &attr, argv, environment);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    free(copy);
    return error;
}

/* Says that one failed, and journals it. */
__attribute__((format(printf, 4, 5))) static void
cli_hooks_fail(struct cli_hooks *h, int64_t id, bool paid, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    fprintf(h->err, "btc: %s\n", text);
    (void)btc_hook_ended(h->b, id, paid, text, NULL);
}

/* What a command ended with. */
static void cli_hooks_ended(struct cli_hooks *h, const struct cli_hook *item,
                            int how)
{
    const char *option = item->is_done ? "--on-done" : "--on-error";

    if (WIFSIGNALED(how)) {
        cli_hooks_fail(h, item->id, false,
                       "the command of %s was killed by signal %d", option,
                       WTERMSIG(how));
    } else if (how != 0) {
        cli_hooks_fail(h, item->id, item->is_done,
                       "the command of %s failed (exit status %d)", option,
                       WEXITSTATUS(how));
    } else if (item->is_done) {
        (void)btc_hook_ended(h->b, item->id, true, NULL, NULL);
    }
}

/* Starts a command. */
void cli_hooks_start(struct cli_hooks *h, const char *command,
                     const struct btc_progress *p, int status)
{
    char *vars[CLI_HOOKS_VARS];
    pid_t pid = 0;

    if (command == NULL) {
        return;
    }
    cli_hooks_vars(vars, p, status);
    char **environment = cli_hooks_environment(vars);
    int error = cli_hooks_spawn(&pid, command, environment);
    if (error == 0) {
        h->items = mem_resize(h->items, h->n + 1, sizeof(*h->items));
        h->items[h->n++] =
            (struct cli_hook){.pid = pid, .id = p->id, .is_done = status == 0};
    } else {
        cli_hooks_fail(h, p->id, false, "cannot run `%s`: %s", command,
                       strerror(error));
    }
    free(environment);
    for (size_t i = 0; i < CLI_HOOKS_VARS; i++) {
        free(vars[i]);
    }
}

/* Collects what ended. */
void cli_hooks_reap(struct cli_hooks *h, bool wait)
{
    size_t left = 0;

    for (size_t i = 0; i < h->n; i++) {
        int how = 0;
        pid_t got = waitpid(h->items[i].pid, &how, wait ? 0 : WNOHANG);
        if (got == 0 || (got < 0 && errno == EINTR)) {
            h->items[left++] = h->items[i];
        } else if (got > 0) {
            cli_hooks_ended(h, &h->items[i], how);
        }
    }
    h->n = left;
}

/* Waits for all. */
void cli_hooks_fini(struct cli_hooks *h)
{
    while (h->n > 0) {
        cli_hooks_reap(h, true);
    }
    free(h->items);
    h->items = NULL;
}
