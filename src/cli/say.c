/* What is said on standard error, and errors as objects for programs. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "front/json.h"

/* In single quotes, as a shell takes it. */
static void cli_put_quoted(struct front_text *out, const char *text)
{
    front_text_puts(out, "'");
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '\'') {
            front_text_puts(out, "'\\''");
        } else {
            front_text_add(out, c, 1);
        }
    }
    front_text_puts(out, "'");
}

/* See cli.h. */
void cli_put_db(const struct cli *c, struct front_text *out)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+,";
    const char *db = c->o.db;
    struct front_text clean = {0};

    if (db == NULL || (c->o.typed & CLI_SET(DB)) == 0) {
        return;
    }
    front_text_puts(out, " --db ");
    front_text_clean(&clean, db, c->err_screen.utf8);
    db = front_text_str(&clean);
    if (db[strspn(db, plain)] == '\0') {
        front_text_puts(out, db);
    } else {
        cli_put_quoted(out, db);
    }
    front_text_free(&clean);
}

/* Whether a command that is advised works on a database, and names none yet. */
static bool cli_say_lacks_db(const char *command, size_t len)
{
    static const char *const without[] = {"help", "info", "create", "version"};
    size_t word = strcspn(command, " `");
    char *text = mem_strndup(command, len);
    bool lacks = strstr(text, "--db") == NULL;

    for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++) {
        lacks &= word != strlen(without[i]) ||
                 strncmp(command, without[i], word) != 0;
    }
    free(text);
    return lacks;
}

/* See cli.h. An advice stands between backticks. */
void cli_advise(const struct cli *c, const char *text, struct front_text *out)
{
    static const char begin[] = "`btc ";
    const char *at = strstr(text, begin);
    const char *end = NULL;

    while (at != NULL && (end = strchr(at + 1, '`')) != NULL) {
        const char *command = at + strlen(begin);
        front_text_add(out, text, (size_t)(end - text));
        if (command < end &&
            cli_say_lacks_db(command, (size_t)(end - command))) {
            cli_put_db(c, out);
        }
        front_text_puts(out, "`");
        text = end + 1;
        at = strstr(text, begin);
    }
    front_text_puts(out, text);
}

/* A line for people. */
void cli_say(const struct cli *c, const char *fmt, ...)
{
    struct front_text line = {0};
    char *text = NULL;
    va_list args;

    if (c->o.quiet) {
        return;
    }
    va_start(args, fmt);
    text = mem_vprintf(fmt, args);
    va_end(args);
    cli_advise(c, text, &line);
    fprintf(c->err, "%s\n", front_text_str(&line));
    front_text_free(&line);
    free(text);
}

/* The text of an error, cleaned: it may quote names. */
void cli_say_error(const struct cli *c, const struct btc_error *e)
{
    struct front_text line = {0};
    struct front_text clean = {0};
    const char *text = e->message;

    if (*text == '\0') {
        text = btc_status_text(e->status);
    }
    front_text_clean(&clean, text, c->err_screen.utf8);
    front_text_puts(&line, "btc: ");
    cli_advise(c, front_text_str(&clean), &line);
    front_text_free(&clean);
    fprintf(c->err, "%s%s%s\n",
            front_term_colour(&c->err_screen, FRONT_COLOUR_RED),
            front_text_str(&line),
            front_term_colour(&c->err_screen, FRONT_COLOUR_NONE));
    front_text_free(&line);
}

int cli_fail_status(const struct btc_error *e)
{
    if (e->status == 0) {
        return BTC_STATUS_OTHER;
    }
    return e->status;
}

const char *cli_stopped_text(int64_t pid, char text[CLI_STOPPED_MAX])
{
    text[0] = '\0';
    if (btc_engine_is_stopped(pid)) {
        snprintf(text, CLI_STOPPED_MAX,
                 "the engine (pid %lld) is stopped and does nothing: `fg` or "
                 "`kill -CONT %lld` lets it go on",
                 (long long)pid, (long long)pid);
    }
    return text;
}

/* Says an error in both ways. */
int cli_fail(struct cli *c, const struct btc_error *e)
{
    int status = cli_fail_status(e);

    cli_say_error(c, e);
    if (c->o.json) {
        front_json_print(c->out, front_json_failure(status, e->message));
    } else if (c->o.ndjson) {
        front_json_line(c->out, front_json_failure_event(status, e->message));
    }
    return status;
}

/* Says an error of the command line itself. */
int cli_fail_text(struct cli *c, int status, const char *fmt, ...)
{
    struct btc_error e = {.status = status};
    va_list args;

    va_start(args, fmt);
    vsnprintf(e.message, sizeof(e.message), fmt, args);
    va_end(args);
    return cli_fail(c, &e);
}
