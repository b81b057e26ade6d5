/* Configuration files; see ini.h. */
#include "s3/ini.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "s3/file.h"

/* --- characters: what Python's str.strip() takes for blank --- */

/* The length of the blank character that p begins with, 0 where it begins with another. p ends with a zero byte. */
static size_t blank_length(const char *p) {
    static const char *const wide[] = {"\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81",
                                       "\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86",
                                       "\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8",
                                       "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80"};
    if ((*p >= '\t' && *p <= '\r') || (*p >= 0x1c && *p <= ' ')) return 1;
    for (size_t i = 0; (*p & 0x80) != 0 && i < sizeof wide / sizeof *wide; i++) {
        if (strncmp(p, wide[i], strlen(wide[i])) == 0) return strlen(wide[i]);
    }
    return 0;
}

/* Skips blanks, and counts them. */
static char *skip_blanks(char *p, size_t *count) {
    *count = 0;
    for (size_t length; (length = blank_length(p)) > 0; p += length) ++*count;
    return p;
}

/* Cuts blanks from the end of text. */
static void trim_end(char *text) {
    size_t length = strlen(text);
    for (size_t width = 1; width <= 3 && width <= length;) {
        bool cut = blank_length(text + length - width) == width;
        if (cut) length -= width;
        width = cut ? 1 : width + 1;
    }
    text[length] = '\0';
}

/* --- parsing --- */

struct parse {
    struct ini *ini;
    size_t section;  /* INI_NONE: [DEFAULT] */
    bool in_section; /* one has begun */
    bool in_value;   /* the last entry's may go on */
    size_t indent;   /* of the line that it, or the section, began in */
    char *value_end; /* where it may be continued */
};

static int refuse(struct parse *parse, size_t line, const char *wrong) {
    parse->ini->line = line;
    parse->ini->wrong = wrong;
    return -EILSEQ;
}

static int add(struct parse *parse, size_t section, char *name, char *value) {
    struct ini *ini = parse->ini;
    if (ini->count == ini->capacity) {
        size_t capacity = ini->capacity == 0 ? 64 : 2 * ini->capacity;
        struct ini_entry *entries =
            capacity <= INI_SETTINGS_MAX ? reallocarray(ini->entries, capacity, sizeof *entries) : NULL;
        if (entries == NULL) return capacity > INI_SETTINGS_MAX ? -EFBIG : -ENOMEM;
        ini->entries = entries;
        ini->capacity = capacity;
    }
    ini->entries[ini->count++] = (struct ini_entry){.section = section, .name = name, .value = value};
    return 0;
}

/* The setting of that name which stands in section itself, or NULL. */
static const struct ini_entry *find_own(const struct ini *ini, size_t section, const char *name) {
    for (size_t i = section == INI_NONE ? 0 : section; i < ini->count; i++) {
        const struct ini_entry *entry = &ini->entries[i];
        if (section != INI_NONE && i > section && entry->value == NULL) break; /* the next section */
        if (entry->section == section && entry->value != NULL && strcmp(entry->name, name) == 0) return entry;
    }
    return NULL;
}

/* Each line of a value that begins with a new line is a setting. */
static bool is_sound(const char *value) {
    if (*value != '\n') return true;
    while (*value != '\0') {
        value += strspn(value, "\n");
        size_t length = strcspn(value, "\n");
        if (length > 0 && memchr(value, '=', length) == NULL) return false;
        value += length;
    }
    return true;
}

static int end_value(struct parse *parse, size_t line) {
    if (!parse->in_value) return 0;
    parse->in_value = false;
    char *value = parse->ini->entries[parse->ini->count - 1].value;
    *parse->value_end = '\0';
    trim_end(value);
    return is_sound(value) ? 0 : refuse(parse, line, "what is nested above it isn't NAME = VALUE");
}

/* Another line of the value: a part of the same text, further on, so that there is room. */
static void go_on(struct parse *parse, const char *line) {
    size_t length = strlen(line);
    *parse->value_end++ = '\n';
    memmove(parse->value_end, line, length);
    parse->value_end += length;
}

static int begin_section(struct parse *parse, char *name, size_t line) {
    parse->in_section = true;
    bool is_default = strcmp(name, "DEFAULT") == 0;
    parse->section = is_default ? INI_NONE : parse->ini->count;
    if (is_default) return 0;
    if (ini_find_section(parse->ini, name) != INI_NONE) return refuse(parse, line, "the section is there twice");
    return add(parse, parse->section, name, NULL);
}

static int begin_setting(struct parse *parse, char *text, size_t line) {
    char *delimiter = strpbrk(text, "=:");
    size_t blanks;
    if (!parse->in_section) return refuse(parse, line, "it stands before any [section]");
    if (delimiter == NULL || delimiter == text) return refuse(parse, line, "it isn't NAME = VALUE");
    char *value = skip_blanks(delimiter + 1, &blanks);
    *delimiter = '\0';
    trim_end(text);
    for (char *p = text; *p != '\0'; p++) *p = (char)tolower((unsigned char)*p);
    if (find_own(parse->ini, parse->section, text) != NULL) return refuse(parse, line, "the name is there twice");
    parse->in_value = true;
    parse->value_end = value + strlen(value);
    return add(parse, parse->section, text, value);
}

