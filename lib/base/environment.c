/* Environments; see environment.h. */
#include "base/environment.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static bool is_named(const char *entry, const char *name, size_t length) {
    return strncmp(entry, name, length) == 0 && entry[length] == '=';
}

const char *environment_get(char *const *environment, const char *name) {
    size_t length = strlen(name);
    for (; *environment != NULL; environment++) {
        if (!is_named(*environment, name, length)) continue;
        const char *value = *environment + length + 1;
        return *value != '\0' ? value : NULL;
    }
    return NULL;
}

char **environment_with(char *const *environment, const char *name, const char *value) {
    size_t count = 0, used = 0, name_length = strlen(name), value_length = strlen(value);
    while (environment[count] != NULL) count++;
    size_t array_bytes = (count + 2) * sizeof(char *);
    char **copy = malloc(array_bytes + name_length + 1 + value_length + 1);
    if (copy == NULL) return NULL;
    char *entry = (char *)copy + array_bytes;
    memcpy(entry, name, name_length);
    entry[name_length] = '=';
    memcpy(entry + name_length + 1, value, value_length + 1);
    for (size_t i = 0; i < count; i++) {
        if (!is_named(environment[i], name, name_length)) copy[used++] = environment[i];
    }
    copy[used++] = entry;
    copy[used] = NULL;
    return copy;
}
