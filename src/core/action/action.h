/* The vocabulary between a torrent and whoever drives it (the engine over
 * libuv, or a simulation): events go in, actions come out. Nothing else.
 *
 * Connections are named by a conn id that the torrent gives out; an id is never
 * used for another connection, so a late event with a stale id is dropped.
 * Pointers inside an event live for the call; pointers inside an action live
 * until the next torrent_input or torrent_next_action, except block memory,
 * which lives until the matching event comes back.
 */
#ifndef BTC_CORE_ACTION_ACTION_H
#define BTC_CORE_ACTION_ACTION_H

#include "base/addr.h"
#include "base/hash.h"
#include "model/names.h"
#include "proto/peer/wire.h"
#include "proto/tracker/tracker.h"

enum event_type {
    EVENT_START,     /* run: dial, announce, download, serve */
    EVENT_STOP,      /* wind down: `stopped` announces, blocks to the disk */
    EVENT_TICK,      /* torrent_deadline has come */
    EVENT_CONNECTED, /* an outgoing connection stands */
    EVENT_ACCEPTED,  /* an incoming one with its handshake read */
    EVENT_DATA,      /* bytes of a connection */
    EVENT_CLOSED,    /* it is gone (never answered for our own CLOSE) */
    EVENT_FINISHED,  /* answer to ACTION_FINISH */
    EVENT_WRITTEN,   /* answer to ACTION_WRITE */
    EVENT_HASHED,    /* answer to ACTION_HASH */
    EVENT_UPLOADED,  /* answer to ACTION_UPLOAD: the bytes left us, or not */
    EVENT_ANNOUNCED, /* answer to ACTION_ANNOUNCE */
    EVENT_SCRAPED,   /* answer to ACTION_SCRAPE */
    EVENT_PEER       /* an address was learnt (user, tracker of another kind) */
};

struct event {
    enum event_type type;
    uint32_t conn;  /* CONNECTED, ACCEPTED, DATA, CLOSED, UPLOADED */
    uint32_t piece; /* FINISHED, WRITTEN, HASHED, UPLOADED */
    int result;     /* CLOSED, FINISHED, WRITTEN, HASHED, UPLOADED, ANNOUNCED */
    union {
        struct { /* ACCEPTED (conn from torrent_new_conn) */
            struct addr addr;
            struct wire_handshake handshake;
        } accepted;
        struct slice data; /* DATA */
        struct {           /* FINISHED, WRITTEN; NULL: not needed, or no use */
            const uint8_t (*block_hashes)[SHA1_LEN];
            bool unwritten; /* FINISHED: it matched, and writing it failed */
        } finished;
        struct { /* UPLOADED */
            uint32_t len;
        } uploaded;
        struct { /* ANNOUNCED, SCRAPED */
            uint32_t tracker;
            const struct tracker_reply *reply; /* when result == 0 */
            const char *error; /* a text when result != 0; NULL allowed */
        } announced;
        struct { /* PEER */
            struct addr addr;
            int source; /* enum peer_source */
        } peer;
    };
};

enum action_type {
    ACTION_CONNECT,  /* conn, addr */
    ACTION_CLOSE,    /* conn */
    ACTION_SEND,     /* conn, data */
    ACTION_UPLOAD,   /* conn, a range of a piece as one or more blocks */
    ACTION_FINISH,   /* piece: hash over its blocks, write them if it is good */
    ACTION_WRITE,    /* piece: write these blocks as they are */
    ACTION_HASH,     /* piece: hash what is on disk */
    ACTION_ANNOUNCE, /* tracker, request */
    ACTION_SCRAPE,   /* tracker */
    ACTION_NODE,     /* addr: a node of the DHT, as a peer says */
    ACTION_INFO,     /* the info dictionary is asked for: torrent_give_info */
    ACTION_PERSIST,  /* a fact for the journal */
    ACTION_NOTIFY    /* something a person may want to know */
};

enum fact_type {
    FACT_PIECE,         /* verified and written */
    FACT_PIECE_LOST,    /* not verified any more */
    FACT_BLOCK,         /* of an incomplete piece, written */
    FACT_BLOCKS_LOST,   /* all of a piece */
    FACT_PEER,          /* peer (peerset id) changed */
    FACT_TRACKER,       /* tracker changed */
    FACT_METADATA,      /* a piece of the info dictionary came */
    FACT_METADATA_LOST, /* all that came of it is wrong */
    FACT_EVENT          /* level, kind, text */
};

enum notify_type {
    NOTIFY_STATE,    /* torrent_state changed */
    NOTIFY_PIECE,    /* piece verified */
    NOTIFY_FILE,     /* file complete */
    NOTIFY_COMPLETE, /* everything wanted is verified and written */
    NOTIFY_CHECKED,  /* the check of existing data has ended */
    NOTIFY_METADATA, /* the info dictionary is whole and right */
    NOTIFY_ERROR     /* result, text: the torrent cannot go on */
};

struct action {
    enum action_type type;
    uint32_t conn;
    uint32_t piece;
    union {
        struct addr addr;  /* CONNECT, NODE */
        struct slice data; /* SEND */
        struct {           /* UPLOAD */
            struct wire_block range;
            uint32_t chunk; /* a message with a header per so many bytes */
        } upload;
        struct {                    /* FINISH, WRITE */
            uint8_t *const *blocks; /* n_blocks; NULL: on disk / leave alone */
            uint32_t n_blocks;
            bool want_block_hashes; /* WRITE: of the blocks in memory */
        } write;
        bool claimed;         /* HASH: the journal has it as verified */
        struct {              /* ANNOUNCE, SCRAPE */
            uint32_t tracker; /* index; its URL names the scheme */
            struct tracker_request *request; /* ANNOUNCE */
        } announce;
        struct { /* PERSIST */
            enum fact_type type;
            uint32_t block;
            uint32_t index; /* peerset id or tracker */
            enum level level;
            const char *kind; /* a literal */
            char *text;
        } fact;
        struct { /* NOTIFY */
            enum notify_type type;
            uint32_t file;
            int result;
            char *text;
        } notify;
    };
};

#endif
