/* What may be downloaded: a file, standard input, a URL, a magnet, a bare hash;
 * see btc.h. A file and what comes of a URL may hold a magnet link, too.
 * Nothing here touches the database.
 */
#include "api/api.h"

#include "base/log.h"
#include "base/mem.h"
#include "net/http.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define API_READ_CHUNK 65536u
#define API_LABEL_MAX  200 /* bytes of a source shown in a text */

/* Says that a .torrent is over the cap. */
static int api_too_large(struct err *e)
{
    return err_set(e, BTC_E_METAINFO,
                   "larger than %u MiB, the most that is taken of a .torrent",
                   METAINFO_MAX_BYTES >> 20);
}

/* Reads everything there is. */
static int api_read_fd(int fd, struct buf *out, struct err *e)
{
    for (;;) {
        uint8_t chunk[API_READ_CHUNK];
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n == 0) {
            return 0;
        }
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return err_set_errno(e, errno, "cannot be read");
        }
        if (buf_append(out, chunk, (size_t)n) != 0) {
            return api_too_large(e);
        }
    }
}

/* A torrent is a file or comes through a pipe. */
static int api_check_kind(const struct stat *st, struct err *e)
{
    if (S_ISDIR(st->st_mode)) {
        return err_set(e, BTC_E_METAINFO,
                       "is a folder, not a .torrent (`btc create` makes one "
                       "of a folder)");
    }
    if (S_ISREG(st->st_mode)) {
        if (st->st_size > (off_t)METAINFO_MAX_BYTES) {
            return api_too_large(e);
        }
        return 0;
    }
    if (S_ISFIFO(st->st_mode) || S_ISSOCK(st->st_mode)) {
        return 0;
    }
    return err_set(e, BTC_E_METAINFO, "is a device, not a .torrent");
}

/* Only hex digits, nearly a hash: a slip of the hand. */
static bool api_is_hexlike(const char *src)
{
    size_t len = strlen(src);
    return len >= 32 && len <= 72 &&
           strspn(src, "0123456789abcdefABCDEF") == len;
}

/* There is no such file: what may have been meant? */
static int api_no_file(const char *src, struct err *e)
{
    if (!*src) {
        return err_set(e, BTC_E_NOTFOUND, "the source is empty");
    }
    if (strstr(src, "://")) {
        return err_set(e, BTC_E_NOTFOUND,
                       "no such file, and of URLs only http and https can be "
                       "fetched");
    }
    if (api_is_hexlike(src)) {
        return err_set(e, BTC_E_NOTFOUND,
                       "no such file, and no info hash: that has 40 or 64 hex "
                       "digits, this has %zu",
                       strlen(src));
    }
    return err_set(e, BTC_E_NOTFOUND,
                   "no such file (a source is a .torrent, - for standard "
                   "input, an http(s) URL, a magnet link or an info hash)");
}

/* A file, or standard input as "-". */
static int api_read_file(const char *src, struct buf *out, struct err *e)
{
    struct stat st;
    bool is_stdin = strcmp(src, "-") == 0;
    /* Looked at before it is opened: opening a device may do something, and a
     * FIFO may wait. */
    int rc = is_stdin ? fstat(STDIN_FILENO, &st) : stat(src, &st);
    if (rc != 0 && (errno == ENOENT || errno == ENOTDIR || !*src)) {
        return api_no_file(src, e);
    }
    if (rc != 0) {
        return err_set_errno(e, errno, "cannot be read");
    }
    /* A terminal as standard input is fine: somebody pastes. */
    int code = is_stdin && S_ISCHR(st.st_mode) ? 0 : api_check_kind(&st, e);
    if (code != 0) {
        return code;
    }
    int fd = STDIN_FILENO;
    if (!is_stdin) {
        fd = open(src, O_RDONLY | O_CLOEXEC);
    }
    if (fd < 0) {
        return err_set_errno(e, errno, "cannot be opened");
    }
    code = api_read_fd(fd, out, e);
    if (!is_stdin) {
        (void)close(fd);
    }
    return code;
}

/* Fetches a URL, by the interface that is to be used for all, and within the
 * time that was given for all. */
static int api_read_url(const char *url, unsigned flags,
                        const struct btc_fetch_options *how, struct buf *out,
                        struct err *e)
{
    struct http_options o = {0};
    uint32_t total_ms = HTTP_TOTAL_MS;
    if (flags & BTC_SOURCE_NO_NETWORK) {
        return err_set(e, BTC_E_USAGE,
                       "would have to be fetched; this command does not touch "
                       "the network: download it and give the file");
    }
    (void)snprintf(o.user_agent, sizeof(o.user_agent), "btc/%s", BTC_VERSION);
    (void)snprintf(o.interface, sizeof(o.interface), "%s",
                   how->bind != NULL ? how->bind : "");
    bool is_short =
        how->max_time_s > 0 && how->max_time_s < HTTP_TOTAL_MS / 1000;
    if (is_short) {
        total_ms = (uint32_t)how->max_time_s * 1000;
    }
    int code = http_fetch(url, &o, total_ms, out, e);
    if (code == BTC_E_TIMEOUT && is_short) {
        return err_set_code(e, BTC_E_STALLED);
    }
    if (code == BTC_E_SYNTAX) {
        return err_set_code(
            e, BTC_E_USAGE); /* the URL itself was written wrongly */
    }
    if (code == BTC_E_LIMIT) {
        return api_too_large(e);
    }
    return code;
}

