/* Sources: files, standard input, URLs, magnets, hashes, and what is none. */
#include "api/api_kit.h"

#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#define HASH40 "0123456789abcdef0123456789abcdef01234567"

/* Loads what must fail; gives the status. */
static int bad(struct kit *k, const char *src, unsigned flags)
{
    struct btc_source *s = NULL;
    k->e = (struct btc_error){0};
    int status = btc_source_load(src, flags, &s, &k->e);
    assert_null(s);
    assert_int_equal(status, k->e.status);
    assert_int_not_equal(status, 0);
    return status;
}

static void test_torrent(void **state)
{
    struct kit *k = *state;
    struct btc_source *s = NULL;
    kit_show("show", 1);
    assert_int_equal(btc_source_load("show.torrent", 0, &s, &k->e), 0);
    const struct btc_source_info *i = btc_source_info(s);
    assert_false(i->is_magnet);
    assert_string_equal(i->name, "show");
    assert_int_equal(strlen(i->info_hash_v1), 40);
    assert_null(i->info_hash_v2);
    assert_int_equal(i->total_size, 100 + 40000 + 50000 + 3000);
    assert_int_equal(i->piece_length, KIT_PIECE);
    assert_int_equal(i->piece_count, (109384 + KIT_PIECE - 1) / KIT_PIECE);
    assert_int_equal(i->is_private, 0);
    assert_int_equal(i->creation_date, -1);
    assert_int_equal(i->n_files, 5);
    assert_string_equal(i->files[2].path, "show/Season 1/e1.mkv");
    assert_true(i->files[1].pad);
    assert_int_equal(i->n_trackers, 2);
    assert_int_equal(i->trackers[1].tier, 1);
    assert_int_equal(i->n_peers, 0);
    btc_source_free(s);
    btc_source_free(NULL);
}

static void test_magnet(void **state)
{
    struct kit *k = *state;
    struct btc_source *s = NULL;
    assert_int_equal(
        btc_source_load("magnet:?xt=urn:btih:" HASH40 "&dn=a+b"
                        "&tr=http://t.example/a&x.pe=1.2.3.4:5&so=0,2-3&xl=9",
                        BTC_SOURCE_NO_NETWORK, &s, &k->e),
        0);
    const struct btc_source_info *i = btc_source_info(s);
    assert_true(i->is_magnet);
    assert_string_equal(i->name, "a b");
    assert_string_equal(i->info_hash_v1, HASH40);
    assert_int_equal(i->total_size, 9);
    assert_int_equal(i->piece_length, -1);
    assert_int_equal(i->is_private, -1);
    assert_int_equal(i->n_trackers, 1);
    assert_string_equal(i->peers[0], "1.2.3.4:5");
    assert_int_equal(i->n_select_only, 3);
    assert_int_equal(i->n_files, 0);
    btc_source_free(s);
    assert_int_equal(btc_source_load(HASH40, 0, &s, &k->e), 0);
    assert_null(btc_source_info(s)->name);
    assert_int_equal(btc_source_info(s)->total_size, -1);
    btc_source_free(s);
    static const char link[] = "magnet:?xt=urn:btih:" HASH40 "&dn=a\r\n";
    kit_write("link", link, strlen(link));
    assert_int_equal(btc_source_load("link", BTC_SOURCE_KEEP, &s, &k->e), 0);
    assert_string_equal(btc_source_info(s)->name, "a");
    btc_source_free(s);
}

static void test_not_found(void **state)
{
    struct kit *k = *state;
    assert_int_equal(bad(k, "nothing.torrent", 0), BTC_STATUS_NOT_FOUND);
    kit_assert_says(k, "nothing.torrent");
    kit_assert_says(k, "magnet");
    assert_int_equal(bad(k, "", 0), BTC_STATUS_NOT_FOUND);
    assert_int_equal(bad(k, "ftp://host/x.torrent", 0), BTC_STATUS_NOT_FOUND);
    kit_assert_says(k, "only http and https");
    /* a digit was lost on the way */
    assert_int_equal(bad(k, &HASH40[1], 0), BTC_STATUS_NOT_FOUND);
    kit_assert_says(k, "this has 39");
    kit_write("file", "x", 1);
    assert_int_equal(bad(k, "file/below", 0), BTC_STATUS_NOT_FOUND);
    /* what a terminal would obey does not reach it */
    assert_int_equal(bad(k, "a\033[2Jb", 0), BTC_STATUS_NOT_FOUND);
    assert_null(strchr(k->e.message, '\033'));
}

