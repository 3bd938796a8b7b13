/* The commands on the fake library: exit statuses, what goes to which stream,
 * the shapes of JSON, hooks. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "cli/cli.h"
#include "cli/fake_btc.h"

#define MAX_WORDS 16

static char *out; /* of the last command */
static char *err;

/* Runs `btc WORDS...` (split at blanks); gives the exit status. */
static int run(const char *words)
{
    char *argv[MAX_WORDS + 1];
    int argc = 0;
    size_t size = 0;
    char name[] = "btc";
    char *copy = strdup(words);
    char *at = copy;

    free(out);
    free(err);
    FILE *fout = open_memstream(&out, &size);
    FILE *ferr = open_memstream(&err, &size);
    argv[argc++] = name;
    for (char *word; (word = strsep(&at, " ")) != NULL && argc < MAX_WORDS;) {
        if (*word != '\0') {
            argv[argc++] = word;
        }
    }
    argv[argc] = NULL;
    int status = cli_main(argc, argv, fout, ferr);
    fclose(fout);
    fclose(ferr);
    free(copy);
    return status;
}

/* The last command's object. */
static json_t *object(void)
{
    json_error_t e;
    json_t *o = json_loads(out, 0, &e);

    if (o == NULL) {
        fail_msg("%s in: %s", e.text, out);
    }
    assert_string_equal(json_string_value(json_object_get(o, "schema")),
                        "btc/1");
    return o;
}

static int setup(void **state)
{
    (void)state;
    fake_reset();
    return 0;
}

static void test_usage(void **state)
{
    static const struct {
        const char *words;
        const char *says;
    } cases[] = {
        {"", "usage: btc COMMAND"},
        {"stauts", "'stauts' is no command; did you mean `btc status`?"},
        {"stat", "did you mean `btc status`?"},
        {"remove 1", "'remove' is no command; did you mean `btc rm`?"},
        {"help download", "did you mean `btc help get`?"},
        {"nonsense", "neither a command nor a file"},
        {"get", "something is missing: btc get SRC..."},
        {"get --dri x a.torrent", "there is no option --dri; did you mean"},
        {"get --port", "option --port needs a value: --port=N"},
        {"get --port=x a.torrent", "option --port: 'x' does not fit"},
        {"get -Z a.torrent", "there is no option -Z"},
        {"get --sequential -Zq a.torrent", "there is no option -Z"},
        {"status --dir x", "`btc status` has no option --dir"},
        {"version x", "'x' is too much: btc version\n"},
        {"info a.torrent b.torrent", "'b.torrent' is too much: btc info SRC"},
        {"get -o x a.torrent b.torrent", "--out names one download"},
        {"rm --data 1", "no terminal to ask on: say -y"},
        {"set 1", "btc set ID key=value"},
        {"set 1 down", "'down' is not key=value"},
        {"db", "something is missing"},
        {"db nonsense", "'nonsense' is none of"},
        {"db backup", "btc db backup FILE"},
        {"db restore", "btc db restore FILE"},
        {"db salvage x", "too many words"},
        {"db path x", "too many words"},
        {"help nonsense", "there is no help on 'nonsense'"},
        {"help stauts", "did you mean `btc help status`?"}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fake.calls[0] = '\0';
        assert_int_equal(run(cases[i].words), BTC_STATUS_USAGE);
        if (strstr(err, cases[i].says) == NULL) {
            fail_msg("`btc %s` says: %s", cases[i].words, err);
        }
        assert_string_equal(out, "");
        assert_null(strstr(fake.calls, "remove"));
    }
}

static void test_usage_json(void **state)
{
    (void)state;
    assert_int_equal(run("get --port=x --json a.torrent"), 2);
    json_t *o = object();
    const json_t *e = json_object_get(o, "error");
    assert_int_equal(json_integer_value(json_object_get(e, "status")), 2);
    assert_true(json_is_false(json_object_get(e, "retryable")));
    assert_non_null(json_string_value(json_object_get(e, "message")));
    json_decref(o);
    assert_int_equal(run("status --json --ndjson"), 2);
    assert_non_null(strstr(err, "do not go together"));
}

