/* URLs made fit to be asked; see url.h.
 *
 * Vocabulary. The head is "scheme://"; the authority (user, host, port) ends at
 * the next '/', '?' or '#'. A byte that needs an escape gets one wherever it
 * stands, also in the host: curl takes an escaped host for the
 * internationalised name that it is. What is refused instead could only be a
 * mistake: control characters, and blanks or broken UTF-8 in the authority.
 */
#include "proto/url.h"

#include "base/buf.h"
#include "base/mem.h"
#include "proto/field.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define URL_TOLD_LEN 200 /* bytes of a URL that is told, with its NUL */

/* What may stand in a URL beside letters and digits: the unreserved and the
 * reserved characters, and the escapes. */
static const char url_marks[] = "-._~:/?#[]@!$&'()*+,;=%";

static bool url_is_letter(uint8_t c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static bool url_is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool url_is_hex(uint8_t c)
{
    return url_is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static bool url_is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool url_is_control(uint8_t c)
{
    return c < 0x20 || c == 0x7f;
}

static struct slice url_trim(struct slice s)
{
    while (s.len > 0 && url_is_space(s.p[0])) {
        s = slice_sub(s, 1, s.len - 1);
    }
    while (s.len > 0 && url_is_space(s.p[s.len - 1])) {
        s.len--;
    }
    return s;
}

/* Bytes of "scheme://" (RFC 3986, 3.1); 0 when there is none. */
static size_t url_head_len(struct slice s)
{
    size_t n = 0;

    if (s.len == 0 || !url_is_letter(s.p[0])) {
        return 0;
    }
    while (n < s.len && (url_is_letter(s.p[n]) || url_is_digit(s.p[n]) ||
                         s.p[n] == '+' || s.p[n] == '-' || s.p[n] == '.')) {
        n++;
    }
    if (!slice_has_prefix(slice_sub(s, n, 3), "://")) {
        return 0;
    }
    return n + 3;
}

/* User, host and port of what stands behind the head. */
static struct slice url_authority(struct slice rest)
{
    size_t n = 0;

    while (n < rest.len && strchr("/?#", rest.p[n]) == NULL) {
        n++;
    }
    return slice_sub(rest, 0, n);
}

/* Why an authority is none. */
static const char *url_judge_authority(struct slice a)
{
    if (a.len == 0) {
        return "names no host";
    }
    if (memchr(a.p, ' ', a.len) != NULL) {
        return "has a blank in its host";
    }
    if (!bytes_is_utf8(a)) {
        return "has a host that is not UTF-8";
    }
    return NULL;
}

/* Why a trimmed URL cannot be used, its length aside. */
static const char *url_judge(struct slice s)
{
    size_t head = url_head_len(s);

    if (s.len == 0) {
        return "is empty";
    }
    for (size_t i = 0; i < s.len; i++) {
        if (url_is_control(s.p[i])) {
            return "has a control character in it";
        }
    }
    if (head == 0) {
        return "has no scheme, as in http://";
    }
    return url_judge_authority(url_authority(slice_sub(s, head, s.len - head)));
}

/* Whether the byte at `i` may stand as it is. A '%' may when it begins an
 * escape: what was escaped already stays so. */
static bool url_is_plain(struct slice s, size_t i)
{
    uint8_t c = s.p[i];

    if (c == '%') {
        return s.len - i > 2 && url_is_hex(s.p[i + 1]) &&
               url_is_hex(s.p[i + 2]);
    }
    return url_is_letter(c) || url_is_digit(c) ||
           (c != '\0' && strchr(url_marks, c) != NULL);
}

/* Escaped; NULL when it is longer than URL_MAX. */
static char *url_escape(struct slice s)
{
    struct buf out;
    int rc = 0;
    char *text = NULL;

    buf_init(&out, URL_MAX + 1);
    for (size_t i = 0; rc == 0 && i < s.len; i++) {
        if (url_is_plain(s, i)) {
            rc = buf_append_byte(&out, s.p[i]);
        } else {
            rc = buf_printf(&out, "%%%02X", s.p[i]);
        }
    }
    if (rc == 0 && buf_len(&out) <= URL_MAX) {
        text = buf_take_str(&out);
    }
    buf_fini(&out);
    return text;
}

char *url_tidy(struct slice in, const char **why)
{
    struct slice s = url_trim(in);
    char *url = NULL;

    *why = url_judge(s);
    if (*why == NULL) {
        url = url_escape(s);
    }
    if (*why == NULL && url == NULL) {
        *why = "is too long";
    }
    return url;
}

char *url_tidy_http(struct slice in, const char **why)
{
    char *url = url_tidy(in, why);

    if (url != NULL && strncasecmp(url, "http://", 7) != 0 &&
        strncasecmp(url, "https://", 8) != 0) {
        *why = "is not of the web (http or https)";
        free(url);
        return NULL;
    }
    return url;
}

void url_leave_out(struct url_left_out *l, struct slice url, const char *why)
{
    char text[URL_TOLD_LEN];

    field_text(url, text, sizeof(text));
    if (text[0] == '\0') {
        return;
    }
    l->n++;
    if (l->n_told == URL_MAX_TOLD) {
        return;
    }
    if (l->told == NULL) {
        l->told = mem_calloc(URL_MAX_TOLD, sizeof(*l->told));
    }
    l->told[l->n_told].text = mem_strdup(text);
    l->told[l->n_told].why = why;
    l->n_told++;
}

void url_left_out_fini(struct url_left_out *l)
{
    for (uint32_t i = 0; i < l->n_told; i++) {
        free(l->told[i].text);
    }
    free(l->told);
}
