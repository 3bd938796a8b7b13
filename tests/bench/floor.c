/* The floor of the machine: what the least program costs that asks for pieces,
 * hashes them and writes them. It trusts the seeder, keeps no journal and syncs
 * nothing, so a client that is near it has little left to save.
 *
 *   bench_floor [--sync] INFO_HASH PIECE_LENGTH SIZE FILE PORT ADDRESS...
 *
 * With --sync its file is on the disk when it ends, as a client's is that calls
 * a download complete only then. Without, a disk is measured as memory: most of
 * what was written is still to come.
 *
 * One thread reads from all connections, one piece on its way for each; a
 * second one hashes and writes. At most N_BUFFERS pieces are in memory. */
#include "wire.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>

#define N_MAX     256
#define N_BUFFERS 24u

struct piece {
    struct piece *next;
    uint32_t index, len;
    uint8_t data[];
};

struct link {
    int fd;
    struct piece *piece;
    uint32_t got;
    uint8_t head[13];
    size_t n_head;
    uint32_t at, left; /* of the block that is coming */
};

static struct {
    uint64_t size, piece_length;
    uint32_t n_pieces, next, written;
    int file;
    bool sync;
    struct link links[N_MAX];
    struct pollfd fds[N_MAX];
    nfds_t n;
    pthread_mutex_t lock;
    pthread_cond_t came, freed;
    struct piece *full, **full_end, *free;
    uint32_t n_buffers;
    uint8_t scratch[1u << 18];
} fl = {.lock = PTHREAD_MUTEX_INITIALIZER,
        .came = PTHREAD_COND_INITIALIZER,
        .freed = PTHREAD_COND_INITIALIZER};

static void hash_and_write(const struct piece *p)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    if (EVP_Digest(p->data, p->len, digest, NULL, EVP_sha1(), NULL) != 1) {
        bench_die("sha1");
    }
    for (uint32_t done = 0; done < p->len;) {
        ssize_t n = pwrite(fl.file, p->data + done, p->len - done,
                           (off_t)(p->index * fl.piece_length + done));
        if (n <= 0) {
            bench_die("pwrite");
        }
        done += (uint32_t)n;
    }
}

static void *worker(void *arg)
{
    (void)arg;
    (void)pthread_mutex_lock(&fl.lock);
    while (fl.written < fl.n_pieces) {
        while (fl.full == NULL) {
            (void)pthread_cond_wait(&fl.came, &fl.lock);
        }
        struct piece *p = fl.full;
        fl.full = p->next;
        if (fl.full == NULL) {
            fl.full_end = &fl.full;
        }
        (void)pthread_mutex_unlock(&fl.lock);
        hash_and_write(p);
        (void)pthread_mutex_lock(&fl.lock);
        fl.written++;
        p->next = fl.free;
        fl.free = p;
        (void)pthread_cond_signal(&fl.freed);
    }
    (void)pthread_mutex_unlock(&fl.lock);
    return NULL;
}

/* A buffer, a new one or one that was written. */
static struct piece *buffer(void)
{
    struct piece *p = NULL;
    (void)pthread_mutex_lock(&fl.lock);
    if (fl.free == NULL && fl.n_buffers < N_BUFFERS + fl.n) {
        fl.n_buffers++;
        p = malloc(sizeof(*p) + fl.piece_length);
    } else {
        while (fl.free == NULL) {
            (void)pthread_cond_wait(&fl.freed, &fl.lock);
        }
        p = fl.free;
        fl.free = p->next;
    }
    (void)pthread_mutex_unlock(&fl.lock);
    if (p == NULL) {
        bench_die("malloc");
    }
    return p;
}

/* Asks for the next piece, whole. */
static void ask(struct link *l)
{
    uint8_t out[17 * 64];
    size_t n = 0;
    l->piece = NULL;
    if (fl.next == fl.n_pieces) {
        return;
    }
    struct piece *p = buffer();
    uint64_t left = fl.size - fl.next * fl.piece_length;
    p->index = fl.next++;
    p->len = (uint32_t)(left < fl.piece_length ? left : fl.piece_length);
    l->piece = p;
    l->got = 0;
    for (uint32_t at = 0; at < p->len; at += BENCH_BLOCK) {
        uint32_t len = p->len - at < BENCH_BLOCK ? p->len - at : BENCH_BLOCK;
        bench_request(out + n, p->index, at, len);
        n += 17;
        if (n == sizeof(out) || at + len == p->len) {
            bench_send_all(l->fd, out, n);
            n = 0;
        }
    }
}

