/* Configuration files; see ini.h. */
#include "s3/ini.h"

#include <ctype.h>
#include <errno.h>
#include <mbedtls/platform_util.h>
#include <stdbool.h>
#include <string.h>

#include "base/buffer.h"
#include "base/text.h"
#include "s3/file.h"

#define INI_NAME_SIZE 256

struct reading {
    ini_setting *setting;
    void *context;
    char section[INI_NAME_SIZE];
    char outer[INI_NAME_SIZE]; /* the setting with an empty value that indented lines belong to; "" for none */
};

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

/* Cuts blanks and a carriage return from the end. */
static void trim_end(char *text) {
    size_t length = strlen(text);
    while (length > 0 && (is_blank(text[length - 1]) || text[length - 1] == '\r')) text[--length] = '\0';
}

static char *skip_blanks(char *text) {
    while (is_blank(*text)) text++;
    return text;
}

/* Cuts a comment from the end of a value: '#' or ';' behind a blank. */
static void cut_comment(char *value) {
    for (char *p = value; *p != '\0'; p++) {
        if ((*p == '#' || *p == ';') && p > value && is_blank(p[-1])) {
            *p = '\0';
            return;
        }
    }
}

static void to_lower_case(char *text) {
    for (; *text != '\0'; text++) *text = (char)tolower((unsigned char)*text);
}

static int begin_section(struct reading *reading, char *line) {
    char *end = strchr(line, ']');
    reading->outer[0] = '\0';
    reading->section[0] = '\0';
    if (end == NULL) return 0;
    *end = '\0';
    char *from = skip_blanks(line + 1), *to = from;
    for (char *p = from; *p != '\0'; p++) {
        if (!is_blank(*p)) {
            *to++ = *p;
        } else if (!is_blank(p[1]) && p[1] != '\0') {
            *to++ = ' ';
        }
    }
    *to = '\0';
    if (text_copy(reading->section, sizeof reading->section, from) != 0) return -EMSGSIZE;
    return reading->setting(reading->context, reading->section, "", "");
}

static int take_setting(struct reading *reading, char *line) {
    bool nested = is_blank(*line) && reading->outer[0] != '\0';
    char *name = skip_blanks(line), *equals = strchr(name, '=');
    if (reading->section[0] == '\0' || equals == NULL) return 0;
    *equals = '\0';
    trim_end(name);
    to_lower_case(name);
    char *value = skip_blanks(equals + 1);
    cut_comment(value);
    trim_end(value);
    char full[2 * INI_NAME_SIZE + 2];
    if (text_format(full, sizeof full, "%s%s%s", nested ? reading->outer : "", nested ? "." : "", name) != 0)
        return -EMSGSIZE;
    if (!nested) reading->outer[0] = '\0';
    if (!nested && *value == '\0' && text_copy(reading->outer, sizeof reading->outer, name) != 0) return -EMSGSIZE;
    return *name != '\0' ? reading->setting(reading->context, reading->section, full, value) : 0;
}

static int take_line(struct reading *reading, char *line) {
    const char *first = skip_blanks(line);
    trim_end(line);
    if (*first == '\0' || *first == '#' || *first == ';') return 0;
    return *line == '[' ? begin_section(reading, line) : take_setting(reading, line);
}

int ini_parse(const char *text, size_t length, ini_setting *setting, void *context) {
    struct reading reading = {.setting = setting, .context = context};
    char line[INI_LINE_SIZE];
    int rc = 0;
    if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        text += 3, length -= 3; /* a byte order mark, as editors leave it */
    while (length > 0 && rc == 0) {
        const char *end = memchr(text, '\n', length);
        size_t line_length = end != NULL ? (size_t)(end - text) : length;
        if (line_length >= sizeof line) {
            rc = -EMSGSIZE;
            break;
        }
        memcpy(line, text, line_length);
        line[line_length] = '\0';
        rc = take_line(&reading, line);
        size_t used = line_length + (end != NULL ? 1 : 0);
        text += used;
        length -= used;
    }
    mbedtls_platform_zeroize(line, sizeof line);
    return rc;
}

int ini_parse_file(const char *path, ini_setting *setting, void *context) {
    struct buffer buffer;
    buffer_init(&buffer, INI_FILE_MAX);
    int rc = s3_file_read(path, &buffer);
    if (rc == 0 && buffer.length > 0) rc = ini_parse(buffer.data, buffer.length, setting, context);
    buffer_deinit(&buffer);
    return rc;
}
