/* The names of states. They are public; below the engine they stand in rows. */
#include "btc/state.h"

#include <string.h>

static const struct {
    enum btc_state state;
    const char *name;
} state_names[] = {
#define STATE_ROW(value, text) {value, text},
    BTC_STATES(STATE_ROW)
#undef STATE_ROW
};

const char *btc_state_name(enum btc_state s)
{
    for (size_t i = 0; i < sizeof(state_names) / sizeof(*state_names); i++) {
        if (state_names[i].state == s) {
            return state_names[i].name;
        }
    }
    return "";
}

enum btc_state btc_state_from_name(const char *name)
{
    for (size_t i = 0; i < sizeof(state_names) / sizeof(*state_names); i++) {
        if (name != NULL && strcmp(state_names[i].name, name) == 0) {
            return state_names[i].state;
        }
    }
    return BTC_STATE_UNKNOWN;
}
