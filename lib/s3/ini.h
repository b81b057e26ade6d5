/* The AWS tools' configuration files: sections, settings, and settings nested one level under an empty one. */
#ifndef S3_INI_H
#define S3_INI_H

#include <stddef.h>

#define INI_FILE_MAX  (1024 * 1024UL)
#define INI_LINE_SIZE 8192

/* Called for each setting: section as it stands between the brackets (inner runs of blanks made one), name in lower
 * case, nested ones as "outer.inner". name is "" when a section begins. Returns 0 to go on, or -errno to stop. */
typedef int ini_setting(void *context, const char *section, const char *name, const char *value);

/* Reads text (length bytes; a line that is no setting is skipped, as the AWS tools do). A '#' or ';' begins a comment
 * at a line's start, or behind a blank. Returns 0, -EMSGSIZE for a line too long, or what setting returned. */
int ini_parse(const char *text, size_t length, ini_setting *setting, void *context);

/* Reads the file at path. Returns as ini_parse(), -errno of open(2) or read(2), or -EFBIG past INI_FILE_MAX. */
int ini_parse_file(const char *path, ini_setting *setting, void *context);

#endif
