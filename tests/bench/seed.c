/* The seeder of the bench: serves one file with sendfile and does nothing else.
 *
 *   bench_seed [--gate N] INFO_HASH PIECE_LENGTH FILE PORT RATE STAT ADDRESS...
 *
 * --gate: nobody is unchoked before N connections are there, each time that N
 * more come: what a block costs with so many is not mixed with what it costs to
 * connect them.
 *
 * RATE: bytes a second for each connection, 0 for no limit. STAT: a file that
 * is kept at "BYTES-GIVEN SECONDS-OF-THE-FIRST-REQUEST" (monotonic clock),
 * or -. It listens on PORT of each address and prints "ready". */
#include "wire.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define IN_LEN   4096u
#define QUEUE    4096u /* requests waiting; a power of two */
#define N_EVENTS 256

struct wish {
    uint32_t piece, begin, len;
};

struct link {
    int fd;
    bool listens, greeted, wants_out, paused;
    uint8_t in[IN_LEN];
    size_t n_in;
    struct wish queue[QUEUE];
    unsigned first, n;
    uint8_t head[13]; /* of the block that is going out */
    size_t head_left, body_left;
    off_t body_at;
    double tokens, filled_at;
    struct link *next_paused, *next_choked;
};

static struct {
    const char *info_hash, *stat;
    uint64_t piece_length, size;
    uint32_t n_pieces, tag;
    double rate, first_at;
    int file, epoll;
    uint64_t given; /* bytes of blocks that were begun: what waits in queues
                     * when a client is killed costs nobody anything */
    uint8_t *greeting;
    size_t greeting_len;
    struct link *paused, *choked;
    unsigned gate, n_choked;
} seed;

static void watch(struct link *l, bool out)
{
    if (l->wants_out == out) {
        return;
    }
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = l};
    if (out) {
        e.events |= EPOLLOUT;
    }
    l->wants_out = out;
    (void)epoll_ctl(seed.epoll, EPOLL_CTL_MOD, l->fd, &e);
}

static void tell_stat(void)
{
    char text[64];
    if (seed.stat[0] == '-') {
        return;
    }
    int n = snprintf(text, sizeof(text), "%llu %.6f\n",
                     (unsigned long long)seed.given, seed.first_at);
    int fd = open(seed.stat, O_WRONLY | O_CREAT, 0644);
    if (fd < 0 || write(fd, text, (size_t)n) != n) {
        bench_die(seed.stat);
    }
    (void)close(fd);
}

/* May a block go out now? */
static bool has_tokens(struct link *l)
{
    double now = 0;
    if (seed.rate <= 0) {
        return true;
    }
    now = bench_now();
    l->tokens += (now - l->filled_at) * seed.rate;
    l->filled_at = now;
    if (l->tokens > seed.rate * 0.1) {
        l->tokens = seed.rate * 0.1;
    }
    return l->tokens >= 0;
}

/* The next request becomes what goes out. */
static void take(struct link *l)
{
    struct wish w = l->queue[l->first];
    l->first = (l->first + 1) & (QUEUE - 1);
    l->n--;
    (void)bytes_put_be32(l->head, 9 + w.len);
    l->head[4] = BENCH_PIECE;
    (void)bytes_put_be32(l->head + 5, w.piece);
    (void)bytes_put_be32(l->head + 9, w.begin);
    l->head_left = sizeof(l->head);
    l->body_left = w.len;
    l->body_at = (off_t)(w.piece * seed.piece_length + w.begin);
    l->tokens -= w.len;
    seed.given += w.len;
}

