/* The inside of the fakes: sim_fake.c (connections, messages in) and
 * sim_fake_act.c (what a script does by itself). */
#ifndef BTC_TESTS_SIM_SIM_FAKE_PRIV_H
#define BTC_TESTS_SIM_SIM_FAKE_PRIV_H

#include "sim/sim_fake.h"

/* --- sim_fake.c --- */
void sim_fake_send(struct sim_fake_conn *c, const void *p, size_t len);
void sim_fake_close(struct sim_fake_conn *c);
void sim_fake_simple(struct sim_fake_conn *c, enum wire_type type);
void sim_fake_piece_idx(struct sim_fake_conn *c, enum wire_type type,
                        uint32_t piece);
void sim_fake_block_msg(struct sim_fake_conn *c, enum wire_type type,
                        uint32_t piece, uint32_t begin, uint32_t len);
void sim_fake_bitfield(struct sim_fake_conn *c, const struct bits *have);
/* The block as the script sends it. */
void sim_fake_serve(struct sim_fake_conn *c, const struct wire_block *b);
/* Asks for whatever the other side has, as much as it likes. */
void sim_fake_ask(struct sim_fake_conn *c, uint32_t n);

/* --- sim_fake_act.c --- */
void sim_fake_act(struct sim_fake_conn *c);

#endif
