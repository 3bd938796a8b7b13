/* See alike.h. */
#include "journal/alike.h"

#include <ctype.h>
#include <string.h>

/* A place in a statement. */
struct alike {
    const char *at;
    char before; /* what was given last */
    bool quoted; /* inside of a text */
};

/* Behind a comment that begins here, else where it is. */
static const char *alike_comment(const char *at)
{
    const char *end = at;
    if (at[0] == '-' && at[1] == '-') {
        end = at + strcspn(at, "\n");
    } else if (at[0] == '/' && at[1] == '*') {
        end = strstr(at + 2, "*/");
        if (end) {
            end += 2;
        } else {
            end = at + strlen(at);
        }
    }
    return end;
}

/* Behind all that does not count. */
static const char *alike_skip(const char *at)
{
    const char *next = at;
    do {
        at = next;
        next = alike_comment(at + strspn(at, " \t\r\n\f\""));
    } while (next != at);
    return at;
}

static bool alike_is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* The next character that counts, 0 at the end. Of what stands between two
 * words a blank counts. */
static char alike_next(struct alike *s)
{
    const char *at = s->at;
    if (!s->quoted) {
        at = alike_skip(at);
        if (at != s->at && alike_is_word(s->before) && alike_is_word(*at)) {
            s->at = at;
            s->before = ' ';
            return ' ';
        }
    }
    char c = *at;
    s->at = at + (c != '\0');
    if (c == '\'') {
        s->quoted = !s->quoted;
    }
    s->before = c;
    if (s->quoted) {
        return c;
    }
    return (char)tolower((unsigned char)c);
}

bool journal_sql_is_alike(const char *a, const char *b)
{
    struct alike x = {.at = a};
    struct alike y = {.at = b};
    char c;
    do {
        c = alike_next(&x);
        if (c != alike_next(&y)) {
            return false;
        }
    } while (c != '\0');
    return true;
}
