/* UTF-8, one character at a time; see utf8.h. */
#include "record/utf8.h"

/* How many bytes the character has that begins with lead, and lead's share of the code point; 0 where none begins so.
 */
static size_t sequence_length(unsigned char lead, uint32_t *share) {
    if (lead < 0x80) {
        *share = lead;
        return 1;
    }
    if (lead >= 0xc2 && lead <= 0xdf) {
        *share = lead & 0x1f;
        return 2;
    }
    if ((lead & 0xf0) == 0xe0) {
        *share = lead & 0x0f;
        return 3;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        *share = lead & 0x07;
        return 4;
    }
    return 0;
}

size_t utf8_next(const char *text, size_t length, uint32_t *codepoint) {
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000}; /* by length: less is overlong */
    uint32_t value;
    if (length == 0) return 0;
    size_t needed = sequence_length((unsigned char)text[0], &value);
    if (needed == 0 || needed > length) return 0;
    for (size_t i = 1; i < needed; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c & 0xc0) != 0x80) return 0;
        value = value << 6 | (c & 0x3f);
    }
    if (value < smallest[needed] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) return 0;
    *codepoint = value;
    return needed;
}

bool utf8_is_cut_off(const char *text, size_t length) {
    uint32_t share;
    if (length == 0) return false;
    size_t needed = sequence_length((unsigned char)text[0], &share);
    if (needed <= length) return false;
    for (size_t i = 1; i < length; i++) {
        if (((unsigned char)text[i] & 0xc0) != 0x80) return false;
    }
    return true;
}

bool utf8_is_valid(const char *text, size_t length) {
    uint32_t codepoint;
    for (size_t i = 0, step; i < length; i += step) {
        step = utf8_next(text + i, length - i, &codepoint);
        if (step == 0) return false;
    }
    return true;
}

bool utf8_is_control(uint32_t codepoint) { return codepoint < 0x20 || (codepoint >= 0x7f && codepoint < 0xa0); }

size_t utf8_fitting(const char *text, size_t length, size_t most) {
    if (length <= most) return length;
    while (most > 0 && ((unsigned char)text[most] & 0xc0) == 0x80) most--;
    return most;
}
