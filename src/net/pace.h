/* Connections that never leave this machine are not paced.
 *
 * Some congestion controls (BBR) pace: the kernel spreads a connection's
 * segments over time by a timer of its own for each. On a road between two
 * machines that is their strength. Between two programs of one machine there is
 * no queue to spare, and the timers cost more than all else that serving does.
 *
 * Whether a connection stays within the machine is known only once it stands,
 * and a socket that was paced once stays so. So each begins with reno, which
 * does not pace, and gets what the machine's owner chose when its path turns
 * out to lead outside: before the first byte of ours, so nothing is lost. Where
 * the owner chose a control that does not pace, nothing is done at all. */
#ifndef BTC_NET_PACE_H
#define BTC_NET_PACE_H

#include <stdbool.h>

#define PACE_NAME_MAX 16 /* TCP_CA_NAME_MAX of the kernel, its NUL included */

/* The machine's choice; "" when it does not pace. */
struct pace {
    char name[PACE_NAME_MAX];
};

/* Asks the kernel what a new socket would use. */
void pace_init(struct pace *p);
/* The name is that of a control that paces. */
bool pace_is_needed(const char *name);
/* For a socket that is about to connect or to listen. */
void pace_defer(const struct pace *p, int fd);
/* For a socket that is connected now. */
void pace_decide(const struct pace *p, int fd);

#endif
