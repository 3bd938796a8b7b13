/* The live view at widths 20, 40, 80 and 200, all states, compared with
 * cli_view.golden (BTC_GOLDEN=FILE writes what is drawn now, for a look); and
 * what a frame does to the terminal. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/run/live.h"
#include "cli/run/progress.h"
#include "cli/run/view.h"

#define N_CELLS   12
#define N_SEVERAL 5

/* Twelve pieces in all their states. */
static const struct btc_cell cells[N_CELLS] = {{.done = 8},
                                               {.done = 8},
                                               {.done = 8},
                                               {.done = 7},
                                               {.done = 3},
                                               {.active = 1},
                                               {.checking = 1},
                                               {.done = 8, .checking = 1},
                                               {.done = 0},
                                               {.done = 0},
                                               {.done = 1, .active = 1},
                                               {.done = 0}};

/* A torrent on its way. */
static struct btc_progress progress(void)
{
    return (struct btc_progress){.id = 1,
                                 .name = "debian-12.5.0-amd64-DVD-1.iso",
                                 .state = BTC_STATE_DOWNLOADING,
                                 .bytes_done = 1295662293,
                                 .bytes_total = 3005480960,
                                 .pieces_done = 5,
                                 .pieces_total = N_CELLS,
                                 .down_rate = 11744051,
                                 .up_rate = 2048,
                                 .eta_s = 130,
                                 .peers = 12,
                                 .seeds = 8};
}

/* Renders torrents on a screen; free(). */
static char *render(const struct btc_progress *p, size_t n,
                    const struct front_screen *s)
{
    struct cli_track track = {0};
    struct cli_view v = {.screen = s, .track = &track};
    struct front_text out = {0};

    for (size_t i = 0; i < n; i++) {
        cli_track_update(&track, &p[i], 0);
    }
    if (n == 1 && p->pieces_total > 0) {
        v.cells = cells;
        v.n_cells = N_CELLS;
    }
    cli_view_render(&v, &out);
    cli_track_fini(&track);
    return out.data;
}

/* No line may reach the last column. */
static void check_width(const char *frame, size_t width)
{
    while (*frame != '\0') {
        size_t len = strcspn(frame, "\n");
        struct front_text line = {0};
        assert_int_equal(frame[len], '\n');
        front_text_add(&line, frame, len);
        if (front_text_width(front_text_str(&line)) >= width) {
            fail_msg("wider than %zu: %s", width - 1, line.data);
        }
        front_text_free(&line);
        frame += len + 1;
    }
}

/* Draws a scene at all widths. */
static void draw(struct front_text *out, const char *title,
                 const struct btc_progress *p, size_t n)
{
    static const struct {
        size_t width;
        bool utf8;
    } screens[] = {
        {20, true}, {40, true}, {80, true}, {200, true}, {80, false}};

    for (size_t i = 0; i < sizeof(screens) / sizeof(screens[0]); i++) {
        struct front_screen s = {.tty = true,
                                 .utf8 = screens[i].utf8,
                                 .width = screens[i].width,
                                 .height = 24};
        char *frame = render(p, n, &s);
        check_width(frame, s.width);
        front_text_printf(out, "== %s, %zu columns%s\n%s", title, s.width,
                          s.utf8 ? "" : ", ASCII", frame);
        free(frame);
    }
}

/* One torrent in its states. */
static void draw_single(struct front_text *out)
{
    struct btc_progress p = progress();

    draw(out, "downloading", &p, 1);
    p.eta_s = -1;
    p.down_rate = 0;
    p.up_rate = 0;
    p.peers = 1;
    p.seeds = 0;
    draw(out, "stalled", &p, 1);
    p.state = BTC_STATE_CHECKING;
    p.pieces_checking = 8;
    draw(out, "checking", &p, 1);
    p.state = BTC_STATE_WAITING_STORAGE;
    p.error = "/mnt/usb is not there: bring it back and it goes on by itself";
    draw(out, "waiting", &p, 1);
    p = progress();
    p.bytes_done = p.bytes_total - 1;
    draw(out, "almost", &p, 1);
    p.bytes_done = p.bytes_total;
    p.state = BTC_STATE_SEEDING;
    p.ratio = 0.42;
    draw(out, "seeding", &p, 1);
    p = (struct btc_progress){.id = 1,
                              .name = "0123456789abcdef",
                              .state = BTC_STATE_METADATA,
                              .eta_s = -1,
                              .peers = 2};
    draw(out, "metadata", &p, 1);
    p = progress();
    /* NOLINTNEXTLINE(misc-misleading-bidirectional): it is meant to be */
    p.name = "evil \033[2J \xE2\x80\xAEname\xFF";
    draw(out, "evil", &p, 1);
}

