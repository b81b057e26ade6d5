/* Reading where a lock is kept; see bucket.h. */
#include "bucket.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "s3/bucket_kind.h"

#define S3_SCHEME         "s3://"
#define FILE_SCHEME       "file:"
#define BUCKET_NAME_LEAST 3 /* S3's rule; services that take shorter ones aren't known */

static bool starts_with(const char *text, const char *start) { return strncmp(text, start, strlen(start)) == 0; }

/* S3's rule is narrower (63 characters, no capitals, no '_'), but old buckets and other services have such names. */
static bool is_bucket_name(const char *name, size_t length) {
    if (length < BUCKET_NAME_LEAST || length >= S3_BUCKET_SIZE) return false;
    for (size_t i = 0; i < length; i++) {
        char c = name[i];
        bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alphanumeric && (i == 0 || strchr("._-", c) == NULL)) return false;
    }
    return true;
}

/* Refuses what only looks like a bucket: an ARN, or a name of length bytes that AWS keeps for other kinds. */
static int check_kind(const char *text, size_t length, char *problem) {
    char name[S3_BUCKET_SIZE];
    bool is_arn = starts_with(text, "arn:");
    (void)text_format(name, sizeof name, "%.*s", (int)(is_arn ? strlen(text) : length), text);
    const char *other = s3_bucket_other_kind(name);
    return other == NULL || text_copy(problem, VALUES_PROBLEM_SIZE, other) != 0 ? 0 : -EINVAL;
}

static int parse_s3(struct bucket *bucket, const char *text, char *problem) {
    size_t length = strcspn(text, "/");
    if (check_kind(text, length, problem) != 0) return -EINVAL;
    if (!is_bucket_name(text, length)) {
        (void)text_format(
            problem, VALUES_PROBLEM_SIZE,
            "isn't a bucket's name (at least %d of a-z 0-9 . -): write NAME, s3://NAME[/PREFIX] or file:DIR",
            BUCKET_NAME_LEAST);
        return -EINVAL;
    }
    (void)text_format(bucket->name, sizeof bucket->name, "%.*s", (int)length, text);
    if (text[length] == '/' && text[length + 1] != '\0') {
        bucket->has_prefix = true;
        return value_prefix(text + length + 1, bucket->prefix, problem);
    }
    return 0;
}

static void trim_slashes(char *path) {
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') path[--length] = '\0';
}

/* Puts "/name" in front of what rest[size] holds. */
static int prepend(char *rest, size_t size, const char *name) {
    size_t length = strlen(name), behind = strlen(rest);
    if (length + behind + 2 > size) return -ENAMETOOLONG;
    memmove(rest + length + 1, rest, behind + 1);
    rest[0] = '/';
    memcpy(rest + 1, name, length); /* NOLINT(bugprone-not-null-terminated-result): the text goes on behind it */
    return 0;
}

/* Resolves an absolute path whose last folders may not exist yet; path is used up. */
static int resolve(char *path, char *out) {
    char rest[2 * PATH_MAX] = "", *resolved;
    while ((resolved = realpath(path, NULL)) == NULL) {
        if (errno != ENOENT) return -errno;
        trim_slashes(path);
        char *slash = strrchr(path, '/');
        const char *name = slash + 1;
        if (*name == '\0' || strcmp(name, "..") == 0) return -ENOENT;
        int r = strcmp(name, ".") == 0 ? 0 : prepend(rest, sizeof rest, name);
        if (r < 0) return r;
        slash[slash == path ? 1 : 0] = '\0';
    }
    bool is_root = strcmp(resolved, "/") == 0;
    int r = text_format(out, BUCKET_DIRECTORY_SIZE, "%s%s", is_root && rest[0] != '\0' ? "" : resolved, rest);
    free(resolved);
    return r == 0 ? 0 : -ENAMETOOLONG;
}

static int parse_directory(struct bucket *bucket, const char *text, char *problem) {
    char here[PATH_MAX], path[2 * PATH_MAX];
    struct stat found;
    int r = 0;
    bucket->kind = BUCKET_DIRECTORY;
    if (*text == '\0') {
        (void)text_copy(problem, VALUES_PROBLEM_SIZE, "names no directory: write file:DIR");
        return -EINVAL;
    }
    if (*text == '/') {
        r = text_copy(path, sizeof path, text);
    } else if (getcwd(here, sizeof here) == NULL) {
        r = -errno;
    } else {
        r = text_format(path, sizeof path, "%s/%s", here, text);
    }
    if (r == 0) r = resolve(path, bucket->directory);
    if (r == 0 && stat(bucket->directory, &found) == 0 && !S_ISDIR(found.st_mode)) r = -ENOTDIR;
    if (r == 0) return 0;
    (void)text_format(problem, VALUES_PROBLEM_SIZE, "can't be used as a directory: %s", strerror(-r));
    return -EINVAL;
}

int bucket_parse(struct bucket *bucket, const char *text, char *problem) {
    memset(bucket, 0, sizeof *bucket);
    if (starts_with(text, FILE_SCHEME)) return parse_directory(bucket, text + strlen(FILE_SCHEME), problem);
    bucket->kind = BUCKET_S3;
    if (starts_with(text, S3_SCHEME)) return parse_s3(bucket, text + strlen(S3_SCHEME), problem);
    bool is_plain = strchr(text, '/') == NULL || starts_with(text, "arn:");
    return parse_s3(bucket, is_plain ? text : "", problem);
}

/* Appends text to out[size], what isn't plain as %XX. */
static int append_escaped(char *out, size_t size, const char *text) {
    size_t used = strlen(out);
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = c > 0x20 && c < 0x7f && c != '%';
        int r = text_format(out + used, size - used, plain ? "%c" : "%%%02X", c);
        if (r < 0) return r;
        used += plain ? 1 : 3;
    }
    return 0;
}

int bucket_identity(char *out, size_t size, const struct bucket *bucket, const char *prefix, const char *lock) {
    bool is_s3 = bucket->kind == BUCKET_S3;
    int r = text_copy(out, size, is_s3 ? S3_SCHEME : FILE_SCHEME);
    if (r == 0) r = append_escaped(out, size, is_s3 ? bucket->name : bucket->directory);
    bool has_slash = r == 0 && out[strlen(out) - 1] == '/'; /* file:/ */
    if (r == 0 && !has_slash) r = append_escaped(out, size, "/");
    if (r == 0) r = append_escaped(out, size, prefix);
    if (r == 0) r = append_escaped(out, size, lock);
    return r;
}