static void test_get(void **state)
{
    (void)state;
    assert_int_equal(run("get a.torrent"), 0);
    assert_string_equal(out, "");
    assert_non_null(strstr(err, "done: debian-12.5.0-amd64-DVD-1.iso  2.7 GiB "
                                "in "));
    assert_non_null(strstr(err, "/srv/downloads"));
    assert_string_equal(fake.calls,
                        "open 1;add seed=none;run ids=1 seed=none;");
    /* half of it was here */
    fake_reset();
    fake.torrents[0].bytes_done = fake.torrents[0].bytes_total / 2;
    assert_int_equal(run("get a.torrent"), 0);
    assert_non_null(strstr(err, "  2.7 GiB, 1.3 GiB of it in "));
    fake_reset();
    fake.torrents[0].bytes_done = 1000; /* next to nothing of it was */
    assert_int_equal(run("get a.torrent"), 0);
    assert_non_null(strstr(err, "  2.7 GiB in "));
    /* a bare source is the same */
    fake_reset();
    assert_int_equal(run("--seed ratio:1.5 a.torrent -q"), 0);
    assert_string_equal(err, "");
    assert_string_equal(fake.calls,
                        "open 1;add seed=ratio:1.5;run ids=1 seed=ratio:1.5;");
}

/* The DHT is entered by well-known nodes, by those named, or by none. */
static void test_get_bootstrap(void **state)
{
    (void)state;
    assert_int_equal(run("get -q a.torrent"), 0);
    assert_true(fake.n_dht_bootstrap >= 3);
    assert_non_null(strchr(fake.dht_bootstrap, ':'));
    assert_int_equal(run("get -q --dht-bootstrap h:1 --dht-bootstrap i:2 a"),
                     0);
    assert_int_equal(fake.n_dht_bootstrap, 2);
    assert_string_equal(fake.dht_bootstrap, "h:1");
    assert_int_equal(run("get -q --dht-bootstrap none a.torrent"), 0);
    assert_int_equal(fake.n_dht_bootstrap, 0);
}

static void test_get_json(void **state)
{
    (void)state;
    assert_int_equal(run("get --json a.torrent"), 0);
    json_t *o = object();
    const json_t *t = json_array_get(json_object_get(o, "torrents"), 0);
    assert_int_equal(json_integer_value(json_object_get(o, "status")), 0);
    assert_true(json_is_false(json_object_get(o, "retryable")));
    assert_true(json_is_null(json_object_get(o, "error")));
    assert_string_equal(json_string_value(json_object_get(t, "state")),
                        "complete");
    assert_int_equal(json_integer_value(json_object_get(t, "bytes_left")), 0);
    assert_true(json_is_null(json_object_get(t, "eta_s")));
    json_decref(o);

    fake_reset();
    fake.run_status = BTC_STATUS_STALLED;
    assert_int_equal(run("get --json a.torrent"), BTC_STATUS_STALLED);
    o = object();
    assert_int_equal(json_integer_value(json_object_get(o, "status")), 5);
    assert_true(json_is_true(json_object_get(o, "retryable")));
    const json_t *e = json_object_get(o, "error");
    assert_int_equal(json_integer_value(json_object_get(e, "status")), 5);
    json_decref(o);
}

static void test_get_interrupted(void **state)
{
    (void)state;
    fake.run_status = BTC_STATUS_INTERRUPTED;
    assert_int_equal(run("get a.torrent"), BTC_STATUS_INTERRUPTED);
    assert_non_null(strstr(err, "interrupted at 50.0 %, state saved; `btc "
                                "resume` goes on"));
    fake_reset();
    fake.run_status = BTC_STATUS_INTERRUPTED;
    assert_int_equal(run("get --db /x/y.db a.torrent"), 7);
    assert_non_null(strstr(err, "`btc resume --db /x/y.db` goes on"));
    /* a bare resume would leave what was paused meanwhile alone */
    fake_reset();
    fake.run_status = BTC_STATUS_INTERRUPTED;
    fake.torrents[0].state = BTC_STATE_PAUSED;
    assert_int_equal(run("get a.torrent"), 7);
    assert_non_null(strstr(err, "paused at"));
    assert_non_null(strstr(err, "`btc resume 1` goes on"));
}

static void test_get_given_up(void **state)
{
    (void)state;
    fake.run_status = BTC_STATUS_STALLED;
    assert_int_equal(run("get --db /x/y.db a.torrent"), BTC_STATUS_STALLED);
    assert_non_null(strstr(err, "given up at 50.0 %, state saved; `btc resume "
                                "--db /x/y.db` goes on"));
    fake_reset();
    fake.run_status = BTC_STATUS_STALLED;
    fake.engine_pid = 77;
    assert_int_equal(run("get a.torrent"), BTC_STATUS_STALLED);
    assert_null(strstr(err, "given up")); /* by that engine */
}

