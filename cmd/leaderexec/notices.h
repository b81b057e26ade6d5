/* What a store has to say about its own affairs, on stderr. */
#ifndef NOTICES_H
#define NOTICES_H

#include "base/log.h"

struct store;

/* Says all that store has to say now. */
void notices_tell(struct store *store, const struct log *log);

#endif
