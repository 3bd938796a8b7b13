/* Errors of a process that may not have what it needs: they name the limit,
 * because who has set it is seldom who meets it. */
#ifndef BTC_BASE_LIMIT_H
#define BTC_BASE_LIMIT_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* BTC_E_LIMIT: the system gives no thread. */
int limit_threads(struct err *e);
/* BTC_E_LIMIT: no file can be opened any more. */
int limit_files(struct err *e);
/* So many descriptors can be had now. */
bool limit_has_files(uint32_t n);

#endif
