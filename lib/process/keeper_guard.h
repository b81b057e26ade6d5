/* How the keeper gets itself a guard: at its start, and again whenever one has gone while nothing runs and something
 * may have to run yet. Part of the keeper; nobody else includes this. */
#ifndef PROCESS_KEEPER_GUARD_H
#define PROCESS_KEEPER_GUARD_H

#include "process/keeper.h"

/* Remembers all that a guard needs, so that one can be made later without memory: how the process was started, the
 * command, its descriptors. To be called before any of that is changed, but for its signals (origin). Returns 0 or
 * -errno.
 */
int keeper_guard_prepare(struct keeper *keeper, const struct signals_origin *origin);

/* Clones a guard; what it has to say, MESSAGE_READY first, comes by keeper->socket. Returns 0 or -errno: there is none
 * then. */
int keeper_guard_start(struct keeper *keeper);

/* Whether there is one, as far as is known. */
bool keeper_guard_is_there(const struct keeper *keeper);

/* Nothing runs and there is none: makes another, but for a few in a row that never got ready. Returns 0, -EAGAIN while
 * the old one is still dying, or -errno with a line in reason[TEXT_REASON_SIZE]. */
int keeper_guard_again(struct keeper *keeper, char *reason);

/* What a guard says of itself at its start. */
void keeper_guard_ready(struct keeper *keeper, const struct message *ready);

/* No other guard will be needed: gives back what keeper_guard_prepare() took. Idempotent. */
void keeper_guard_let_go(struct keeper *keeper);

#endif
