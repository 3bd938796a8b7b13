/* A .torrent as a document: checks the bencoding, reads what stands around the
 * info dictionary, and keeps an exact copy of that dictionary, since its bytes,
 * not its meaning, are what the info hash is taken of.
 *
 * Every refusal says what is wrong and at which byte of the document.
 */
#include "proto/metainfo/internal.h"

#include "base/mem.h"

#include <stdlib.h>

/* Checks the document's size and bencoding; gives its dictionary. What follows
 * that is passed over, as every client does: some sites send a line end, zeros
 * or a piece of a page behind the torrent. */
static int metainfo_check(const struct metainfo_parser *p, struct slice *root)
{
    struct bencode_fault fault = {.offset = 0, .what = ""};
    struct slice doc = p->doc;
    ptrdiff_t len;

    if (doc.len == 0) {
        return err_set(p->e, BTC_E_METAINFO, "not a torrent: it is empty");
    }
    if (doc.len > METAINFO_MAX_BYTES) {
        return err_set(p->e, BTC_E_METAINFO,
                       "too large for a torrent: %zu bytes, at most %u are "
                       "accepted",
                       doc.len, METAINFO_MAX_BYTES);
    }
    if (doc.p[0] == '<') {
        return err_set(p->e, BTC_E_METAINFO,
                       "not a torrent: it begins with '<', so it may be a web "
                       "page");
    }
    if (doc.p[0] != 'd') {
        return err_set(p->e, BTC_E_METAINFO,
                       "not a torrent: byte 0 is 0x%02x, a torrent begins "
                       "with 'd'",
                       doc.p[0]);
    }
    len = bencode_check(doc, &fault);
    if (len < 0) {
        return err_set(p->e, BTC_E_METAINFO,
                       "not a valid torrent: %s at byte %zu of %zu", fault.what,
                       fault.offset, doc.len);
    }
    *root = slice_sub(doc, 0, (size_t)len);
    return 0;
}

/* The text under `key`, or under `key.utf-8` when that is valid. */
static char *metainfo_read_text(struct bencode_dict *root, const char *key)
{
    char *utf8 = mem_printf("%s.utf-8", key);
    char *text = NULL;
    struct slice s;

    if ((bencode_str(bencode_dict_get(root, utf8), &s) && bytes_is_utf8(s)) ||
        bencode_str(bencode_dict_get(root, key), &s)) {
        text = metainfo_mend_text(s);
    }
    free(utf8);
    return text;
}

/* Everything but the info dictionary. */
static void metainfo_read_document(struct metainfo *m,
                                   struct bencode_dict *root)
{
    int64_t date;

    metainfo_read_urls(m, root);
    m->comment = metainfo_read_text(root, "comment");
    m->created_by = metainfo_read_text(root, "created by");
    if (bencode_int(bencode_dict_get(root, "creation date"), &date) &&
        date > 0) {
        m->creation_date = date;
    }
}

/* Hands over p->m when rc is 0, frees it otherwise. */
static int metainfo_finish(struct metainfo_parser *p, int rc,
                           struct metainfo **out)
{
    if (rc < 0) {
        metainfo_free(p->m);
        p->m = NULL;
    }
    *out = p->m;
    return rc;
}

int metainfo_parse(struct slice in, bool accept_v2, struct metainfo **out,
                   struct err *e)
{
    struct metainfo_parser p = {.doc = in, .e = e};
    struct slice dict = slice_of(NULL, 0);
    struct bencode_dict root;
    struct slice info;
    int rc;

    *out = NULL;
    rc = metainfo_check(&p, &dict);
    if (rc < 0) {
        return rc;
    }
    bencode_dict_open(&root, dict);
    info = bencode_dict_get(&root, "info");
    if (bencode_type(info) != BENCODE_DICT) {
        return metainfo_fail(&p, info,
                             info.len == 0
                                 ? "not a torrent: it has no 'info' dictionary"
                                 : "'info' is not a dictionary");
    }
    p.m = mem_zalloc(sizeof(*p.m));
    metainfo_read_document(p.m, &root);
    metainfo_encoding_open(&p, &root);
    rc = metainfo_read_info(&p, info, accept_v2);
    metainfo_encoding_close(&p);
    return metainfo_finish(&p, rc, out);
}

int metainfo_parse_info(struct slice info, struct metainfo **out, struct err *e)
{
    struct metainfo_parser p = {.doc = info, .e = e};
    struct slice dict = slice_of(NULL, 0);
    int rc;

    *out = NULL;
    rc = metainfo_check(&p, &dict);
    if (rc < 0) {
        return rc;
    }
    /* The hash is of these bytes: nothing may follow them, blank or not. */
    if (dict.len != info.len) {
        return err_set(e, BTC_E_METAINFO, "bytes follow the info dictionary");
    }
    p.m = mem_zalloc(sizeof(*p.m));
    rc = metainfo_read_info(&p, dict, false);
    return metainfo_finish(&p, rc, out);
}

static void metainfo_free_strings(char **list, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        free(list[i]);
    }
    free(list);
}

void metainfo_drop_files(struct metainfo *m)
{
    for (uint32_t i = 0; m->files != NULL && i < m->n_files; i++) {
        free(m->files[i].path);
        free(m->files[i].link);
    }
    free(m->files);
    m->files = NULL;
}

void metainfo_drop_info(struct metainfo *m)
{
    free(m->info);
    m->info = NULL;
    m->piece_hashes = NULL;
}

void metainfo_take_info(struct metainfo *m, uint8_t *info)
{
    BTC_ASSERT(m->info == NULL);
    m->info = info;
    m->piece_hashes = info + m->hashes_at;
}

void metainfo_free(struct metainfo *m)
{
    if (m == NULL) {
        return;
    }
    metainfo_drop_files(m);
    for (uint32_t i = 0; i < m->n_trackers; i++) {
        free(m->trackers[i].url);
    }
    url_left_out_fini(&m->left_out.urls);
    metainfo_free_strings(m->web_seeds, m->n_web_seeds);
    metainfo_free_strings(m->nodes, m->n_nodes);
    free(m->trackers);
    free(m->name);
    free(m->comment);
    free(m->created_by);
    free(m->info);
    free(m);
}