/* Several torrents. */
static void draw_several(struct front_text *out)
{
    struct btc_progress p[N_SEVERAL];

    for (int i = 0; i < N_SEVERAL; i++) {
        p[i] = progress();
        p[i].id = i + 1;
        p[i].bytes_done /= (uint64_t)i + 1;
    }
    p[1].name = "\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E";
    p[1].bytes_done = p[1].bytes_total;
    p[1].state = BTC_STATE_COMPLETE;
    p[2].state = BTC_STATE_WAITING_STORAGE;
    p[3].state = BTC_STATE_CHECKING;
    p[3].pieces_checking = 3;
    p[4].state = BTC_STATE_ERROR;
    draw(out, "several", p, N_SEVERAL);
}

/* The whole file. */
static char *read_golden(void)
{
    FILE *f = fopen(BTC_TEST_DIR "/cli_view.golden", "re");
    char *text = NULL;
    size_t size = 0;

    if (f == NULL) {
        return NULL;
    }
    ssize_t n = getdelim(&text, &size, '\0', f);
    fclose(f);
    return n < 0 ? NULL : text;
}

static void test_golden(void **state)
{
    struct front_text out = {0};
    const char *path = getenv("BTC_GOLDEN");

    (void)state;
    draw_single(&out);
    draw_several(&out);
    if (path != NULL) {
        FILE *f = fopen(path, "we");
        assert_non_null(f);
        fputs(out.data, f);
        fclose(f);
    }
    char *golden = read_golden();
    assert_non_null(golden);
    const char *a = out.data;
    const char *b = golden;
    while (*a != '\0' || *b != '\0') { /* line by line: short messages */
        size_t n = strcspn(a, "\n");
        size_t m = strcspn(b, "\n");
        if (n != m || memcmp(a, b, n) != 0) {
            fail_msg("drawn:    %.*s\nexpected: %.*s", (int)n, a, (int)m, b);
        }
        a += n + (a[n] != '\0' ? 1 : 0);
        b += m + (b[m] != '\0' ? 1 : 0);
    }
    free(golden);
    front_text_free(&out);
}

static void test_all_widths(void **state)
{
    struct btc_progress p[2] = {progress(), progress()};

    (void)state;
    p[1].id = 2;
    for (size_t width = 10; width < 260; width++) {
        for (unsigned i = 0; i < 4; i++) {
            struct front_screen s = {.tty = true,
                                     .utf8 = i % 2 == 0,
                                     .colour = i >= 2,
                                     .width = width,
                                     .height = 24};
            char *one = render(p, 1, &s);
            char *two = render(p, 2, &s);
            check_width(one, width);
            check_width(two, width);
            free(one);
            free(two);
        }
    }
}

static void test_many(void **state)
{
    struct btc_progress p[40];
    struct front_screen s = {
        .tty = true, .utf8 = true, .width = 80, .height = 10};

    (void)state;
    for (int i = 0; i < 40; i++) {
        p[i] = progress();
        p[i].id = i + 1;
        p[i].state = i < 38 ? BTC_STATE_COMPLETE : BTC_STATE_DOWNLOADING;
    }
    char *frame = render(p, 40, &s);
    size_t lines = 0;
    for (const char *at = frame; *at != '\0'; at++) {
        lines += *at == '\n' ? 1 : 0;
    }
    assert_true(lines < s.height);
    /* those that still go are seen before those that are done */
    assert_non_null(strstr(frame, "MiB/s"));
    assert_true(strstr(frame, "MiB/s") < strstr(frame, "complete"));
    assert_non_null(strstr(frame, "and 34 more"));
    free(frame);
}

/* How each frame begins and ends. */
#define HIDE "\033[?25l"
#define SHOW "\033[J\033[?25h"

