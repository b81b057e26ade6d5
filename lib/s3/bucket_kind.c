/* Kinds of buckets; see bucket_kind.h. */
#include "s3/bucket_kind.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct kind {
    const char *text;
    const char *words;
};

/* Suffixes that AWS keeps for itself. */
static const struct kind suffixes[] = {
    {"--x-s3",
     "is a directory bucket of S3 Express, which lists keys in no order and so can't keep a lock: use a general "
     "purpose bucket"},
    {"--xa-s3",
     "is an access point of a directory bucket of S3 Express, which can't keep a lock: use a general purpose "
     "bucket"},
    {"--op-s3", "is an access point of S3 on Outposts, which isn't supported: use a bucket in a region"},
    {"--ol-s3", "is an Object Lambda access point, which changes what is read: give the bucket's name"},
    {"--table-s3", "is a table bucket, which holds no objects: use a general purpose bucket"},
    {".mrap", "is a multi-region access point: buckets that replicate into each other can't keep a lock; give one "
              "bucket's name"},
};

/* In ARNs, the first that is found counts. */
static const struct kind arns[] = {
    {":s3-outposts:", "is an ARN of S3 on Outposts, which isn't supported: use a bucket in a region"},
    {":s3express:",
     "is an ARN of S3 Express, which lists keys in no order and so can't keep a lock: use a general purpose "
     "bucket"},
    {":s3-object-lambda:", "is an Object Lambda access point, which changes what is read: give the bucket's name"},
    {".mrap", "is a multi-region access point: buckets that replicate into each other can't keep a lock; give one "
              "bucket's name"},
    {":accesspoint", "is the ARN of an access point, which isn't supported: give the bucket's name"},
    {":", "is an ARN: give the bucket's name alone"},
};

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), end_length = strlen(end);
    return length > end_length && strcmp(text + length - end_length, end) == 0;
}

const char *s3_bucket_other_kind(const char *name) {
    bool is_arn = strncmp(name, "arn:", 4) == 0;
    for (size_t i = 0; is_arn && i < sizeof arns / sizeof *arns; i++) {
        if (strstr(name, arns[i].text) != NULL) return arns[i].words;
    }
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        if (ends_with(name, suffixes[i].text)) return suffixes[i].words;
    }
    return NULL;
}