/* http:// or https://. */
static bool api_is_url(const char *src)
{
    return strncasecmp(src, "http://", 7) == 0 ||
           strncasecmp(src, "https://", 8) == 0;
}

/* What came: a .torrent, or a magnet link, which sites redirect to and which
 * people keep in files. */
static int api_parse(struct btc_source *s, const struct buf *text,
                     unsigned flags, struct err *e)
{
    if (magnet_is(buf_slice(text))) {
        return magnet_parse(buf_slice(text), &s->magnet, e);
    }
    return metainfo_parse(buf_slice(text), (flags & BTC_SOURCE_ACCEPT_V2) != 0,
                          &s->meta, e);
}

/* Reads and parses what is no magnet. */
static int api_load_torrent(struct btc_source *s, const char *src,
                            unsigned flags, const struct btc_fetch_options *how,
                            struct err *e)
{
    struct buf body;
    buf_init(&body, METAINFO_MAX_BYTES);
    int code = api_is_url(src) ? api_read_url(src, flags, how, &body, e)
                               : api_read_file(src, &body, e);
    if (code == 0) {
        code = api_parse(s, &body, flags, e);
    }
    if (s->meta != NULL && (flags & BTC_SOURCE_KEEP) != 0) {
        s->text = body;
    } else {
        buf_fini(&body);
    }
    return code;
}

/* Hashes as text. */
static void api_fill_hashes(struct btc_source *s, const struct digest *v1,
                            const struct digest *v2)
{
    digest_hex(v1, s->v1);
    if (digest_is_set(v1)) {
        s->info.info_hash_v1 = s->v1;
    }
    digest_hex(v2, s->v2);
    if (digest_is_set(v2)) {
        s->info.info_hash_v2 = s->v2;
    }
}

/* The files, and what they sum up to without pads. */
static void api_fill_files(struct btc_source *s)
{
    const struct metainfo *m = s->meta;
    uint64_t total = 0;
    s->files = mem_calloc(m->n_files > 0 ? m->n_files : 1, sizeof(*s->files));
    for (uint32_t i = 0; i < m->n_files; i++) {
        s->files[i] = (struct btc_file_info){.path = m->files[i].path,
                                             .length = m->files[i].length,
                                             .pad = m->files[i].pad};
        total += m->files[i].pad ? 0 : m->files[i].length;
    }
    s->info.files = s->files;
    s->info.n_files = m->n_files;
    s->info.total_size = (int64_t)total; /* metainfo keeps it below 2^63 */
}

/* The URLs that are not used. */
static void api_fill_left_out(struct btc_source *s,
                              const struct url_left_out *l)
{
    s->left_out =
        mem_calloc(l->n_told > 0 ? l->n_told : 1, sizeof(*s->left_out));
    for (uint32_t n = 0; n < l->n_told; n++) {
        s->left_out[n].text = l->told[n].text;
        s->left_out[n].why = l->told[n].why;
    }
    s->info.left_out = s->left_out;
    s->info.n_left_out = l->n_told;
    s->info.n_left_out_all = l->n;
}

/* The info of a .torrent. */
static void api_fill_torrent(struct btc_source *s)
{
    const struct metainfo *m = s->meta;
    struct btc_source_info *i = &s->info;
    api_fill_hashes(s, &m->v1, &m->v2);
    api_fill_files(s);
    i->name = m->name;
    i->piece_length = m->piece_length;
    i->piece_count = m->n_pieces;
    i->is_private = m->is_private;
    i->comment = m->comment;
    i->created_by = m->created_by;
    if (m->creation_date > 0) {
        i->creation_date = m->creation_date;
    } else {
        i->creation_date = -1;
    }
    s->trackers =
        mem_calloc(m->n_trackers > 0 ? m->n_trackers : 1, sizeof(*s->trackers));
    for (uint32_t n = 0; n < m->n_trackers; n++) {
        s->trackers[n] = (struct btc_url){.url = m->trackers[n].url,
                                          .tier = m->trackers[n].tier};
    }
    i->trackers = s->trackers;
    i->n_trackers = m->n_trackers;
    i->web_seeds = (const char *const *)m->web_seeds;
    i->n_web_seeds = m->n_web_seeds;
    api_fill_left_out(s, &m->left_out.urls);
}

