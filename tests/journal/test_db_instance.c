/* A killed engine leaves its log beside the file. It belongs to the file in
 * whatever state a checkpoint was when the engine was killed, and to no other
 * file that is put there. */
#include "db_kit.h"

#include "journal/instance.h"
#include "journal/internal.h"

#include <sys/wait.h>
#include <time.h>

#define PAGE_MAX 65536u

struct bytes {
    uint8_t *p; /* owns */
    size_t len;
};

static struct bytes read_file(const char *path, const char *end)
{
    struct bytes b = {0};
    struct stat st;
    char *full = mem_printf("%s%s", path, end);
    int fd = open(full, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    b.len = (size_t)st.st_size;
    b.p = mem_alloc(b.len + 1);
    assert_int_equal(read(fd, b.p, b.len), b.len);
    (void)close(fd);
    free(full);
    return b;
}

static void write_file(const char *path, const char *end, const struct bytes *b)
{
    char *full = mem_printf("%s%s", path, end);
    int fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, b->p, b->len), b->len);
    (void)close(fd);
    free(full);
}

/* What a killed engine left: the file before and after the checkpoint that it
 * was in, the log, and the lock's file. */
struct killed {
    struct bytes before, after, wal, lock;
    size_t page; /* bytes of one */
    char there[96];
};

static void killed_make(const struct test_db *t, struct killed *k)
{
    struct journal *db = test_db_open(t->path, JOURNAL_CREATE | JOURNAL_ENGINE);
    struct err e = {0};
    (void)snprintf(k->there, sizeof(k->there), "%s/there.db", t->dir);
    journal_set_checkpoints(db, false);
    (void)test_db_add(db, 1);
    assert_int_equal(
        journal_exec(db,
                     "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL"
                     " SELECT i + 1 FROM n WHERE i < 3000)"
                     " INSERT INTO event (at, level, kind, text)"
                     " SELECT i, 'info', 'test', hex(randomblob(40)) FROM n;"
                     " UPDATE setting SET value = value",
                     &e),
        0);
    k->before = read_file(t->path, "");
    k->wal = read_file(t->path, "-wal");
    k->lock = read_file(t->path, "-lock");
    assert_int_equal(sqlite3_wal_checkpoint_v2(
                         db->sql, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL),
                     SQLITE_OK);
    k->after = read_file(t->path, "");
    k->page = (size_t)k->after.p[16] << 8 | k->after.p[17];
    assert_true(k->page >= 512 && k->page <= PAGE_MAX);
    assert_true(k->after.len > k->before.len && k->wal.len > 0);
    journal_close(db);
}

static void killed_free(struct killed *k)
{
    free(k->before.p);
    free(k->after.p);
    free(k->wal.p);
    free(k->lock.p);
}

/* Puts all of it there, with this file. */
static void killed_put(const struct killed *k, const struct bytes *file)
{
    char *shm = mem_printf("%s-shm", k->there);
    (void)unlink(shm);
    free(shm);
    write_file(k->there, "", file);
    write_file(k->there, "-wal", &k->wal);
    write_file(k->there, "-lock", &k->lock);
}

/* And says whether it is refused. */
static int killed_check(const struct killed *k, const struct bytes *file)
{
    struct err e = {0};
    killed_put(k, file);
    return journal_instance_check(k->there, &e);
}

/* A program that has the file for itself for so long, as SQLite has when it
 * closes the last connection; its process, after it has got that. */
static pid_t hold_file(const char *path, long hold_ms)
{
    int pipes[2];
    char byte = 0;
    assert_int_equal(pipe(pipes), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct flock lock = {.l_type = F_WRLCK,
                             .l_whence = SEEK_SET,
                             .l_start = 0x40000002, /* SQLite's SHARED lock */
                             .l_len = 510};
        struct timespec hold = {.tv_nsec = hold_ms * 1000000};
        int fd = open(path, O_RDWR | O_CLOEXEC);
        bool ok = fd >= 0 && fcntl(fd, F_SETLK, &lock) == 0 &&
                  write(pipes[1], &byte, 1) == 1;
        (void)nanosleep(&hold, NULL);
        _exit(ok ? 0 : 1);
    }
    (void)close(pipes[1]);
    assert_int_equal(read(pipes[0], &byte, 1), 1);
    (void)close(pipes[0]);
    return pid;
}

/* The first pages of the file are as after the checkpoint, the rest as before:
 * so SQLite writes them. Then page by page at random: so a disk may. */
static void test_checkpoint(void **state)
{
    struct killed k = {0};
    killed_make(*state, &k);
    size_t n_pages = k.after.len / k.page;
    struct bytes mix = {.p = mem_alloc(k.after.len)};
    for (size_t n = 0; n <= n_pages; n++) {
        size_t head = n * k.page;
        mix.len = k.before.len;
        if (head > mix.len) {
            mix.len = head;
        }
        memcpy(mix.p, k.before.p, k.before.len);
        memcpy(mix.p, k.after.p, head);
        assert_int_equal(killed_check(&k, &mix), 0);
    }
    for (unsigned seed = 1; seed <= 100; seed++) {
        unsigned bits = seed * 2654435761u;
        mix.len = k.after.len;
        memset(mix.p, 0, mix.len);
        memcpy(mix.p, k.before.p, k.before.len);
        for (size_t i = 0; i < n_pages; i++) {
            bits = bits * 1664525u + 1013904223u;
            if (bits >> 31) {
                memcpy(mix.p + i * k.page, k.after.p + i * k.page, k.page);
            }
        }
        assert_int_equal(killed_check(&k, &mix), 0);
    }
    free(mix.p);
    killed_free(&k);
}