static void test_get_sources(void **state)
{
    (void)state;
    assert_int_equal(run("missing"), BTC_STATUS_USAGE);
    assert_int_equal(run("get missing.torrent"), BTC_STATUS_NOT_FOUND);
    assert_non_null(strstr(err, "btc: missing: no such file"));
    assert_int_equal(run("get bad.torrent"), BTC_STATUS_BAD_TORRENT);
    assert_string_equal(fake.calls, "");
    /* the others go on */
    assert_int_equal(run("get bad.torrent a.torrent"), BTC_STATUS_SOME);
    assert_non_null(strstr(fake.calls, "run ids=1"));
    assert_non_null(strstr(err, "1 of 2 sources could not be used"));
    fake_reset();
    assert_int_equal(run("get --json bad.torrent missing.torrent"),
                     BTC_STATUS_SOME);
    json_t *o = object();
    assert_int_equal(json_array_size(json_object_get(o, "source_errors")), 2);
    assert_int_equal(json_array_size(json_object_get(o, "torrents")), 0);
    json_decref(o);
}

static void test_get_follows(void **state)
{
    (void)state;
    fake.engine_pid = 4711;
    assert_int_equal(run("get a.torrent"), 0);
    assert_non_null(strstr(fake.calls, "follow ids=1"));
    assert_null(strstr(fake.calls, "run "));
    assert_non_null(strstr(err, "pid 4711"));
    assert_null(strstr(err, "no effect"));
    assert_int_equal(run("get --port 7 --label x --cache 64M a.torrent"), 0);
    assert_non_null(strstr(err, "no effect of --port, --cache\n"));
    /* an engine that began between the look and the run */
    fake_reset();
    fake.locked = true;
    assert_int_equal(run("get a.torrent"), 0);
    assert_non_null(strstr(fake.calls, "run ids=1 seed=none;follow ids=1"));
}

static void test_get_dry_run(void **state)
{
    (void)state;
    fake.open_status = BTC_STATUS_NOT_FOUND; /* there is no database yet */
    assert_int_equal(run("get -n -s 3 -d /no/data a.torrent"), 0);
    assert_string_equal(fake.calls, "open 2;");
    assert_string_equal(out,
                        "would download debian-12.5.0-amd64-DVD-1.iso into "
                        "/no/data\n"
                        "#  FETCH     SIZE  PATH\n"
                        "1  no      1000 B  README\n"
                        "3  yes    2.0 MiB  film/one.mkv\n"
                        "2.0 MiB to fetch\n");
    assert_int_equal(run("get -n -x 3 a.torrent"), 0);
    assert_non_null(strstr(out, "3  no "));
    assert_int_equal(run("get -n -s 99 a.torrent"), BTC_STATUS_USAGE);
    assert_non_null(strstr(err, "there is no file 99"));
    assert_int_equal(run("get -n magnet:?xt=urn:btih:0"), 0);
    assert_non_null(strstr(out, "not known before a peer"));
    assert_int_equal(run("get -n -o ../x magnet:?xt=urn:btih:0"),
                     BTC_STATUS_USAGE);
    assert_non_null(strstr(err, "--out is no name"));
    assert_int_equal(run("get -n -o .. a.torrent"), BTC_STATUS_USAGE);
    assert_int_equal(run("get -n magnet:?xt=urn:btmh:0"),
                     BTC_STATUS_BAD_TORRENT);
    assert_non_null(strstr(err, "pure v2"));
    fake.open_status = BTC_STATUS_DB;
    assert_int_equal(run("get -n a.torrent"), BTC_STATUS_DB);
    fake.open_status = 0; /* it knows the torrent, half of which is here */
    fake.torrents[0].bytes_done = fake.torrents[0].bytes_total / 2;
    assert_int_equal(run("get -n -d / a.torrent"), 0);
    assert_string_equal(out, "would go on with torrent 1 (debian-12.5.0-amd64-"
                             "DVD-1.iso) in /srv/downloads\n"
                             "1.3 GiB to fetch\n");
}

static void test_ndjson(void **state)
{
    static const char *const order[] = {"added", "state", "piece", "stats"};
    size_t seen = 0;
    json_t *last = NULL;

    (void)state;
    assert_int_equal(run("get --ndjson --progress none a.torrent"), 0);
    for (char *line = out; *line != '\0'; line += strcspn(line, "\n") + 1) {
        json_decref(last);
        last = json_loads(line, JSON_DISABLE_EOF_CHECK, NULL);
        assert_non_null(last);
        const char *event = json_string_value(json_object_get(last, "event"));
        assert_non_null(event);
        assert_true(json_is_integer(json_object_get(last, "at")));
        if (seen < 4) {
            assert_string_equal(event, order[seen]);
        }
        seen++;
    }
    assert_int_equal(seen, 2 + 10 * 2 + 1);
    assert_string_equal(json_string_value(json_object_get(last, "event")),
                        "done");
    assert_string_equal(json_string_value(json_object_get(last, "name")),
                        "debian-12.5.0-amd64-DVD-1.iso");
    json_decref(last);
}

