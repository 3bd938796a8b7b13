/* Connections that never leave this machine are not paced. */
#include "net/pace.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The segments of a path within the machine are as large as the loopback
 * device takes (64 KiB); jumbo frames of a real network end at 9,000 bytes. The
 * kernel bounds a segment by the device's size, whatever the other end says. */
#define PACE_LOCAL_SEGMENT (16 << 10)
#define PACE_LOCAL_RTT_US  5000 /* a loopback device may play a far network */

/* bbr, and what later versions of it are called. */
bool pace_is_needed(const char *name)
{
    return strncmp(name, "bbr", 3) == 0;
}

/* A socket of either family says it: the setting is common to both. */
void pace_init(struct pace *p)
{
    *p = (struct pace){.name = ""};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    }
    if (fd < 0) {
        return;
    }
    socklen_t len = sizeof(p->name) - 1;
    if (getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, p->name, &len) != 0 ||
        !pace_is_needed(p->name)) {
        *p = (struct pace){.name = ""};
    }
    (void)close(fd);
}

/* Refused, the socket keeps what it has, and works. */
static void pace_set(int fd, const char *name)
{
    (void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name,
                     (socklen_t)strlen(name));
}

/* reno is part of every kernel, and everybody may choose it. */
void pace_defer(const struct pace *p, int fd)
{
    if (p->name[0] != '\0') {
        pace_set(fd, "reno");
    }
}

/* By the size of a segment and the time that the handshake took. */
static bool pace_is_local(int fd)
{
    struct tcp_info info;
    socklen_t len = sizeof(info);
    memset(&info, 0, sizeof(info));
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
           info.tcpi_snd_mss >= PACE_LOCAL_SEGMENT &&
           info.tcpi_rtt < PACE_LOCAL_RTT_US;
}

void pace_decide(const struct pace *p, int fd)
{
    if (p->name[0] != '\0' && !pace_is_local(fd)) {
        pace_set(fd, p->name);
    }
}
