/* Rows as JSON without an object in memory for each value: a long list is
 * mostly that. What it writes is what jansson would write; a test compares.
 */
#include "front/json.h"
#include "front/rows.h"

#include <stdlib.h>
#include <string.h>

/* A text without anything to be escaped, or as jansson writes it. */
static void front_rows_text(struct front_text *out, const char *s)
{
    size_t plain = 0;
    while (s[plain] >= 0x20 && s[plain] < 0x7f && s[plain] != '"' &&
           s[plain] != '\\') {
        plain++;
    }
    if (s[plain] == '\0') {
        front_text_add(out, "\"", 1);
        front_text_add(out, s, plain);
        front_text_add(out, "\"", 1);
        return;
    }
    json_t *j = front_json_text(s);
    char *text = json_dumps(j, JSON_ENCODE_ANY);
    front_text_puts(out, text);
    free(text);
    json_decref(j);
}

/* A whole number. */
static void front_rows_int(struct front_text *out, int64_t n)
{
    char digits[24];
    char *at = digits + sizeof(digits);
    uint64_t rest = (uint64_t)n;
    if (n < 0) {
        rest = 0 - rest;
    }
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (n < 0) {
        *--at = '-';
    }
    front_text_add(out, at, (size_t)(digits + sizeof(digits) - at));
}

static void front_rows_real(struct front_text *out, double real)
{
    json_t *j = json_real(real);
    char *text = json_dumps(j, JSON_ENCODE_ANY | FRONT_JSON_DIGITS);
    front_text_puts(out, front_text_or(text, "null"));
    free(text);
    json_decref(j);
}

static void front_rows_value(struct front_text *out, const struct btc_value *v)
{
    switch (v->type) {
    case BTC_NULL:
        front_text_add(out, "null", 4);
        break;
    case BTC_INT:
        front_rows_int(out, v->i);
        break;
    case BTC_REAL:
        front_rows_real(out, v->real);
        break;
    case BTC_TEXT:
        front_rows_text(out, v->text);
        break;
    }
}

/* A new line and its indentation, two blanks for each level. */
static void front_rows_break(struct front_text *out, int depth)
{
    if (depth >= 0) {
        front_text_add(out, "\n", 1);
        front_text_repeat(out, "  ", (size_t)depth);
    }
}

/* How deep the members of something are: a level more, but all in one line has
 * none. */
static int front_rows_inner(int depth)
{
    if (depth < 0) {
        return depth;
    }
    return depth + 1;
}

/* Between a key and its value. */
static void front_rows_colon(struct front_text *out, int depth)
{
    front_text_add(out, ":", 1);
    front_text_add(out, " ", depth >= 0);
}

/* One row as an object that stands `depth` deep. */
static void front_rows_object(const struct front_rows *r, size_t row, int depth,
                              struct front_text *out)
{
    int inner = front_rows_inner(depth);
    front_text_add(out, "{", 1);
    for (size_t i = 0; i < front_rows_columns(r); i++) {
        struct btc_value v = front_rows_get(r, row, i);
        front_text_add(out, ",", i > 0);
        front_rows_break(out, inner);
        front_rows_text(out, v.column);
        front_rows_colon(out, depth);
        front_rows_value(out, &v);
    }
    front_rows_break(out, depth);
    front_text_add(out, "}", 1);
}

void front_rows_write_row(const struct front_rows *r, size_t row,
                          struct front_text *out)
{
    front_rows_object(r, row, -1, out);
}

/* The rows as a JSON array, byte for byte as front_json_print writes one that
 * stands `depth` deep, or on one line (depth < 0). */
static void front_rows_write_json(const struct front_rows *r, int depth,
                                  struct front_text *out)
{
    int inner = front_rows_inner(depth);
    size_t n = front_rows_count(r);
    front_text_add(out, "[", 1);
    for (size_t row = 0; row < n; row++) {
        front_text_add(out, ",", row > 0);
        front_rows_break(out, inner);
        front_rows_object(r, row, inner, out);
    }
    if (n > 0) {
        front_rows_break(out, depth);
    }
    front_text_add(out, "]", 1);
}

/* The object's own text up to its last brace, then the list as one more
 * member. */
void front_json_print_rows(FILE *f, json_t *head, const char *key,
                           const struct front_rows *rows, bool line)
{
    size_t flags = FRONT_JSON_DIGITS | JSON_INDENT(2);
    int depth = 1;
    if (line) {
        flags = FRONT_JSON_DIGITS | JSON_COMPACT;
        depth = -1;
    }
    char *text = json_dumps(head, flags);
    struct front_text out = {0};
    bool alone = json_object_size(head) == 0;
    size_t end = strlen(text) - 1; /* "{}" or "...}" */
    if (!line && !alone) {
        end--; /* "...\n}" */
    }
    front_text_add(&out, text, end);
    front_text_add(&out, ",", !alone);
    front_rows_break(&out, depth);
    front_rows_text(&out, key);
    front_rows_colon(&out, depth);
    front_rows_write_json(rows, depth, &out);
    front_rows_break(&out, depth - 1);
    front_text_puts(&out, "}\n");
    (void)fwrite(out.data, 1, out.len, f);
    (void)fflush(f);
    front_text_free(&out);
    free(text);
    json_decref(head);
}
