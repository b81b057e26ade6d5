/* Files that appear under their name whole or not at all: written without a name (O_TMPFILE) or under a temporary one,
 * synced, then linked.
 *
 * link(2) fails where the name is taken, which makes it put-if-absent. Knows names and folders, not slots. */
#ifndef STORE_DIRECTORY_FILE_H
#define STORE_DIRECTORY_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Creates name in the folder open as folder_fd, with the length bytes of body, and syncs file and folder. Returns 0;
 * -EEXIST where the name was taken (the folder is synced then, too); or another -errno with *linked telling whether the
 * name may be there in spite of it. */
int directory_file_create(int folder_fd, const char *name, const char *body, size_t length, bool *linked);

/* Reads the clock of the disk that keeps the folder: the time of a fresh file. Returns 0 and sets *ms since 1970, or
 * -errno. */
int directory_file_clock(int folder_fd, int64_t *ms);

/* Tells whether name is one that directory_file_create() uses for the time of writing, where the disk knows no files
 * without a name. */
bool directory_file_is_temporary(const char *name);

/* Makes path and the folders above it that are missing, and syncs what they were made in. Returns 0 or -errno. */
int directory_file_make_folders(const char *path);

#endif
