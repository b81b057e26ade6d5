/* Bounded text; see text.h. */
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int text_format(char *out, size_t size, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int length = vsnprintf(out, size, format, args);
    va_end(args);
    if (length < 0) out[0] = '\0';
    return length >= 0 && (size_t)length < size ? 0 : -ENOSPC;
}

int text_copy(char *out, size_t size, const char *text) { return text_format(out, size, "%s", text); }

void text_copy_printable(char *out, size_t size, const char *text) {
    size_t i = 0;
    for (; i + 1 < size && text[i] != '\0'; i++) {
        unsigned char c = (unsigned char)text[i];
        out[i] = (char)(c >= 0x20 && c < 0x7f ? c : '?');
    }
    out[i] = '\0';
}

struct unit {
    const char *name;
    int64_t ms;
};

static const struct unit units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};

static const int64_t longest_ms = INT64_C(366) * 86400000;

static int64_t unit_ms(const char *name) {
    if (*name == '\0') return 1000;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(name, units[i].name) == 0) return units[i].ms;
    }
    return 0;
}

int text_parse_duration(const char *text, int64_t *ms) {
    const char *p = text;
    int64_t whole = 0, fraction = 0, scale = 1;
    if (*p < '0' || *p > '9') return -EINVAL;
    for (; *p >= '0' && *p <= '9'; p++) {
        whole = whole * 10 + (*p - '0');
        if (whole > longest_ms) return -ERANGE;
    }
    if (*p == '.') {
        p++;
        if (*p < '0' || *p > '9') return -EINVAL;
        for (; *p >= '0' && *p <= '9'; p++) {
            if (scale >= INT64_C(1000000000)) return -EINVAL;
            fraction = fraction * 10 + (*p - '0');
            scale *= 10;
        }
    }
    int64_t unit = unit_ms(p);
    if (unit == 0 || fraction * unit % scale != 0) return -EINVAL;
    if (whole > longest_ms / unit) return -ERANGE;
    *ms = whole * unit + fraction * unit / scale;
    return *ms <= longest_ms ? 0 : -ERANGE;
}

void text_format_duration(char *out, size_t size, int64_t ms) {
    static const struct unit exact[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}};
    for (size_t i = 0; i < sizeof exact / sizeof *exact; i++) {
        if (ms != 0 && ms % exact[i].ms == 0) {
            (void)text_format(out, size, "%" PRId64 "%s", ms / exact[i].ms, exact[i].name);
            return;
        }
    }
    if (ms > 1000 && ms % 100 == 0) {
        (void)text_format(out, size, "%" PRId64 ".%" PRId64 "s", ms / 1000, ms % 1000 / 100);
    } else {
        (void)text_format(out, size, "%" PRId64 "ms", ms);
    }
}

void text_to_hex(char *out, const uint8_t *bytes, size_t length) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < length; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * length] = '\0';
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

bool text_from_hex(uint8_t *bytes, size_t length, const char *text) {
    for (size_t i = 0; i < length; i++) {
        int high = hex_value(text[2 * i]);
        int low = high < 0 ? -1 : hex_value(text[2 * i + 1]);
        if (low < 0) return false;
        bytes[i] = (uint8_t)(high * 16 + low);
    }
    return text[2 * length] == '\0';
}
