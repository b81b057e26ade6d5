/* What an answer means, and one line for people where it means trouble. The one place to look when asking "what does a
 * 412 mean". Whether it is S3's at all is told by genuine.h.
 *
 * Measured and read behaviour of stores: the design's section 6. When in doubt the verdict is S3_UNKNOWN, which is
 * always safe. */
#ifndef S3_VERDICT_H
#define S3_VERDICT_H

#include "base/text.h"
#include "s3/request.h"
#include "s3/response.h"

enum s3_verdict {
    S3_FINE,   /* listed, read, created, deleted: the body is what was asked for (a listing's still has to be parsed) */
    S3_ABSENT, /* S3_READ, S3_DELETE: no such key */
    S3_EXISTS, /* S3_CREATE: there is such a key: another's, or our own from an earlier try */
    S3_UNKNOWN, /* done or not, nobody can say: ask again later */
    S3_REFUSED, /* not done, and asking again won't help soon */
};

/* What the line names. */
struct s3_subject {
    enum s3_action action;
    const char *bucket;
    const char *key; /* or the prefix listed */
    const struct s3_endpoint *endpoint;
    bool keys_fixed; /* the keys are the environment's */
};

/* Judges response. For S3_UNKNOWN and S3_REFUSED writes a line into reason[TEXT_REASON_SIZE], printable, without
 * secrets; else "". */
enum s3_verdict s3_judge(const struct s3_response *response, const struct s3_subject *subject, char *reason);

/* Writes the line for an answer to S3_READ that isn't the object in the bucket's listing. It means S3_UNKNOWN. */
void s3_judge_strange(const struct s3_response *response, const struct s3_subject *subject, char *reason);

/* Writes the line for an answer to S3_LIST that wasn't a listing (s3_listing_parse said -EPROTO). Returns S3_UNKNOWN
 * where it is S3's, broken or cut off, or S3_REFUSED where nothing in it looks like S3. */
enum s3_verdict s3_judge_garbled(const struct s3_response *response, const struct s3_subject *subject, char *reason);

#endif
