/* Torrents under hostile bytes. What parses must keep the promises that all
 * later code relies on. */
#include "proto/metainfo/metainfo.h"

#include <stdlib.h>
#include <string.h>

/* libFuzzer names it. NOLINTNEXTLINE(readability-identifier-naming) */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An assertion that may call functions; the backtrace tells which it was. */
static void fuzz_metainfo_need(bool ok)
{
    BTC_ASSERT(ok);
}

/* True when one element of a path may be created. */
static bool fuzz_metainfo_is_safe(struct slice element)
{
    if (element.len == 0 || element.len > 255 || slice_eq_str(element, ".") ||
        slice_eq_str(element, "..")) {
        return false;
    }
    for (size_t i = 0; i < element.len; i++) {
        if (element.p[i] < 0x20 || element.p[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

static void fuzz_metainfo_check_path(const char *path)
{
    struct slice rest = slice_str(path);

    fuzz_metainfo_need(rest.len > 0 && rest.len <= METAINFO_MAX_PATH);
    fuzz_metainfo_need(rest.p[rest.len - 1] != '/');
    fuzz_metainfo_need(bytes_is_utf8(rest));
    while (rest.len > 0) {
        const uint8_t *slash = memchr(rest.p, '/', rest.len);
        size_t len = slash == NULL ? rest.len : (size_t)(slash - rest.p);
        fuzz_metainfo_need(fuzz_metainfo_is_safe(slice_sub(rest, 0, len)));
        rest = slice_sub(rest, len + 1, rest.len);
    }
}

static void fuzz_metainfo_check(const struct metainfo *m)
{
    uint64_t total = 0;

    fuzz_metainfo_need(m->n_files > 0 &&
                       m->piece_length >= METAINFO_MIN_PIECE_LEN);
    for (uint32_t i = 0; i < m->n_files; i++) {
        fuzz_metainfo_check_path(m->files[i].path);
        fuzz_metainfo_need(m->files[i].offset == total);
        fuzz_metainfo_need(m->files[i].length <= (uint64_t)INT64_MAX - total);
        total += m->files[i].length;
        for (uint32_t j = 0; j < i && j < 100; j++) {
            fuzz_metainfo_need(m->files[i].pad || m->files[j].pad ||
                               strcmp(m->files[i].path, m->files[j].path) != 0);
        }
    }
    fuzz_metainfo_need(total == m->total_size);
    if (digest_is_set(&m->v1)) {
        fuzz_metainfo_need((total + m->piece_length - 1) / m->piece_length ==
                           m->n_pieces);
        fuzz_metainfo_need(m->piece_hashes >= m->info &&
                           m->piece_hashes + (size_t)m->n_pieces * SHA1_LEN <=
                               m->info + m->info_len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct metainfo *m = NULL;
    struct metainfo *again = NULL;
    int rc = metainfo_parse(slice_of(data, size), true, &m, NULL);

    if (rc != 0) {
        fuzz_metainfo_need(m == NULL);
        return 0;
    }
    fuzz_metainfo_check(m);
    rc = metainfo_parse_info(slice_of(m->info, m->info_len), &again, NULL);
    fuzz_metainfo_need(digest_is_set(&m->v1) ? rc == 0
                                             : rc == BTC_E_UNSUPPORTED);
    if (again != NULL) {
        fuzz_metainfo_need(again->total_size == m->total_size);
        fuzz_metainfo_need(memcmp(again->v1.bytes, m->v1.bytes, SHA1_LEN) == 0);
    }
    metainfo_free(again);
    metainfo_free(m);
    return 0;
}
