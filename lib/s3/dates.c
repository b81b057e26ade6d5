/* Times as S3 writes them; see dates.h. */
#include "s3/dates.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>
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

/* Reads ".123456" into ms and moves *text behind it; points: what may stand for the '.'. No fraction is 0; a '.'
 * without digits is -1. */
static int fraction_ms(const char **text, const char *points) {
    if (**text == '\0' || strchr(points, **text) == NULL) return 0;
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
    int fraction = fraction_ms(&end, ".");
    if (fraction < 0 || strcmp(end, "Z") != 0) return -EINVAL;
    int rc = to_ms(digits(text, 4), digits(text + 5, 2), digits(text + 8, 2), digits(text + 11, 2),
                   digits(text + 14, 2), digits(text + 17, 2), ms);
    if (rc == 0) *ms += fraction;
    return rc;
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

/* As digits(), and moves *text behind them. */
static int take_digits(const char **text, int count) {
    int value = digits(*text, count);
    if (value >= 0) *text += count;
    return value;
}

static bool skip(const char **text, const char *any_of) {
    bool found = **text != '\0' && strchr(any_of, **text) != NULL;
    if (found) ++*text;
    return found;
}

/* Reads "Z", " UTC", "GMT", "+02:00", "-0530", "+02" into minutes. Returns whether it is one of these. */
static bool parse_zone(const char *text, int *minutes) {
    (void)skip(&text, " ");
    *minutes = 0;
    if (strcasecmp(text, "Z") == 0 || strcasecmp(text, "UTC") == 0 || strcasecmp(text, "GMT") == 0) return true;
    int sign = *text == '-' ? -1 : 1;
    if (!skip(&text, "+-")) return false;
    int hour = take_digits(&text, 2), minute = 0;
    if (skip(&text, ":") || *text != '\0') minute = take_digits(&text, 2);
    *minutes = sign * (hour * 60 + minute);
    return hour >= 0 && hour <= 23 && minute >= 0 && minute <= 59 && *text == '\0';
}

/* "2026-11-23T22:01:41.5Z", "2026-11-23 22:01+02", "20261123T220141Z" and what lies between: marks between numbers and
 * seconds may be missing, the zone mayn't. */
static int parse_numbers(const char *text, int64_t *ms) {
    int second = 0, fraction = 0, minutes;
    int year = take_digits(&text, 4);
    (void)skip(&text, "-/");
    int month = take_digits(&text, 2);
    (void)skip(&text, "-/");
    int day = take_digits(&text, 2);
    if (day < 0 || !skip(&text, "Tt ")) return -EINVAL;
    int hour = take_digits(&text, 2);
    (void)skip(&text, ":");
    int minute = take_digits(&text, 2);
    if (skip(&text, ":") || (*text >= '0' && *text <= '9')) {
        second = take_digits(&text, 2);
        fraction = fraction_ms(&text, ".,");
    }
    if (fraction < 0 || !parse_zone(text, &minutes)) return -EINVAL;
    int rc = to_ms(year, month, day, hour, minute, second, ms);
    *ms += fraction - minutes * INT64_C(60) * MS_PER_S;
    return rc;
}

/* "Mon, 23 Nov 2026 22:01:41 GMT", or with another zone. */
static int parse_words(const char *text, int64_t *ms) {
    char utc[32];
    int minutes;
    if (strnlen(text, 26) < 26 || !parse_zone(text + 25, &minutes)) return -EINVAL;
    (void)text_format(utc, sizeof utc, "%.25s GMT", text);
    int rc = s3_date_parse_http(utc, ms);
    *ms -= minutes * INT64_C(60) * MS_PER_S;
    return rc;
}

int s3_date_parse_expiry(const char *text, int64_t *ms) {
    *ms = 0;
    int rc = *text >= '0' && *text <= '9' ? parse_numbers(text, ms) : parse_words(text, ms);
    return rc == 0 && *ms > 0 ? 0 : -EINVAL;
}

int s3_date_format_signing(char out[17], int64_t ms) {
    time_t seconds = (time_t)(ms / MS_PER_S);
    struct tm utc;
    if (ms < 0 || gmtime_r(&seconds, &utc) == NULL || utc.tm_year + 1900 > 9999) return -EINVAL;
    return strftime(out, 17, "%Y%m%dT%H%M%SZ", &utc) == 16 ? 0 : -EINVAL;
}
