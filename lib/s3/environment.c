/* Environment look-ups; see environment.h. */
#include "s3/environment.h"

#include <string.h>

const char *s3_environment_get(char *const *environment, const char *name) {
    size_t length = strlen(name);
    for (; environment != NULL && *environment != NULL; environment++) {
        if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=') {
            const char *value = *environment + length + 1;
            return *value != '\0' ? value : NULL;
        }
    }
    return NULL;
}
