/* What an errno of a disk means to a lock: whether it can pass by waiting, and what to do about it. Knows no slots. */
#ifndef STORE_DIRECTORY_ERROR_H
#define STORE_DIRECTORY_ERROR_H

#include <stdbool.h>

/* Returns whether an operation that failed with error (> 0) may work later with nothing changed by the user: a full or
 * broken disk, want of memory or descriptors, a network that is away (errno(3)). All else is a refusal. */
bool directory_error_passes(int error);

/* Returns what to do, to stand behind strerror(error) in a line for people: "" or ": ...". Static text. */
const char *directory_error_advice(int error);

#endif
