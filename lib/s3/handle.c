/* Setting curl handles up; see handle.h. */
#include "s3/handle.h"

#include <stddef.h>

bool s3_handle_configure(CURL *easy, const char *ca_bundle) {
    const struct {
        CURLoption option;
        long value;
    } numbers[] = {
        {CURLOPT_NOSIGNAL, 1},
        {CURLOPT_QUICK_EXIT, 1}, /* a resolver thread that hangs is left behind, not waited for */
        {CURLOPT_FOLLOWLOCATION, 0},
        {CURLOPT_SSL_VERIFYPEER, 1},
        {CURLOPT_SSL_VERIFYHOST, 2},
        {CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2},
        {CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1}, /* a lane is a connection: no multiplexing */
        {CURLOPT_PATH_AS_IS, 1},                       /* or "/./" in a key wouldn't be what was signed */
    };
    CURLcode rc = CURLE_OK;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers && rc == CURLE_OK; i++) {
        rc = curl_easy_setopt(easy, numbers[i].option, numbers[i].value);
    }
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_USERAGENT, "leaderexec");
    if (rc == CURLE_OK && ca_bundle[0] != '\0') rc = curl_easy_setopt(easy, CURLOPT_CAINFO, ca_bundle);
    /* Or the system's folder of authorities would be trusted as well. */
    if (rc == CURLE_OK && ca_bundle[0] != '\0') rc = curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    return rc == CURLE_OK;
}
