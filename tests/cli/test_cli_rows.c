/* Kept rows, and that their JSON is what jansson writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/fake_btc.h"
#include "front/json.h"
#include "front/rows.h"

#define COLUMNS 5

/* Rows with all that is awkward. */
static const struct btc_value rows[][COLUMNS] = {
    {{.column = "id", .type = BTC_INT, .i = 1},
     {.column = "name", .type = BTC_TEXT, .text = "plain name.iso"},
     {.column = "percent", .type = BTC_REAL, .real = 0.0},
     {.column = "error", .type = BTC_NULL},
     {.column = "na\"me", .type = BTC_TEXT, .text = ""}},
    {{.column = "id", .type = BTC_INT, .i = INT64_MIN},
     {.column = "name", .type = BTC_TEXT, .text = "q\"b\\s/\ttab\x7f\x01"},
     {.column = "percent", .type = BTC_REAL, .real = 33.333333333333336},
     {.column = "error", .type = BTC_INT, .i = INT64_MAX},
     {.column = "na\"me", .type = BTC_NULL}},
    {{.column = "id", .type = BTC_INT, .i = -7},
     {.column = "name", .type = BTC_TEXT, .text = "\xC3\xA9 \xE6\x97\xA5"},
     {.column = "percent", .type = BTC_REAL, .real = 1e300},
     {.column = "error", .type = BTC_TEXT, .text = "bad \xFF\xC0 bytes"},
     {.column = "na\"me", .type = BTC_REAL, .real = -2.5e-9}}};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static struct front_rows *keep(size_t n)
{
    struct front_rows *r = front_rows_new();
    for (size_t i = 0; i < n; i++) {
        front_rows_add(r, rows[i], COLUMNS);
    }
    return r;
}

/* The object's text with `n` rows, by jansson or by ours. */
static char *print(size_t n, bool ours, bool line, bool empty)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    struct front_rows *r = keep(n);
    json_t *o = empty ? json_object() : front_json_object();
    if (ours) {
        front_json_print_rows(f, o, "torrents", r, line);
    } else {
        json_t *list = json_array();
        for (size_t i = 0; i < n; i++) {
            json_array_append_new(list, front_json_row(rows[i], COLUMNS));
        }
        json_object_set_new(o, "torrents", list);
        if (line) {
            front_json_line(f, o);
        } else {
            front_json_print(f, o);
        }
    }
    front_rows_free(r);
    (void)fclose(f);
    return text;
}

static void test_json(void **state)
{
    (void)state;
    for (size_t n = 0; n <= ROWS; n++) {
        for (unsigned how = 0; how < 4; how++) {
            char *want = print(n, false, how & 1, how & 2);
            char *got = print(n, true, how & 1, how & 2);
            assert_string_equal(got, want);
            free(want);
            free(got);
        }
    }
}

static void test_line(void **state)
{
    struct front_rows *r = keep(ROWS);
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        struct front_text got = {0};
        json_t *row = front_json_row(rows[i], COLUMNS);
        char *want = json_dumps(row, JSON_COMPACT | FRONT_JSON_DIGITS);
        front_rows_write_row(r, i, &got);
        assert_string_equal(front_text_str(&got), want);
        front_text_free(&got);
        free(want);
        json_decref(row);
    }
    front_rows_free(r);
}

static void test_kept(void **state)
{
    struct front_rows *r = keep(ROWS);
    size_t name = front_rows_find(r, "name");
    (void)state;
    assert_int_equal(front_rows_count(r), ROWS);
    assert_int_equal(front_rows_find(r, "no such"), COLUMNS);
    assert_string_equal(front_rows_get(r, 0, name).text, "plain name.iso");
    front_rows_set_int(r, 0, name, 5);
    assert_int_equal(front_rows_get(r, 0, name).type, BTC_INT);
    assert_int_equal(front_rows_get(r, 0, name).i, 5);
    front_rows_set_null(r, 0, name);
    assert_int_equal(front_rows_get(r, 0, name).type, BTC_NULL);
    assert_null(front_rows_get(r, 0, name).text);
    front_rows_move(r, 0, 2);
    front_rows_cut(r, 1);
    assert_int_equal(front_rows_count(r), 1);
    assert_int_equal(front_rows_get(r, 0, 0).i, -7);
    assert_string_equal(front_rows_get(r, 0, name).text, rows[2][1].text);
    front_rows_free(r);

    r = front_rows_new();
    assert_int_equal(front_rows_count(r), 0);
    assert_int_equal(front_rows_find(r, "id"), front_rows_columns(r));
    front_rows_cut(r, 0);
    front_rows_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_json),
                                       cmocka_unit_test(test_line),
                                       cmocka_unit_test(test_kept)};
    fake_reset(); /* front/json.c asks btc.h for texts */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
