/* Torrents that are kept as a .torrent, and those that the database knows as
 * sources; see btc_source_of and btc_source_save in btc.h.
 */
#include "api/api.h"

#include "base/file.h"
#include "base/mem.h"
#include "engine/torrent_file.h"

#include <stdlib.h>
#include <string.h>

/* Room for the trackers and web seeds around an info dictionary. */
#define API_KEEP_MAX (METAINFO_MAX_BYTES + (16u << 20))

int btc_source_of(struct btc *b, int64_t id, struct btc_source **out,
                  struct btc_error *e)
{
    struct err err = {0};
    struct journal *db;
    struct buf text;
    struct metainfo *meta = NULL;
    *out = NULL;
    buf_init(&text, API_KEEP_MAX);
    int code = api_db(b, &db, &err);
    if (code == 0) {
        code = torrent_file_make(db, id, &text, &err);
    }
    if (code == 0) {
        code = metainfo_parse(buf_slice(&text), false, &meta, &err);
    }
    if (code == 0) {
        *out = api_source_new(meta);
    }
    buf_fini(&text);
    return api_status(e, code, &err);
}

/* What was read, or what the info dictionary makes. */
static int api_keep_text(const struct btc_source *s, struct buf *out,
                         struct err *e)
{
    const struct metainfo *m = s->meta;
    if (m == NULL) {
        return err_set(e, BTC_E_METAINFO,
                       "%s: its info dictionary is not known yet", s->label);
    }
    if (buf_len(&s->text) > 0) {
        return buf_append_slice(out, buf_slice(&s->text));
    }
    struct metainfo_spec spec = {.trackers = m->trackers,
                                 .n_trackers = m->n_trackers,
                                 .web_seeds = m->web_seeds,
                                 .n_web_seeds = m->n_web_seeds,
                                 .comment = m->comment,
                                 .created_by = m->created_by,
                                 .creation_date = m->creation_date};
    return metainfo_wrap(slice_of(m->info, m->info_len), &spec, out);
}

int btc_source_save(const struct btc_source *s, const char *path,
                    struct btc_error *e)
{
    struct err err = {0};
    struct buf text;
    buf_init(&text, API_KEEP_MAX);
    int code = api_keep_text(s, &text, &err);
    if (code == 0) {
        code = file_save(path, buf_slice(&text), false, &err);
    }
    buf_fini(&text);
    return api_status(e, code, &err);
}
