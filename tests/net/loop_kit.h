/* A loop for tests that wait for something to come: when nothing does, the test
 * fails and does not hang. */
#ifndef BTC_TESTS_NET_LOOP_KIT_H
#define BTC_TESTS_NET_LOOP_KIT_H

#include "net/loop.h"

/* Its one timer is taken. Free with loop_free. */
struct loop *loop_kit_new(void);

#endif
