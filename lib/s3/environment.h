/* Looking up NAME=VALUE strings in an environment that is handed in, so that a test needs none of its own. */
#ifndef S3_ENVIRONMENT_H
#define S3_ENVIRONMENT_H

/* Returns the value of name in environment (NULL at the end; NULL itself is empty), or NULL where it is missing or
 * empty: the AWS tools take both for not given. */
const char *s3_environment_get(char *const *environment, const char *name);

#endif
