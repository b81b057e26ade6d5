/* JSON from outside that holds secrets: credentials and tokens. Bounded by whoever read the bytes; nothing of it stays
 * behind in memory. */
#ifndef S3_JSON_H
#define S3_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "s3/config.h"

struct cJSON;

/* Parses an object. Returns NULL where bytes aren't one; else for s3_json_free(). */
struct cJSON *s3_json_parse(const char *bytes, size_t length);

/* Wipes and frees; NULL is fine. */
void s3_json_free(struct cJSON *json);

/* Copies the text of that name into out[size]. Returns whether it is there, a text, and fits; else out is "". */
bool s3_json_text(const struct cJSON *json, const char *name, char *out, size_t size);

/* Whether the field of that name is this number. */
bool s3_json_is(const struct cJSON *json, const char *name, int number);

/* The object of that name, which is a part of json; or NULL. */
const struct cJSON *s3_json_object(const struct cJSON *json, const char *name);

/* What the fields of a key pair are called. */
struct s3_json_names {
    const char *access_key;
    const char *secret_key;
    const char *session_token;
    const char *expiry;
};

/* Fills credentials (but for origin and fixed) from json's fields. The expiry may be missing (0 then), RFC 3339, or ms
 * since 1970. Returns NULL, or what is wrong, in words that hold nothing of the content. */
const char *s3_json_credentials(struct s3_credentials *credentials, const struct cJSON *json,
                                const struct s3_json_names *names);

#endif
