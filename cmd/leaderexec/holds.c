/* The list of locks held by those that we run under; see holds.h. */
#include "holds.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/environment.h"
#include "base/text.h"

bool holds_contains(char *const *environment, const char *identity) {
    const char *held = environment_get(environment, HOLDS_VARIABLE);
    size_t length = strlen(identity);
    while (held != NULL && *held != '\0') {
        size_t size = strcspn(held, " ");
        if (size == length && memcmp(held, identity, size) == 0) return true;
        held += size + (held[size] == ' ' ? 1 : 0);
    }
    return false;
}

char **holds_add(char *const *environment, const char *identity) {
    const char *held = environment_get(environment, HOLDS_VARIABLE);
    if (held == NULL) return environment_with(environment, HOLDS_VARIABLE, identity);
    size_t size = strlen(held) + 1 + strlen(identity) + 1;
    char *both = malloc(size);
    if (both == NULL) return NULL;
    (void)text_format(both, size, "%s %s", held, identity);
    char **copy = environment_with(environment, HOLDS_VARIABLE, both);
    free(both);
    return copy;
}
