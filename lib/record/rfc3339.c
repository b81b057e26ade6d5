/* RFC 3339 times; see rfc3339.h. */
#include "record/rfc3339.h"

#include <string.h>
#include <time.h>

#include "base/text.h"

#define MS_PER_SECOND INT64_C(1000)
#define MS_PER_MINUTE INT64_C(60000)
#define FRACTION_MOST 12 /* digits; nobody measures finer */

void rfc3339_format(char out[RFC3339_SIZE], int64_t ms) {
    if (ms < 0) ms = 0;
    if (ms > RFC3339_MAX_MS) ms = RFC3339_MAX_MS;
    time_t seconds = (time_t)(ms / MS_PER_SECOND);
    struct tm utc = {0};
    char date[RFC3339_SIZE] = "";
    if (gmtime_r(&seconds, &utc) == NULL || strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc) == 0) {
        (void)text_copy(date, sizeof date, "1970-01-01T00:00:00");
    }
    (void)text_format(out, RFC3339_SIZE, "%s.%03dZ", date, (int)(ms % MS_PER_SECOND));
}

/* Reads exactly count digits; -1 where there are fewer. */
static int read_number(const char **text, int count) {
    int value = 0;
    for (int i = 0; i < count; i++, (*text)++) {
        if (**text < '0' || **text > '9') return -1;
        value = value * 10 + (**text - '0');
    }
    return value;
}

static bool read_mark(const char **text, const char *any_of) {
    if (**text == '\0' || strchr(any_of, **text) == NULL) return false;
    (*text)++;
    return true;
}

static bool read_fraction(const char **text, int64_t *ms) {
    int64_t scale = MS_PER_SECOND;
    *ms = 0;
    if (**text != '.') return true;
    (*text)++;
    int digits = 0;
    for (; **text >= '0' && **text <= '9'; (*text)++, digits++) {
        scale /= 10;
        *ms += (**text - '0') * scale;
    }
    return digits > 0 && digits <= FRACTION_MOST;
}

/* Reads "Z" or "+hh:mm", how far the clock that was read is ahead of UTC. */
static bool read_offset(const char **text, int64_t *ms) {
    *ms = 0;
    if (read_mark(text, "Zz")) return true;
    int64_t sign = **text == '-' ? -1 : 1;
    if (!read_mark(text, "+-")) return false;
    int hours = read_number(text, 2);
    if (hours < 0 || hours > 23 || !read_mark(text, ":")) return false;
    int minutes = read_number(text, 2);
    if (minutes < 0 || minutes > 59) return false;
    *ms = sign * (hours * 60 + minutes) * MS_PER_MINUTE;
    return true;
}

static bool read_date(const char **text, struct tm *out) {
    int year = read_number(text, 4);
    if (year < 0 || !read_mark(text, "-")) return false;
    int month = read_number(text, 2);
    if (month < 1 || month > 12 || !read_mark(text, "-")) return false;
    int day = read_number(text, 2);
    if (day < 1 || day > 31 || !read_mark(text, "Tt ")) return false;
    int hour = read_number(text, 2);
    if (hour < 0 || hour > 23 || !read_mark(text, ":")) return false;
    int minute = read_number(text, 2);
    if (minute < 0 || minute > 59 || !read_mark(text, ":")) return false;
    int second = read_number(text, 2);
    if (second < 0 || second > 60) return false; /* a leap second becomes the next minute */
    *out = (struct tm){.tm_year = year - 1900,
                       .tm_mon = month - 1,
                       .tm_mday = day,
                       .tm_hour = hour,
                       .tm_min = minute,
                       .tm_sec = second};
    return true;
}

bool rfc3339_parse(const char *text, int64_t *ms) {
    struct tm utc;
    int64_t fraction_ms, offset_ms;
    if (!read_date(&text, &utc) || !read_fraction(&text, &fraction_ms) || !read_offset(&text, &offset_ms)) return false;
    if (*text != '\0') return false;
    int day = utc.tm_mday;
    utc.tm_isdst = 0;
    int leap_second = utc.tm_sec == 60 ? 1 : 0;
    utc.tm_sec -= leap_second;
    time_t seconds = timegm(&utc);
    if (utc.tm_mday != day) return false; /* no 30th of February */
    int64_t value = ((int64_t)seconds + leap_second) * MS_PER_SECOND + fraction_ms - offset_ms;
    if (value < 0 || value > RFC3339_MAX_MS) return false;
    *ms = value;
    return true;
}
