/* Magnets in a run; see magnet.h. */
#include "engine/magnet.h"

#include "base/log.h"
#include "base/mem.h"
#include "engine/facts.h"
#include "engine/jobs.h"
#include "engine/place.h"
#include "engine/report.h"
#include "engine/turn.h"
#include "journal/load.h"
#include "journal/magnet.h"
#include <stdlib.h>
#include <string.h>

#define MAGNET_CHOICE_MAX (1u << 24) /* bytes of so= */

struct magnet_state {
    struct journal_magnet row; /* owns */
};

/* What is to be told when all is journaled. */
struct magnet_note {
    const char *kind; /* borrows */
    char *text;       /* owns */
    struct magnet_note *next;
};

/* Something for the database thread. */
struct magnet_job {
    struct engine_torrent *st; /* borrows; counts as a job of it */
    int64_t id;
    uint32_t size, piece;
    uint8_t *data; /* owns */
    size_t len;
    struct metainfo *meta;      /* owns; of a dictionary that is whole */
    struct journal_magnet row;  /* owns; what is wished by then */
    struct journal_add add;     /* points into the rest */
    struct journal_file *files; /* owns, and their paths */
    char *name, *save_path;     /* own */
    struct magnet_note *notes;  /* owns */
    bool is_known;              /* somebody else has told the database first */
    int code;
    struct err e;
};

int magnet_load(struct journal *db, int64_t id, struct magnet_state **out,
                struct err *e)
{
    struct magnet_state *m = mem_zalloc(sizeof *m);
    int err = journal_load_magnet(db, id, &m->row, e);
    if (err != 0) {
        magnet_free_state(m);
        m = NULL;
    }
    *out = m;
    return err;
}

void magnet_free_state(struct magnet_state *m)
{
    if (m != NULL) {
        journal_magnet_fini(&m->row);
        free(m);
    }
}

void magnet_restore(struct engine_torrent *st)
{
    const struct journal_magnet *row = &st->net.magnet->row;
    for (size_t i = 0; i < row->n_pieces; i++) {
        const struct journal_metadata *p = &row->pieces[i];
        torrent_restore_metadata(st->t, row->size, p->piece,
                                 slice_of(p->data, p->len));
    }
}

/* --- jobs of the database thread --- */

static struct magnet_job *magnet_job_new(struct engine_torrent *st)
{
    struct magnet_job *j = mem_zalloc(sizeof *j);
    j->st = st;
    j->id = st->id;
    st->n_jobs++;
    return j;
}

static void magnet_job_free(struct magnet_job *j)
{
    journal_files_free(j->files, j->meta != NULL ? j->meta->n_files : 0);
    metainfo_free(j->meta);
    journal_magnet_fini(&j->row);
    while (j->notes != NULL) {
        struct magnet_note *note = j->notes;
        j->notes = note->next;
        free(note->text);
        free(note);
    }
    free(j->name);
    free(j->save_path);
    free(j->data);
    free(j);
}

static void magnet_put(void *ctx, struct journal *db)
{
    struct magnet_job *j = ctx;
    j->code = journal_put_metadata(db, j->id, j->size, j->piece,
                                   slice_of(j->data, j->len), &j->e);
}

static void magnet_drop(void *ctx, struct journal *db)
{
    struct magnet_job *j = ctx;
    j->code = journal_drop_metadata(db, j->id, &j->e);
}

/* A piece that could not be journaled is asked for again in the next run. */
static void magnet_put_done(void *ctx)
{
    struct magnet_job *j = ctx;
    jobs_done(j->st);
    magnet_job_free(j);
}

void magnet_piece(struct engine_torrent *st, uint32_t piece)
{
    struct torrent_metadata m;
    struct slice data = torrent_metadata_piece(st->t, piece);
    struct magnet_job *j = magnet_job_new(st);
    torrent_get_metadata(st->t, &m);
    j->size = m.size;
    j->piece = piece;
    j->data = mem_dup(data.p, data.len);
    j->len = data.len;
    facts_stat(st);
    journal_thread_call(st->s->journal_thread, magnet_put, magnet_put_done, j);
}

