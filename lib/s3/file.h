/* Small files read whole: configuration, tokens. */
#ifndef S3_FILE_H
#define S3_FILE_H

#include "base/buffer.h"

/* Appends what is in the file at path to buffer. Waits for nobody: of a pipe it takes what is there. Returns 0, -errno
 * of open(2) or read(2), -EFBIG past the buffer's limit, or -ENOMEM. */
int s3_file_read(const char *path, struct buffer *buffer);

/* Reads a file that holds one token into out[size], without the blanks and line ends behind it. Returns 0, -errno as
 * above (-EFBIG where it doesn't fit), or -EINVAL where there is none, or something in it can't be part of one. */
int s3_file_read_token(const char *path, char *out, size_t size);

#endif