static void test_no_torrent(void **state)
{
    struct kit *k = *state;
    static const struct {
        const char *bytes;
        const char *says;
    } cases[] = {
        {"", "empty"},
        {"<!DOCTYPE html>", "web page"},
        {"hello", "byte 0"},
        {"d4:infod4:name", "at byte"},
        {"d4:infod4:name9999:xe", "at byte"},
        {"d4:infod4:name1:x12:piece lengthi16384ee", "at byte"},
        {"d8:announce3:urle", "info"},
        {"d4:info3:abce", "not a dictionary"},
        {"de", "info"},
        {"d4:infodee", "is missing"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        kit_write("bad.torrent", cases[i].bytes, strlen(cases[i].bytes));
        assert_int_equal(bad(k, "bad.torrent", 0), BTC_STATUS_BAD_TORRENT);
        kit_assert_says(k, "bad.torrent: ");
        kit_assert_says(k, cases[i].says);
    }
    assert_int_equal(bad(k, "magnet:?xt=urn:btih:123", 0),
                     BTC_STATUS_BAD_TORRENT);
    char deep[400] = "d4:info";
    memset(deep + strlen(deep), 'l', sizeof(deep) - strlen(deep));
    kit_write("bad.torrent", deep, sizeof(deep));
    assert_int_equal(bad(k, "bad.torrent", 0), BTC_STATUS_BAD_TORRENT);
    kit_assert_says(k, "at byte 10");
}

/* Cut anywhere, it is refused, and the text says where it ends. */
static void test_truncated(void **state)
{
    struct kit *k = *state;
    uint8_t bytes[4096];
    kit_show("show", 1);
    int fd = open("show.torrent", O_RDONLY | O_CLOEXEC);
    ssize_t len = read(fd, bytes, sizeof(bytes));
    (void)close(fd);
    assert_in_range(len, 300, sizeof(bytes) - 1);
    for (size_t cut = 0; cut < (size_t)len; cut++) {
        kit_write("cut.torrent", bytes, cut);
        assert_int_equal(bad(k, "cut.torrent", 0), BTC_STATUS_BAD_TORRENT);
        if (cut > 0) {
            kit_assert_says(k, "at byte ");
        }
    }
    bytes[len] = 'x'; /* what follows is passed over */
    kit_write("long.torrent", bytes, (size_t)len + 1);
    struct btc_source *s = NULL;
    assert_int_equal(btc_source_load("long.torrent", 0, &s, &k->e), 0);
    btc_source_free(s);
}

static void test_kinds(void **state)
{
    struct kit *k = *state;
    assert_int_equal(bad(k, k->dir, 0), BTC_STATUS_BAD_TORRENT);
    kit_assert_says(k, "is a folder");
    assert_int_equal(bad(k, "/dev/null", 0), BTC_STATUS_BAD_TORRENT);
    kit_assert_says(k, "is a device");
    int fd = open("huge.torrent", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(ftruncate(fd, (off_t)METAINFO_MAX_BYTES + 1), 0);
    (void)close(fd);
    assert_int_equal(bad(k, "huge.torrent", 0), BTC_STATUS_BAD_TORRENT);
    kit_assert_says(k, "100 MiB");
    kit_show("show", 1);
    assert_int_equal(chmod("show.torrent", 0), 0);
    if (getuid() != 0) {
        assert_int_equal(bad(k, "show.torrent", 0), BTC_STATUS_IO);
    }
}

/* Everything of a file goes into a pipe's end, as a shell does it. */
struct feed {
    int fd;
    const char *path;
};

static void *feed_run(void *ctx)
{
    const struct feed *f = ctx;
    uint8_t byte;
    int in = open(f->path, O_RDONLY | O_CLOEXEC);
    while (read(in, &byte, 1) == 1) { /* in many small pieces */
        (void)!write(f->fd, &byte, 1);
    }
    (void)close(in);
    (void)close(f->fd);
    return NULL;
}

static void test_pipes(void **state)
{
    struct kit *k = *state;
    struct btc_source *s = NULL;
    kit_show("show", 1);
    for (int way = 0; way < 2; way++) {
        int ends[2];
        pthread_t thread;
        char name[32];
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        struct feed f = {.fd = ends[1], .path = "show.torrent"};
        int old = dup(STDIN_FILENO);
        (void)snprintf(name, sizeof(name), "/dev/fd/%d", ends[0]);
        if (way == 0) {
            assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
            (void)snprintf(name, sizeof(name), "-");
        }
        assert_int_equal(pthread_create(&thread, NULL, feed_run, &f), 0);
        assert_int_equal(btc_source_load(name, 0, &s, &k->e), 0);
        assert_string_equal(btc_source_info(s)->name, "show");
        btc_source_free(s);
        (void)pthread_join(thread, NULL);
        (void)close(ends[0]);
        assert_int_equal(dup2(old, STDIN_FILENO), STDIN_FILENO);
        (void)close(old);
    }
}

/* One answer of a web server. */
struct server {
    int fd;
    uint16_t port;
    const char *head;
    const uint8_t *body;
    size_t len;
};

static void *server_run(void *ctx)
{
    const struct server *sv = ctx;
    char request[4096];
    int fd = accept(sv->fd, NULL, NULL);
    size_t n = 0;
    while (n < sizeof(request) - 1) {
        ssize_t got = read(fd, request + n, sizeof(request) - 1 - n);
        if (got <= 0) {
            break;
        }
        n += (size_t)got;
        request[n] = '\0';
        if (strstr(request, "\r\n\r\n")) {
            break;
        }
    }
    (void)!write(fd, sv->head, strlen(sv->head));
    (void)!write(fd, sv->body, sv->len);
    (void)close(fd);
    return NULL;
}

/* Fetches from a server that answers so; the status. */
static int fetch(struct kit *k, struct server *sv, struct btc_source **s)
{
    struct sockaddr_in sa = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(sa);
    pthread_t thread;
    char url[64];
    sv->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(sv->fd, (struct sockaddr *)&sa, len), 0);
    assert_int_equal(listen(sv->fd, 1), 0);
    assert_int_equal(getsockname(sv->fd, (struct sockaddr *)&sa, &len), 0);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/x.torrent",
                   ntohs(sa.sin_port));
    assert_int_equal(pthread_create(&thread, NULL, server_run, sv), 0);
    int status = btc_source_load(url, 0, s, &k->e);
    (void)pthread_join(thread, NULL);
    (void)close(sv->fd);
    return status;
}

