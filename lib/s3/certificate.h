/* Why a server's certificate wasn't accepted, in words that say what to do. */
#ifndef S3_CERTIFICATE_H
#define S3_CERTIFICATE_H

#include <curl/curl.h>
#include <stdbool.h>

/* Whether code means that the certificate, or what to hold it against, is wrong. */
bool s3_certificate_is_cause(CURLcode code);

/* The words for it, as the rest of a sentence, "its certificate has expired: ..."; NULL where libcurl's own (trouble)
 * say it best. verify_result is CURLINFO_SSL_VERIFYRESULT, which not every TLS library sets. */
const char *s3_certificate_words(CURLcode code, long verify_result, const char *trouble);

#endif
