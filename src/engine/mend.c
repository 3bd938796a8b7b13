/* See mend.h. The HASH job counts for the torrent while others are asked, so
 * that lives. */
#include "engine/mend.h"

#include "base/mem.h"
#include "engine/facts.h"
#include "engine/jobs.h"
#include "engine/others.h"
#include "engine/turn.h"

#include <stdio.h>
#include <stdlib.h>

#define MEND_PATH_MAX 80 /* bytes of a path that are shown */

/* A verdict that waits. */
struct mend {
    struct engine_torrent *st; /* borrows */
    struct store_job *hashed;  /* owns until it is done */
    store_done_fn *done;
};

/* Another has the file: it is not written. */
static void mend_refuse(const struct mend *m, const struct journal_other *o)
{
    char help[112];
    char text[TORRENT_ERROR_MAX];
    others_text(m->st, o, help, sizeof(help));
    (void)snprintf(text, sizeof(text), "%.*s: piece %u is bad on disk; %s",
                   MEND_PATH_MAX, facts_path(m->st, o->file),
                   (unsigned)(uint32_t)m->hashed->tag, help);
    others_forbid(m->st, o);
    jobs_post_failed(m->st, BTC_E_EXISTS, text, false);
}

/* One who has a file, or all have been told of. */
static void mend_found(void *ctx, const struct journal_other *o)
{
    struct mend *m = ctx;
    if (o) {
        mend_refuse(m, o);
        return;
    }
    struct store_job *hashed = m->hashed;
    store_done_fn *done = m->done;
    free(m);
    done(hashed);
}

void mend_ask(struct store_job *job, store_done_fn *done)
{
    struct engine_torrent *st = job->ctx;
    struct mend *m = mem_zalloc(sizeof(*m));
    struct journal_owned *files = mem_array(job->n_spans, sizeof(*files));
    size_t n = 0;
    *m = (struct mend){.st = st, .hashed = job, .done = done};
    for (uint32_t i = 0; i < job->n_spans && !st->s->o.check_only; i++) {
        uint32_t file = job->spans[i].file;
        if (!job->spans[i].pad && st->rows.state[file].has_print) {
            files[n++] = (struct journal_owned){
                .file = file,
                .print = journal_file_print(&st->rows.state[file])};
        }
    }
    others_who(st, files, n, mend_found, m);
}
