/* What the drivers share: values that may be anything, in the words of Frama-C's EVA. */
#ifndef PROOF_ANY_H
#define PROOF_ANY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "__fc_builtin.h"

static inline bool any_bool(void) { return Frama_C_interval(0, 1) != 0; }

static inline int any_int(int least, int most) { return Frama_C_interval(least, most); }

static inline int64_t any_int64(int64_t least, int64_t most) { return Frama_C_long_interval(least, most); }

/* Fills memory[size] with any bytes, the last with a zero: a text of any content and any length below size. */
static inline char *any_text(char *memory, size_t size) {
    Frama_C_make_unknown(memory, size);
    memory[size - 1] = '\0';
    return memory;
}

#endif
