/* What every curl handle of ours is set to, whatever it is for: above all whom it trusts. */
#ifndef S3_HANDLE_H
#define S3_HANDLE_H

#include <curl/curl.h>
#include <stdbool.h>

/* Sets easy up: TLS 1.2 or later, peer and host verified against ca_bundle alone ("": the system's authorities),
 * http and https alone, HTTP/1.1, no redirect followed, paths as they are, no signal raised. Returns whether libcurl
 * took it all. */
bool s3_handle_configure(CURL *easy, const char *ca_bundle);

#endif
