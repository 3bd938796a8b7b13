/* The words by which tests log messages of the peer wire protocol. */
#ifndef BTC_TESTS_WIRE_NAMES_H
#define BTC_TESTS_WIRE_NAMES_H

#include "proto/peer/wire.h"

const char *wire_type_name(enum wire_type type);

#endif
