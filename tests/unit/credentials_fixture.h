/* What the tests of credential providers share: a fetch with an environment and a config file of its own, and whoever
 * is asked played by the test. */
#ifndef CREDENTIALS_FIXTURE_H
#define CREDENTIALS_FIXTURE_H

#include "s3/credentials.h"

#define NOW_MS  INT64_C(1795471301000) /* 2026-11-23T22:01:41Z */
#define ENV_MAX 16

/* An environment and a config file of its own; no other file. */
struct fixture {
    int file;
    char *environment[ENV_MAX];
    size_t count;
    struct s3_config config;
    struct s3_fetch fetch;
    struct s3_reply reply;
};

/* For cmocka_unit_test_setup_teardown(). */
int setup(void **state);
int teardown(void **state);

/* Adds a variable. */
void set(struct fixture *f, const char *name, const char *value);

/* Writes the config file. */
void configure(struct fixture *f, const char *text);

/* Begins a fetch, and expects that step. */
void begin(struct fixture *f, enum s3_step expected);

/* Answers the errand with status and body, and expects that step. */
void answer(struct fixture *f, int status, const char *body, enum s3_step expected);

/* Expects an errand to url. */
void assert_asks(struct fixture *f, const char *method, const char *url);

/* Expects words in the reason. */
void assert_reason(const struct fixture *f, const char *words);

/* The errand's header of that name, or NULL. */
const char *header(const struct fixture *f, const char *name);

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#define KEYS                                                                                                           \
    "{\"Code\":\"Success\",\"AccessKeyId\":\"ASIA1\",\"SecretAccessKey\":\"s\",\"Token\":\"t\",\"Expiration\":"        \
    "\"2026-11-23T23:01:41Z\"}"
#define STS_KEYS                                                                                                       \
    "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>"          \
    "<AccessKeyId>ASIA2</AccessKeyId><SecretAccessKey>s2</SecretAccessKey><SessionToken>t2</SessionToken>"             \
    "<Expiration>2026-11-23T23:01:41Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"

#endif
