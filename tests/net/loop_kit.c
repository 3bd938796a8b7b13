/* See loop_kit.h. */
#include "net/loop_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define LOOP_KIT_MS 20000

static void loop_kit_on_timer(void *ctx)
{
    (void)ctx;
    fail_msg("nothing came");
}

struct loop *loop_kit_new(void)
{
    struct loop *l = loop_new();
    assert_non_null(l);
    loop_set_timer_fn(l, loop_kit_on_timer, NULL);
    loop_arm_timer(l, loop_now_ms(l) + LOOP_KIT_MS);
    return l;
}
