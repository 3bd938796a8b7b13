/* CREATE, shared by several workers: to make a file costs more than to write a
 * small one, and nothing is fetched before all of them are there.
 *
 * Each worker gets a job of its own with some of the files, so nothing that a
 * job tells is told by two. Where one fails, the others end early. Who is done
 * last decides what becomes of all: where not every file could be made, those
 * that were go again.
 */
#include "store/parts.h"
#include "store/internal.h"

#include "base/mem.h"
#include "base/num.h"
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

/* Fewest files that are worth another worker. */
#define STORE_PART_FILES 256u

/* The CREATE of the caller. */
struct store_whole {
    struct store_job *job;      /* borrows */
    struct store_job *jobs;     /* owns; what the workers get */
    struct store_part *parts;   /* owns; of each */
    struct fingerprint *prints; /* the caller's when all went well */
    uint32_t n_parts;
    uint32_t n_out;        /* not back yet; the loop thread's */
    atomic_uint n_running; /* not done yet */
    atomic_bool failed;    /* the others need not go on */
};

/* The last worker that has done its part: what becomes of the whole. */
static void store_parts_end(const struct store_whole *w)
{
    bool failed = false;
    for (uint32_t i = 0; i < w->n_parts; i++) {
        failed |= w->jobs[i].result != 0;
    }
    for (uint32_t i = 0; failed && i < w->n_parts; i++) {
        store_create_undo(&w->jobs[i]);
    }
    if (failed) {
        store_create_undo_dirs(w->job->store);
        store_hold_release(w->job->store);
    }
}

/* CREATE of some files. */
void store_run_create(struct store_worker *worker, struct store_job *job)
{
    const struct store_tree *s = job->store;
    const struct store_part *part = job->create.part;
    struct store_whole *w = part->whole;
    (void)worker;
    if (!store_tree_has_root(s)) {
        store_fail(job, STORE_NO_FILE, s->save_path, ENOENT);
    }
    for (uint32_t i = part->from;
         i < part->to && job->result == 0 && !atomic_load(&w->failed); i++) {
        bool wanted = !job->select || bits_get(job->select, i);
        if (wanted && !s->layout[i].pad) {
            store_create_file(job, i);
        }
    }
    if (job->result != 0) {
        atomic_store(&w->failed, true);
    }
    if (atomic_fetch_sub(&w->n_running, 1) == 1) {
        store_parts_end(w);
    }
}

/* A part came back to the loop. Of several that failed the first one tells. */
static void store_parts_back(struct store_job *job)
{
    struct store_whole *w = job->ctx;
    if (--w->n_out > 0) {
        return;
    }
    struct store_job *whole = w->job;
    whole->prints = w->prints;
    for (uint32_t i = 0; i < w->n_parts; i++) {
        struct store_job *part = &w->jobs[i];
        if (part->result != 0 && whole->result == 0) {
            whole->result = part->result;
            whole->fail = part->fail;
            whole->create.may_insist = part->create.may_insist;
        }
        bits_fini(&w->parts[i].made);
    }
    if (whole->result != 0) {
        free(whole->prints);
        whole->prints = NULL;
    }
    free(w->jobs);
    free(w->parts);
    free(w);
    whole->done(whole);
}

uint32_t store_parts_of(struct store_job *job, uint32_t n_workers,
                        struct store_job **parts)
{
    struct store_tree *s = job->store;
    uint32_t n = num_min_u32(n_workers, s->n_files / STORE_PART_FILES + 1);
    struct store_whole *w = mem_zalloc(sizeof(*w));
    w->job = job;
    w->n_parts = w->n_out = n;
    w->prints = mem_calloc(s->n_files, sizeof(*w->prints));
    w->jobs = mem_calloc(n, sizeof(*w->jobs));
    w->parts = mem_calloc(n, sizeof(*w->parts));
    atomic_init(&w->n_running, n);
    store_tree_label(s, job->create.label);
    for (uint32_t i = 0; i < n; i++) {
        struct store_part *part = &w->parts[i];
        part->whole = w;
        part->from = (uint32_t)((uint64_t)s->n_files * i / n);
        part->to = (uint32_t)((uint64_t)s->n_files * (i + 1) / n);
        int err = bits_init(&part->made, s->n_files);
        BTC_ASSERT(err == 0); /* metainfo limits the files */
        w->jobs[i] = *job;
        w->jobs[i].done = store_parts_back;
        w->jobs[i].ctx = w;
        w->jobs[i].prints = w->prints;
        w->jobs[i].create.part = part;
    }
    *parts = w->jobs;
    return n;
}
