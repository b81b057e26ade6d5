/* A store's answers as transcripts put them. */
#ifndef SCENARIOS_ANSWERS_H
#define SCENARIOS_ANSWERS_H

#include "words.h"
#include "world.h"

/* Reads an ANSWER (script.h) into *answer: its op, outcome and content. seq: the slot that was asked for. Returns NULL,
 * or what is wrong with it. */
const char *answer_read(struct log_answer *answer, struct words *words, const struct world *world, int64_t seq);

#endif
