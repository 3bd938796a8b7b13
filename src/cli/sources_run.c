/* The whole of get and add: the sources loaded, then --dry-run or the command's
 * own work. */
#include <unistd.h>

#include "cli/sources.h"

int cli_sources_run(struct cli *c,
                    int (*use)(struct cli *c, struct cli_sources *s))
{
    struct cli_sources s;
    int status = 0;

    if ((c->o.out != NULL || c->o.meta.save != NULL) && c->n_args > 1) {
        return cli_fail_text(c, BTC_STATUS_USAGE,
                             "--%s names one download, here are %zu sources; "
                             "give them one by one",
                             c->o.out != NULL ? "out" : "save-torrent",
                             c->n_args);
    }
    if (c->o.meta.save != NULL && access(c->o.meta.save, F_OK) == 0) {
        return cli_fail_text(c, BTC_STATUS_EXISTS, "'%s' exists already",
                             c->o.meta.save);
    }
    cli_sources_load(c, &s);
    if (s.n == 0) {
        status = cli_sources_fail(c, &s);
    } else if (c->o.dry_run) {
        status = cli_sources_show(c, &s);
    } else {
        status = use(c, &s);
    }
    cli_sources_fini(&s);
    return status;
}