/* The info of a magnet: what it does not say is unknown. */
static void api_fill_magnet(struct btc_source *s)
{
    const struct magnet *m = s->magnet;
    struct btc_source_info *i = &s->info;
    api_fill_hashes(s, &m->v1, &m->v2);
    i->is_magnet = true;
    i->name = m->name;
    if (m->length > 0 && m->length <= INT64_MAX) {
        i->total_size = (int64_t)m->length;
    } else {
        i->total_size = -1;
    }
    i->piece_length = i->piece_count = i->creation_date = -1;
    i->is_private = -1;
    s->trackers =
        mem_calloc(m->n_trackers > 0 ? m->n_trackers : 1, sizeof(*s->trackers));
    for (uint32_t n = 0; n < m->n_trackers; n++) {
        s->trackers[n] = (struct btc_url){.url = m->trackers[n], .tier = n};
    }
    i->trackers = s->trackers;
    i->n_trackers = m->n_trackers;
    i->web_seeds = (const char *const *)m->web_seeds;
    i->n_web_seeds = m->n_web_seeds;
    i->peers = (const char *const *)m->peers;
    i->n_peers = m->n_peers;
    i->select_only = m->select;
    i->n_select_only = m->n_select;
    api_fill_left_out(s, &m->urls_left_out);
}

/* Parts of the link that were left out: one line each. */
static void api_warn_of_magnet(const struct magnet *m)
{
    for (unsigned part = 0; part < MAGNET_PART_COUNT; part++) {
        const char *text = magnet_warning(m, part);
        if (text) {
            log_write(LOG_WARN, "magnet", "%s", text);
        }
    }
}

/* How a text names the source: cut, and without what a terminal obeys. */
static char *api_label(const char *src)
{
    size_t len = strlen(src);
    if (strcmp(src, "-") == 0) {
        return mem_strdup("standard input");
    }
    if (len > API_LABEL_MAX) { /* cut in front of a character */
        len = API_LABEL_MAX;
        while (len > 0 && ((unsigned char)src[len] & 0xc0) == 0x80) {
            len--;
        }
    }
    char *label = mem_printf("%.*s%s", (int)len, src, src[len] ? "..." : "");
    for (char *c = label; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            *c = '?';
        }
    }
    return label;
}

int btc_source_load(const char *src, unsigned flags, struct btc_source **out,
                    struct btc_error *e)
{
    return btc_source_load_by(src, flags, NULL, out, e);
}

int btc_source_load_by(const char *src, unsigned flags,
                       const struct btc_fetch_options *how,
                       struct btc_source **out, struct btc_error *e)
{
    static const struct btc_fetch_options any = {0};
    struct err err = {0};
    struct btc_source *s = mem_zalloc(sizeof(*s));
    int code;
    *out = NULL;
    s->label = api_label(src);
    if (magnet_is(slice_str(src))) {
        code = magnet_parse(slice_str(src), &s->magnet, &err);
    } else {
        code = api_load_torrent(s, src, flags, how != NULL ? how : &any, &err);
    }
    if (code == 0) {
        if (s->magnet) {
            api_fill_magnet(s);
            api_warn_of_magnet(s->magnet);
        } else {
            api_fill_torrent(s);
        }
        *out = s;
        return 0;
    }
    (void)err_prefix(&err, "%s", s->label);
    btc_source_free(s);
    return api_status(e, code, &err);
}

struct btc_source *api_source_new(struct metainfo *meta)
{
    struct btc_source *s = mem_zalloc(sizeof(*s));
    s->label = mem_strdup(meta->name);
    s->meta = meta;
    api_fill_torrent(s);
    return s;
}

const struct btc_source_info *btc_source_info(const struct btc_source *s)
{
    return &s->info;
}

int btc_source_select(const struct btc_source *s, const char *select,
                      const char *exclude, bool *wanted, struct btc_error *e)
{
    struct err err = {0};
    size_t n = s->info.n_files;
    struct choose_file *files = mem_calloc(n > 0 ? n : 1, sizeof(*files));
    for (size_t i = 0; i < n; i++) {
        files[i] = (struct choose_file){.path = s->info.files[i].path,
                                        .pad = s->info.files[i].pad,
                                        .wanted = true};
    }
    int code = choose_files(files, n, select, exclude, &err);
    for (size_t i = 0; code == 0 && i < n; i++) {
        wanted[i] = files[i].wanted;
    }
    free(files);
    return api_status(e, code, &err);
}

void btc_source_free(struct btc_source *s)
{
    if (!s) {
        return;
    }
    metainfo_free(s->meta);
    magnet_free(s->magnet);
    buf_fini(&s->text);
    free(s->files);
    free(s->trackers);
    free(s->left_out);
    free(s->label);
    free(s);
}
