/* See api_kit.h. */
#include "api/api_kit.h"

void kit_assert_says(const struct kit *k, const char *text)
{
    if (strstr(k->e.message, text) == NULL) {
        fail_msg("'%s' is not in: %s", text, k->e.message);
    }
}

int kit_remove_one(const char *path, const struct stat *st, int type,
                   struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

int kit_setup(void **state)
{
    struct kit *k = mem_zalloc(sizeof(*k));
    (void)snprintf(k->dir, sizeof(k->dir), "/tmp/btc-api-XXXXXX");
    if (mkdtemp(k->dir) == NULL || chdir(k->dir) != 0) {
        return 1;
    }
    *state = k;
    return btc_open("state/btc.db", BTC_OPEN_CREATE, &k->b, &k->e);
}

int kit_teardown(void **state)
{
    struct kit *k = *state;
    btc_close(k->b);
    int rc = chdir("/");
    rc |= nftw(k->dir, kit_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(k);
    return rc;
}

void kit_write(const char *path, const void *data, size_t len)
{
    char *copy = mem_strdup(path);
    for (char *c = strchr(copy + 1, '/'); c; c = strchr(c + 1, '/')) {
        *c = '\0';
        (void)mkdir(copy, 0700);
        *c = '/';
    }
    free(copy);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

bool kit_exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

void kit_torrent(const char *name, const struct kit_file *files, uint32_t n,
                 uint8_t salt)
{
    struct metainfo_file *list = mem_calloc(n, sizeof(*list));
    static const char *const urls[] = {"http://127.0.0.1:1/announce",
                                       "udp://127.0.0.1:2/announce"};
    struct metainfo_url trackers[2];
    uint64_t total = 0;
    for (uint32_t i = 0; i < n; i++) {
        list[i] = (struct metainfo_file){.path = mem_strdup(files[i].path),
                                         .offset = total,
                                         .length = files[i].length,
                                         .pad = files[i].pad};
        total += files[i].length;
    }
    for (uint32_t i = 0; i < 2; i++) {
        trackers[i].url = mem_strdup(urls[i]);
        trackers[i].tier = i;
    }
    uint32_t n_pieces = (uint32_t)((total + KIT_PIECE - 1) / KIT_PIECE);
    uint8_t *hashes = mem_calloc(n_pieces + 1u, SHA1_LEN);
    memset(hashes, salt, (size_t)n_pieces * SHA1_LEN);
    struct metainfo_spec spec = {.name = name,
                                 .files = list,
                                 .piece_hashes = hashes,
                                 .trackers = trackers,
                                 .piece_length = KIT_PIECE,
                                 .n_files = n,
                                 .n_pieces = n_pieces,
                                 .n_trackers = 2,
                                 .multi_file = files[0].path != NULL};
    struct buf out;
    buf_init(&out, 1u << 20);
    assert_int_equal(metainfo_write(&spec, &out), 0);
    char *path = mem_printf("%s.torrent", name);
    kit_write(path, buf_slice(&out).p, buf_len(&out));
    buf_fini(&out);
    free(path);
    free(hashes);
    for (uint32_t i = 0; i < n; i++) {
        free(list[i].path);
    }
    for (uint32_t i = 0; i < 2; i++) {
        free(trackers[i].url);
    }
    free(list);
}

void kit_show(const char *name, uint8_t salt)
{
    static const struct kit_file files[] = {{"readme.txt", 100, false},
                                            {".pad/16284", 16284, true},
                                            {"Season 1/e1.mkv", 40000, false},
                                            {"Season 1/e2.mkv", 50000, false},
                                            {"sample.mkv", 3000, false}};
    kit_torrent(name, files, 5, salt);
}

int kit_add(struct kit *k, const char *torrent, const struct btc_add_options *o,
            int64_t *id, bool *known)
{
    struct btc_source *s = NULL;
    int status = btc_source_load(torrent, 0, &s, &k->e);
    assert_int_equal(status, 0);
    k->e = (struct btc_error){0};
    status = btc_add(k->b, s, o, id, known, &k->e);
    btc_source_free(s);
    return status;
}

int kit_take_cell(void *ctx, const struct btc_value *v, size_t n)
{
    struct kit_cell *c = ctx;
    const struct btc_value *found = NULL;
    bool right = c->where == NULL;
    for (size_t i = 0; i < n; i++) {
        found = strcmp(v[i].column, c->column) == 0 ? &v[i] : found;
        right =
            right || (strcmp(v[i].column, c->where) == 0 && v[i].i == c->is);
    }
    if (!right || found == NULL) {
        return 0;
    }
    if (found->type == BTC_TEXT) {
        (void)snprintf(c->text, sizeof(c->text), "%s", found->text);
    } else if (found->type == BTC_INT) {
        (void)snprintf(c->text, sizeof(c->text), "%lld", (long long)found->i);
    } else if (found->type == BTC_REAL) {
        (void)snprintf(c->text, sizeof(c->text), "%.3f", found->real);
    }
    return 77;
}

struct kit_cell kit_cell_where(struct kit *k, const char *view, int64_t id,
                               const char *column, const char *where,
                               int64_t is)
{
    struct kit_cell c = {.column = column, .where = where, .is = is};
    int rc = btc_query(k->b, view, id, 0, kit_take_cell, &c, &k->e);
    assert_true(rc == 0 || rc == 77);
    return c;
}

void kit_assert_cell(struct kit *k, const char *view, int64_t id,
                     const char *column, const char *expected)
{
    assert_string_equal(kit_cell_where(k, view, id, column, NULL, 0).text,
                        expected);
}

/* The priorities of all files but pads: "4044". */
static int kit_take_priority(void *ctx, const struct btc_value *v, size_t n)
{
    char *text = ctx;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(v[i].column, "priority") == 0) {
            size_t len = strlen(text);
            text[len] = (char)('0' + v[i].i);
            text[len + 1] = '\0';
        }
    }
    return 0;
}

void kit_assert_priorities(struct kit *k, int64_t id, const char *expected)
{
    char text[64] = "";
    assert_int_equal(
        btc_query(k->b, "file_progress", id, 0, kit_take_priority, text, &k->e),
        0);
    assert_string_equal(text, expected);
}
