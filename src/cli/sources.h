/* The sources of get and add: loading them, and adding them to the database. */
#ifndef BTC_CLI_SOURCES_H
#define BTC_CLI_SOURCES_H

#include "cli/cli.h"
#include "front/json.h"

struct cli_source {
    struct btc_source *source; /* owns; NULL: forgotten */
    const char *word;          /* borrows; as it was given */
    int64_t id;                /* once added */
    bool known;                /* it was there already */
};
struct cli_sources {
    struct cli_source *items; /* owns; those that are good */
    size_t n;
    size_t n_failed;
    int status;     /* of the first that failed */
    json_t *errors; /* owns; an object per failure */
    char *kind;     /* owns; what was wrong with the last one that was told */
    size_t n_same;  /* and with so many since */
};

/* The options of an addition from the command line. */
struct btc_add_options cli_sources_options(const struct cli *c,
                                           const char *seed);
/* Loads one; a URL is fetched as --bind and --max-time say, also when the
 * config file says it. */
int cli_sources_open(const struct cli *c, const char *word, unsigned flags,
                     struct btc_source **out, struct btc_error *e);
/* Loads every argument; failures are said and counted. */
void cli_sources_load(struct cli *c, struct cli_sources *s);
/* Adds all to the database; what fails is taken out of the list. */
void cli_sources_add(struct cli *c, struct btc *b,
                     const struct btc_add_options *o, struct cli_sources *s);
/* They are in the database: their contents are not needed here any more. */
void cli_sources_forget(struct cli_sources *s);
void cli_sources_fini(struct cli_sources *s);
/* The status when everything else went well: 0, the one failure's own, SOME. */
int cli_sources_status(const struct cli *c, const struct cli_sources *s);
/* Says that nothing is left to be done, as an object, too. */
int cli_sources_fail(struct cli *c, const struct cli_sources *s);
/* How many had the failure that was told last. */
void cli_sources_tell_same(struct cli *c, struct cli_sources *s);
/* Says a failure and counts it; one that is like the one before is only
 * counted. */
void cli_sources_note(struct cli *c, struct cli_sources *s, const char *word,
                      const struct btc_error *e);
/* --dry-run (dry_run.c): what would be fetched, and where to. Exit status.
 */
int cli_sources_show(struct cli *c, struct cli_sources *s);

/* sources_run.c */
/* The whole of get and add: loads the sources, then --dry-run or `use`. */
int cli_sources_run(struct cli *c,
                    int (*use)(struct cli *c, struct cli_sources *s));

#endif
