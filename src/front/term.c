/* What a stream can show. */
#include "front/term.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define FRONT_TERM_WIDTH  80 /* of a terminal that does not say */
#define FRONT_TERM_HEIGHT 24

/* Whether the user's locale is UTF-8; said once at the start. */
static bool front_term_is_utf8 = true;

/* Takes the user's locale; where that is not UTF-8, its answer is kept for the
 * terminal and the widths still come from a UTF-8 locale. */
void front_term_init(void)
{
    setlocale(LC_CTYPE, "");
    front_term_is_utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    if (!front_term_is_utf8) {
        setlocale(LC_CTYPE, "C.UTF-8");
    }
}

/* The size of the terminal at `fd`, COLUMNS and LINES where it has none. */
void front_term_resize(struct front_screen *s, int fd)
{
    struct winsize size = {0};

    s->width = FRONT_TERM_WIDTH;
    s->height = FRONT_TERM_HEIGHT;
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        s->width = size.ws_col;
        s->height = FRONT_TERM_HEIGHT;
        if (size.ws_row > 0) {
            s->height = size.ws_row;
        }
    }
}

/* What `f` can show. */
struct front_screen front_term_screen(FILE *f)
{
    struct front_screen s = {.utf8 = true};
    const char *term = getenv("TERM");
    const char *no_color = getenv("NO_COLOR");
    int fd = fileno(f);

    s.dumb = term == NULL || term[0] == '\0' || strcmp(term, "dumb") == 0;
    if (fd < 0 || !isatty(fd)) {
        return s;
    }
    s.tty = true;
    s.utf8 = front_term_is_utf8;
    s.colour = !s.dumb && (no_color == NULL || no_color[0] == '\0');
    front_term_resize(&s, fd);
    return s;
}

size_t front_term_width(const struct front_screen *s, size_t unlimited)
{
    if (s->width == 0) {
        return unlimited;
    }
    return s->width;
}

const char *front_term_sign(const struct front_screen *s, const char *utf8,
                            const char *ascii)
{
    if (s->utf8) {
        return utf8;
    }
    return ascii;
}

/* A colour's sequence; NONE ends all of them. */
const char *front_term_colour(const struct front_screen *s, enum front_colour c)
{
    static const char *const codes[] = {"\033[0m",  "\033[1m",  "\033[2m",
                                        "\033[31m", "\033[32m", "\033[33m",
                                        "\033[36m"};

    if (s->colour) {
        return codes[c];
    }
    return "";
}
