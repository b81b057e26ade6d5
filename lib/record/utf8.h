/* Just enough UTF-8 to keep texts from outside valid: one character at a time. Knows no JSON and no records. */
#ifndef RECORD_UTF8_H
#define RECORD_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decodes the character that text[length] begins with. Returns its length in bytes (1 to 4) and sets *codepoint; 0
 * where there is none: nothing left, cut off, overlong, a surrogate, or past U+10FFFF (RFC 3629). */
size_t utf8_next(const char *text, size_t length, uint32_t *codepoint);

/* Tells whether text[length] is a character that was cut off behind its first bytes, nothing being wrong with these. */
bool utf8_is_cut_off(const char *text, size_t length);

/* Tells whether all of text[length] is valid UTF-8. */
bool utf8_is_valid(const char *text, size_t length);

/* Tells whether codepoint is a control character: C0, DEL or C1; terminals act on them. */
bool utf8_is_control(uint32_t codepoint);

/* Returns how many bytes of the valid text[length] fit into most bytes without cutting a character. */
size_t utf8_fitting(const char *text, size_t length, size_t most);

#endif