void magnet_lost(struct engine_torrent *st)
{
    struct magnet_job *j = magnet_job_new(st);
    journal_thread_call(st->s->journal_thread, magnet_drop, magnet_put_done, j);
}

/* --- the whole dictionary --- */

/* A line of the log, when it is told that the files are known. */
static void magnet_note(struct magnet_job *j, const char *kind,
                        const char *text)
{
    struct magnet_note *note = mem_zalloc(sizeof(*note));
    note->kind = kind;
    note->text = mem_strdup(text);
    LL_APPEND(j->notes, note);
}

/* The link's own choice without the indexes that no file has; NULL = nothing is
 * left of it. free(). */
static char *magnet_link_choice(struct magnet_job *j, const char *list)
{
    uint64_t number = 0;
    bool left_out = false;
    struct buf b;
    char *text = NULL;
    buf_init(&b, MAGNET_CHOICE_MAX);
    for (const char *at = list; *at != '\0';) {
        size_t len = strcspn(at, ",");
        bool good = bytes_parse_u64(slice_of(at, len), &number) &&
                    number >= 1 && number <= j->meta->n_files &&
                    !j->meta->files[number - 1].pad;
        left_out |= !good;
        if (good) {
            (void)buf_append_str(&b, buf_len(&b) > 0 ? "," : "");
            (void)buf_append(&b, at, len);
        }
        at += len;
        at += *at == ',' ? 1 : 0;
    }
    if (left_out) {
        magnet_note(j, "select-left-out",
                    "the link chooses files that the torrent does not have: "
                    "left out");
    }
    if (buf_len(&b) > 0) {
        text = buf_take_str(&b);
    }
    buf_fini(&b);
    return text;
}

/* Priorities that were wished for before. */
static void magnet_priorities(struct magnet_job *j)
{
    bool left_out = false;
    for (size_t i = 0; i < j->row.n_files; i++) {
        uint32_t file = j->row.files[i].file;
        if (file < j->meta->n_files && !j->meta->files[file].pad) {
            j->files[file].state.priority = j->row.files[i].priority;
        } else {
            left_out = true;
        }
    }
    if (left_out) {
        magnet_note(j, "priority-left-out",
                    "there are priorities of files that the torrent does not "
                    "have: left out");
    }
}

/* Rows of the files, as they are chosen and called. */
static int magnet_files(struct magnet_job *j)
{
    const struct journal_magnet *row = &j->row;
    struct place_wish w = {.select = row->selected,
                           .exclude = row->excluded,
                           .name = row->out_name,
                           .name_max = place_name_max(j->save_path)};
    size_t n_shortened = 0;
    char *link = NULL;
    if (row->selected == NULL && row->link_selected != NULL) {
        link = magnet_link_choice(j, row->link_selected);
        w.select = link;
    }
    int code = place_files(j->meta, &w, &j->files, &n_shortened, &j->e);
    free(link);
    if (code != 0) {
        return code;
    }
    magnet_priorities(j);
    j->name = place_name(j->meta, &w, j->files);
    if (n_shortened > 0) {
        magnet_note(j, "names-shortened",
                    "files have names that the file system cannot hold: "
                    "shortened, `btc files` shows them");
    }
    return 0;
}

/* What the rows will be. */
static int magnet_prepare(struct magnet_job *j)
{
    int code = metainfo_parse_info(slice_of(j->data, j->len), &j->meta, &j->e);
    if (code == 0) {
        code = magnet_files(j);
    }
    if (code != 0) {
        return code;
    }
    const struct metainfo *m = j->meta;
    j->add = (struct journal_add){
        .info = m->info, .info_len = m->info_len, .files = j->files};
    struct journal_torrent *t = &j->add.torrent;
    t->name = j->name;
    t->save_path = j->save_path;
    t->is_private = m->is_private;
    t->total_size = m->total_size;
    t->piece_length = m->piece_length;
    t->n_pieces = m->n_pieces;
    t->n_files = m->n_files;
    return 0;
}

