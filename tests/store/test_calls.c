/* How many system calls a file costs. Torrents of thousands of small files
 * spend their time there, and a question that is asked twice is seen by nobody.
 *
 * This program starts itself once more and counts what that one asks of the
 * system about files, whatever function asks (ptrace). It tells what it does by
 * a call that is not about files. */
#include "disk_kit.h"
#include "store/own.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define CALLS_FILES 1200u  /* more than stay open when they are not dirty */
#define CALLS_LIMIT 4800u  /* descriptors: half of them are for files */
#define CALLS_LEN   20000u /* of a file, and of a piece */
#define CALLS_MARK  0x62746300
#define CALLS_MAX   512 /* numbers of system calls */

/* What is done with all files, one after the other. */
enum calls_phase {
    CALLS_STAT,
    CALLS_SCAN,
    CALLS_CREATE,
    CALLS_FINISH,
    CALLS_SYNC,
    CALLS_AGAIN, /* FINISH of what is there */
    CALLS_END,
    CALLS_N_PHASES
};

static const char *const calls_names[CALLS_N_PHASES] = {
    "STAT", "SCAN", "CREATE", "FINISH", "SYNC", "FINISH again", "the end"};

/* Memory, threads, clocks and the wake-ups between them are not counted. */
static const long calls_other[] = {
    SYS_futex,       SYS_read,         SYS_write,          SYS_mmap,
    SYS_munmap,      SYS_mprotect,     SYS_madvise,        SYS_brk,
    SYS_epoll_pwait, SYS_epoll_ctl,    SYS_clock_gettime,  SYS_exit,
    SYS_exit_group,  SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_getpgid,
    SYS_sched_yield,
#ifdef SYS_epoll_wait
    SYS_epoll_wait,
#endif
};

/* --- the one that is counted --- */

static void calls_enter(enum calls_phase phase)
{
    (void)syscall(SYS_getpgid, CALLS_MARK + (int)phase);
}

static void calls_finish_all(struct kit *k, struct store_tree *s,
                             const struct kit_torrent *t)
{
    for (uint32_t i = 0; i < CALLS_FILES; i++) {
        assert_int_equal(kit_piece_do(k, s, STORE_FINISH, t, i), 0);
    }
}

static void calls_do_all(struct kit *k, struct store_tree *s,
                         const struct kit_torrent *t)
{
    calls_enter(CALLS_STAT);
    struct store_job stat = kit_do(k, s, STORE_STAT);
    assert_int_equal(stat.result, 0);
    free(stat.prints);
    calls_enter(CALLS_SCAN);
    struct store_job scan = {.op = STORE_SCAN,
                             .store = s,
                             .scan.piece_length = t->piece_length,
                             .scan.n_pieces = t->n_pieces};
    assert_int_equal(kit_run(k, &scan), 0);
    bits_fini(&scan.scan.found);
    calls_enter(CALLS_CREATE);
    assert_int_equal(kit_create(k, s).result, 0);
    calls_enter(CALLS_FINISH);
    calls_finish_all(k, s, t);
    calls_enter(CALLS_SYNC);
    assert_int_equal(kit_sync(k, s), 0);
    calls_enter(CALLS_AGAIN);
    calls_finish_all(k, s, t);
    calls_enter(CALLS_END);
}

/* A torrent of small files, beside a journal as in a real run. */
static void calls_child(void **state)
{
    struct kit k;
    struct kit_torrent t;
    struct store_file *files = mem_calloc(CALLS_FILES, sizeof(*files));
    char names[CALLS_FILES][16], journal[128];
    (void)state;
    for (uint32_t i = 0; i < CALLS_FILES; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "d%u/f%u", i % 7, i);
        files[i] = (struct store_file){.path = names[i], .length = CALLS_LEN};
    }
    kit_open(&k, 1);
    (void)kit_path(&k, "btc.db", journal, sizeof(journal));
    kit_put(&k, "btc.db", "journal", 7);
    store_set_own(k.d, store_own_new(journal));
    kit_torrent_init(&t, files, CALLS_FILES, CALLS_LEN);
    struct store_tree *s = kit_store(&k, &t);
    calls_do_all(&k, s, &t);
    store_tree_free(s);
    kit_torrent_fini(&t);
    kit_close(&k);
    free(files);
}

/* `keep`: whether all files can stay open. */
static int calls_child_main(const char *keep)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(calls_child)};
    struct rlimit limit = {CALLS_LIMIT, CALLS_LIMIT};
    if (strcmp(keep, "few") == 0) {
        limit.rlim_cur = 64;
    }
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* --- the one that counts --- */

