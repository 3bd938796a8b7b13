/* A torrent that is wished away: it stops, its files go if that is wished, then
 * its rows go with the next commit, and with them the object.
 */
#include "app/session_int.h"
#include "base/mem.h"
#include <stdlib.h>

/* What remains of it is a row in somebody's snapshot: see session_is_removed.
 */
static void remove_remember(struct session *s, int64_t id)
{
    if (s->n_removed == s->removed_cap) {
        s->removed_cap = s->removed_cap > 0 ? s->removed_cap * 2 : 16;
        s->removed = mem_resize(s->removed, s->removed_cap, sizeof *s->removed);
    }
    s->removed[s->n_removed++] = id;
}

/* See session_int.h. */
bool session_is_removed(const struct session *s, int64_t id)
{
    for (size_t i = 0; i < s->n_removed; i++) {
        if (s->removed[i] == id) {
            return true;
        }
    }
    return false;
}

/* The rows go with the next commit, and so does the object. */
static void remove_forget(struct session_torrent *st)
{
    struct session *s = st->s;
    session_journal_forget(st);
    db_del_torrent(s->batch, st->id);
    db_put_event(s->batch, 0, DB_LEVEL_INFO, "removed", st->row.name);
    s->journal_now = true;
    remove_remember(s, st->id);
    session_torrent_free(st);
}

/* The data stays, so the rows stay: nobody would find it again. The wish is
 * tried again after a while. */
static void remove_failed(struct session_torrent *st, int code,
                          const char *text)
{
    st->remove = st->remove_data = false;
    session_torrent_fail(st, code, text);
}

/* The files are gone, or could not be removed. */
static void remove_deleted(struct disk_job *job)
{
    struct session_torrent *st = job->ctx;
    session_job_done(st);
    st->deleting = false;
    if (job->result < 0) {
        remove_failed(st, job->result, job->error);
    } else {
        st->remove_data = false;
    }
    if (st->row.wanted == DB_WANTED_RUN || st->row.wanted == DB_WANTED_PAUSE) {
        st->remove = st->remove_data = false; /* wished back, too late */
        st->restart = st->row.wanted == DB_WANTED_RUN;
    }
    session_job_free(job);
    session_wake(st->s);
}

/* The files, whose names stand in the rows: those are read first. */
static void remove_data(struct session_torrent *st)
{
    if (st->store == NULL && st->meta == NULL && st->load_error.code == 0) {
        session_torrent_reload(st);
        return;
    }
    if (st->load_error.code != 0) {
        remove_failed(st, st->load_error.code, st->load_error.msg);
        return;
    }
    if (st->store == NULL) {
        session_torrent_open_store(st);
    }
    st->deleting = true;
    disk_submit(st->s->disk, session_job(st, DISK_DELETE, remove_deleted));
}

/* See session.h. */
bool session_torrent_delete(struct session_torrent *st)
{
    if (st->s->journal != JOURNAL_IDLE) {
        return false; /* its rows are on their way */
    }
    if (st->remove_data) {
        remove_data(st);
        return false;
    }
    remove_forget(st);
    return true;
}
