/* What the programs of the bench share: the few messages of BEP 3 that they
 * speak, and whole reads and writes. They are the constant sides of a
 * measurement, made to cost little; they trust each other and are no clients.
 */
#ifndef BTC_TESTS_BENCH_WIRE_H
#define BTC_TESTS_BENCH_WIRE_H

#include "base/bytes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BENCH_BLOCK     16384u
#define BENCH_HANDSHAKE 68u

enum bench_message {
    BENCH_CHOKE = 0,
    BENCH_UNCHOKE = 1,
    BENCH_INTERESTED = 2,
    BENCH_BITFIELD = 5,
    BENCH_REQUEST = 6,
    BENCH_PIECE = 7,
    BENCH_NONE = 255, /* a keep-alive */
};

_Noreturn void bench_die(const char *what);

double bench_now(void);

/* A number of the command line, or the end. */
uint64_t bench_number(const char *text);

uint16_t bench_port(const char *text);

/* Our handshake; `tag` makes the peer ids of one program differ. */
void bench_handshake(uint8_t out[BENCH_HANDSHAKE], const char *info_hash_hex,
                     uint32_t tag);

/* A request of 17 bytes. */
void bench_request(uint8_t out[17], uint32_t piece, uint32_t begin,
                   uint32_t len);

struct sockaddr_in bench_addr(const char *ip, uint16_t port);

/* Sends all of it on a blocking socket. */
void bench_send_all(int fd, const uint8_t *p, size_t len);

/* Reads exactly so much from a blocking socket. */
void bench_recv_all(int fd, uint8_t *p, size_t len);

#endif
