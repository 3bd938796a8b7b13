/* What is said on standard error, and errors as objects for programs. */
#include <stdarg.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "front/json.h"

/* A line for people. */
void cli_say(const struct cli *c, const char *fmt, ...)
{
    va_list args;

    if (c->o.quiet) {
        return;
    }
    va_start(args, fmt);
    vfprintf(c->err, fmt, args);
    va_end(args);
    fputc('\n', c->err);
}

/* The text of an error, cleaned: it may quote names. */
void cli_say_error(const struct cli *c, const struct btc_error *e)
{
    struct front_text line = {0};
    const char *text = e->message;

    if (*text == '\0') {
        text = btc_status_text(e->status);
    }
    front_text_puts(&line, "btc: ");
    front_text_clean(&line, text, c->err_screen.utf8);
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
