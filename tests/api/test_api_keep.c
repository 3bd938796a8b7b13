/* Torrents kept as a .torrent, from what was loaded and from the database; the
 * database for a short while. */
#include "api/api_kit.h"

#include <unistd.h>

/* Whether two files hold the same bytes. */
static bool same(const char *a, const char *b)
{
    FILE *fa = fopen(a, "rb"), *fb = fopen(b, "rb");
    int ca = 0, cb = 0;
    assert_non_null(fa);
    assert_non_null(fb);
    while (ca == cb && ca != EOF) {
        ca = fgetc(fa);
        cb = fgetc(fb);
    }
    (void)fclose(fa);
    (void)fclose(fb);
    return ca == cb;
}

/* A source that was kept is written as it was. */
static void test_kept(void **state)
{
    struct kit *k = *state;
    struct btc_source *s = NULL;
    kit_show("show", 1);
    assert_int_equal(
        btc_source_load("show.torrent", BTC_SOURCE_KEEP, &s, &k->e), 0);
    assert_int_equal(btc_source_save(s, "copy.torrent", &k->e), 0);
    assert_true(same("show.torrent", "copy.torrent"));
    assert_int_equal(btc_source_save(s, "copy.torrent", &k->e),
                     BTC_STATUS_EXISTS);
    assert_int_equal(btc_source_save(s, "no/such/folder", &k->e),
                     BTC_STATUS_NOT_FOUND);
    btc_source_free(s);
    k->e = (struct btc_error){0};
    assert_int_equal(btc_source_load("magnet:?xt=urn:btih:0123456789abcdef01234"
                                     "56789abcdef01234567",
                                     0, &s, &k->e),
                     0);
    assert_int_equal(btc_source_save(s, "magnet.torrent", &k->e),
                     BTC_STATUS_BAD_TORRENT);
    assert_int_not_equal(access("magnet.torrent", F_OK), 0);
    btc_source_free(s);
}

/* What the database has makes the same torrent again. */
static void test_known(void **state)
{
    struct kit *k = *state;
    struct btc_source *s = NULL, *again = NULL;
    struct btc *scratch = NULL;
    char path[4096];
    int64_t id = 0;
    kit_show("show", 1);
    assert_int_equal(btc_source_load("show.torrent", 0, &s, &k->e), 0);
    assert_int_equal(btc_open_scratch(NULL, &scratch, &k->e), 0);
    assert_int_equal(btc_add(scratch, s, NULL, &id, NULL, &k->e), 0);
    assert_int_equal(btc_source_of(scratch, id, &again, &k->e), 0);
    const struct btc_source_info *old = btc_source_info(s);
    const struct btc_source_info *new = btc_source_info(again);
    assert_string_equal(new->info_hash_v1, old->info_hash_v1);
    assert_int_equal(new->n_files, old->n_files);
    assert_int_equal(new->n_trackers, old->n_trackers);
    for (size_t i = 0; i < old->n_trackers; i++) {
        assert_string_equal(new->trackers[i].url, old->trackers[i].url);
        assert_int_equal(new->trackers[i].tier, old->trackers[i].tier);
    }
    assert_int_equal(new->n_web_seeds, old->n_web_seeds);
    btc_source_free(again);
    assert_int_equal(btc_source_of(scratch, id + 1, &again, &k->e),
                     BTC_STATUS_NOT_FOUND);
    assert_null(again);
    (void)snprintf(path, sizeof(path), "%s", btc_path(scratch));
    btc_source_free(s);
    assert_int_equal(access(path, F_OK), 0);
    btc_close(scratch);
    assert_int_not_equal(access(path, F_OK), 0);
    *strrchr(path, '/') = '\0';
    assert_int_not_equal(access(path, F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kept, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_known, kit_setup, kit_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
