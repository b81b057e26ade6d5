/* Durations and hexadecimal: any text read, any number written. */
#include "base/text.h"
#include "any.h"

static char memory[40], out[TEXT_REASON_SIZE];
static uint8_t bytes[16];

int main(void) {
    int64_t ms;
    const char *text = any_text(memory, sizeof memory);
    size_t start = (size_t)any_int(0, sizeof memory - 1);
    if (text_parse_duration(text + start, &ms) == 0) {
        //@ check at_most_a_year: 0 <= ms <= 366 * 86400000;
    }
    text_format_duration(out, sizeof out, any_int64(INT64_MIN, INT64_MAX));
    (void)text_copy(out, (size_t)any_int(1, sizeof out), text + start);
    Frama_C_make_unknown((char *)bytes, sizeof bytes);
    text_to_hex(out, bytes, sizeof bytes);
    //@ split start;
    text += start;
    (void)text_from_hex(bytes, sizeof bytes, text);
    text_copy_printable(out, (size_t)any_int(1, sizeof out), text);
    return 0;
}
