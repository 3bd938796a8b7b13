/* The whole of get and add: what their options say, the sources loaded, then
 * --dry-run or the command's own work. */
#include <unistd.h>

#include "cli/sources.h"

/* From the command line. */
struct btc_add_options cli_sources_options(const struct cli *c,
                                           const char *seed)
{
    const struct cli_options *o = &c->o;

    return (struct btc_add_options){.dir = o->dir,
                                    .name = o->out,
                                    .select = o->select,
                                    .exclude = o->exclude,
                                    .torrent_file = o->meta.save,
                                    .seed = front_text_or(o->seed, seed),
                                    .label = o->label,
                                    .sequential = o->sequential,
                                    .paused = o->paused,
                                    .alloc_full = o->alloc == 1,
                                    .accept_loss = o->accept_loss,
                                    .overwrite = o->overwrite,
                                    .max_peers = (uint32_t)o->max_peers,
                                    .peers = o->peers.items,
                                    .n_peers = o->peers.n};
}

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
