/* KRPC under hostile bytes: what decodes must encode, and decode again to the
 * same message. */
#include "proto/krpc.h"

#include "base/err.h"

#include <string.h>

/* libFuzzer names it. NOLINTNEXTLINE(readability-identifier-naming) */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool fuzz_same_query(const struct krpc_query *a,
                            const struct krpc_query *b)
{
    return a->method == b->method && a->want == b->want && a->port == b->port &&
           a->implied_port == b->implied_port && slice_eq(a->token, b->token) &&
           memcmp(a->target, b->target, KRPC_ID_LEN) == 0;
}

/* Structs without padding, compared as bytes. */
static bool fuzz_same_response(const struct krpc_response *a,
                               const struct krpc_response *b)
{
    return a->lists == b->lists && a->n_nodes == b->n_nodes &&
           a->n_peers == b->n_peers && slice_eq(a->token, b->token) &&
           memcmp(a->nodes, b->nodes, a->n_nodes * sizeof a->nodes[0]) == 0 &&
           memcmp(a->peers, b->peers, a->n_peers * sizeof a->peers[0]) == 0;
}

static bool fuzz_same(const struct krpc_msg *a, const struct krpc_msg *b)
{
    if (a->type != b->type || a->read_only != b->read_only ||
        !slice_eq(a->tid, b->tid) || !slice_eq(a->version, b->version) ||
        !addr_eq(&a->ip, &b->ip) || memcmp(a->id, b->id, KRPC_ID_LEN) != 0) {
        return false;
    }
    switch (a->type) {
    case KRPC_QUERY:
        return fuzz_same_query(&a->query, &b->query);
    case KRPC_RESPONSE:
        return fuzz_same_response(&a->response, &b->response);
    case KRPC_ERROR:
        return a->error.code == b->error.code &&
               slice_eq(a->error.text, b->error.text);
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct krpc_msg msg;
    struct krpc_msg back;
    struct buf out;
    bool is_same = false;
    int rc = krpc_decode(slice_of(data, size), &msg);

    if (rc != 0) {
        return 0;
    }
    buf_init(&out, (size_t)2 * KRPC_RECEIVE_MAX);
    rc = krpc_encode(&msg, &out);
    BTC_ASSERT(rc == 0);
    if (buf_len(&out) <= KRPC_RECEIVE_MAX) {
        rc = krpc_decode(buf_slice(&out), &back);
        BTC_ASSERT(rc == 0);
        is_same = fuzz_same(&msg, &back);
        BTC_ASSERT(is_same);
    }
    buf_fini(&out);
    return 0;
}
