/* What is needed to talk to one bucket: where it is, who we are. From options, the environment and the AWS files.
 *
 * Options win over the environment, the environment over the files, as in the AWS CLI. The files are those of the
 * profile chosen; keys come from one place as a pair, never one half from here and one from there. Knows no request and
 * no lock. */
#ifndef S3_CONFIG_H
#define S3_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/priority.h"
#include "base/text.h"
#include "s3/partition.h"

#define S3_BUCKET_SIZE     256
#define S3_ENDPOINT_SIZE   512
#define S3_REGION_SIZE     64
#define S3_ACCESS_KEY_SIZE 256
#define S3_SECRET_KEY_SIZE 256
#define S3_TOKEN_SIZE      16385 /* STS promises no limit */
#define S3_PATH_SIZE       1024
#define S3_KEY_SIZE        1025 /* S3's keys have at most 1024 bytes */

#define S3_KMS_KEY_SIZE      1025
#define S3_PROFILE_NAME_SIZE 128
#define S3_ORIGIN_SIZE       160

/* The command line's; NULL: not given. */
struct s3_options {
    const char *bucket;
    const char *endpoint_url;
    const char *region;
    const char *profile;
    const char *ca_bundle;
    const char *addressing_style; /* "auto", "path", "virtual" */
    const char *sse;              /* x-amz-server-side-encryption of what is written */
    const char *sse_kms_key_id;
};

enum s3_addressing { S3_ADDRESSING_AUTO, S3_ADDRESSING_PATH, S3_ADDRESSING_VIRTUAL };

/* By which way keys came: who gave them, and which profile and roles led there. Only to be compared. */
struct s3_way {
    size_t provider; /* its place in the chain, from 1; 0: nobody's */
    uint64_t steps;
};

struct s3_credentials {
    char access_key[S3_ACCESS_KEY_SIZE];
    char secret_key[S3_SECRET_KEY_SIZE];
    char session_token[S3_TOKEN_SIZE]; /* "" where there is none */
    int64_t expiry_ms;                 /* wall clock of whoever gave them; 0: they last */
    char origin[S3_ORIGIN_SIZE];       /* who gave them, for people; printable */
    bool fixed;                        /* asking again would give the same: the environment doesn't change */
    bool outlasting;                   /* they may serve past their expiry: the store decides */
    struct s3_way way;
};

/* Where credentials may be asked for. */
struct s3_sources {
    char *const *environment; /* the caller's, who keeps it; NULL: nowhere */
    struct priority priority; /* what a credential_process gets; all zero: what we have */
    bool profile_chosen;      /* by option: then the environment's keys don't count, as in the AWS CLI */
    char profile[S3_PROFILE_NAME_SIZE];
};

/* Caller-allocated; s3_config_deinit() wipes it. Copying is fine, and the copy holds what secrets it holds. */
struct s3_config {
    char bucket[S3_BUCKET_SIZE];
    char endpoint_url[S3_ENDPOINT_SIZE]; /* "" for AWS itself, which follows from the region */
    char region[S3_REGION_SIZE];         /* "": to be found with the credentials */
    struct s3_variant variant;           /* which of AWS's names */
    enum s3_addressing addressing;
    char ca_bundle[S3_PATH_SIZE]; /* "" for the system's */
    char sse[16];                 /* "" for the bucket's default */
    char sse_kms_key_id[S3_KMS_KEY_SIZE];
    struct s3_credentials credentials; /* no access key: they have to be fetched (keys.h), which takes a while */
    struct s3_sources sources;
};

/* Fills config from options, environment (NAME=VALUE strings, NULL at the end; it must outlive config and its copies)
 * and the files these name. Sends nothing. Returns 0, or -EINVAL (contradictory or missing settings, half a key pair),
 * -ENOENT (no credentials anywhere: reason says where it looked), -EACCES and other -errno for a file that exists and
 * can't be read, each with a line in reason[TEXT_REASON_SIZE]; config then holds no secret. */
int s3_config_load(struct s3_config *config, const struct s3_options *options, char *const *environment, char *reason);

/* Wipes the secrets. May be called again. */
void s3_config_deinit(struct s3_config *config);

#endif
