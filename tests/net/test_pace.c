/* Which congestion control a connection ends with, over real sockets. A small
 * TCP_MAXSEG stands for a path that leads outside of the machine. */
#include "net/pace.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* What a socket uses. */
static void control_of(int fd, char name[PACE_NAME_MAX])
{
    socklen_t len = PACE_NAME_MAX - 1;
    memset(name, 0, PACE_NAME_MAX);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len),
                     0);
}

static void assert_control(int fd, const char *expected)
{
    char name[PACE_NAME_MAX];
    control_of(fd, name);
    assert_string_equal(name, expected);
}

static int new_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    return fd;
}

/* What the machine gives to a socket of which nothing is asked. */
static void machine_control(char name[PACE_NAME_MAX])
{
    int fd = new_socket();
    control_of(fd, name);
    (void)close(fd);
}

/* Two ends over the loopback device, each deferred and decided as the host
 * does it; segment: 0, or the largest that either end takes. */
static void make_pair(const struct pace *p, int segment, int fd[2])
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int listener = new_socket();
    assert_int_equal(bind(listener, (struct sockaddr *)&a, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &len), 0);
    pace_defer(p, listener);
    fd[0] = new_socket();
    if (segment > 0) {
        assert_int_equal(setsockopt(fd[0], IPPROTO_TCP, TCP_MAXSEG, &segment,
                                    sizeof(segment)),
                         0);
    }
    pace_defer(p, fd[0]);
    assert_int_equal(connect(fd[0], (struct sockaddr *)&a, len), 0);
    fd[1] = accept(listener, NULL, NULL);
    assert_true(fd[1] >= 0);
    (void)close(listener);
    pace_decide(p, fd[0]);
    pace_decide(p, fd[1]);
}

static void close_pair(int fd[2])
{
    (void)close(fd[0]);
    (void)close(fd[1]);
}

/* A control that paces, where the machine has one that a user may choose. */
static const char *pacing_control(void)
{
    int fd = new_socket();
    bool has = setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "bbr", 3) == 0;
    (void)close(fd);
    return has ? "bbr" : NULL;
}

static void test_names(void **state)
{
    (void)state;
    assert_true(pace_is_needed("bbr"));
    assert_true(pace_is_needed("bbr3"));
    assert_false(pace_is_needed("cubic"));
    assert_false(pace_is_needed("reno"));
    assert_false(pace_is_needed(""));
}

static void test_asks_the_machine(void **state)
{
    (void)state;
    char name[PACE_NAME_MAX];
    machine_control(name);
    struct pace p;
    pace_init(&p);
    assert_string_equal(p.name, pace_is_needed(name) ? name : "");
}

static void test_not_within_the_machine(void **state)
{
    (void)state;
    struct pace p = {.name = "bbr"};
    int fd[2];
    make_pair(&p, 0, fd);
    assert_control(fd[0], "reno");
    assert_control(fd[1], "reno");
    close_pair(fd);
}

static void test_outside_as_the_owner_chose(void **state)
{
    (void)state;
    struct pace p = {.name = ""};
    const char *name = pacing_control();
    if (!name) {
        skip();
    }
    memcpy(p.name, name, strlen(name));
    int fd[2];
    make_pair(&p, 1000, fd);
    assert_control(fd[0], name);
    assert_control(fd[1], name);
    close_pair(fd);
}

static void test_untouched_without_pacing(void **state)
{
    (void)state;
    char name[PACE_NAME_MAX];
    machine_control(name);
    struct pace p = {.name = ""};
    for (int segment = 0; segment <= 1000; segment += 1000) {
        int fd[2];
        make_pair(&p, segment, fd);
        assert_control(fd[0], name);
        assert_control(fd[1], name);
        close_pair(fd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_asks_the_machine),
        cmocka_unit_test(test_not_within_the_machine),
        cmocka_unit_test(test_outside_as_the_owner_chose),
        cmocka_unit_test(test_untouched_without_pacing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
