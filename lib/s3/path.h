/* Paths as people write them in variables: with "~" and "$NAME" in them. */
#ifndef S3_PATH_H
#define S3_PATH_H

#include "s3/config.h"

/* Writes the home: HOME of environment, else what the password database says of our user; "" where neither does.
 * Returns 0, or -ENOSPC. */
int s3_path_home(char out[S3_PATH_SIZE], char *const *environment);

/* Writes path with $NAME and ${NAME} replaced by environment's variables (one that there isn't stays as it stands) and
 * then "~" or "~user" at its begin by a home, as Python's expandvars and expanduser do it for the AWS tools. "" where
 * path needs a home and there is none. Returns 0, or -ENOSPC. */
int s3_path_expand(char out[S3_PATH_SIZE], const char *path, char *const *environment);

#endif
