/* uthash as this house uses it: include this, never <uthash.h>.
 *
 * Memory comes from mem (it aborts on OOM) and keys are hashed by a function of
 * ours: the macro that uthash brings falls through switch labels, which clang
 * warns of at each place of use, and takes bytes one by one.
 */
#ifndef BTC_BASE_MAP_H
#define BTC_BASE_MAP_H

#include "base/mem.h"

#include <stdlib.h>

/* A hash of `len` bytes, the same in every run. */
unsigned map_hash(const void *key, size_t len);

/* NOLINTBEGIN(readability-identifier-naming): uthash names them */
#define uthash_malloc(size)    mem_alloc(size)
#define uthash_free(p, size)   free(p)
#define uthash_fatal(msg)      abort()
#define HASH_FUNCTION(k, n, h) ((h) = map_hash((k), (n)))
/* NOLINTEND(readability-identifier-naming) */
#include <uthash.h>

#endif
