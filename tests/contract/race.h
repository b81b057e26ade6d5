/* Eight processes race for each slot of a log: the one promise that all others rest on. */
#ifndef CONTRACT_RACE_H
#define CONTRACT_RACE_H

#include <stdbool.h>

#include "target.h"

#define RACE_PROCESSES 8
#define RACE_SLOTS     50

/* Lets them race for slots 1 to RACE_SLOTS of lock. Returns whether each slot was created once and all read the same
 * winner; else says in report[TEXT_REASON_SIZE] what went wrong. */
bool race_run(const struct target *target, const char *lock, char *report);

#endif
