/* ListObjectsV2 answers; see listing.h. */
#include "s3/listing.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "s3/dates.h"
#include "s3/uri.h"
#include "s3/xml.h"

#define SIZE_DIGITS_MAX 15 /* 5 TB has 13 */

struct reading {
    struct s3_page *page;
    s3_listing_object *object;
    void *context;
    bool encoded; /* EncodingType says url; it may stand behind the keys, so a first pass looks for it */
    bool told_truncated;
    bool told_prefix;
    const char *prefix; /* that was asked for */
    bool has_key, has_size, has_modified;
    char key[S3_KEY_SIZE];
    int64_t size;
    int64_t modified_ms;
};

static int parse_size(const char *text, int64_t *size) {
    size_t length = strlen(text);
    if (length == 0 || length > SIZE_DIGITS_MAX || strspn(text, "0123456789") != length) return -EPROTO;
    for (*size = 0; *text != '\0'; text++) *size = *size * 10 + (*text - '0');
    return 0;
}

static int parse_flag(const char *text, bool *flag) {
    *flag = strcmp(text, "true") == 0;
    return *flag || strcmp(text, "false") == 0 ? 0 : -EPROTO;
}

static int take_key(struct reading *reading, const char *text) {
    int rc = reading->encoded ? s3_uri_decode(reading->key, sizeof reading->key, text, true)
                              : text_copy(reading->key, sizeof reading->key, text);
    reading->has_key = rc == 0 && reading->key[0] != '\0';
    return reading->has_key ? 0 : -EPROTO;
}

/* Some encode it like the keys (MinIO), some don't (Ceph). */
static int take_prefix(struct reading *reading, const char *text) {
    char decoded[S3_KEY_SIZE];
    reading->told_prefix =
        strcmp(text, reading->prefix) == 0 ||
        (s3_uri_decode(decoded, sizeof decoded, text, true) == 0 && strcmp(decoded, reading->prefix) == 0);
    return reading->told_prefix ? 0 : -EPROTO;
}

static int finish_object(struct reading *reading) {
    if (!reading->has_key || !reading->has_size || !reading->has_modified) return -EPROTO;
    reading->has_key = reading->has_size = reading->has_modified = false;
    reading->page->count++;
    (void)text_copy(reading->page->last_key, sizeof reading->page->last_key, reading->key);
    struct s3_object object = {.key = reading->key, .size = reading->size, .modified_ms = reading->modified_ms};
    return reading->object(reading->context, &object);
}

static int on_element(void *context, const char *path, const char *text) {
    struct reading *reading = context;
    static const char root[] = "ListBucketResult/";
    if (strncmp(path, root, sizeof root - 1) != 0) return 0;
    path += sizeof root - 1;
    if (strcmp(path, "IsTruncated") == 0) {
        reading->told_truncated = true;
        return parse_flag(text, &reading->page->truncated);
    }
    if (strcmp(path, "Prefix") == 0) return take_prefix(reading, text);
    if (strcmp(path, "Contents/Key") == 0) return take_key(reading, text);
    if (strcmp(path, "Contents/Size") == 0) {
        reading->has_size = true;
        return parse_size(text, &reading->size);
    }
    if (strcmp(path, "Contents/LastModified") == 0) {
        reading->has_modified = true;
        return s3_date_parse_iso8601(text, &reading->modified_ms) == 0 ? 0 : -EPROTO;
    }
    return strcmp(path, "Contents") == 0 ? finish_object(reading) : 0;
}

static int look_for_encoding(void *context, const char *path, const char *text) {
    struct reading *reading = context;
    if (strcmp(path, "ListBucketResult/EncodingType") == 0) reading->encoded = strcmp(text, "url") == 0;
    return 0;
}

int s3_listing_parse(struct s3_page *page, const char *bytes, size_t length, const char *prefix,
                     s3_listing_object *object, void *context) {
    *page = (struct s3_page){0};
    struct reading reading = {.page = page, .object = object, .context = context, .prefix = prefix};
    int rc = xml_parse(bytes, length, look_for_encoding, &reading);
    if (rc == 0) rc = xml_parse(bytes, length, on_element, &reading);
    if (rc == 0 && !(reading.told_truncated && reading.told_prefix)) rc = -EPROTO;
    return rc;
}
