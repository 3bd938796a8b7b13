/* The options: one table with name, letter, type, range and help of each, and
 * the layers they come from: command line, then environment, then config file.
 *
 * An option NAME is --NAME, BTC_NAME (capitals, - as _) in the environment and
 * a line `NAME = value` in the config file. A value replaces that of a weaker
 * layer; a list begins anew in a stronger one.
 */
#ifndef BTC_CLI_OPTIONS_OPTIONS_H
#define BTC_CLI_OPTIONS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "btc/btc.h"

enum cli_option_id {
    CLI_OPTION_DB,
    CLI_OPTION_ALLOW_NETWORK_DB,
    CLI_OPTION_CONFIG,
    CLI_OPTION_DIR,
    CLI_OPTION_OUT,
    CLI_OPTION_SELECT,
    CLI_OPTION_EXCLUDE,
    CLI_OPTION_SEQUENTIAL,
    CLI_OPTION_SEED,
    CLI_OPTION_LABEL,
    CLI_OPTION_PAUSED,
    CLI_OPTION_DOWN,
    CLI_OPTION_UP,
    CLI_OPTION_PORT,
    CLI_OPTION_BIND,
    CLI_OPTION_PEER,
    CLI_OPTION_MAX_PEERS,
    CLI_OPTION_NO_DHT,
    CLI_OPTION_NO_PEX,
    CLI_OPTION_NO_LSD,
    CLI_OPTION_DHT_BOOTSTRAP,
    CLI_OPTION_ALLOW_LOCAL,
    CLI_OPTION_VERIFY,
    CLI_OPTION_ACCEPT_LOSS,
    CLI_OPTION_OVERWRITE,
    CLI_OPTION_JOURNAL_INTERVAL,
    CLI_OPTION_CACHE,
    CLI_OPTION_MIN_FREE,
    CLI_OPTION_ALLOC,
    CLI_OPTION_MAX_TIME,
    CLI_OPTION_STALL_TIMEOUT,
    CLI_OPTION_ON_DONE,
    CLI_OPTION_ON_ERROR,
    CLI_OPTION_FULL,
    CLI_OPTION_OLDER_THAN,
    CLI_OPTION_WATCH,
    CLI_OPTION_LIMIT,
    CLI_OPTION_REPAIR,
    CLI_OPTION_DATA,
    CLI_OPTION_HERE,
    CLI_OPTION_TRACKER,
    CLI_OPTION_WEB_SEED,
    CLI_OPTION_PIECE_LENGTH,
    CLI_OPTION_PRIVATE,
    CLI_OPTION_COMMENT,
    CLI_OPTION_FORCE,
    CLI_OPTION_FETCH,
    CLI_OPTION_SAVE_TORRENT,
    CLI_OPTION_JSON,
    CLI_OPTION_NDJSON,
    CLI_OPTION_PROGRESS,
    CLI_OPTION_DRY_RUN,
    CLI_OPTION_YES,
    CLI_OPTION_QUIET,
    CLI_OPTION_VERBOSE,
    CLI_OPTION_HELP,
    CLI_OPTION_VERSION,
    CLI_OPTION_N
};
/* A set of options, for the commands' descriptors. */
#define CLI_OPTION_BIT(id) (UINT64_C(1) << (id))

enum cli_option_type {
    CLI_TYPE_FLAG,    /* bool; --name, --name=false */
    CLI_TYPE_REPEAT,  /* uint64_t: how often it was given, -vv */
    CLI_TYPE_TEXT,    /* const char * */
    CLI_TYPE_LIST,    /* struct cli_list; repeatable */
    CLI_TYPE_NUMBER,  /* uint64_t in min..max */
    CLI_TYPE_SIZE,    /* uint64_t: K, M, G of 1024 */
    CLI_TYPE_SECONDS, /* uint64_t from "90", "90s", "60m", "2h", "1d" */
    CLI_TYPE_CHOICE,  /* uint64_t: index into `allowed`, words split by | */
    CLI_TYPE_SEED     /* const char *: none, forever, ratio:R, time:T */
};

struct cli_option {
    const char *name;
    char letter;     /* 0 = none */
    const char *arg; /* what the help calls its value; NULL for flags */
    enum cli_option_type type;
    size_t offset;       /* of its field in struct cli_options */
    const char *allowed; /* choices, or a text that says what is allowed */
    uint64_t min, max;   /* NUMBER, SIZE */
    const char *help;    /* one line */
};
/* By enum cli_option_id. */
extern const struct cli_option cli_option_table[CLI_OPTION_N];

