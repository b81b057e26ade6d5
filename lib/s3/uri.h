/* Percent-encoding as S3 and its signatures want it: everything but A-Z a-z 0-9 - . _ ~ is encoded, in upper-case hex.
 */
#ifndef S3_URI_H
#define S3_URI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

/* One parameter of a query, not encoded. */
struct s3_parameter {
    const char *name;
    const char *value;
};

/* Appends text percent-encoded; '/' stays as it is where keep_slashes. Returns 0, or buffer_append's error. */
int s3_uri_append(struct buffer *out, const char *text, bool keep_slashes);

/* Appends a query "a=b&c=d" from count parameters, which must be sorted by name. Returns 0, or buffer_append's error.
 */
int s3_uri_append_query(struct buffer *out, const struct s3_parameter *parameters, size_t count);

/* Decodes text, where '+' is a space if plus_is_space, into out[size]. Returns 0, -EINVAL (a '%' without two hex
 * digits, or %00), or -ENOSPC. */
int s3_uri_decode(char *out, size_t size, const char *text, bool plus_is_space);

#endif
