/* Certificates that aren't accepted; see certificate.h. */
#include "s3/certificate.h"

#include <stddef.h>
#include <string.h>

static const char expired[] = "its certificate has expired: renew it there, or set this machine's clock";
static const char early[] = "its certificate isn't valid yet: set this machine's clock";
static const char stranger[] =
    "its certificate is from an authority that isn't trusted here: give that one's certificate by --ca-bundle";
static const char other_name[] =
    "its certificate is for another host name: correct --endpoint-url, or give the server one for this name";
static const char no_bundle[] = "the CA bundle holds no certificates that can be used: correct --ca-bundle";

/* OpenSSL's numbers (X509_V_ERR_...), and what it and other TLS libraries say. The first that fits counts. */
static const struct cause {
    long number; /* 0: none */
    const char *text;
    const char *words;
} causes[] = {
    {9, "not yet valid", early},      {10, "has expired", expired},      {0, "certificate expired", expired},
    {62, "subject name", other_name}, {0, "does not match", other_name}, {18, "self-signed", stranger},
    {19, "self signed", stranger},    {20, "local issuer", stranger},    {2, "issuer certificate", stranger},
    {21, "unknown CA", stranger},     {0, "not trusted", stranger},
};

bool s3_certificate_is_cause(CURLcode code) {
    return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE || code == CURLE_SSL_ISSUER_ERROR;
}

const char *s3_certificate_words(CURLcode code, long verify_result, const char *trouble) {
    if (code == CURLE_SSL_CACERT_BADFILE) return no_bundle;
    for (size_t i = 0; i < sizeof causes / sizeof *causes; i++) {
        bool is_number = causes[i].number != 0 && causes[i].number == verify_result;
        if (is_number || strcasestr(trouble, causes[i].text) != NULL) return causes[i].words;
    }
    return NULL;
}
