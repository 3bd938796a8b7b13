/* The states of a torrent and their names. Part of btc.h. */
#ifndef BTC_BTC_STATE_H
#define BTC_BTC_STATE_H

#include <btc/status.h>

/* What a torrent does. The views and JSON have the names. */
#define BTC_STATES(X)                                                       \
    X(BTC_STATE_UNKNOWN, "")                                                \
    X(BTC_STATE_METADATA, "metadata")                                       \
    X(BTC_STATE_QUEUED, "queued") /* no engine works on it */               \
    X(BTC_STATE_CHECKING, "checking")                                       \
    X(BTC_STATE_DOWNLOADING, "downloading")                                 \
    X(BTC_STATE_SEEDING, "seeding")                                         \
    X(BTC_STATE_PAUSED, "paused")                                           \
    X(BTC_STATE_COMPLETE, "complete")                                       \
    X(BTC_STATE_WAITING_STORAGE, "waiting-storage")                         \
    X(BTC_STATE_WAITING_SPACE, "waiting-space")                             \
    X(BTC_STATE_ERROR, "error")                                             \
    X(BTC_STATE_HASHING, "hashing")   /* btc_create, never in a database */ \
    X(BTC_STATE_REMOVING, "removing") /* wished away, and still here */
enum btc_state {
#define BTC_STATE_VALUE(value, name) value,
    BTC_STATES(BTC_STATE_VALUE)
#undef BTC_STATE_VALUE
};
BTC_API const char *btc_state_name(enum btc_state s);
/* UNKNOWN for NULL and for what is no name. */
BTC_API enum btc_state btc_state_from_name(const char *name);

#endif
