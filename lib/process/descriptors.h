/* File descriptors as a process hands them on: which are ours, and letting go of all others. Knows nothing of keeper or
 * guard. */
#ifndef PROCESS_DESCRIPTORS_H
#define PROCESS_DESCRIPTORS_H

#include <stdbool.h>
#include <stddef.h>

/* Moves a descriptor of ours out of 0, 1, 2, which are the command's even where they are closed, and makes it
 * close-on-exec. fd may be an error (-1 with errno set), which is handed on. Returns the number (fd is closed where it
 * moved), or -errno. */
int descriptor_raise(int fd);

/* Closes every descriptor but the count ones in kept. */
void descriptors_close_others(const int *kept, size_t count);

/* Opens /dev/null on fd, closing what was there; only_if_closed: leaves fd alone where it is open. Returns 0 or -errno.
 */
int descriptor_null(int fd, bool only_if_closed);

#endif