static void test_url(void **state)
{
    struct kit *k = *state;
    struct btc_source *s = NULL;
    uint8_t bytes[4096];
    kit_show("show", 1);
    int fd = open("show.torrent", O_RDONLY | O_CLOEXEC);
    ssize_t len = read(fd, bytes, sizeof(bytes));
    (void)close(fd);
    (void)unsetenv("http_proxy");
    struct server ok = {
        .head = "HTTP/1.0 200 OK\r\n\r\n", .body = bytes, .len = (size_t)len};
    assert_int_equal(fetch(k, &ok, &s), 0);
    assert_string_equal(btc_source_info(s)->name, "show");
    btc_source_free(s);
    struct server gone = {.head = "HTTP/1.0 404 Not Found\r\n\r\n",
                          .body = bytes};
    assert_int_equal(fetch(k, &gone, &s), BTC_STATUS_NOT_FOUND);
    kit_assert_says(k, "404");
    kit_assert_says(k, "x.torrent");
    struct server html = {.head = "HTTP/1.0 200 OK\r\n\r\n",
                          .body = (const uint8_t *)"<html>log in",
                          .len = 12};
    assert_int_equal(fetch(k, &html, &s), BTC_STATUS_BAD_TORRENT);
    kit_assert_says(k, "web page");
    struct server cut = {.head = "HTTP/1.0 200 OK\r\n"
                                 "Content-Length: 99999\r\n\r\n",
                         .body = bytes,
                         .len = (size_t)len};
    assert_int_equal(fetch(k, &cut, &s), BTC_STATUS_NETWORK);
    struct server link = {.head = "HTTP/1.1 302 Found\r\nlocation:  MAGNET:?"
                                  "dn=a+b&xt=urn:btih:" HASH40 "\r\n"
                                  "Content-Length: 0\r\n\r\n",
                          .body = bytes};
    assert_int_equal(fetch(k, &link, &s), 0);
    assert_true(btc_source_info(s)->is_magnet);
    assert_string_equal(btc_source_info(s)->name, "a b");
    btc_source_free(s);
    struct server broken = {.head = "HTTP/1.1 302 Found\r\nLocation: magnet:?"
                                    "xt=urn:btih:0\r\n\r\n",
                            .body = bytes};
    assert_int_equal(fetch(k, &broken, &s), BTC_STATUS_BAD_TORRENT);
    kit_assert_says(k, "x.torrent");
    assert_int_equal(bad(k, "http://127.0.0.1:1/x", BTC_SOURCE_NO_NETWORK),
                     BTC_STATUS_USAGE);
    assert_int_equal(bad(k, "HTTP://127.0.0.1:1/x", 0), BTC_STATUS_NETWORK);
}

