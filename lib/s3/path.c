/* Paths with "~" and "$NAME"; see path.h. */
#include "s3/path.h"

#include <errno.h>
#include <pwd.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/environment.h"

#define ENTRY_SIZE 4096 /* of the password database */
#define WORD       "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

/* user NULL: our own. */
static int home_of(char out[S3_PATH_SIZE], const char *user) {
    struct passwd entry, *found = NULL;
    char memory[ENTRY_SIZE];
    int rc = user == NULL ? getpwuid_r(getuid(), &entry, memory, sizeof memory, &found)
                          : getpwnam_r(user, &entry, memory, sizeof memory, &found);
    return text_copy(out, S3_PATH_SIZE, rc == 0 && found != NULL && found->pw_dir != NULL ? found->pw_dir : "");
}

int s3_path_home(char out[S3_PATH_SIZE], char *const *environment) {
    const char *home = environment_get(environment, "HOME");
    return home != NULL ? text_copy(out, S3_PATH_SIZE, home) : home_of(out, NULL);
}

/* The length of the "$NAME" or "${NAME}" that text begins with, and its value: NULL for what stays as it is. */
static size_t read_variable(const char *text, char *const *environment, const char **value) {
    char name[128];
    bool braces = text[1] == '{';
    const char *from = text + (braces ? 2 : 1);
    size_t length = braces ? strcspn(from, "}") : strspn(from, WORD);
    *value = NULL;
    if (length == 0 || (braces && from[length] != '}')) return 1;
    if (text_format(name, sizeof name, "%.*s", (int)length, from) == 0) *value = environment_get(environment, name);
    return length + (braces ? 3 : 1);
}

static int expand_variables(char out[S3_PATH_SIZE], const char *path, char *const *environment) {
    size_t used = 0;
    int rc = 0;
    out[0] = '\0';
    for (size_t length; *path != '\0' && rc == 0; path += length) {
        const char *value = NULL;
        length = *path == '$' ? read_variable(path, environment, &value) : strcspn(path, "$");
        rc = value != NULL ? text_copy(out + used, S3_PATH_SIZE - used, value)
                           : text_format(out + used, S3_PATH_SIZE - used, "%.*s", (int)length, path);
        used += strlen(out + used);
    }
    return rc;
}

int s3_path_expand(char out[S3_PATH_SIZE], const char *path, char *const *environment) {
    char expanded[S3_PATH_SIZE], user[256], home[S3_PATH_SIZE];
    int rc = expand_variables(expanded, path, environment);
    if (rc != 0 || expanded[0] != '~') return rc != 0 ? rc : text_copy(out, S3_PATH_SIZE, expanded);
    size_t length = strcspn(expanded, "/");
    (void)text_format(user, sizeof user, "%.*s", (int)length - 1, expanded + 1);
    rc = length == 1 ? s3_path_home(home, environment) : home_of(home, user);
    if (rc != 0) return rc;
    if (home[0] == '\0') return text_copy(out, S3_PATH_SIZE, length == 1 ? "" : expanded);
    while (strlen(home) > 0 && home[strlen(home) - 1] == '/') home[strlen(home) - 1] = '\0';
    rc = text_format(out, S3_PATH_SIZE, "%s%s", home, expanded + length);
    return rc == 0 && out[0] == '\0' ? text_copy(out, S3_PATH_SIZE, "/") : rc;
}
