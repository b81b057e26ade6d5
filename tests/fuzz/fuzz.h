/* What the fuzz targets share: their one entry point, checks that stay on, and taking an input apart.
 *
 * How to write one: fuzz_NAME.c with LLVMFuzzerTestOneInput(), a row in meson.build, inputs in corpus/NAME/. It must do
 * the same for the same bytes: no clock, no random numbers, no memory of the input before. Knows no part of leaderexec.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The whole input is in data[size], which ends where its memory does. Returns 0; a broken promise aborts. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Holds condition whatever the build; promise says in words what was broken. */
#define CHECK(condition, promise)                                                                                      \
    do {                                                                                                               \
        if (!(condition)) fuzz_fail(__FILE__, __LINE__, promise);                                                      \
    } while (0)

/* Says what was broken and aborts. */
_Noreturn void fuzz_fail(const char *file, int line, const char *promise);

/* Reading an input from its front. Plain values; at the end everything is 0. */
struct fuzz_input {
    const uint8_t *next;
    size_t left;
};

/* The next byte. */
uint8_t fuzz_byte(struct fuzz_input *input);

/* A number from 0 to most (at least 0), from as many bytes as that needs. */
int64_t fuzz_number(struct fuzz_input *input, int64_t most);

/* The text up to the next byte `end`, up to a zero byte, or all that is left, in memory of exactly its size; the byte
 * that ended it is passed over. For free(). */
char *fuzz_text(struct fuzz_input *input, char end);

/* Like fuzz_text(), but zero bytes don't end it and *length tells how long it is. */
char *fuzz_block(struct fuzz_input *input, char end, size_t *length);

/* Whether text is one line for people: printable ASCII. */
bool fuzz_is_printable(const char *text);

#endif
