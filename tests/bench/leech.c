/* The leechers of the bench: ask a client for blocks and throw them away.
 *
 *   bench_leech INFO_HASH PIECE_LENGTH SIZE BYTES SECONDS IP PORT N SOURCE...
 *
 * N connections, the i-th from the i-th SOURCE address, 64 requests on their
 * way each, pieces in turn from another first piece each. Clients open their
 * upload slots in turns: counting begins when all connections are unchoked, or
 * after WARM seconds with those that are; then it prints "begin", and
 * "BYTES SECONDS" when BYTES have come since, or when SECONDS are over. A
 * client that does not even answer is given up by an alarm. */
#include "wire.h"

#include <poll.h>
#include <stdbool.h>

#define AHEAD   64u
#define N_MAX   256
#define WARM    15.0 /* seconds */
#define GIVE_UP 60.0 /* seconds without a byte */

struct link {
    int fd;
    bool open; /* unchoked */
    uint32_t piece, begin, out;
    uint8_t head[13];
    size_t n_head;
    uint64_t skip; /* of the message that is coming */
};

static struct {
    uint64_t size, piece_length, n_pieces, wanted, got;
    struct link links[N_MAX];
    struct pollfd fds[N_MAX];
    nfds_t n;
    double started_at, begun_at; /* 0: not yet */
    double seconds;
    uint8_t scratch[1u << 18];
} leech;

static uint32_t length_of(uint32_t piece)
{
    uint64_t begin = piece * leech.piece_length;
    uint64_t left = leech.size - begin;
    return (uint32_t)(left < leech.piece_length ? left : leech.piece_length);
}

/* Keeps AHEAD requests on their way. */
static void ask(struct link *l)
{
    uint8_t out[17 * AHEAD];
    size_t n = 0;
    while (l->open && l->out < AHEAD) {
        uint32_t left = length_of(l->piece) - l->begin;
        uint32_t len = left < BENCH_BLOCK ? left : BENCH_BLOCK;
        bench_request(out + n, l->piece, l->begin, len);
        n += 17;
        l->out++;
        l->begin += len;
        if (l->begin == length_of(l->piece)) {
            l->begin = 0;
            l->piece = (uint32_t)((l->piece + 1) % leech.n_pieces);
        }
    }
    if (n > 0) {
        bench_send_all(l->fd, out, n);
    }
}

/* A message of which the first bytes are there. */
static void on_head(struct link *l)
{
    uint32_t len = bytes_get_be32(l->head);
    uint8_t type = len > 0 ? l->head[4] : BENCH_NONE;
    if (type == BENCH_UNCHOKE) {
        l->open = true;
    } else if (type == BENCH_CHOKE) {
        l->open = false; /* what was asked for is gone */
        l->out = 0;
    } else if (type == BENCH_PIECE) {
        l->out -= l->out > 0;
        leech.got += len - 9;
    }
}

/* How much of a message's head must be read before on_head: 4 bytes for a
 * keep-alive, 5 else. */
static size_t head_len(const struct link *l)
{
    return l->n_head >= 4 && bytes_get_be32(l->head) == 0 ? 4 : 5;
}

static void parse(struct link *l, const uint8_t *p, size_t len)
{
    while (len > 0) {
        if (l->skip > 0) {
            size_t n = len < l->skip ? len : (size_t)l->skip;
            l->skip -= n;
            p += n;
            len -= n;
            continue;
        }
        l->head[l->n_head++] = *p++;
        len--;
        if (l->n_head >= 4 && l->n_head == head_len(l)) {
            on_head(l);
            l->skip = bytes_get_be32(l->head) + 4 - l->n_head;
            l->n_head = 0;
        }
    }
    ask(l);
}

static void connect_one(unsigned i, const char *info_hash, const char *source,
                        const struct sockaddr_in *to)
{
    static const uint8_t interested[] = {0, 0, 0, 1, BENCH_INTERESTED};
    uint8_t hello[BENCH_HANDSHAKE];
    struct sockaddr_in from = bench_addr(source, 0);
    struct link *l = &leech.links[i];
    l->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(l->fd, (struct sockaddr *)&from, sizeof(from)) != 0 ||
        connect(l->fd, (const struct sockaddr *)to, sizeof(*to)) != 0) {
        bench_die("connect");
    }
    bench_handshake(hello, info_hash, i);
    bench_send_all(l->fd, hello, sizeof(hello));
    bench_recv_all(l->fd, hello, sizeof(hello));
    bench_send_all(l->fd, interested, sizeof(interested));
    l->piece = (uint32_t)(i * leech.n_pieces / leech.n);
    leech.fds[i] = (struct pollfd){.fd = l->fd, .events = POLLIN};
}

/* A connection that the client has closed is left alone. */
static void on_input(nfds_t i)
{
    ssize_t n = recv(leech.fds[i].fd, leech.scratch, sizeof(leech.scratch),
                     MSG_DONTWAIT);
    if (n <= 0) {
        leech.fds[i].fd = -1;
        leech.links[i].open = false;
        return;
    }
    parse(&leech.links[i], leech.scratch, (size_t)n);
}

/* Begins to count when it is time to. */
static void begin(void)
{
    bool all_open = true;
    for (nfds_t i = 0; i < leech.n; i++) {
        all_open = all_open && leech.links[i].open;
    }
    if (leech.begun_at > 0 || leech.got == 0 ||
        (!all_open && bench_now() - leech.started_at < WARM)) {
        return;
    }
    leech.begun_at = bench_now();
    leech.got = 0;
    (void)puts("begin");
    (void)fflush(stdout);
}

static bool is_done(void)
{
    return leech.begun_at > 0 &&
           (leech.got >= leech.wanted ||
            bench_now() - leech.begun_at >= leech.seconds);
}

static void run(void)
{
    double last = bench_now();
    leech.started_at = last;
    while (!is_done()) {
        uint64_t before = leech.got;
        int n = poll(leech.fds, leech.n, 1000);
        for (nfds_t i = 0; i < leech.n && n > 0; i++) {
            if (leech.fds[i].revents != 0) {
                on_input(i);
            }
        }
        if (leech.got != before) {
            last = bench_now();
        } else if (bench_now() - last > GIVE_UP) {
            (void)fprintf(stderr, "nothing came for a minute\n");
            exit(1);
        }
        begin();
    }
}

int main(int argc, char **argv)
{
    if (argc < 10 || strlen(argv[1]) != 40 || bench_number(argv[8]) == 0 ||
        bench_number(argv[8]) > N_MAX ||
        (unsigned long)argc < 9 + bench_number(argv[8])) {
        (void)fprintf(stderr,
                      "usage: %s INFO_HASH PIECE_LENGTH SIZE BYTES SECONDS "
                      "IP PORT N SOURCE...\n",
                      argv[0]);
        return 2;
    }
    leech.piece_length = bench_number(argv[2]);
    leech.size = bench_number(argv[3]);
    leech.wanted = bench_number(argv[4]);
    leech.seconds = (double)bench_number(argv[5]);
    leech.n = bench_number(argv[8]);
    leech.n_pieces = (leech.size + leech.piece_length - 1) / leech.piece_length;
    struct sockaddr_in to = bench_addr(argv[6], bench_port(argv[7]));
    (void)alarm((unsigned)(WARM + GIVE_UP + leech.seconds));
    for (unsigned i = 0; i < leech.n; i++) {
        connect_one(i, argv[1], argv[9 + i], &to);
    }
    run();
    (void)printf("%llu %.6f\n", (unsigned long long)leech.got,
                 bench_now() - leech.begun_at);
    return 0;
}