static void piece_done(struct link *l)
{
    (void)pthread_mutex_lock(&fl.lock);
    l->piece->next = NULL;
    *fl.full_end = l->piece;
    fl.full_end = &l->piece->next;
    (void)pthread_cond_signal(&fl.came);
    (void)pthread_mutex_unlock(&fl.lock);
    ask(l);
}

static void parse(struct link *l, const uint8_t *p, size_t len)
{
    while (len > 0) {
        if (l->left > 0) {
            size_t n = len < l->left ? len : l->left;
            memcpy(l->piece->data + l->at, p, n);
            l->at += (uint32_t)n;
            l->left -= (uint32_t)n;
            l->got += (uint32_t)n;
            p += n;
            len -= n;
            if (l->left == 0 && l->got == l->piece->len) {
                piece_done(l);
            }
            continue;
        }
        l->head[l->n_head++] = *p++;
        len--;
        if (l->n_head == sizeof(l->head)) {
            l->n_head = 0;
            l->at = bytes_get_be32(l->head + 9);
            l->left = bytes_get_be32(l->head) - 9;
        }
    }
}

static void connect_one(unsigned i, const char *info_hash, const char *ip,
                        uint16_t port)
{
    uint8_t hello[BENCH_HANDSHAKE];
    struct sockaddr_in to = bench_addr(ip, port);
    struct link *l = &fl.links[i];
    size_t skip = 5 + (fl.n_pieces + 7) / 8 + 5; /* bitfield and unchoke */
    l->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(l->fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
        bench_die("connect");
    }
    bench_handshake(hello, info_hash, i);
    bench_send_all(l->fd, hello, sizeof(hello));
    bench_recv_all(l->fd, hello, sizeof(hello));
    while (skip > 0) {
        size_t n = skip < sizeof(fl.scratch) ? skip : sizeof(fl.scratch);
        bench_recv_all(l->fd, fl.scratch, n);
        skip -= n;
    }
    fl.fds[i] = (struct pollfd){.fd = l->fd, .events = POLLIN};
}

/* True while a piece is on its way. */
static bool is_busy(void)
{
    for (nfds_t i = 0; i < fl.n; i++) {
        if (fl.links[i].piece != NULL) {
            return true;
        }
    }
    return false;
}

static void run(void)
{
    for (nfds_t i = 0; i < fl.n; i++) {
        ask(&fl.links[i]);
    }
    while (is_busy()) {
        (void)poll(fl.fds, fl.n, -1);
        for (nfds_t i = 0; i < fl.n; i++) {
            if (fl.fds[i].revents == 0) {
                continue;
            }
            ssize_t n = recv(fl.fds[i].fd, fl.scratch, sizeof(fl.scratch),
                             MSG_DONTWAIT);
            if (n <= 0) {
                bench_die("recv");
            }
            parse(&fl.links[i], fl.scratch, (size_t)n);
        }
    }
}

int main(int argc, char **argv)
{
    pthread_t thread;
    if (argc > 1 && strcmp(argv[1], "--sync") == 0) {
        fl.sync = true;
        argc--;
        argv++;
    }
    if (argc < 7 || argc - 6 > N_MAX || strlen(argv[1]) != 40) {
        (void)fprintf(stderr,
                      "usage: bench_floor [--sync] INFO_HASH PIECE_LENGTH SIZE "
                      "FILE PORT ADDRESS...\n");
        return 2;
    }
    fl.piece_length = bench_number(argv[2]);
    fl.size = bench_number(argv[3]);
    fl.n_pieces = (uint32_t)((fl.size + fl.piece_length - 1) / fl.piece_length);
    fl.file = open(argv[4], O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    fl.n = (nfds_t)argc - 6;
    fl.full_end = &fl.full;
    if (fl.file < 0) {
        bench_die(argv[4]);
    }
    for (unsigned i = 0; i < fl.n; i++) {
        connect_one(i, argv[1], argv[6 + i], bench_port(argv[5]));
    }
    if (pthread_create(&thread, NULL, worker, NULL) != 0) {
        bench_die("pthread_create");
    }
    run();
    (void)pthread_join(thread, NULL);
    if (fl.sync && fdatasync(fl.file) != 0) {
        bench_die("fdatasync");
    }
    return 0;
}