/* The wishes as they stand now become rows. */
static int magnet_learn_rows(struct magnet_job *j, struct journal *db)
{
    int code = journal_load_magnet(db, j->id, &j->row, &j->e);
    j->is_known = code == BTC_E_NOTFOUND;
    if (code == 0) {
        code = magnet_prepare(j);
    }
    if (code == 0) {
        struct store_own *own = store_own_new(journal_path(db));
        code = place_conflict(db, own, &j->add, &j->e);
        store_own_free(own);
    }
    if (code == 0) {
        code = journal_learn(db, j->id, &j->add, &j->e);
    }
    return code;
}

/* On the database thread. Somebody else may have told the database meanwhile:
 * that is as good. */
static void magnet_learn(void *ctx, struct journal *db)
{
    struct magnet_job *j = ctx;
    j->code = journal_begin(db, &j->e);
    if (j->code != 0) {
        return;
    }
    j->code = magnet_learn_rows(j, db);
    j->code = journal_end(db, j->code, &j->e);
}

/* The row as it stands in the journal now. */
static void magnet_take_row(struct engine_torrent *st,
                            const struct magnet_job *j)
{
    const struct journal_torrent *t = &j->add.torrent;
    if (strcmp(st->row.name, st->net.magnet->row.given_name) == 0) {
        free(st->row.name);
        st->row.name = mem_strdup(j->name);
    }
    st->row.is_private = t->is_private;
    st->row.total_size = t->total_size;
    st->row.piece_length = t->piece_length;
    st->row.n_pieces = t->n_pieces;
    st->row.n_files = t->n_files;
    st->stat.bytes_done = st->stat.bytes_total = 0;
}

/* With its content known the torrent begins anew and its core goes on, unless
 * the run is for nothing more. */
static void magnet_go_on(struct engine_torrent *st)
{
    if (st->s->o.metadata_only) {
        st->asked = false;
    } else {
        turn_post(st, LIFE_LEARNED);
    }
}

/* What is to be said of it. */
static void magnet_tell(struct engine_torrent *st, const struct magnet_job *j)
{
    report_tell_type(st, BTC_EVENT_METADATA);
    facts_event(st, LEVEL_INFO, "metadata", "the metadata is here and right");
    for (const struct magnet_note *n = j->notes; n != NULL; n = n->next) {
        facts_event(st, LEVEL_WARN, n->kind, n->text);
    }
}

/* It stands in the journal, or cannot. When somebody else has told the database
 * first, the news of that comes as a wish. */
static void magnet_end(void *ctx)
{
    struct magnet_job *j = ctx;
    struct engine_torrent *st = j->st;
    if (j->is_known) {
        log_write(LOG_DEBUG, "magnet", "%s", j->e.msg);
    } else if (j->code != 0) {
        turn_post_failed(st, j->code, j->e.msg);
    } else {
        magnet_take_row(st, j);
        magnet_tell(st, j);
        magnet_go_on(st);
    }
    jobs_done(st);
    magnet_job_free(j);
}

/* While the rows are read that somebody else has told the database, what peers
 * send is no news. */
void magnet_whole(struct engine_torrent *st)
{
    if (st->life.state != LIFE_RUNNING) {
        return;
    }
    struct slice info = torrent_metadata_info(st->t);
    struct magnet_job *j = magnet_job_new(st);
    j->data = mem_dup(info.p, info.len);
    j->len = info.len;
    j->save_path = mem_strdup(st->row.save_path);
    journal_thread_call(st->s->journal_thread, magnet_learn, magnet_end, j);
}
