/* Many files in use: each tree is told of what another one holds, and what a
 * file costs that nobody reads or writes is counted by the allocator.
 */
#include "store/disk_kit.h"

#include <malloc.h>

#define FILES 1000u
#define PATH  32u
/* Bytes of a file that is held, without its path. */
#define FILE_MAX 140u

/* Files of no bytes, so that none is opened. */
static struct store_file *test_files(void)
{
    struct store_file *files = mem_calloc(FILES, sizeof(*files));
    for (uint32_t i = 0; i < FILES; i++) {
        files[i].path = mem_printf("t/%0*u", (int)PATH - 3, i);
    }
    return files;
}

static void test_free_files(struct store_file *files)
{
    for (uint32_t i = 0; i < FILES; i++) {
        char *path;
        memcpy(&path, &files[i].path, sizeof(path));
        free(path);
    }
    free(files);
}

/* CREATE of files that will be written: all, or one. */
static int test_write(struct kit *k, struct store_tree *s, uint32_t from,
                      uint32_t to)
{
    struct bits some;
    struct store_job job = {.op = STORE_CREATE, .store = s};
    assert_int_equal(bits_init(&some, FILES), 0);
    for (uint32_t i = from; i < to; i++) {
        (void)bits_set(&some, i);
    }
    job.select = &some;
    job.create.writes = &some;
    job.create.label = "torrent 1";
    int rc = kit_run(k, &job);
    free(job.prints);
    bits_fini(&some);
    return rc;
}

/* Every single one of many is known, and none when they were let go. */
static void test_each(void **state)
{
    struct kit k;
    struct store_file *files = test_files();
    (void)state;
    kit_open(&k, 1);
    struct store_tree *a = store_tree_new(k.d, k.dir, files, FILES, false);
    struct store_tree *b = store_tree_new(k.d, k.dir, files, FILES, false);
    assert_int_equal(test_write(&k, a, 0, FILES), 0);
    for (uint32_t i = 0; i < FILES; i++) {
        assert_int_equal(test_write(&k, b, i, i + 1), BTC_E_STORAGE);
    }
    store_tree_rest(a);
    assert_int_equal(test_write(&k, b, 0, FILES), 0);
    assert_int_equal(test_write(&k, a, FILES - 1, FILES), BTC_E_STORAGE);
    store_tree_free(b);
    assert_int_equal(test_write(&k, a, 0, FILES), 0);
    store_tree_free(a);
    test_free_files(files);
    kit_close(&k);
}

static void test_memory(void **state)
{
    struct kit k;
    struct store_file *files = test_files();
    (void)state;
    kit_open(&k, 1);
    size_t before = mallinfo2().uordblks;
    struct store_tree *s = store_tree_new(k.d, k.dir, files, FILES, false);
    assert_int_equal(test_write(&k, s, 0, FILES), 0);
    size_t each = (mallinfo2().uordblks - before) / FILES;
    print_message("bytes of a file that is held: %zu\n", each);
    assert_true(each < FILE_MAX + PATH);
    store_tree_free(s);
    test_free_files(files);
    kit_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each),
                                       cmocka_unit_test(test_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
