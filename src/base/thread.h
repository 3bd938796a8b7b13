/* Threads of ours take no signals: a handler of the program runs in one of the
 * program's own threads, never in two at once. (pthread_create(3): a thread
 * inherits the mask of the one that starts it.)
 */
#ifndef BTC_BASE_THREAD_H
#define BTC_BASE_THREAD_H

#include <pthread.h>

/* pthread_create(3) with all signals blocked in the new thread, but not those
 * of its own faults (a mapped file that cannot be read any more). `attr` may be
 * NULL. 0, or the error number; the caller's mask is as before. */
int thread_start(pthread_t *thread, const pthread_attr_t *attr,
                 void *(*run)(void *), void *arg);

#endif
