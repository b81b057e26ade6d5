/* UTF-8: any bytes, in memory that ends with them. A character has at most four, so that nothing new comes behind
 * LENGTH_MOST. */
#include "record/utf8.h"
#include "any.h"

#define LENGTH_MOST 8

static char memory[LENGTH_MOST];

int main(void) {
    Frama_C_make_unknown(memory, sizeof memory);
    for (size_t length = 0; length <= LENGTH_MOST; length++) {
        const char *text = memory + LENGTH_MOST - length;
        uint32_t codepoint = 0;
        size_t step = utf8_next(text, length, &codepoint);
        //@ check a_character: step <= length && step <= 4 && codepoint <= 0x10ffff;
        (void)utf8_is_control(codepoint);
        (void)utf8_is_cut_off(text, length);
        (void)utf8_is_valid(text, length);
        for (size_t most = 0; most <= LENGTH_MOST; most++) {
            size_t fitting = utf8_fitting(text, length, most);
            //@ check it_fits: fitting <= length && fitting <= most;
        }
    }
    return 0;
}
