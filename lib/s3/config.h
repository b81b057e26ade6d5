/* What is needed to talk to one bucket: where it is, who we are. From options, the environment and the AWS files.
 *
 * Options win over the environment, the environment over the files, as in the AWS CLI. The files are those of the
 * profile chosen; keys come from one place as a pair, never one half from here and one from there. Knows no request and
 * no lock. */
#ifndef S3_CONFIG_H
#define S3_CONFIG_H

#include <stdbool.h>

#include "base/text.h"

#define S3_BUCKET_SIZE     256
#define S3_ENDPOINT_SIZE   512
#define S3_REGION_SIZE     64
#define S3_ACCESS_KEY_SIZE 256
#define S3_SECRET_KEY_SIZE 256
#define S3_TOKEN_SIZE      4096 /* STS promises no limit; those seen have up to 2 KiB */
#define S3_PATH_SIZE       1024
#define S3_KEY_SIZE        1025 /* S3's keys have at most 1024 bytes */

/* The command line's; NULL: not given. */
struct s3_options {
    const char *bucket;
    const char *endpoint_url;
    const char *region;
    const char *profile;
    const char *ca_bundle;
    const char *addressing_style; /* "auto", "path", "virtual" */
};

enum s3_addressing { S3_ADDRESSING_AUTO, S3_ADDRESSING_PATH, S3_ADDRESSING_VIRTUAL };

struct s3_credentials {
    char access_key[S3_ACCESS_KEY_SIZE];
    char secret_key[S3_SECRET_KEY_SIZE];
    char session_token[S3_TOKEN_SIZE]; /* "" where there is none */
};

/* Caller-allocated; s3_config_deinit() wipes it. */
struct s3_config {
    char bucket[S3_BUCKET_SIZE];
    char endpoint_url[S3_ENDPOINT_SIZE]; /* "" for AWS itself, which follows from the region */
    char region[S3_REGION_SIZE];
    enum s3_addressing addressing;
    char ca_bundle[S3_PATH_SIZE]; /* "" for the system's */
    struct s3_credentials credentials;
};

/* Fills config from options, environment (NAME=VALUE strings, NULL at the end) and the files these name. Returns 0, or
 * -EINVAL (contradictory or missing settings, half a key pair), -ENOENT (no credentials anywhere: reason says where it
 * looked), -EACCES and other -errno for a file that exists and can't be read, each with a line in
 * reason[TEXT_REASON_SIZE]; config then holds no secret. */
int s3_config_load(struct s3_config *config, const struct s3_options *options, char *const *environment, char *reason);

/* Wipes the secrets. May be called again. */
void s3_config_deinit(struct s3_config *config);

#endif