static int take_line(struct parse *parse, char *text, size_t line) {
    size_t indent;
    text = skip_blanks(text, &indent);
    trim_end(text);
    if (*text == '#' || *text == ';') return 0;
    if (*text == '\0' || (parse->in_value && indent > parse->indent)) {
        if (parse->in_value) go_on(parse, text);
        return 0;
    }
    int rc = end_value(parse, line);
    if (rc != 0) return rc;
    parse->indent = indent;
    char *end = *text == '[' ? strrchr(text, ']') : NULL;
    if (end == NULL || end < text + 2) return begin_setting(parse, text, line);
    *end = '\0';
    return begin_section(parse, text + 1, line);
}

/* Takes ini->text apart where it is: names and values end with zero bytes in place of what stood behind them. */
static int take_apart(struct ini *ini) {
    struct parse parse = {.ini = ini};
    char *next = ini->text.data, *end = next + ini->text.length;
    if (ini->text.length >= 3 && memcmp(next, "\xef\xbb\xbf", 3) == 0) next += 3; /* as editors leave it */
    size_t line = 0;
    int rc = 0;
    while (next < end && rc == 0) {
        char *text = next;
        line++;
        next += strcspn(next, "\r\n");
        if (*next == '\0' && next < end) return refuse(&parse, line, "a zero byte is in it");
        size_t width = next == end ? 0 : next[0] == '\r' && next[1] == '\n' ? 2 : 1;
        *next = '\0';
        next += width;
        rc = take_line(&parse, text, line);
    }
    return rc == 0 ? end_value(&parse, line) : rc;
}

void ini_init(struct ini *ini) {
    *ini = (struct ini){.count = 0};
    buffer_init(&ini->text, INI_FILE_MAX);
}

void ini_deinit(struct ini *ini) {
    buffer_deinit(&ini->text);
    free(ini->entries);
    ini_init(ini);
}

int ini_read(struct ini *ini, const char *path) {
    int rc = s3_file_read(path, &ini->text);
    return rc == 0 && ini->text.length > 0 ? take_apart(ini) : rc;
}

int ini_parse(struct ini *ini, const char *text, size_t length) {
    int rc = buffer_append(&ini->text, text, length);
    return rc == 0 && length > 0 ? take_apart(ini) : rc;
}

/* --- looking things up --- */

size_t ini_next_section(const struct ini *ini, size_t section) {
    for (size_t i = section + 1; i < ini->count; i++) { /* behind INI_NONE comes 0 */
        if (ini->entries[i].value == NULL) return i;
    }
    return INI_NONE;
}

size_t ini_find_section(const struct ini *ini, const char *name) {
    for (size_t i = INI_NONE; (i = ini_next_section(ini, i)) != INI_NONE;) {
        if (strcmp(ini->entries[i].name, name) == 0) return i;
    }
    return INI_NONE;
}

const char *ini_get(const struct ini *ini, size_t section, const char *name) {
    if (section == INI_NONE) return NULL;
    const struct ini_entry *entry = find_own(ini, section, name);
    if (entry == NULL) entry = find_own(ini, INI_NONE, name);
    return entry != NULL ? entry->value : NULL;
}

/* Copies [from, to) without the blanks around it. */
static int copy_trimmed(char *out, size_t size, const char *from, size_t length) {
    for (size_t blank; length > 0 && (blank = blank_length(from)) > 0 && blank <= length;) {
        from += blank;
        length -= blank;
    }
    int rc = text_format(out, size, "%.*s", (int)length, from);
    trim_end(out);
    return rc;
}

int ini_get_nested(const char *value, const char *name, char *out, size_t size) {
    int found = -ENOENT;
    char key[128];
    if (*value != '\n') return -ENOENT;
    while (*value != '\0') {
        size_t length = strcspn(value, "\n");
        const char *equals = memchr(value, '=', length);
        bool is_it = equals != NULL && copy_trimmed(key, sizeof key, value, (size_t)(equals - value)) == 0 &&
                     strcmp(key, name) == 0;
        if (is_it) found = copy_trimmed(out, size, equals + 1, (size_t)(value + length - equals) - 1);
        value += length + (value[length] != '\0' ? 1 : 0);
    }
    return found;
}

/* Takes one character of a word by a shell's rules: *p moves on, and *c is what it stands for. quote is the one that is
 * open, or 0. Returns whether there was one: a quote only opens or closes. */
static bool take_character(const char **p, char *quote, char *c) {
    bool escapes = **p == '\\' && *quote != '\'';
    if (escapes && *quote == '"') escapes = (*p)[1] == '"' || (*p)[1] == '\\';
    *c = **p;
    ++*p;
    if (escapes) {
        *c = **p;
        if (**p != '\0') ++*p;
        return true;
    }
    if (*quote == '\0' && (*c == '"' || *c == '\'')) {
        *quote = *c;
        return false;
    }
    if (*quote == *c && *c != '\0') {
        *quote = '\0';
        return false;
    }
    return true;
}

/* Reads one word into out[size] and moves *p behind it. Returns whether there is one, which fits and ends well. */
static bool take_word(const char **p, char *out, size_t size) {
    size_t length = 0;
    char quote = '\0', c;
    *p += strspn(*p, " \t\r\n");
    if (**p == '\0') return false;
    while (**p != '\0' && (quote != '\0' || strchr(" \t\r\n", **p) == NULL)) {
        if (!take_character(p, &quote, &c)) continue;
        if (c == '\0' || length + 1 >= size) return false;
        out[length++] = c;
    }
    out[length] = '\0';
    return quote == '\0';
}

bool ini_is_second_word(const char *name, const char *word) {
    char first[256], second[256];
    if (!take_word(&name, first, sizeof first) || !take_word(&name, second, sizeof second)) return false;
    return strspn(name, " \t\r\n") == strlen(name) && strcmp(second, word) == 0;
}
