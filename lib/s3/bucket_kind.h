/* What looks like a bucket to AWS's tools and isn't one that can keep a lock. */
#ifndef S3_BUCKET_KIND_H
#define S3_BUCKET_KIND_H

/* Returns NULL for a plain bucket's name (whatever else is wrong with it), or what it is instead and what to do, as the
 * rest of a sentence: "is the ARN of an access point: ...". */
const char *s3_bucket_other_kind(const char *name);

#endif