struct calls {
    enum calls_phase phase;
    bool running; /* between the first and the last phase */
    uint32_t n[CALLS_N_PHASES][CALLS_MAX];
};

static bool calls_is_other(uint64_t nr)
{
    bool other = nr >= CALLS_MAX;
    for (size_t i = 0; i < sizeof(calls_other) / sizeof(calls_other[0]); i++) {
        other |= nr == (uint64_t)calls_other[i];
    }
    return other;
}

static void calls_note(struct calls *c, pid_t pid)
{
    struct __ptrace_syscall_info info;
    long got = ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info);
    if (got <= 0 || info.op != PTRACE_SYSCALL_INFO_ENTRY) {
        return;
    }
    uint64_t mark = info.entry.args[0] - CALLS_MARK;
    if (info.entry.nr == SYS_getpgid && mark < CALLS_N_PHASES) {
        c->phase = (enum calls_phase)mark;
        c->running = c->phase != CALLS_END;
    } else if (c->running && !calls_is_other(info.entry.nr)) {
        c->n[c->phase][info.entry.nr]++;
    }
}

/* Follows it and its threads to the end; its exit code. */
static int calls_follow(struct calls *c, pid_t child)
{
    for (;;) {
        int status, sig = 0;
        pid_t pid = waitpid(-1, &status, __WALL);
        assert_true(pid > 0);
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (pid == child) {
                return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
            }
            continue;
        }
        if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
            calls_note(c, pid);
        } else if (WSTOPSIG(status) != SIGTRAP && WSTOPSIG(status) != SIGSTOP) {
            sig = WSTOPSIG(status);
        }
        (void)ptrace(PTRACE_SYSCALL, pid, NULL, (long)sig);
    }
}

/* Starts it, stopped; -1 where nothing can be traced. */
static pid_t calls_start(const char *keep)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0) {
            (void)raise(SIGSTOP);
            (void)execl("/proc/self/exe", "test_calls", keep, (char *)NULL);
        }
        _exit(77);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFSTOPPED(status)) {
        return -1;
    }
    assert_int_equal(
        ptrace(PTRACE_SETOPTIONS, child, NULL,
               PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL),
        0);
    (void)ptrace(PTRACE_SYSCALL, child, NULL, 0L);
    return child;
}

/* No more than so many for each file; what is asked once does not count. */
static void calls_expect(const struct calls *c, enum calls_phase phase,
                         uint32_t most)
{
    uint32_t n = 0;
    for (uint32_t nr = 0; nr < CALLS_MAX; nr++) {
        n += c->n[phase][nr];
    }
    if (n / CALLS_FILES <= most && n > 0) {
        return;
    }
    for (uint32_t nr = 0; nr < CALLS_MAX; nr++) {
        if (c->n[phase][nr] > 0) {
            print_message("  number %u: %u times\n", nr, c->n[phase][nr]);
        }
    }
    fail_msg("%s: %u system calls for %u files, more than %u for each",
             calls_names[phase], n, CALLS_FILES, most);
}

static void calls_count(struct calls *c, const char *keep)
{
    struct rlimit limit;
    *c = (struct calls){0};
    if (getenv("BTC_VALGRIND") || getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
        limit.rlim_max < CALLS_LIMIT) {
        skip();
    }
    pid_t child = calls_start(keep);
    if (child < 0) {
        skip();
    }
    assert_int_equal(calls_follow(c, child), 0);
}

/* All files stay open until they are synced. */
static void test_open(void **state)
{
    struct calls c;
    (void)state;
    calls_count(&c, "all");
    calls_expect(&c, CALLS_STAT, 0); /* their folders are not there */
    calls_expect(&c, CALLS_SCAN, 1);
    calls_expect(&c, CALLS_CREATE, 4);
    calls_expect(&c, CALLS_FINISH, 5);
    calls_expect(&c, CALLS_SYNC, 5);
    calls_expect(&c, CALLS_AGAIN, 5);
}

/* They leave the cache before, and are synced there. */
static void test_evicted(void **state)
{
    struct calls c;
    (void)state;
    calls_count(&c, "few");
    calls_expect(&c, CALLS_FINISH, 7);
    calls_expect(&c, CALLS_SYNC, 1);
    calls_expect(&c, CALLS_AGAIN, 7);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_open),
                                       cmocka_unit_test(test_evicted)};
    if (argc == 2) {
        _exit(calls_child_main(argv[1]));
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