/* Somebody else recovers the log, or closes, at the moment of the look. */
static void test_busy(void **state)
{
    struct killed k = {0};
    struct err e = {0};
    int status = 1;
    killed_make(*state, &k);
    struct bytes half = {.p = mem_dup(k.before.p, k.before.len),
                         .len = k.before.len};
    memcpy(half.p, k.after.p, k.page);
    killed_put(&k, &half);
    pid_t pid = hold_file(k.there, 200);
    assert_int_equal(journal_instance_check(k.there, &e), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    free(half.p);
    killed_free(&k);
}

/* Another database at its place: of another run, without any instance, a text,
 * an empty file. */
static void test_stranger(void **state)
{
    struct test_db *t = *state;
    struct killed k = {0};
    char other[96];
    killed_make(t, &k);
    (void)snprintf(other, sizeof(other), "%s/other.db", t->dir);
    struct journal *db = test_db_open(other, JOURNAL_CREATE | JOURNAL_ENGINE);
    (void)test_db_add(db, 2);
    journal_close(db);
    struct bytes stranger = read_file(other, "");
    assert_int_equal(killed_check(&k, &stranger), BTC_E_DB);
    free(stranger.p);

    assert_int_equal(test_db_sql(other, "DELETE FROM setting"), SQLITE_OK);
    assert_int_equal(test_db_sql(other, "PRAGMA wal_checkpoint(TRUNCATE)"),
                     SQLITE_OK);
    stranger = read_file(other, "");
    assert_int_equal(killed_check(&k, &stranger), BTC_E_DB);
    free(stranger.p);

    uint8_t text[] = "this is no database, but somebody's letter";
    stranger = (struct bytes){.p = text, .len = sizeof(text)};
    assert_int_equal(killed_check(&k, &stranger), BTC_E_DB);
    killed_free(&k);
}

/* A page of the file cannot be used: that it was replaced is not sure. */
static void test_damaged(void **state)
{
    struct killed k = {0};
    struct err e = {0};
    killed_make(*state, &k);
    memset(k.after.p + 16, 0xff, k.after.len - 16);
    memset(k.wal.p + 64, 0xff, k.wal.len - 64);
    killed_put(&k, &k.after);
    assert_int_equal(journal_instance_check(k.there, &e), BTC_E_DB);
    assert_non_null(strstr(e.msg, "is damaged, or was replaced"));
    assert_non_null(strstr(e.msg, "btc db salvage"));
    killed_free(&k);
}

/* The first page of a table is lost. */
static void damage_table(const struct test_db *t, const struct killed *k,
                         struct bytes *file, const char *table)
{
    struct journal *db = test_db_open(t->path, 0);
    struct err e = {0};
    int64_t root = 0;
    char *sql = mem_printf(
        "SELECT rootpage FROM sqlite_schema WHERE name = '%s'", table);
    assert_int_equal(journal_query_int(db, sql, 0, &root, &e), 0);
    assert_true(root > 1 && (size_t)root * k->page <= file->len);
    memset(file->p + (size_t)(root - 1) * k->page, 0xff, k->page);
    free(sql);
    journal_close(db);
}

/* What killed_make wrote, all of it in the log. */
static int64_t salvaged_events(const struct killed *k)
{
    struct journal_salvaged s = {0};
    struct err e = {0};
    int64_t n = -1;
    if (journal_salvage(k->there, 0, &s, &e) == 0) {
        struct journal *db = test_db_open(k->there, JOURNAL_ENGINE);
        assert_int_equal(
            journal_query_int(db, "SELECT count(*) FROM event", 0, &n, &e), 0);
        journal_close(db);
    }
    free(s.aside);
    return n;
}

/* A salvage reads the log of a file that is damaged, and not that of another
 * file. */
static void test_salvage(void **state)
{
    struct test_db *t = *state;
    struct killed k = {0};
    char other[96];
    killed_make(t, &k);
    struct bytes file = {.p = mem_dup(k.before.p, k.before.len),
                         .len = k.before.len};
    damage_table(t, &k, &file, "setting");
    damage_table(t, &k, &file, "dht_node");
    assert_int_equal(killed_check(&k, &file), BTC_E_DB);
    assert_int_equal(salvaged_events(&k), 3000);
    free(file.p);

    (void)snprintf(other, sizeof(other), "%s/other.db", t->dir);
    struct journal *db = test_db_open(other, JOURNAL_CREATE | JOURNAL_ENGINE);
    (void)test_db_add(db, 2);
    journal_close(db);
    file = read_file(other, "");
    assert_int_equal(killed_check(&k, &file), BTC_E_DB);
    assert_int_equal(salvaged_events(&k), 0);
    free(file.p);
    killed_free(&k);
}

#define T(f) cmocka_unit_test_setup_teardown(f, test_db_setup, test_db_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_checkpoint), T(test_busy),    T(test_stranger),
        T(test_damaged),    T(test_salvage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