static void test_progress_plain(void **state)
{
    (void)state;
    assert_int_equal(run("get --progress plain a.torrent"), 0);
    assert_int_equal(strncmp(err, "08:00:01 debian", 15), 0);
    assert_int_equal(run("get --progress none a.torrent"), 0);
    assert_null(strstr(err, "08:00:01"));
    fake_reset();
    assert_int_equal(run("get --progress json -q a.torrent"), 0);
    assert_int_equal(strncmp(err, "{\"event\":\"stats\"", 16), 0);
}

static void test_resume(void **state)
{
    (void)state;
    assert_int_equal(run("resume"), 0);
    assert_string_equal(fake.calls, "open 0;run ids=0 seed=none;");
    /* it is complete now */
    fake.calls[0] = '\0';
    assert_int_equal(run("resume"), 0);
    assert_string_equal(fake.calls, "open 0;");
    assert_string_equal(err, "nothing to resume\n");
    assert_int_equal(run("resume --json"), 0);
    json_t *o = object();
    assert_int_equal(json_integer_value(json_object_get(o, "status")), 0);
    json_decref(o);
    /* but more may be wished of it */
    fake.owed = true;
    fake.calls[0] = '\0';
    assert_int_equal(run("resume"), 0);
    assert_string_equal(fake.calls, "open 0;run ids=0 seed=none;");
    fake.owed = false;
    /* or somebody has changed it; an engine that runs has it in its hands */
    fake.seen = BTC_SEEN_CHANGED;
    fake.calls[0] = '\0';
    assert_int_equal(run("resume"), 0);
    assert_string_equal(fake.calls, "open 0;run ids=0 seed=none also=1;");
    fake.calls[0] = '\0';
    assert_int_equal(run("resume 1"), 0);
    assert_string_equal(fake.calls,
                        "open 0;start 1;run ids=1 seed=none also=1;");
    fake.engine_pid = 7;
    fake.calls[0] = '\0';
    assert_int_equal(run("resume"), 0);
    assert_string_equal(fake.calls, "open 0;");
    fake.engine_pid = 0;
    fake.seen = BTC_SEEN_SILENT;
    assert_int_equal(run("resume"), 0);
    assert_string_equal(err, "btc: warning: 1 complete torrent was not looked "
                             "at: its drive does not answer\n"
                             "nothing to resume\n");
    fake.seen = BTC_SEEN_SAME;
    /* or it may be served */
    fake.calls[0] = '\0';
    assert_int_equal(run("resume --seed forever 1"), 0);
    assert_non_null(strstr(fake.calls, "run ids=1 seed=forever"));
    /* peers by hand are those of each that runs */
    fake_reset();
    assert_int_equal(run("resume --peer 10.0.0.1:1 --peer [::1]:2"), 0);
    assert_non_null(strstr(fake.calls, "set 1 peer=10.0.0.1:1;"
                                       "set 1 peer=[::1]:2;run ids=0"));
    /* a paused one is left alone until it is named */
    fake_reset();
    fake.wanted[0] = "pause";
    assert_int_equal(run("resume"), 0);
    assert_non_null(strstr(err, "1 unfinished torrent is paused"));
    assert_null(strstr(fake.calls, "run"));
    assert_int_equal(run("resume 0123456789"), 0);
    assert_non_null(strstr(fake.calls, "start 1;run ids=1"));
    /* no database, no torrent */
    assert_int_equal(run("resume nobody"), BTC_STATUS_NOT_FOUND);
    fake.open_status = BTC_STATUS_DB;
    assert_int_equal(run("resume"), BTC_STATUS_DB);
    fake_reset();
    fake.locked = true;
    assert_int_equal(run("resume"), BTC_STATUS_LOCKED);
    assert_non_null(strstr(err, "btc: another engine runs"));
}

