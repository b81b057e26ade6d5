/* The AWS tools' configuration files, read as these read them: by the rules of botocore's configloader, which are those
 * of Python's RawConfigParser with botocore's nesting on top. tests/integration/test_ini.py holds both side by side. A
 * library would have other rules: which lines go on with a value, what a comment is, what is an error.
 *
 * - A line that is indented deeper than the one that a value began in goes on with that value; an empty line, too.
 * - A comment is a line of its own, begun by '#' or ';'.
 * - A name ends at the first '=' or ':'. Names are in lower case, sections as they stand.
 * - A value that begins with a new line holds settings of its own, each with a '='.
 * - What stands in [DEFAULT] holds for every section that doesn't say otherwise.
 * - A section or a name twice, a line that is no setting, a setting before any section: an error.
 *
 * How to use it: ini_init(); ini_read() once; look things up; ini_deinit(), which wipes. */
#ifndef S3_INI_H
#define S3_INI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

#define INI_FILE_MAX     (1024 * 1024UL)
#define INI_SETTINGS_MAX 32768UL /* sections and settings together */
#define INI_NONE         ((size_t)-1)

/* A section's begin (value NULL), or a setting of it. */
struct ini_entry {
    size_t section; /* where it begins among the entries; INI_NONE: [DEFAULT] */
    char *name;
    char *value;
};

struct ini {
    struct buffer text; /* what names and values point into */
    struct ini_entry *entries;
    size_t count, capacity;
    size_t line;       /* where it can't be parsed, from 1 */
    const char *wrong; /* and what is wrong there, for people */
};

/* Makes an empty one; allocates nothing. */
void ini_init(struct ini *ini);

/* Wipes and frees; empty again. May be called again. */
void ini_deinit(struct ini *ini);

/* Reads the file at path into ini, which is empty. Returns 0; -EILSEQ where it can't be parsed: then line and wrong are
 * set; -errno of open(2) or read(2), -EFBIG past INI_FILE_MAX, or -ENOMEM. */
int ini_read(struct ini *ini, const char *path);

/* Likewise, from text[length]. */
int ini_parse(struct ini *ini, const char *text, size_t length);

/* Goes through the sections in the file's order, [DEFAULT] left out: the one behind section (INI_NONE: the first), or
 * INI_NONE. Its name is entries[...].name. */
size_t ini_next_section(const struct ini *ini, size_t section);

/* The section of that very name, or INI_NONE. */
size_t ini_find_section(const struct ini *ini, const char *name);

/* The value of name in section or else in [DEFAULT]; NULL where it isn't there, or section is INI_NONE. Lines of it are
 * separated by '\n'. */
const char *ini_get(const struct ini *ini, size_t section, const char *name);

/* What a value that holds settings of its own says of name: copied into out[size]. Returns 0, -ENOENT, or -ENOSPC. */
int ini_get_nested(const char *value, const char *name, char *out, size_t size);

/* Whether a section's name is two words, by a shell's rules for blanks, quotes and '\', the second of them word. */
bool ini_is_second_word(const char *name, const char *word);

#endif
