/* bencode under hostile bytes: what was checked is walked whole, and what was
 * not is walked too, since the cursor must stay inside it all the same. */
#include "proto/bencode.h"

#include "base/err.h"

/* libFuzzer names it. NOLINTNEXTLINE(readability-identifier-naming) */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An assertion that may call functions; the backtrace tells which it was. */
static void fuzz_bencode_need(bool ok)
{
    BTC_ASSERT(ok);
}

/* Visits one level; gives how many values it has. */
static size_t fuzz_bencode_walk(struct slice value)
{
    struct bencode_iter it = bencode_iter(value);
    struct slice key;
    struct slice item;
    struct slice content;
    struct bencode_dict dict;
    int64_t number = 0;
    size_t n = 0;

    while (bencode_next(&it, &key, &item)) {
        fuzz_bencode_need(item.p >= value.p &&
                          item.len <= (size_t)(value.p + value.len - item.p));
        (void)bencode_int(item, &number);
        if (bencode_str(item, &content)) {
            fuzz_bencode_need(content.len < item.len);
        }
        bencode_dict_open(&dict, item);
        (void)bencode_dict_get(&dict, "b");
        fuzz_bencode_need(bencode_dict_get(&dict, "a").p ==
                          bencode_get(item, "a").p);
        n++;
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_of(data, size);
    struct bencode_fault fault = {.offset = 0, .what = NULL};
    ptrdiff_t len = bencode_check(in, &fault);
    size_t n = 0;

    if (len < 0) {
        fuzz_bencode_need(fault.what != NULL && fault.offset <= size);
        (void)fuzz_bencode_walk(in);
        return 0;
    }
    fuzz_bencode_need(len > 0 && (size_t)len <= size);
    in = slice_sub(in, 0, (size_t)len);
    fuzz_bencode_need(bencode_type(in) != BENCODE_NONE);
    n = fuzz_bencode_walk(in);
    fuzz_bencode_need(n <= in.len);
    return 0;
}
