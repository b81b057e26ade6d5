/* Endpoints; see endpoint.h. */
#include "s3/endpoint.h"

#include <arpa/inet.h>
#include <curl/urlapi.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "s3/partition.h"
#include "s3/uri.h"

/* An endpoint URL taken apart. */
struct parts {
    char scheme[8];
    char host[256]; /* IPv6 addresses in brackets */
    char port[8];   /* "" for the scheme's own */
    char path[256];
};

/* Copies one part of a URL; an absent one is "". Returns whether it fits. */
static bool copy_part(CURLU *url, CURLUPart part, unsigned flags, char *out, size_t size) {
    char *text = NULL;
    CURLUcode rc = curl_url_get(url, part, &text, flags);
    bool fits = text_copy(out, size, rc == CURLUE_OK && text != NULL ? text : "") == 0;
    curl_free(text);
    return fits;
}

static bool has_part(CURLU *url, CURLUPart part) {
    char *text = NULL;
    bool has = curl_url_get(url, part, &text, 0) == CURLUE_OK;
    curl_free(text);
    return has;
}

static bool take_apart(struct parts *parts, const char *text) {
    CURLU *url = curl_url();
    if (url == NULL) return false;
    bool ok = curl_url_set(url, CURLUPART_URL, text, CURLU_DISALLOW_USER | CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
              !has_part(url, CURLUPART_QUERY) && !has_part(url, CURLUPART_FRAGMENT) &&
              copy_part(url, CURLUPART_SCHEME, 0, parts->scheme, sizeof parts->scheme) &&
              copy_part(url, CURLUPART_HOST, 0, parts->host, sizeof parts->host) &&
              copy_part(url, CURLUPART_PORT, CURLU_NO_DEFAULT_PORT, parts->port, sizeof parts->port) &&
              copy_part(url, CURLUPART_PATH, 0, parts->path, sizeof parts->path);
    curl_url_cleanup(url);
    if (!ok || parts->host[0] == '\0') return false;
    size_t length = strlen(parts->path);
    while (length > 0 && parts->path[length - 1] == '/') parts->path[--length] = '\0';
    return strcmp(parts->scheme, "http") == 0 || strcmp(parts->scheme, "https") == 0;
}

static bool is_address(const char *host) {
    struct in_addr address;
    return host[0] == '[' || inet_pton(AF_INET, host, &address) == 1;
}

/* Whether bucket can be a single label of a host name, so that AWS's wildcard certificate covers it. */
static bool is_label(const char *bucket) {
    size_t length = strlen(bucket);
    return length >= 3 && length <= 63 && strspn(bucket, "abcdefghijklmnopqrstuvwxyz0123456789-") == length &&
           bucket[0] != '-' && bucket[length - 1] != '-';
}

static int fail_url(const char *url, const char *where, char *reason) {
    char shown[128];
    text_copy_printable(shown, sizeof shown, strchr(url, '@') == NULL ? url : "(hidden: it has an '@')");
    (void)text_format(reason, TEXT_REASON_SIZE, "endpoint \"%s\" isn't a URL like https://host:port: correct %s", shown,
                      where);
    return -EINVAL;
}

static int choose_host(struct parts *parts, const struct s3_config *config, const char *region, char *reason) {
    if (config->endpoint_url[0] != '\0') {
        return take_apart(parts, config->endpoint_url) ? 0 : fail_url(config->endpoint_url, "--endpoint-url", reason);
    }
    *parts = (struct parts){.scheme = "https"};
    if (config->variant.fips && strncasecmp(region, "cn-", 3) == 0) {
        (void)text_copy(reason, TEXT_REASON_SIZE,
                        "AWS has no FIPS endpoints for S3 in China: take back AWS_USE_FIPS_ENDPOINT");
        return -EINVAL;
    }
    return s3_partition_s3_host(parts->host, sizeof parts->host, region, config->variant) == 0 ? 0 : -EINVAL;
}

int s3_endpoint_resolve(struct s3_endpoint *endpoint, const struct s3_config *config, const char *region,
                        char *reason) {
    struct parts parts = {0};
    int rc = choose_host(&parts, config, region, reason);
    if (rc != 0) return rc;
    *endpoint = (struct s3_endpoint){.custom = config->endpoint_url[0] != '\0'};
    bool address = is_address(parts.host);
    bool virtual = config->addressing == S3_ADDRESSING_VIRTUAL ||
                   (config->addressing == S3_ADDRESSING_AUTO && !endpoint->custom && is_label(config->bucket));
    if (virtual && address) {
        (void)text_format(reason, TEXT_REASON_SIZE,
                          "a bucket can't be put in front of the address %s: use --addressing-style path", parts.host);
        return -EINVAL;
    }
    rc = text_copy(endpoint->scheme, sizeof endpoint->scheme, parts.scheme);
    if (rc == 0) {
        rc = text_format(endpoint->host, sizeof endpoint->host, "%s%s%s%s%s", virtual ? config->bucket : "",
                         virtual ? "." : "", parts.host, parts.port[0] != '\0' ? ":" : "", parts.port);
    }
    if (rc == 0) {
        rc = text_format(endpoint->base_path, sizeof endpoint->base_path, "%s%s%s", parts.path, virtual ? "" : "/",
                         virtual ? "" : config->bucket);
    }
    if (rc != 0) (void)text_format(reason, TEXT_REASON_SIZE, "the endpoint's name is too long: correct --endpoint-url");
    return rc == 0 ? 0 : -EINVAL;
}

int s3_endpoint_of_service(struct s3_endpoint *endpoint, const char *service, const char *url, const char *region,
                           struct s3_variant variant, char *reason) {
    struct parts parts = {.scheme = "https"};
    *endpoint = (struct s3_endpoint){.custom = url[0] != '\0'};
    if (url[0] != '\0' && !take_apart(&parts, url)) return fail_url(url, "the one for this service", reason);
    int rc = 0;
    if (url[0] == '\0' && region[0] == '\0') {
        rc = text_format(parts.host, sizeof parts.host, "%s.amazonaws.com", service);
    } else if (url[0] == '\0') {
        rc = s3_partition_host(parts.host, sizeof parts.host, service, region, variant);
    }
    if (rc == 0) rc = text_copy(endpoint->scheme, sizeof endpoint->scheme, parts.scheme);
    if (rc == 0) {
        rc = text_format(endpoint->host, sizeof endpoint->host, "%s%s%s", parts.host, parts.port[0] != '\0' ? ":" : "",
                         parts.port);
    }
    return rc == 0 ? text_copy(endpoint->base_path, sizeof endpoint->base_path, parts.path) : rc;
}

int s3_endpoint_append_path(const struct s3_endpoint *endpoint, struct buffer *out, const char *key) {
    int rc = buffer_append_text(out, endpoint->base_path);
    /* The bucket itself is "/bucket" by path and "/" by name: a '/' behind the bucket would be harmless, but "/bucket/"
     * was seen redirected by proxies. */
    if (rc == 0 && (key[0] != '\0' || endpoint->base_path[0] == '\0')) rc = buffer_append_text(out, "/");
    if (rc == 0) rc = s3_uri_append(out, key, true);
    return rc;
}
