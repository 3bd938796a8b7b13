/* Magnet links under hostile bytes. */
#include "proto/magnet.h"

#include <string.h>

/* libFuzzer names it. NOLINTNEXTLINE(readability-identifier-naming) */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An assertion that may call functions; the backtrace tells which it was. */
static void fuzz_magnet_need(bool ok)
{
    BTC_ASSERT(ok);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct magnet *m = NULL;
    struct slice in = slice_of(data, size);
    int rc = magnet_parse(in, &m, NULL);

    (void)magnet_is(in);
    if (rc != 0) {
        fuzz_magnet_need(rc == BTC_E_METAINFO && m == NULL);
        return 0;
    }
    fuzz_magnet_need(digest_is_set(&m->v1) || digest_is_set(&m->v2));
    fuzz_magnet_need(m->name == NULL ||
                     (m->name[0] != '\0' && strchr(m->name, '/') == NULL &&
                      bytes_is_utf8(slice_str(m->name))));
    fuzz_magnet_need(m->n_trackers <= MAGNET_MAX_ITEMS);
    for (uint32_t i = 1; i < m->n_select; i++) {
        fuzz_magnet_need(m->select[i - 1] < m->select[i]);
    }
    magnet_free(m);
    return 0;
}
