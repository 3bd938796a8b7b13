/* See mend.h. The journal is asked about the files of the piece, then those
 * that it names are looked at on disk, one file after the other. The HASH job
 * counts for the torrent all the time, so that lives. */
#include "engine/mend.h"

#include "base/mem.h"
#include "engine/facts.h"
#include "engine/jobs.h"
#include "engine/others.h"
#include "engine/turn.h"

#include <stdio.h>
#include <stdlib.h>

#define MEND_PATH_MAX 80 /* bytes of a path that are shown */

/* A question that is out. */
struct mend {
    struct engine_torrent *st; /* borrows */
    struct store_job *hashed;  /* owns until it is done */
    store_done_fn *done;
    struct journal_owned *files; /* owns; of the piece */
    size_t n_files;
    struct journal_others found;     /* owns */
    size_t next;                     /* of `found`: the first of a file */
    struct store_look_place *places; /* owns */
    struct store_job look;           /* the one that is out */
};

/* The verdict may go on. */
static void mend_end(struct mend *m)
{
    struct store_job *hashed = m->hashed;
    store_done_fn *done = m->done;
    journal_others_fini(&m->found);
    free(m->files);
    free(m->places);
    free(m);
    done(hashed);
}

/* Another has the file: it is not written. */
static void mend_refuse(struct mend *m, const struct journal_other *o)
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

static void mend_look(struct mend *m);

/* How many of `found` are of the file that is looked at. */
static size_t mend_n_of_file(const struct mend *m)
{
    size_t end = m->next;
    while (end < m->found.n &&
           m->found.list[end].file == m->found.list[m->next].file) {
        end++;
    }
    return end - m->next;
}

/* Answer to LOOK. What cannot be looked at may be the other's. */
static void mend_looked(struct store_job *job)
{
    struct mend *m = job->ctx;
    size_t n = mend_n_of_file(m);
    if (job->result != 0) {
        mend_refuse(m, &m->found.list[m->next]);
    } else if (job->look.other < n) {
        mend_refuse(m, &m->found.list[m->next + job->look.other]);
    }
    m->next += n;
    mend_look(m);
}

/* The next file that others may have. */
static void mend_look(struct mend *m)
{
    const struct journal_other *first = &m->found.list[m->next];
    if (m->next >= m->found.n) {
        mend_end(m);
        return;
    }
    size_t n = mend_n_of_file(m);
    free(m->places);
    m->places = others_places(first, n);
    m->look = (struct store_job){.op = STORE_LOOK,
                                 .store = m->st->store,
                                 .done = mend_looked,
                                 .ctx = m,
                                 .look = {.file = first->file,
                                          .others = m->places,
                                          .n_others = (uint32_t)n},
                                 .fail.file = -1};
    store_submit(m->st->s->disk, &m->look);
}

/* On the database thread. */
static void mend_read(void *ctx, struct journal *db)
{
    struct mend *m = ctx;
    (void)journal_owner_others(db, m->st->id, m->files, m->n_files, &m->found);
}

static void mend_answered(void *ctx)
{
    mend_look(ctx);
}

void mend_ask(struct store_job *job, store_done_fn *done)
{
    struct engine_torrent *st = job->ctx;
    struct mend *m = mem_zalloc(sizeof(*m));
    *m = (struct mend){.st = st, .hashed = job, .done = done};
    m->files = mem_array(job->n_spans, sizeof(*m->files));
    for (uint32_t i = 0; i < job->n_spans; i++) {
        uint32_t file = job->spans[i].file;
        if (!job->spans[i].pad && st->rows.state[file].has_print) {
            m->files[m->n_files++] = (struct journal_owned){
                .file = file,
                .print = journal_file_print(&st->rows.state[file])};
        }
    }
    if (m->n_files == 0 || st->s->o.check_only) {
        mend_end(m);
    } else {
        journal_thread_call(st->s->journal_thread, mend_read, mend_answered, m);
    }
}
