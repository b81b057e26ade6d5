/* Small files; see file.h. */
#include "s3/file.h"

#include <errno.h>
#include <fcntl.h>
#include <mbedtls/platform_util.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static int read_all(int fd, struct buffer *buffer) {
    char chunk[4096];
    int rc = 0;
    for (;;) {
        ssize_t count = read(fd, chunk, sizeof chunk);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) rc = -errno;
        if (count > 0) rc = buffer_append(buffer, chunk, (size_t)count);
        if (count <= 0 || rc != 0) break;
    }
    mbedtls_platform_zeroize(chunk, sizeof chunk);
    return rc == -EMSGSIZE ? -EFBIG : rc;
}

int s3_file_read(const char *path, struct buffer *buffer) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) return -errno;
    int rc = read_all(fd, buffer);
    (void)close(fd);
    return rc;
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

int s3_file_read_token(const char *path, char *out, size_t size) {
    struct buffer buffer;
    buffer_init(&buffer, size - 1);
    int rc = s3_file_read(path, &buffer);
    size_t length = buffer.length;
    while (rc == 0 && length > 0 && is_blank(buffer.data[length - 1])) length--;
    if (rc == 0 && length == 0) rc = -EINVAL;
    for (size_t i = 0; rc == 0 && i < length; i++) {
        if (buffer.data[i] < 0x20 || buffer.data[i] > 0x7e) rc = -EINVAL;
    }
    if (rc == 0) memcpy(out, buffer.data, length);
    out[rc == 0 ? length : 0] = '\0';
    buffer_deinit(&buffer);
    return rc;
}
