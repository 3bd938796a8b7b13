/* See wire.h. */
#include "wire.h"

_Noreturn void bench_die(const char *what)
{
    perror(what);
    exit(1);
}

double bench_now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

uint64_t bench_number(const char *text)
{
    uint64_t n = 0;
    if (!bytes_parse_u64(slice_str(text), &n)) {
        (void)fprintf(stderr, "not a number: %s\n", text);
        exit(2);
    }
    return n;
}

uint16_t bench_port(const char *text)
{
    return (uint16_t)bench_number(text);
}

void bench_handshake(uint8_t out[BENCH_HANDSHAKE], const char *info_hash_hex,
                     uint32_t tag)
{
    char id[21];
    memset(out, 0, BENCH_HANDSHAKE);
    memcpy(out,
           "\x13"
           "BitTorrent protocol",
           20);
    if (!bytes_from_hex(slice_str(info_hash_hex), out + 28, 20)) {
        (void)fprintf(stderr, "not an info hash: %s\n", info_hash_hex);
        exit(2);
    }
    (void)snprintf(id, sizeof(id), "-BN0001-%012u", tag);
    memcpy(out + 48, id, 20);
}

void bench_request(uint8_t out[17], uint32_t piece, uint32_t begin,
                   uint32_t len)
{
    (void)bytes_put_be32(out, 13);
    out[4] = BENCH_REQUEST;
    (void)bytes_put_be32(out + 5, piece);
    (void)bytes_put_be32(out + 9, begin);
    (void)bytes_put_be32(out + 13, len);
}

struct sockaddr_in bench_addr(const char *ip, uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, ip, &a.sin_addr) != 1) {
        (void)fprintf(stderr, "not an IPv4 address: %s\n", ip);
        exit(2);
    }
    return a;
}

void bench_send_all(int fd, const uint8_t *p, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            bench_die("send");
        }
        p += n;
        len -= (size_t)n;
    }
}

void bench_recv_all(int fd, uint8_t *p, size_t len)
{
    while (len > 0) {
        ssize_t n = recv(fd, p, len, 0);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            bench_die("recv");
        }
        p += n;
        len -= (size_t)n;
    }
}
