/* What an election does, in sentences for a transcript. */
#ifndef SCENARIOS_DESCRIBE_H
#define SCENARIOS_DESCRIBE_H

#include "world.h"

/* Tells one action in world's journal. content_is_new: an append's content wasn't told before. */
void describe_action(struct world *world, const struct election_action *action, bool content_is_new);

#endif
