/* Reading and extending an environment that is handed in: an array of NAME=VALUE strings with NULL at its end. */
#ifndef BASE_ENVIRONMENT_H
#define BASE_ENVIRONMENT_H

/* Returns name's value within environment, or NULL where it is missing or empty: the AWS tools, and we, take both for
 * not given. */
const char *environment_get(char *const *environment, const char *name);

/* Returns a copy of environment in which name has value; the strings that stay the same are shared, so that it must not
 * outlive environment. One allocation, for free(). NULL: no memory. */
char **environment_with(char *const *environment, const char *name, const char *value);

#endif