/* As much as the socket takes; false when the peer is gone. */
static bool pump(struct link *l)
{
    for (;;) {
        ssize_t n = 0;
        if (l->head_left > 0) {
            n = send(l->fd, l->head + sizeof(l->head) - l->head_left,
                     l->head_left, MSG_NOSIGNAL | MSG_MORE);
            l->head_left -= n > 0 ? (size_t)n : 0;
        } else if (l->body_left > 0) {
            n = sendfile(l->fd, seed.file, &l->body_at, l->body_left);
            l->body_left -= n > 0 ? (size_t)n : 0;
        } else if (l->n == 0) {
            watch(l, false);
            return true;
        } else if (!has_tokens(l)) {
            watch(l, false);
            if (!l->paused) {
                l->paused = true;
                l->next_paused = seed.paused;
                seed.paused = l;
            }
            return true;
        } else {
            take(l);
            continue;
        }
        if (n <= 0) {
            watch(l, true);
            return n < 0 && errno == EAGAIN;
        }
    }
}

static bool request(struct link *l, const uint8_t *p)
{
    struct wish w = {bytes_get_be32(p), bytes_get_be32(p + 4),
                     bytes_get_be32(p + 8)};
    if (l->n == QUEUE || w.piece >= seed.n_pieces || w.len > BENCH_BLOCK * 8 ||
        w.piece * seed.piece_length + w.begin + w.len > seed.size) {
        return false;
    }
    if (seed.first_at <= 0) {
        seed.first_at = bench_now();
    }
    l->queue[(l->first + l->n++) & (QUEUE - 1)] = w;
    return true;
}

/* All that wait are unchoked. One that fails is dropped by its own event. */
static void open_gate(void)
{
    static const uint8_t unchoke[5] = {0, 0, 0, 1, BENCH_UNCHOKE};
    for (struct link *l = seed.choked; l != NULL; l = l->next_choked) {
        (void)send(l->fd, unchoke, sizeof(unchoke), MSG_NOSIGNAL);
    }
    seed.choked = NULL;
    seed.n_choked = 0;
}

static void wait_at_gate(struct link *l)
{
    l->next_choked = seed.choked;
    seed.choked = l;
    if (++seed.n_choked == seed.gate) {
        open_gate();
    }
}

/* Our side of the handshake; a peer that has gone by then ends itself alone. */
static bool greet(struct link *l)
{
    l->greeted = true;
    (void)bytes_put_be32(seed.greeting + 64, seed.tag++);
    ssize_t n = send(l->fd, seed.greeting, seed.greeting_len, MSG_NOSIGNAL);
    if (seed.gate > 0) {
        wait_at_gate(l);
    }
    return n == (ssize_t)seed.greeting_len;
}

/* What is whole of the input; false when the peer talks nonsense. */
static bool parse(struct link *l)
{
    size_t at = 0;
    if (!l->greeted && l->n_in >= BENCH_HANDSHAKE) {
        at = BENCH_HANDSHAKE;
        if (!greet(l)) {
            return false;
        }
    }
    while (l->greeted && l->n_in - at >= 4) {
        uint32_t len = bytes_get_be32(l->in + at);
        if (len > IN_LEN - 4) {
            return false;
        }
        if (l->n_in - at < 4 + len) {
            break;
        }
        if (len == 13 && l->in[at + 4] == BENCH_REQUEST &&
            !request(l, l->in + at + 5)) {
            return false;
        }
        at += 4 + len;
    }
    memmove(l->in, l->in + at, l->n_in - at);
    l->n_in -= at;
    return true;
}

static bool on_input(struct link *l)
{
    for (;;) {
        ssize_t n =
            recv(l->fd, l->in + l->n_in, IN_LEN - l->n_in, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) {
            return pump(l);
        }
        if (n <= 0) {
            return false;
        }
        l->n_in += (size_t)n;
        if (!parse(l)) {
            return false;
        }
    }
}

static void drop(struct link *l)
{
    for (struct link **p = &seed.paused; *p != NULL; p = &(*p)->next_paused) {
        if (*p == l) {
            *p = l->next_paused;
            break;
        }
    }
    for (struct link **p = &seed.choked; *p != NULL; p = &(*p)->next_choked) {
        if (*p == l) {
            *p = l->next_choked;
            seed.n_choked--;
            break;
        }
    }
    (void)close(l->fd);
    free(l);
}

