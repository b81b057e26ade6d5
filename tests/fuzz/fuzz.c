/* Taking inputs apart; see fuzz.h. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void fuzz_fail(const char *file, int line, const char *promise) {
    (void)fprintf(stderr, "%s:%d: broken: %s\n", file, line, promise);
    abort();
}

uint8_t fuzz_byte(struct fuzz_input *input) {
    if (input->left == 0) return 0;
    input->left--;
    return *input->next++;
}

int64_t fuzz_number(struct fuzz_input *input, int64_t most) {
    uint64_t value = 0;
    for (uint64_t rest = (uint64_t)most; rest > 0; rest >>= 8) value = value << 8 | fuzz_byte(input);
    return (int64_t)(value % ((uint64_t)most + 1));
}

static char *copy(const uint8_t *bytes, size_t length) {
    char *text = malloc(length + 1);
    CHECK(text != NULL, "there is memory for the input");
    if (length > 0) memcpy(text, bytes, length);
    text[length] = '\0';
    return text;
}

static void pass(struct fuzz_input *input, size_t length) {
    size_t used = length < input->left ? length + 1 : length;
    input->next += used;
    input->left -= used;
}

char *fuzz_text(struct fuzz_input *input, char end) {
    size_t length = 0;
    while (length < input->left && input->next[length] != '\0' && input->next[length] != (uint8_t)end) length++;
    char *text = copy(input->next, length);
    pass(input, length);
    return text;
}

char *fuzz_block(struct fuzz_input *input, char end, size_t *length) {
    const uint8_t *at = input->left > 0 ? memchr(input->next, (uint8_t)end, input->left) : NULL;
    *length = at != NULL ? (size_t)(at - input->next) : input->left;
    char *text = copy(input->next, *length);
    pass(input, *length);
    return text;
}

bool fuzz_is_printable(const char *text) {
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || (unsigned char)*text >= 0x7f) return false;
    }
    return true;
}