static void test_status(void **state)
{
    (void)state;
    fake.n_torrents = 2;
    fake.engine_pid = 4711;
    fake.torrents[0].bytes_done = fake.torrents[0].bytes_total / 3;
    fake.torrents[0].down_rate = 5 << 20;
    fake.torrents[0].eta_s = 382;
    fake.torrents[1].error = "no \033[1mspace";
    assert_int_equal(run("status"), 0);
    assert_string_equal(
        out,
        "ID  NAME                           STATE          DONE     SIZE       "
        "DOWN  UP    ETA  PEERS  RATIO\n"
        " 1  debian-12.5.0-amd64-DVD-1.iso  downloading  33.3 %  2.7 GiB  5.0 "
        "MiB/s   -  6m22s      0   0.00\n"
        " 2  big_buck_bunny_1080p           downloading   0.0 %  716 MiB       "
        "   -   -      -      0   0.00\n"
        "2: no \xEF\xBF\xBD[1mspace\n");
    assert_int_equal(run("status --json"), 0);
    json_t *o = object();
    assert_int_equal(json_integer_value(json_object_get(o, "engine_pid")),
                     4711);
    const json_t *list = json_object_get(o, "torrents");
    assert_int_equal(json_array_size(list), 2);
    const json_t *t = json_array_get(list, 0);
    assert_int_equal(json_integer_value(json_object_get(t, "eta_s")), 382);
    assert_string_equal(json_string_value(json_object_get(t, "wanted")), "run");
    json_decref(o);
    assert_int_equal(run("status --json 2"), 0);
    o = object();
    list = json_object_get(o, "torrents");
    assert_int_equal(json_array_size(list), 1);
    json_decref(o);
    /* without an engine nothing moves, whatever a killed one left */
    fake.engine_pid = 0;
    assert_int_equal(run("status --json 1"), 0);
    o = object();
    assert_true(json_is_null(json_object_get(o, "engine_pid")));
    t = json_array_get(json_object_get(o, "torrents"), 0);
    assert_int_equal(json_integer_value(json_object_get(t, "down_rate")), 0);
    assert_true(json_is_null(json_object_get(t, "eta_s")));
    json_decref(o);
    fake.n_torrents = 0;
    assert_int_equal(run("status"), 0);
    assert_string_equal(out, "");
    fake.open_status = BTC_STATUS_DB;
    assert_int_equal(run("status --json"), BTC_STATUS_DB);
    o = object();
    assert_non_null(json_object_get(o, "error"));
    json_decref(o);
}

static void test_views(void **state)
{
    static const struct {
        const char *words, *key;
        size_t rows;
        const char *shows;
    } cases[] = {{"files", "files", 2, "45.0 %  1.9 MiB  high"},
                 {"peers 1", "peers", 2, "192.0.2.7:6881       cC"},
                 {"trackers 1", "trackers", 1, "timed out"},
                 {"pieces 1", "pieces", 8, "0 of 1434 pieces, 0.0 %"},
                 {"log", "log", 1, "2025-11-22 08:00:01"}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char words[40];
        assert_int_equal(run(cases[i].words), 0);
        if (strstr(out, cases[i].shows) == NULL) {
            fail_msg("`btc %s`: %s", cases[i].words, out);
        }
        assert_null(strchr(out, '\033'));
        snprintf(words, sizeof(words), "%s --json", cases[i].words);
        assert_int_equal(run(words), 0);
        json_t *o = object();
        assert_int_equal(json_array_size(json_object_get(o, cases[i].key)),
                         cases[i].rows);
        json_decref(o);
    }
    assert_int_equal(run("files nobody"), BTC_STATUS_NOT_FOUND);
}

static void test_info(void **state)
{
    static const char *const keys[] = {
        "name",         "info_hash_v1", "info_hash_v2", "total_size",
        "piece_length", "piece_count",  "private",      "files",
        "trackers",     "web_seeds",    "peers",        "select_only"};

    (void)state;
    assert_int_equal(run("info --json a.torrent"), 0);
    json_t *o = object();
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        assert_non_null(json_object_get(o, keys[i]));
    }
    const json_t *tiers = json_object_get(o, "trackers");
    assert_int_equal(json_array_size(tiers), 2);
    assert_int_equal(json_array_size(json_array_get(tiers, 0)), 2);
    const json_t *pad = json_array_get(json_object_get(o, "files"), 1);
    assert_true(json_is_true(json_object_get(pad, "pad")));
    json_decref(o);
    assert_int_equal(run("info --json magnet:?xt=urn:btih:0"), 0);
    o = object();
    assert_true(json_is_null(json_object_get(o, "total_size")));
    assert_true(json_is_null(json_object_get(o, "private")));
    assert_int_equal(json_array_size(json_object_get(o, "files")), 0);
    json_decref(o);
    assert_int_equal(run("info http://x.example/a.torrent"), 2);
    assert_int_equal(run("info a.torrent"), 0);
    assert_non_null(strstr(out, "3  2.0 MiB  film/one.mkv"));
}

/* A magnet is asked about on a database of its own, unless the user's own knows
 * it. */
