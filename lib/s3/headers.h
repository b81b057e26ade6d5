/* Header lines for libcurl, which may hold secrets. Knows no request in particular. */
#ifndef S3_HEADERS_H
#define S3_HEADERS_H

#include <curl/curl.h>

/* Adds "name: value" to *headers. An empty value keeps libcurl from adding a header of that name by itself. Returns 0,
 * -EMSGSIZE for a line too long, or -ENOMEM. */
int s3_headers_add(struct curl_slist **headers, const char *name, const char *value);

/* Wipes and frees; *headers is NULL then. */
void s3_headers_free(struct curl_slist **headers);

#endif