enum cli_verify_choice {
    CLI_VERIFY_AUTO,
    CLI_VERIFY_FULL,
    CLI_VERIFY_NONE
};
enum cli_progress_choice {
    CLI_PROGRESS_AUTO,
    CLI_PROGRESS_BAR,
    CLI_PROGRESS_PLAIN,
    CLI_PROGRESS_JSON,
    CLI_PROGRESS_NONE
};

struct cli_list {
    const char **items; /* owns the array, borrows the texts */
    size_t n;
};

/* The values after all layers; 0 / NULL where nobody said anything. */
struct cli_options {
    struct { /* the database, and what is said */
        const char *db, *config;
        bool allow_network_db, repair, json, ndjson, quiet, help, version;
        uint64_t verbose, limit;
        uint64_t progress; /* enum cli_progress_choice */
    };
    struct { /* a torrent that is added */
        const char *dir, *out, *select, *exclude, *seed, *label;
        bool sequential, paused, accept_loss, overwrite;
        uint64_t down, up, max_peers; /* of a run, too */
        uint64_t alloc;               /* 0 sparse, 1 full */
        struct cli_list peers;
    };
    struct { /* a run of the engine */
        const char *bind, *on_done, *on_error;
        struct {
            bool dht, pex, lsd;
        } no; /* --no-dht, --no-pex, --no-lsd */
        bool allow_local;
        uint64_t port, journal_interval_ms, cache, min_free;
        uint64_t max_time_s, stall_timeout_s;
        uint64_t verify; /* enum cli_verify_choice */
        struct cli_list dht_bootstrap;
    };
    struct { /* a torrent that is made */
        const char *comment;
        bool is_private, force;
        uint64_t piece_length;
        struct cli_list trackers, web_seeds;
    };
    struct { /* single commands */
        struct {
            bool fetch;
            const char *save;
        } meta; /* the info dictionary: --fetch, --save-torrent */
        bool full, watch, data, here, dry_run, yes;
        uint64_t older_than_s;
    };

    uint64_t given;    /* options that somebody said something about */
    uint64_t typed;    /* options of the command line */
    char *config_path; /* owns; the file that was looked at, NULL = none */
    char **owned;      /* owns; texts that fields point into */
    size_t n_owned;
};

/* Where a value came from, for error texts. */
enum cli_layer {
    CLI_LAYER_OPTION,
    CLI_LAYER_ENVIRONMENT,
    CLI_LAYER_FILE
};
struct cli_origin {
    enum cli_layer layer;
    const char *file; /* FILE */
    unsigned line;
};

/* Sets one option from its text; USAGE with a text that names the option, the
 * value, where it came from and what is allowed. `value` must stay. */
int cli_options_set(struct cli_options *o, enum cli_option_id id,
                    const char *value, const struct cli_origin *from,
                    struct btc_error *e);
void cli_options_fini(struct cli_options *o);
bool cli_options_has(const struct cli_options *o, enum cli_option_id id);
/* CLI_OPTION_N = there is none of that name. */
enum cli_option_id cli_options_find(const char *name);
/* Keeps a copy of a text as long as `o`. */
const char *cli_options_keep(struct cli_options *o, const char *text);

#define CLI_OPTIONS_ENV_MAX 64 /* BTC_ and the longest name */
/* The environment's name of an option. */
void cli_options_env(char out[CLI_OPTIONS_ENV_MAX], const char *name);

/* Strict decimal: no sign, no blanks, no overflow. */
bool cli_options_parse_number(const char *text, uint64_t *out);
/* The word of `words` (NULL-ended) that `text` was probably meant to be; NULL =
 * none is near. */
const char *cli_options_nearest(const char *text, const char *const *words);

/* config.c: gives each `name = value` of an INI file to cli_options_set,
 * for the options in `set` that were not given above. A missing file is no
 * error unless `must`. */
int cli_config_load(struct cli_options *o, const char *path, bool must,
                    uint64_t set, struct btc_error *e);

/* layers.c */
/* The options of `set` that the environment has and nobody gave yet; 0 or
 * USAGE. */
int cli_options_load_env(struct cli_options *o, uint64_t set,
                         struct btc_error *e);
/* The environment's and the config file's values of the options in `set`, which
 * the command line did not set: those of the file first. */
int cli_options_load(struct cli_options *o, uint64_t set, struct btc_error *e);

#endif
