/* The core's actions carried out with io; results of io as events of the core.
 *
 * An object that an asynchronous job names lives until the job is back:
 * torrents count their jobs, links their references.
 */
#include "engine/drive.h"

#include "engine/facts.h"
#include "engine/final_look.h"
#include "engine/infos.h"
#include "engine/jobs.h"
#include "engine/judge.h"
#include "engine/links.h"
#include "engine/magnet.h"
#include "engine/mend.h"
#include "engine/nodes.h"
#include "engine/pipes.h"
#include "engine/reach.h"
#include "engine/report.h"
#include "engine/scrapes.h"
#include "engine/trackers.h"
#include "engine/turn.h"
#include "engine/uploads.h"

/* Answer to FINISH. */
static void drive_on_finished(struct store_job *job)
{
    struct engine_torrent *st = job->ctx;
    struct event ev = {.type = EVENT_FINISHED,
                       .piece = (uint32_t)job->tag,
                       .result = job->result};
    ev.finished.block_hashes =
        (const uint8_t(*)[SHA1_LEN])job->hashes.of_blocks;
    ev.finished.unwritten = job->fail.unwritten;
    jobs_done(st);
    jobs_note_failure(st, job);
    turn_input(st, &ev);
    jobs_free(job);
}

/* Answer to WRITE. */
static void drive_on_written(struct store_job *job)
{
    struct engine_torrent *st = job->ctx;
    struct event ev = {.type = EVENT_WRITTEN,
                       .piece = (uint32_t)job->tag,
                       .result = job->result};
    ev.finished.block_hashes =
        (const uint8_t(*)[SHA1_LEN])job->hashes.of_blocks;
    jobs_done(st);
    pipes_end_write(st->s, (uint32_t)(job->tag >> 32));
    jobs_note_failure(st, job);
    turn_input(st, &ev);
    jobs_free(job);
}

/* The verdict is the core's. Data kept from an earlier run may not be durable
 * yet. */
static void drive_judged(struct store_job *job)
{
    struct engine_torrent *st = job->ctx;
    struct event ev = {.type = EVENT_HASHED,
                       .piece = (uint32_t)job->tag,
                       .result = job->result};
    jobs_done(st);
    if (job->result == BTC_E_IO) {
        facts_event(st, LEVEL_WARN, "read-error", job->fail.text);
    }
    jobs_note_failure(st, job);
    for (uint32_t i = 0; job->result == 0 && i < job->n_spans; i++) {
        if (!job->spans[i].pad) {
            store_mark_dirty(st->store, job->spans[i].file);
        }
    }
    turn_input(st, &ev);
    jobs_free(job);
    st->s->hash_free |=
        st->s->shared.content.hash_busy < st->s->shared.content.hash_jobs;
}

/* Answer to HASH. What is lost is fetched and written anew: into a file that
 * was whole, so nobody has asked yet who else has it. Where a file is absent
 * that was there when the torrent began, its drive may be away: a new look at
 * all of them tells (trust.h), and until then nothing is lost. */
static void drive_on_hashed(struct store_job *job)
{
    bool lost = job->result != 0 && job->result != BTC_E_CANCELLED &&
                job->result != BTC_E_STORAGE;
    if (lost && job->hashes.claimed) {
        mend_ask(job, drive_judged);
    } else {
        drive_judged(job);
    }
}

/* FINISH, WRITE, HASH. */
static void drive_disk(struct engine_torrent *st, const struct action *a,
                       enum store_op op, store_done_fn *done)
{
    struct store_job *job = jobs_new(st, op, done);
    jobs_set_range(st, job, a->piece, 0,
                   layout_piece_size(&st->geom, a->piece));
    if (a->type == ACTION_WRITE) {
        job->tag |= (uint64_t)pipes_begin_write(st) << 32;
    }
    if (a->type == ACTION_HASH) {
        job->low = true;
        job->hashes.claimed = a->claimed;
    } else {
        job->blocks = a->write.blocks;
        job->n_blocks = a->write.n_blocks;
        job->hashes.wanted = a->write.want_block_hashes;
    }
    if (a->type == ACTION_WRITE) {
        store_submit(st->s->disk, job); /* no verdict */
    } else {
        infos_submit(st, job, a->piece);
    }
}

/* What the core cannot go on with. */
static void drive_failed(struct engine_torrent *st, const struct action *a)
{
    const char *text = jobs_failure(st, a->notify.result);
    bool changed = false;
    if (!text) {
        text = a->notify.text;
    } else {
        changed = st->watch.changed && a->notify.result == BTC_E_STORAGE;
    }
    jobs_post_failed(st, a->notify.result, text, changed);
}

/* ACTION_NOTIFY. */
static void drive_notify(struct engine_torrent *st, const struct action *a)
{
    facts_stat(st);
    switch (a->notify.type) {
    case NOTIFY_STATE:
        if (torrent_is_stopped(st->t)) {
            turn_post(st, LIFE_STOPPED);
        } else {
            report_tell_state(st);
        }
        break;
    case NOTIFY_PIECE:
        facts_fresh_piece(st, a->piece);
        break;
    case NOTIFY_FILE:
        facts_fresh_file(st, a->notify.file);
        break;
    case NOTIFY_COMPLETE:
        facts_complete(st);
        break;
    case NOTIFY_CHECKED:
        judge_checked(st);
        facts_checked(st);
        break;
    case NOTIFY_METADATA:
        magnet_whole(st);
        break;
    case NOTIFY_ERROR:
        drive_failed(st, a);
        break;
    }
}

/* ACTION_PERSIST. */
static void drive_fact(struct engine_torrent *st, const struct action *a)
{
    if (a->fact.type == FACT_PIECE_LOST) {
        final_look_owe(st);
    }
    if (a->fact.type == FACT_METADATA) {
        magnet_piece(st, a->piece);
    } else if (a->fact.type == FACT_METADATA_LOST) {
        magnet_lost(st);
    } else {
        facts_put(st, a);
    }
}

/* One action. */
static void drive_do(struct engine_torrent *st, const struct action *a)
{
    switch (a->type) {
    case ACTION_CONNECT:
        links_connect(st, a->conn, &a->addr);
        break;
    case ACTION_CLOSE:
        links_close(st, a->conn);
        break;
    case ACTION_SEND:
        links_send(st, a->conn, a->data);
        break;
    case ACTION_UPLOAD:
        uploads_start(st, a);
        break;
    case ACTION_FINISH:
        drive_disk(st, a, STORE_FINISH, drive_on_finished);
        break;
    case ACTION_WRITE:
        drive_disk(st, a, STORE_WRITE, drive_on_written);
        break;
    case ACTION_HASH:
        drive_disk(st, a, STORE_HASH, drive_on_hashed);
        break;
    case ACTION_ANNOUNCE:
        trackers_announce(st, a);
        break;
    case ACTION_SCRAPE:
        scrapes_start(st, a->announce.tracker);
        break;
    case ACTION_PERSIST:
        drive_fact(st, a);
        break;
    case ACTION_NODE:
        nodes_add(reach_nodes(st->s->reach), &a->addr);
        break;
    case ACTION_INFO:
        infos_want(st);
        break;
    case ACTION_NOTIFY:
        drive_notify(st, a);
        break;
    }
}

/* An action that fails at once is an event of the core, and that may cause more
 * actions. */
void drive_drain(struct engine_torrent *st)
{
    struct action a;
    if (st->t == NULL || st->turn.draining) {
        return;
    }
    st->turn.draining = true;
    while (torrent_next_action(st->t, &a)) {
        drive_do(st, &a);
    }
    st->turn.draining = false;
}