static struct link *add(int fd, bool listens)
{
    struct link *l = calloc(1, sizeof(*l));
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = l};
    if (l == NULL) {
        bench_die("calloc");
    }
    l->fd = fd;
    l->listens = listens;
    l->filled_at = bench_now();
    if (epoll_ctl(seed.epoll, EPOLL_CTL_ADD, fd, &e) != 0) {
        bench_die("epoll_ctl");
    }
    return l;
}

static void accept_one(const struct link *l)
{
    int one = 1;
    int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        (void)add(fd, false);
    }
}

static void listen_on(const char *ip, uint16_t port)
{
    struct sockaddr_in a = bench_addr(ip, port);
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 ||
        listen(fd, 128) != 0) {
        bench_die(ip);
    }
    (void)add(fd, true);
}

/* Handshake, a full bitfield and (without a gate) unchoke, in one piece. */
static void make_greeting(void)
{
    uint32_t bits = (seed.n_pieces + 7) / 8;
    seed.greeting_len = BENCH_HANDSHAKE + 5 + bits + 5;
    seed.greeting = calloc(1, seed.greeting_len);
    bench_handshake(seed.greeting, seed.info_hash, 0);
    uint8_t *p = seed.greeting + BENCH_HANDSHAKE;
    (void)bytes_put_be32(p, 1 + bits);
    p[4] = BENCH_BITFIELD;
    memset(p + 5, 0xff, bits);
    if (seed.n_pieces % 8 != 0) {
        p[4 + bits] = (uint8_t)(0xff << (8 - seed.n_pieces % 8));
    }
    (void)bytes_put_be32(p + 5 + bits, 1);
    p[9 + bits] = BENCH_UNCHOKE;
    if (seed.gate > 0) {
        seed.greeting_len -= 5;
    }
}

/* Those that had used up their rate go on. */
static void resume_paused(void)
{
    struct link *l = seed.paused;
    seed.paused = NULL;
    while (l != NULL) {
        struct link *next = l->next_paused;
        l->paused = false;
        if (!pump(l)) {
            drop(l);
        }
        l = next;
    }
}

static void turn(void)
{
    static uint64_t told;
    struct epoll_event events[N_EVENTS];
    int wait_ms = seed.paused != NULL ? 5 : 100;
    int n = epoll_wait(seed.epoll, events, N_EVENTS, wait_ms);
    for (int i = 0; i < n; i++) {
        struct link *l = events[i].data.ptr;
        if (l->listens) {
            accept_one(l);
        } else if (!(events[i].events & EPOLLIN ? on_input(l) : pump(l))) {
            drop(l);
        }
    }
    resume_paused();
    if (told != seed.given) {
        told = seed.given;
        tell_stat();
    }
}

int main(int argc, char **argv)
{
    struct stat st;
    if (argc > 2 && strcmp(argv[1], "--gate") == 0) {
        seed.gate = (unsigned)bench_number(argv[2]);
        argc -= 2;
        argv += 2;
    }
    if (argc < 8 || strlen(argv[1]) != 40) {
        (void)fprintf(
            stderr,
            "usage: %s [--gate N] INFO_HASH PIECE_LENGTH FILE PORT RATE "
            "STAT ADDRESS...\n",
            argv[0]);
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN); /* of sendfile, which has no flag for it */
    seed.info_hash = argv[1];
    seed.piece_length = bench_number(argv[2]);
    seed.file = open(argv[3], O_RDONLY | O_CLOEXEC);
    if (seed.piece_length == 0 || seed.file < 0 || fstat(seed.file, &st) != 0) {
        bench_die(argv[3]);
    }
    seed.size = (uint64_t)st.st_size;
    seed.n_pieces =
        (uint32_t)((seed.size + seed.piece_length - 1) / seed.piece_length);
    seed.rate = (double)bench_number(argv[5]);
    seed.stat = argv[6];
    seed.epoll = epoll_create1(EPOLL_CLOEXEC);
    make_greeting();
    for (int i = 7; i < argc; i++) {
        listen_on(argv[i], bench_port(argv[4]));
    }
    (void)puts("ready");
    (void)fflush(stdout);
    for (;;) {
        turn();
    }
}
