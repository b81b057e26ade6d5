/* The C library, as far as Frama-C's own leaves it open: what its functions need, and all that they may answer. The
 * text functions are those of Frama-C, with bodies, for a contract says too little of what a text holds. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "any.h"
#define strcmp strcmp_of_frama_c // replaced below
#include "libc/string.c"
#undef strcmp

/* As everybody's; written so that EVA sees that it stops at the end of either, one of which is usually a literal. */
int strcmp(const char *a, const char *b) {
    size_t i = 0;
    for (; b[i] != '\0'; i++) {
        if (a[i] != b[i]) return (unsigned char)a[i] < (unsigned char)b[i] ? -1 : 1;
    }
    return a[i] != '\0';
}

size_t strcspn(const char *text, const char *any_of) {
    size_t i = 0;
    while (text[i] != '\0' && strchr(any_of, text[i]) == NULL) i++;
    return i;
}

/* Reads all that format names, as printf(3) does, and writes any text. */
int vsnprintf(char *out, size_t size, const char *format, va_list args) {
    for (; *format != '\0'; format++) {
        if (*format != '%') continue;
        bool is_long = false;
        int precision = -1;
        for (format++; strchr("0123456789.*lz", *format) != NULL; format++) {
            if (*format == '*') precision = va_arg(args, int);
            is_long = is_long || *format == 'l' || *format == 'z';
        }
        //@ assert conversion_is_known: *format == 's' || *format == 'd' || *format == 'u' || *format == '%';
        if (*format == 's') {
            const char *text = va_arg(args, const char *);
            (void)(precision < 0 ? strlen(text) : strnlen(text, (size_t)precision));
        } else if (*format != '%' && is_long) {
            (void)va_arg(args, long);
        } else if (*format != '%') {
            (void)va_arg(args, int);
        }
    }
    (void)any_text(out, size);
    return any_int(-1, 100000);
}

/* Takes fields as people write them, and normalises them. */
time_t timegm(struct tm *tm) {
    //@ assert a_date: -1900 <= tm->tm_year <= 8099 && 0 <= tm->tm_mon <= 11 && 1 <= tm->tm_mday <= 31;
    //@ assert a_time: 0 <= tm->tm_hour <= 23 && 0 <= tm->tm_min <= 59 && 0 <= tm->tm_sec <= 60;
    tm->tm_mday = any_int(1, 31);
    tm->tm_mon = any_int(0, 11);
    tm->tm_year = any_int(-1900, 8100);
    tm->tm_sec = any_int(0, 59);
    return any_int64(tm->tm_year >= 70 ? 0 : INT64_C(-62167219200), INT64_C(253402387200));
}

/* Any date within the 292 million years that 64 bits of milliseconds reach. */
struct tm *gmtime_r(const time_t *seconds, struct tm *tm) {
    //@ assert from_ms: -9223372036854776 <= *seconds <= 9223372036854776;
    *tm = (struct tm){.tm_year = any_int(-292279000, 292276000), .tm_mon = any_int(0, 11), .tm_mday = any_int(1, 31)};
    return any_bool() ? tm : NULL;
}

size_t strftime(char *out, size_t size, const char *format, const struct tm *tm) {
    //@ assert a_format: valid_read_string(format) && \initialized(tm);
    (void)any_text(out, size);
    return (size_t)any_int(0, (int)size - 1);
}

void explicit_bzero(void *memory, size_t size) { memset(memory, 0, size); }

void mbedtls_platform_zeroize(void *memory, size_t size) { memset(memory, 0, size); }