static void test_info_fetch(void **state)
{
    (void)state;
    assert_int_equal(run("info --fetch a.torrent"), 0);
    assert_string_equal(fake.calls, "");
    assert_int_equal(run("info --fetch magnet:?xt=urn:btih:0"), 0);
    assert_non_null(strstr(fake.calls, "open 2;source 1;scratch like;add"));
    assert_non_null(strstr(fake.calls, "run"));
    assert_non_null(strstr(out, "3  2.0 MiB  film/one.mkv"));

    fake_reset();
    fake.has_source = true;
    assert_int_equal(run("info --fetch magnet:?xt=urn:btih:0 --json"), 0);
    assert_string_equal(fake.calls, "open 2;source 1;");

    fake_reset();
    fake.run_status = BTC_STATUS_STALLED;
    assert_int_equal(run("info --fetch magnet:?xt=urn:btih:0 --json"),
                     BTC_STATUS_STALLED);
    json_t *o = object();
    assert_true(json_is_true(json_object_get(o, "retryable")));
    json_decref(o);
}

static void test_info_save(void **state)
{
    (void)state;
    assert_int_equal(run("info --save-torrent /nowhere/x a.torrent"), 0);
    assert_string_equal(fake.calls, "save /nowhere/x;");
    assert_int_equal(run("info --save-torrent /nowhere/x magnet:?xt=0"),
                     BTC_STATUS_BAD_TORRENT);
    fake_reset();
    assert_int_equal(run("info --fetch --save-torrent / magnet:?xt=0"),
                     BTC_STATUS_EXISTS);
    assert_string_equal(fake.calls, "");
}

static void test_wishes(void **state)
{
    (void)state;
    assert_int_equal(run("add a.torrent"), 0);
    assert_string_equal(fake.calls, "open 1;add seed=ratio:2.0;");
    assert_non_null(strstr(err, "`btc resume` fetches it"));
    fake.calls[0] = '\0';
    assert_int_equal(run("pause 1"), 0);
    assert_int_equal(run("start 1"), 0);
    assert_int_equal(run("rm 1 -n"), 0);
    assert_int_equal(run("rm 1"), 0);
    assert_int_equal(run("rm --data -y 1"), 0);
    assert_non_null(strstr(err, "removed, data and all: 1  "));
    assert_int_equal(run("set 1 down=2M"), 0);
    assert_string_equal(fake.calls,
                        "open 0;pause 1;open 0;start 1;open 0;open 0;remove "
                        "1;open 0;remove 1 data;open 0;set 1 down=2M;");
    fake.stays = "/t/\x1bmine";
    assert_int_equal(run("rm --data -y 1"), 0);
    assert_non_null(strstr(err, "removed, with the data that is its own: 1  "));
    assert_non_null(strstr(err, "mine (somebody else has put it there)\n"));
    assert_null(strchr(err, '\x1b'));
    fake.stays = NULL;
    assert_int_equal(run("pause 1 nobody"), BTC_STATUS_NOT_FOUND);
    assert_int_equal(run("set 1 up=2M"), BTC_STATUS_USAGE);
    fake.calls[0] = '\0'; /* one that cannot be: none is */
    assert_int_equal(run("set 1 down=2M up=2M"), BTC_STATUS_USAGE);
    assert_int_equal(run("set 1 down=2M down"), BTC_STATUS_USAGE);
    assert_null(strstr(fake.calls, "set"));
    assert_int_equal(run("set"), 0);
    assert_string_equal(out, "  down           limit\n");
    fake.calls[0] = '\0';
    assert_int_equal(run("rm 1 nobody"), BTC_STATUS_NOT_FOUND);
    assert_string_equal(fake.calls, "open 0;"); /* all or none */
}

/* The value of `key` in the last command's object is not null. */
static void has_key(const char *words, const char *key)
{
    assert_int_equal(run(words), 0);
    json_t *o = object();
    const json_t *value = json_object_get(o, key);
    if (value == NULL || json_is_null(value)) {
        fail_msg("`btc %s` has no %s: %s", words, key, out);
    }
    json_decref(o);
}

/* Whatever takes --json prints an object, and nothing else. */
static void test_objects(void **state)
{
    (void)state;
    has_key("db path --json", "path");
    has_key("db path --ndjson", "path");
    has_key("db schema --json", "sql");
    has_key("db backup /tmp/b.db --json", "backup");
    has_key("rm 1 -n --json", "would_remove");
    has_key("set --json", "keys");
    has_key("set 1 down=2M --json", "torrents");
    assert_non_null(strstr(out, "\"bytes_total\""));
}

