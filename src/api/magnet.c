/* A magnet becomes rows of the database: the torrent without its files, and
 * what is wished for the time when they are known; see btc_add in btc.h.
 */
#include "api/api.h"

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "journal/magnet.h"
#include "proto/metainfo/choose.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define API_SELECT_MAX (1u << 20) /* bytes of a list of files */

struct api_magnet {
    const struct magnet *m;           /* borrows */
    const struct btc_add_options *o;  /* borrows */
    const struct api_place *place;    /* borrows */
    struct journal_tracker *trackers; /* owns; the urls are m's */
    struct api_peers peers;
    char *name, *label;           /* own */
    struct journal_magnet magnet; /* owns */
    struct journal_add add;       /* points into the rest */
};

void api_magnet_free(struct api_magnet *x)
{
    if (x == NULL) {
        return;
    }
    journal_magnet_fini(&x->magnet);
    free(x->trackers);
    free(x->peers.p);
    free(x->name);
    free(x->label);
    free(x);
}

/* A copy of a wish; NULL when it says nothing. */
static char *api_magnet_wish(const char *text)
{
    if (text != NULL && text[0] != '\0') {
        return mem_strdup(text);
    }
    return NULL;
}

/* The link's own choice (BEP 53) as --select writes it: from 1. */
static char *api_magnet_so(const struct magnet *m)
{
    struct buf b;
    char *text = NULL;
    buf_init(&b, API_SELECT_MAX);
    for (uint32_t i = 0; i < m->n_select; i++) {
        (void)buf_printf(&b, "%s%llu", i > 0 ? "," : "",
                         (unsigned long long)m->select[i] + 1);
    }
    if (m->n_select > 0) {
        text = buf_take_str(&b);
    }
    buf_fini(&b);
    return text;
}

/* What is called how, and what is chosen, once the files are known. */
static void api_magnet_wishes(struct api_magnet *x)
{
    char hex[DIGEST_HEX_MAX + 1];
    digest_hex(&x->m->v1, hex);
    bool named = x->m->name != NULL && x->m->name[0] != '\0';
    x->name = mem_strdup(named ? x->m->name : hex);
    x->magnet.given_name = mem_strdup(x->name);
    x->magnet.selected = api_magnet_wish(x->o->select);
    x->magnet.excluded = api_magnet_wish(x->o->exclude);
    x->magnet.out_name = api_magnet_wish(x->o->name);
    x->magnet.link_selected = api_magnet_so(x->m);
}

/* Where the .torrent is to be kept: whoever keeps it has another folder. */
static int api_magnet_keep(struct api_magnet *x, struct err *e)
{
    const char *path = x->o->torrent_file;
    if (path == NULL) {
        return 0;
    }
    const char *slash = strrchr(path, '/');
    char *folder = file_folder_of(path);
    char *full = realpath(folder, NULL);
    int code = 0;
    if (full == NULL) {
        code = err_set_errno(e, errno, "'%.300s' cannot be written", path);
    } else if (access(path, F_OK) == 0) {
        code = err_set(e, BTC_E_EXISTS, "'%.300s' exists already", path);
    } else {
        const char *root = "";
        if (strcmp(full, "/") != 0) {
            root = full;
        }
        const char *name = path;
        if (slash != NULL) {
            name = slash + 1;
        }
        x->magnet.torrent_file = mem_printf("%s/%s", root, name);
    }
    free(full);
    free(folder);
    return code;
}

/* The row of the torrent. */
static int api_magnet_torrent(struct api_magnet *x, struct err *e)
{
    const struct btc_add_options *o = x->o;
    struct journal_torrent *t = &x->add.torrent;
    memcpy(t->info_hash, x->m->v1.bytes, sizeof(t->info_hash));
    x->label = mem_strdup(o->label);
    t->name = x->name;
    t->save_path = x->place->save_path;
    t->label = x->label;
    return api_add_options(o, t, e);
}

/* Peers of the link are a help, those of the user a wish: of the former a bad
 * one is left out. */
static void api_magnet_peers(struct api_magnet *x)
{
    const struct api_peers *by_hand = &x->place->peers;
    x->peers.p = mem_dup(by_hand->p, by_hand->n * sizeof(*by_hand->p));
    x->peers.n = by_hand->n;
    for (uint32_t i = 0; i < x->m->n_peers; i++) {
        struct err skipped = {0};
        if (api_peers_add(&x->peers, x->m->peers[i], &skipped) != 0) {
            log_write(LOG_WARN, "magnet", "%s", skipped.msg);
        }
    }
}

/* Where the metadata and the data may be had. */
static void api_magnet_sources(struct api_magnet *x)
{
    uint32_t n = x->m->n_trackers;
    x->trackers = mem_calloc(n > 0 ? n : 1, sizeof(*x->trackers));
    for (uint32_t i = 0; i < n; i++) {
        x->trackers[i].url = x->m->trackers[i];
        x->trackers[i].tier = i;
    }
    api_magnet_peers(x);
    x->add.trackers = x->trackers;
    x->add.n_trackers = n;
    x->add.web_seeds = x->m->web_seeds;
    x->add.n_web_seeds = x->m->n_web_seeds;
    x->add.peers = x->peers.p;
    x->add.n_peers = x->peers.n;
    x->add.magnet = &x->magnet;
}

int api_magnet_new(const struct magnet *m, const struct btc_add_options *o,
                   const struct api_place *place, struct api_magnet **out,
                   struct err *e)
{
    struct api_magnet *x = mem_zalloc(sizeof(*x));
    *x = (struct api_magnet){.m = m, .o = o, .place = place};
    *out = x;
    api_magnet_wishes(x);
    int code = 0;
    if (x->magnet.out_name != NULL) {
        code = choose_check_name(x->magnet.out_name, e);
    }
    if (code == 0) {
        code = api_magnet_keep(x, e);
    }
    if (code == 0) {
        api_magnet_sources(x);
        code = api_magnet_torrent(x, e);
    }
    return code;
}

/* What was wished for later is wished anew where something was said. */
static int api_magnet_again(const struct api_magnet *x, struct journal *db,
                            int64_t id, struct err *e)
{
    const struct {
        const char *column, *value;
    } wishes[] = {{"selected", x->magnet.selected},
                  {"excluded", x->magnet.excluded},
                  {"torrent_file", x->magnet.torrent_file}};
    int code = 0;
    for (size_t i = 0; code == 0 && i < sizeof(wishes) / sizeof(*wishes); i++) {
        if (wishes[i].value != NULL) {
            code = journal_set_magnet(db, id, wishes[i].column, wishes[i].value,
                                      e);
        }
    }
    return code;
}

/* The torrent is there, perhaps as a magnet still: its sources grow, and it is
 * to run. */
static int api_magnet_merge(struct api_magnet *x, struct journal *db,
                            int64_t id, struct err *e)
{
    int code = journal_add_sources(db, id, &x->add, e);
    if (code == 0) {
        code = api_magnet_again(x, db, id, e);
        if (code == BTC_E_NOTFOUND) {
            code = 0;
        }
    }
    if (code == 0 && !x->o->paused) {
        code = journal_set_wish(db, id, "wanted", "run", e);
    }
    return code;
}

int api_magnet_store(struct api_magnet *x, struct journal *db, int64_t *id,
                     bool *known, struct err *e)
{
    int code = journal_add_torrent(db, &x->add, id, e);
    *known = code == BTC_E_EXISTS;
    if (*known) {
        return api_magnet_merge(x, db, *id, e);
    }
    return code;
}