static void test_select(void **state)
{
    struct kit *k = *state;
    struct btc_source *s = NULL;
    static const struct {
        const char *select, *exclude;
        const char *wanted; /* NULL: USAGE */
        const char *says;
    } cases[] = {
        {NULL, NULL, "10111", NULL},
        {"", "", "10111", NULL},
        {"1", NULL, "10000", NULL},
        {"3-5", NULL, "00111", NULL},
        {"4-", NULL, "00011", NULL},
        {" 1 , 3-4", NULL, "10110", NULL},
        {"1,1,1-5", NULL, "10111", NULL},
        {"*.mkv", NULL, "00111", NULL},
        {"*.MKV", "sample*", "00110", NULL},
        {"season 1", NULL, "00110", NULL},
        {"show/Season 1/e2.mkv", NULL, "00010", NULL},
        {"e[12].mkv", NULL, "00110", NULL},
        {"show", "3", "10011", NULL},
        {NULL, "*.mkv", "10000", NULL},
        {NULL, "2", "10111", NULL},
        {"6", NULL, NULL, "has 5"},
        {"1-6", NULL, NULL, "no file 6"},
        {"0", NULL, NULL, "list of file numbers"},
        {"5-3", NULL, NULL, "list of file numbers"},
        {"-3", NULL, NULL, "list of file numbers"},
        {"1,,2", NULL, NULL, "list of file numbers"},
        {"1-2-3", NULL, NULL, "list of file numbers"},
        {"99999999999999999999", NULL, NULL, "list of file numbers"},
        {"18446744073709551615", NULL, NULL, "has 5"},
        {"*.avi", NULL, NULL, "no file fits"},
        {NULL, "*.avi", NULL, "--exclude"},
        {NULL, "*", NULL, "leaves no file"},
        {"1", "1", NULL, "leaves no file"},
        {"2", NULL, NULL, "leaves no file"}, /* the pad */
        {"16284", NULL, NULL, "has 5"},
    };
    kit_show("show", 1);
    assert_int_equal(btc_source_load("show.torrent", 0, &s, &k->e), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        bool wanted[5] = {0};
        char text[6] = "";
        int status = btc_source_select(s, cases[i].select, cases[i].exclude,
                                       wanted, &k->e);
        for (size_t n = 0; n < 5; n++) {
            text[n] = wanted[n] ? '1' : '0';
        }
        if (cases[i].wanted) {
            assert_int_equal(status, 0);
            assert_string_equal(text, cases[i].wanted);
        } else {
            assert_int_equal(status, BTC_STATUS_USAGE);
            kit_assert_says(k, cases[i].says);
        }
    }
    char *glob = mem_alloc(5001);
    memset(glob, '*', 5000);
    glob[5000] = '\0';
    assert_int_equal(btc_source_select(s, glob, NULL, (bool[5]){0}, &k->e),
                     BTC_STATUS_USAGE);
    free(glob);
    btc_source_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_torrent, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_magnet, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_not_found, kit_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(test_no_torrent, kit_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(test_truncated, kit_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(test_kinds, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_pipes, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_url, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_select, kit_setup, kit_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