static void test_tools(void **state)
{
    (void)state;
    assert_int_equal(run("create /x/film/ -t http://a/b?c=d"), 0);
    assert_non_null(strstr(fake.calls, "create /x/film/ -> film.torrent"));
    assert_string_equal(
        out, "0123456789abcdef0123456789abcdef01234567\n"
             "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&dn="
             "film&tr=http%3A%2F%2Fa%2Fb%3Fc%3Dd\n");
    assert_null(strstr(err, "left out"));
    fake.n_left_out = 2;
    assert_int_equal(run("create /x/film/"), 0);
    assert_non_null(strstr(err, "warning: left out 2 that are no regular "
                                "files: links, pipes, devices\n"));
    assert_int_equal(run("create /x/film/ -o -"), 0);
    assert_string_equal(out, "");
    assert_non_null(
        strstr(err, "\n0123456789abcdef0123456789abcdef01234567\n"));
    assert_int_equal(run("create /x/film/ -o - --json"), BTC_STATUS_USAGE);
    assert_int_equal(run("verify --full 1"), 0);
    assert_non_null(strstr(fake.calls, "run ids=1 seed= check"));
    assert_non_null(strstr(err, "1434 of 1434 pieces are good, 100 %"));
    fake.locked = true;
    assert_int_equal(run("verify 1"), BTC_STATUS_LOCKED);
    assert_non_null(strstr(err, "`btc set ID verify=now` has that one hash"));
    fake.locked = false;
    assert_int_equal(run("db path"), 0);
    assert_string_equal(out, "/home/u/btc.db\n");
    assert_int_equal(run("db path --db /x.db"), 0);
    assert_string_equal(out, "/x.db\n");
    assert_int_equal(run("db check"), 0);
    assert_int_equal(run("db backup /tmp/b.db"), 0);
    assert_non_null(strstr(fake.calls, "backup /tmp/b.db"));
    assert_int_equal(run("db schema"), 0);
    assert_non_null(strstr(out, "CREATE TABLE"));
    fake.run_status = BTC_STATUS_DB;
    assert_int_equal(run("db check"), BTC_STATUS_DB);
    assert_string_equal(out, "row 7 is torn\n");
    assert_int_equal(run("version"), 0);
    assert_string_equal(out, "btc " BTC_VERSION "\n");
    assert_int_equal(run("--version"), 0);
}

static void test_why(void **state)
{
    (void)state;
    assert_int_equal(run("why 1"), 0);
    assert_non_null(strstr(out, "no engine runs"));
    assert_non_null(strstr(out, "peers: 1 connected, all of them choking us"));
    assert_non_null(
        strstr(out, "tracker http://a.example/announce: timed out; last answer "
                    "2025-11-22 "));
    assert_non_null(strstr(out, "- peer [2001:db8::9]:51413 refused the "
                                "connection, 3 times, last at 2025-11-22 "));
    assert_non_null(
        strstr(out, "missing pieces: 3 (1 of them begun): 2, 5-6\n"));
    assert_non_null(strstr(out, "(45.0 %)"));
    assert_non_null(strstr(out, "DHT: 52 nodes, 40 of them good; at the last"));
    assert_non_null(strstr(out, "31 nodes answered and named 4 peers\n"));
    assert_non_null(strstr(out, "local network: on, 1 known peers come"));
    assert_non_null(strstr(out, "peer exchange: off\n"));
    fake.torrents[0].state = BTC_STATE_COMPLETE;
    assert_int_equal(run("why 1 --json"), 0);
    json_t *o = object();
    assert_int_equal(json_array_size(json_object_get(o, "reasons")), 2);
    assert_int_equal(json_array_size(json_object_get(o, "trackers")), 1);
    assert_int_equal(json_array_size(json_object_get(o, "ways")), 3);
    json_decref(o);
}

static void test_help(void **state)
{
    (void)state;
    assert_int_equal(run("help"), 0);
    for (size_t i = 0; cli_commands[i] != NULL; i++) {
        char words[40];
        const char *name = cli_commands[i]->name;
        assert_non_null(strstr(out, name));
        snprintf(words, sizeof(words), "%s --help", name);
        assert_int_equal(run(words), 0);
        assert_non_null(strstr(out, "usage: btc "));
        assert_non_null(strstr(out, "\nExample\n  "));
        assert_string_equal(err, "");
        for (unsigned id = 0; id < CLI_OPTION_N; id++) {
            char option[40];
            bool has = (cli_commands[i]->options & CLI_OPTION_BIT(id)) != 0;
            const struct cli_option *opt = &cli_option_table[id];
            char letter[8] = "    ";
            if (opt->letter != 0) {
                snprintf(letter, sizeof(letter), "-%c, ", opt->letter);
            }
            snprintf(option, sizeof(option), "\n  %s--%s ", letter, opt->name);
            if (has != (strstr(out, option) != NULL)) {
                fail_msg("btc %s: %s", name, option);
            }
        }
        assert_int_equal(run("help"), 0);
    }
    assert_int_equal(run("help exit"), 0);
    assert_non_null(strstr(out, "11 * "));
    assert_int_equal(run("get -h"), 0);
    assert_int_equal(run("-h"), 0);
}