static void test_frames(void **state)
{
    struct cli_live *l = cli_live_new(open("/dev/null", O_WRONLY | O_CLOEXEC));
    struct front_text out = {0};

    (void)state;
    cli_live_frame(l, "one\ntwo\n", 80, &out);
    assert_string_equal(out.data, HIDE "one\033[K\ntwo\033[K\n" SHOW);
    front_text_clear(&out);
    /* over the frame before, a log line above, the third row erased */
    cli_live_log(l, "btc: warning");
    cli_live_frame(l, "1\n", 80, &out);
    assert_string_equal(out.data, HIDE "\r\033[2Abtc: warning\033[K\n"
                                       "1\033[K\n" SHOW);
    front_text_clear(&out);
    cli_live_frame(l, "0123456789\n\033[1mabc\033[0m\n", 80, &out);
    front_text_clear(&out);
    /* a narrower terminal has wrapped the first line into three rows */
    cli_live_frame(l, "x\n", 4, &out);
    assert_string_equal(out.data, HIDE "\r\033[4A\033[Jx\033[K\n" SHOW);
    front_text_clear(&out);
    cli_live_restart(l);
    cli_live_frame(l, "y\n", 4, &out);
    assert_string_equal(out.data, HIDE "y\033[K\n" SHOW);
    front_text_free(&out);
    cli_live_free(l);
}

static void test_colours(void **state)
{
    struct btc_progress p = progress();
    struct front_screen s = {
        .tty = true, .utf8 = true, .width = 40, .height = 24, .colour = true};
    struct front_screen plain = s;

    (void)state;
    plain.colour = false;
    char *frame = render(&p, 1, &s);
    char *without = render(&p, 1, &plain);
    assert_non_null(strstr(frame, "\033[36m"));
    assert_null(strchr(without, '\033'));
    /* a colour never leaks into the next line */
    for (const char *at = frame; (at = strchr(at, '\n')) != NULL; at++) {
        const char *last = at;
        while (last > frame && *last != '\033') {
            last--;
        }
        if (*last == '\033') {
            assert_memory_equal(last, "\033[0m", 4);
        }
    }
    free(frame);
    free(without);
}

static void test_map(void **state)
{
    struct front_screen s = {.tty = true, .utf8 = false, .width = 11};
    struct btc_cell many[25] = {0};
    struct front_text out = {0};

    (void)state;
    assert_int_equal(cli_view_cells(&s, 1000, 3), 30);
    assert_int_equal(cli_view_cells(&s, 7, 3), 7);
    many[24].done = 8;
    cli_view_map(&s, many, 25, &out); /* whole lines and a rest */
    assert_string_equal(out.data, "..........\n..........\n....#\n");
    front_text_clear(&out);
    cli_view_map(&s, cells, 5, &out); /* stretched */
    assert_string_equal(out.data, "######**++\n");
    front_text_free(&out);
}

/* The line of a pipe. What a killed run left behind is not told as lost: it is
 * still to be looked at. */
static void test_line(void **state)
{
    struct front_screen s = {.utf8 = true};
    struct btc_progress p = progress();
    struct front_text out = {0};

    (void)state;
    p.peers = 1;
    cli_progress_line(&s, 1, &p, &out);
    assert_string_equal(out.data, "00:00:01 debian-12.5.0-amd64-DVD-1.iso  "
                                  "43.1 %  1.2/2.7 GiB  11.1 MiB/s  up 2.0 "
                                  "KiB/s  ETA 2m10s  1 peer");
    front_text_clear(&out);
    p.bytes_done = 0;
    p.pieces_checking = 5;
    p.eta_s = -1;
    p.up_rate = 0;
    cli_progress_line(&s, 1, &p, &out);
    assert_string_equal(out.data, "00:00:01 debian-12.5.0-amd64-DVD-1.iso  "
                                  "0.0 %  0/2.7 GiB  5 more pieces to check  "
                                  "11.1 MiB/s  1 peer");
    front_text_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),  cmocka_unit_test(test_all_widths),
        cmocka_unit_test(test_many),    cmocka_unit_test(test_frames),
        cmocka_unit_test(test_colours), cmocka_unit_test(test_map),
        cmocka_unit_test(test_line)};

    setenv("TZ", "UTC", 1);
    setenv("LC_ALL", "C.UTF-8", 1);
    front_term_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
