/* Disk jobs of a torrent; see jobs.h. */
#include "engine/jobs.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/vec.h"
#include "engine/turn.h"

#include <stdlib.h>

/* A run in the foreground begins so often anew with files that somebody else
 * changes, without a piece of it that is journaled in between. */
#define JOBS_CHANGED_MAX 3

struct store_job *jobs_new(struct engine_torrent *st, enum store_op op,
                           store_done_fn *done)
{
    struct store_job *job = mem_zalloc(sizeof(*job));
    job->op = op;
    job->store = st->store;
    job->done = done;
    job->ctx = st;
    job->fail.file = -1;
    st->n_jobs++;
    return job;
}

void jobs_done(struct engine_torrent *st)
{
    st->n_jobs--;
    turn_touch(st);
}

void jobs_free(struct store_job *job)
{
    free(job->spans);
    free(job->hashes.of_blocks);
    free(job->fds);
    free(job->prints);
    bits_fini(&job->scan.found);
    free(job);
}

void jobs_set_range(struct engine_torrent *st, struct store_job *job,
                    uint32_t piece, uint32_t begin, uint32_t len)
{
    struct layout_spans it;
    struct span s;
    uint32_t cap = 0;
    layout_spans_init(&it, &st->geom,
                      layout_piece_offset(&st->geom, piece) + begin, len);
    while (layout_spans_next(&it, &s)) {
        job->spans =
            vec_room(job->spans, job->n_spans, &cap, sizeof(*job->spans));
        job->spans[job->n_spans++] = (struct span){
            .file = s.file, .pad = s.pad, .offset = s.offset, .len = s.len};
    }
    job->tag = piece;
}

/* The latest counts: an earlier one may have been a bad spot that was fetched
 * again, or of another file. But of jobs that fail of the same thing one alone
 * may say that a file was changed. */
static void jobs_keep_failure(struct engine_torrent *st,
                              const struct store_job *job)
{
    if (st->disk_error && st->watch.disk_code == job->result &&
        st->watch.changed && !job->fail.changed) {
        return;
    }
    free(st->disk_error);
    st->watch.disk_code = job->result;
    st->watch.changed = job->fail.changed;
    if (job->op == STORE_HASH) {
        st->disk_error =
            mem_printf("existing data could not be read: %s", job->fail.text);
    } else {
        st->disk_error = mem_strdup(job->fail.text);
    }
}

const char *jobs_failure(const struct engine_torrent *st, int code)
{
    if (st->disk_error && st->watch.disk_code == code) {
        return st->disk_error;
    }
    return NULL;
}

void jobs_note_failure(struct engine_torrent *st, const struct store_job *job)
{
    if (job->result == 0 || job->result == BTC_E_HASH ||
        job->result == BTC_E_CANCELLED) {
        return;
    }
    bool mends = job->op == STORE_PREFETCH || job->result == BTC_E_SHORT;
    if (!mends && job->fail.text[0] != '\0') {
        jobs_keep_failure(st, job);
    }
    log_write(LOG_INFO, "disk", "%s: %s", err_name(job->result),
              job->fail.text);
}

/* A run that follows wishes waits a while and begins anew. One in the
 * foreground would be over, although nothing is amiss that a look at the files
 * would not mend. */
void jobs_post_failed(struct engine_torrent *st, int code, const char *text,
                      bool changed)
{
    struct torrent_watch *w = &st->watch;
    if (changed && w->anew) {
        return; /* a job that was under way beside the one that told it */
    }
    if (changed && !st->s->o.follow_wishes && st->life.state == LIFE_RUNNING &&
        w->n_changed < JOBS_CHANGED_MAX) {
        w->n_changed++;
        w->anew = true;
        log_write(LOG_WARN, "disk", "%s", text);
        turn_post(st, LIFE_AGAIN);
    } else {
        turn_post_failed(st, code, text);
    }
}
