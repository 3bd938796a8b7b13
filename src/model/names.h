/* The words of the database and the values that stand for them inside. Each
 * list is written once, as an X-macro of (value, word); the schema's CHECK
 * constraints know the same words. */
#ifndef BTC_MODEL_NAMES_H
#define BTC_MODEL_NAMES_H

#include "base/bytes.h"

#define NAMES_ENUM_VALUE(value, word) value,

/* torrent.wanted: what a person wishes for a torrent. REMOVE forgets it,
 * REMOVE_DATA deletes its files as well. */
#define WANTED_NAMES(X)        \
    X(WANTED_RUN, "run")       \
    X(WANTED_PAUSE, "pause")   \
    X(WANTED_REMOVE, "remove") \
    X(WANTED_REMOVE_DATA, "remove-data")
enum wanted {
    WANTED_NAMES(NAMES_ENUM_VALUE)
};

/* torrent.seed_mode: until when a complete torrent is seeded. seed_goal counts
 * thousandths for RATIO and seconds for TIME. */
#define SEED_MODE_NAMES(X)          \
    X(SEED_MODE_NONE, "none")       \
    X(SEED_MODE_FOREVER, "forever") \
    X(SEED_MODE_RATIO, "ratio")     \
    X(SEED_MODE_TIME, "time")
enum seed_mode {
    SEED_MODE_NAMES(NAMES_ENUM_VALUE)
};

/* event.level: how bad it is. */
#define LEVEL_NAMES(X)      \
    X(LEVEL_ERROR, "error") \
    X(LEVEL_WARN, "warn")   \
    X(LEVEL_INFO, "info")
enum level {
    LEVEL_NAMES(NAMES_ENUM_VALUE)
};

/* peer.source: where an address was learnt first. RESUME is an earlier run
 * whose source is not known any more. */
#define PEER_SOURCE_NAMES(X)            \
    X(PEER_SOURCE_TRACKER, "tracker")   \
    X(PEER_SOURCE_USER, "user")         \
    X(PEER_SOURCE_RESUME, "resume")     \
    X(PEER_SOURCE_INCOMING, "incoming") \
    X(PEER_SOURCE_PEX, "pex")           \
    X(PEER_SOURCE_DHT, "dht")           \
    X(PEER_SOURCE_LSD, "lsd")
enum peer_source {
    PEER_SOURCE_NAMES(NAMES_ENUM_VALUE)
};

/* The word of a value; "?" for a value outside the list. */
const char *wanted_name(enum wanted w);
const char *seed_mode_name(enum seed_mode m);
const char *level_name(enum level l);
const char *peer_source_name(enum peer_source s);

/* The value of a word, or `otherwise` when the list does not have it. */
enum wanted wanted_from_name(struct slice word, enum wanted otherwise);
enum seed_mode seed_mode_from_name(struct slice word, enum seed_mode otherwise);
enum peer_source peer_source_from_name(struct slice word,
                                       enum peer_source otherwise);

#endif