static void test_hooks(void **state)
{
    char folder[] = "/tmp/btc-hook-XXXXXX";
    char words[200];
    char path[64];
    char text[300] = "";

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/out", folder);
    FILE *script = fopen(folder, "re");
    fclose(script);
    /* no blanks in a word of run(): the shell splits ${IFS} */
    snprintf(words, sizeof(words),
             "get -q --on-done echo${IFS}$BTC_ID${IFS}$BTC_NAME${IFS}$BTC_DIR"
             "${IFS}$TR_TORRENT_HASH${IFS}$BTC_STATUS>%s a.torrent",
             path);
    assert_int_equal(run(words), 0);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    assert_non_null(fgets(text, sizeof(text), f));
    fclose(f);
    assert_string_equal(text, "1 debian-12.5.0-amd64-DVD-1.iso /srv/downloads "
                              "0123456789abcdef0123456789abcdef01234567 0\n");
    unlink(path);
    fake_reset();
    fake.run_status = BTC_STATUS_NO_SPACE;
    snprintf(words, sizeof(words),
             "get -q --on-error echo${IFS}$BTC_STATUS>%s a.torrent", path);
    assert_int_equal(run(words), BTC_STATUS_NO_SPACE);
    f = fopen(path, "re");
    assert_non_null(f);
    assert_non_null(fgets(text, sizeof(text), f));
    fclose(f);
    assert_string_equal(text, "9\n");
    unlink(path);
    rmdir(folder);
    fake_reset();
    assert_int_equal(run("get --on-done false a.torrent"), 0);
    assert_non_null(strstr(err, "failed (exit status 1)"));
    assert_non_null(strstr(fake.calls, "hook id=1 paid=1 the command of "
                                       "--on-done failed (exit status 1)"));
    fake_reset();
    assert_int_equal(run("get --on-done true a.torrent"), 0);
    assert_non_null(strstr(fake.calls, "hook id=1 paid=1"));
    fake_reset(); /* who was killed has not run */
    assert_int_equal(run("get --on-done kill${IFS}-9${IFS}$$ a.torrent"), 0);
    assert_non_null(strstr(fake.calls, "hook id=1 paid=0 the command of "
                                       "--on-done was killed by signal 9"));
}

static void test_stdout_full(void **state)
{
    static const struct {
        const char *word, *why; /* status flushes before the end */
    } cases[] = {{"version", ": No space left on device\n"},
                 {"status", ": it is full or closed\n"}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char name[] = "btc";
        char *word = strdup(cases[i].word);
        char *argv[] = {name, word, NULL};
        size_t size = 0;
        FILE *full = fopen("/dev/full", "we");
        if (full == NULL) {
            free(word);
            skip();
        }
        free(err);
        FILE *ferr = open_memstream(&err, &size);
        assert_int_equal(cli_main(2, argv, full, ferr), BTC_STATUS_IO);
        fclose(ferr);
        (void)!fclose(full);
        assert_non_null(strstr(err, cases[i].why));
        free(word);
    }
}

/* The options of whoever runs the test are not those of the test. */
static void forget_settings(void)
{
    for (size_t i = 0; environ[i] != NULL;) {
        char name[64];
        const char *end = strchr(environ[i], '=');
        bool ours = strncmp(environ[i], "BTC_", 4) == 0 && end != NULL &&
                    (size_t)(end - environ[i]) < sizeof(name);
        if (ours) {
            snprintf(name, sizeof(name), "%.*s", (int)(end - environ[i]),
                     environ[i]);
        }
        i = ours && unsetenv(name) == 0 ? 0 : i + 1;
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(test_usage),        TEST(test_usage_json),
        TEST(test_get),          TEST(test_get_bootstrap),
        TEST(test_get_json),     TEST(test_get_interrupted),
        TEST(test_get_given_up), TEST(test_get_sources),
        TEST(test_get_follows),  TEST(test_get_dry_run),
        TEST(test_ndjson),       TEST(test_progress_plain),
        TEST(test_resume),       TEST(test_status),
        TEST(test_views),        TEST(test_info),
        TEST(test_info_fetch),   TEST(test_info_save),
        TEST(test_wishes),       TEST(test_objects),
        TEST(test_tools),        TEST(test_why),
        TEST(test_help),         TEST(test_hooks),
        TEST(test_stdout_full)};
#undef TEST

    setenv("TZ", "UTC", 1);
    setenv("LC_ALL", "C.UTF-8", 1);
    setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
    forget_settings();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(out);
    free(err);
    return failed;
}
