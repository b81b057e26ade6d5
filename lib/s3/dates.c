/* Times as S3 writes them; see dates.h. */
#include "s3/dates.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"

/* Reads exactly count digits. Returns their value, or -1. */
static int digits(const char *text, int count) {
    int value = 0;
    for (int i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9') return -1;
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

/* Checks the fields (-1 where one couldn't be read) and converts them. 23:59:60 is let through: leap seconds are
 * written so. */
static int to_ms(int year, int month, int day, int hour, int minute, int second, int64_t *ms) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (year < 1970 || month < 1 || month > 12 || hour < 0 || hour > 23) return -EINVAL;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (day < 1 || day > days[month - 1] + (leap && month == 2 ? 1 : 0)) return -EINVAL;
    if (minute < 0 || minute > 59 || second < 0 || second > 60) return -EINVAL;
    struct tm utc = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = hour, .tm_min = minute};
    *ms = ((int64_t)timegm(&utc) + second) * MS_PER_S;
    return 0;
}

/* Reads ".123456" into ms and moves *text behind it. No fraction is 0; a '.' without digits is -1. */
static int fraction_ms(const char **text) {
    if (**text != '.') return 0;
    const char *p = *text + 1;
    int ms = 0, weight = 100;
    for (; *p >= '0' && *p <= '9'; p++) {
        ms += (*p - '0') * weight;
        weight /= 10;
    }
    if (p == *text + 1) return -1;
    *text = p;
    return ms;
}

int s3_date_parse_iso8601(const char *text, int64_t *ms) {
    if (strnlen(text, 20) < 20) return -EINVAL;
    if (text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':') return -EINVAL;
    const char *end = text + 19;
    int fraction = fraction_ms(&end);
    if (fraction < 0 || strcmp(end, "Z") != 0) return -EINVAL;
    int rc = to_ms(digits(text, 4), digits(text + 5, 2), digits(text + 8, 2), digits(text + 11, 2),
                   digits(text + 14, 2), digits(text + 17, 2), ms);
    if (rc == 0) *ms += fraction;
    return rc;
}

/* Reads "+02:00" into minutes. Returns whether it is that. */
static bool parse_offset(const char *text, int *minutes) {
    if (strlen(text) != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') return false;
    int hour = digits(text + 1, 2), minute = digits(text + 4, 2);
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59) return false;
    *minutes = (hour * 60 + minute) * (text[0] == '-' ? -1 : 1);
    return true;
}

int s3_date_parse_expiry(const char *text, int64_t *ms) {
    char utc[48];
    int minutes = 0;
    size_t length = strnlen(text, sizeof utc);
    if (length < 20 || length >= sizeof utc - 1) return -EINVAL;
    size_t zone = strcspn(text + 19, "Z+-U") + 19;
    bool is_utc = strcmp(text + zone, "Z") == 0 || strcmp(text + zone, "UTC") == 0;
    if (!is_utc && !parse_offset(text + zone, &minutes)) return -EINVAL;
    (void)text_format(utc, sizeof utc, "%.*sZ", (int)zone, text);
    if (s3_date_parse_iso8601(utc, ms) != 0) return -EINVAL;
    *ms -= minutes * INT64_C(60) * MS_PER_S;
    return *ms > 0 ? 0 : -EINVAL;
}

static int month_number(const char *name) {
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int i = 0; i < 12; i++) {
        if (strncmp(name, names + (ptrdiff_t)3 * i, 3) == 0) return i + 1;
    }
    return -1;
}

int s3_date_parse_http(const char *text, int64_t *ms) {
    if (strlen(text) != strlen("Mon, 23 Nov 2026 22:01:41 GMT") || strcmp(text + 25, " GMT") != 0) return -EINVAL;
    if (strncmp(text + 3, ", ", 2) != 0 || text[7] != ' ' || text[11] != ' ' || text[16] != ' ') return -EINVAL;
    if (text[19] != ':' || text[22] != ':') return -EINVAL;
    return to_ms(digits(text + 12, 4), month_number(text + 8), digits(text + 5, 2), digits(text + 17, 2),
                 digits(text + 20, 2), digits(text + 23, 2), ms);
}

int s3_date_format_signing(char out[17], int64_t ms) {
    time_t seconds = (time_t)(ms / MS_PER_S);
    struct tm utc;
    if (ms < 0 || gmtime_r(&seconds, &utc) == NULL || utc.tm_year + 1900 > 9999) return -EINVAL;
    return strftime(out, 17, "%Y%m%dT%H%M%SZ", &utc) == 16 ? 0 : -EINVAL;
}
