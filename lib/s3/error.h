/* The <Error> document that S3 explains a refusal with. */
#ifndef S3_ERROR_H
#define S3_ERROR_H

#include <stddef.h>

/* Fields that were missing are "". Printable ASCII, cut to fit; enough for a person and for telling codes apart. */
struct s3_error {
    char code[64];
    char message[160];
    char request_id[80];
    char region[64]; /* where the bucket is; in AuthorizationHeaderMalformed and redirects */
};

/* Reads an <Error> document. Returns 0, -EPROTO where bytes aren't one (or it has no code), or -ENOMEM; *error is
 * always set. */
int s3_error_parse(struct s3_error *error, const char *bytes, size_t length);

#endif
