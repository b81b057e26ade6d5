/* Files that appear at once; see directory_file.h. */
#include "store/directory_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "store/directory_error.h"

#define TEMPORARY_PREFIX ".leaderexec-"
#define TEMPORARY_SUFFIX ".tmp"
#define RANDOM_BYTES     8
#define NAME_SIZE        64

/* A file under way. */
struct fresh {
    int fd;
    char name[NAME_SIZE]; /* "" while it has none */
};

static int open_named(int folder_fd, struct fresh *fresh) {
    uint8_t bytes[RANDOM_BYTES];
    char hex[2 * RANDOM_BYTES + 1];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) return -EIO;
    text_to_hex(hex, bytes, sizeof bytes);
    (void)text_format(fresh->name, sizeof fresh->name, TEMPORARY_PREFIX "%s" TEMPORARY_SUFFIX, hex);
    fresh->fd = openat(folder_fd, fresh->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    return fresh->fd >= 0 ? 0 : -errno;
}

static int open_fresh(int folder_fd, bool named, struct fresh *fresh) {
    *fresh = (struct fresh){.fd = -1};
    if (!named) fresh->fd = openat(folder_fd, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0666);
    /* Disks that can't say so with different errors; if something else is wrong, the named file meets it, too. */
    return fresh->fd >= 0 ? 0 : open_named(folder_fd, fresh);
}

static void close_fresh(int folder_fd, struct fresh *fresh) {
    (void)close(fresh->fd);
    if (fresh->name[0] != '\0') (void)unlinkat(folder_fd, fresh->name, 0);
}

static int write_all(int fd, const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t written = write(fd, bytes, length);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return -errno;
        bytes += written;
        length -= (size_t)written;
    }
    return 0;
}

static int link_fresh(int folder_fd, const struct fresh *fresh, const char *name) {
    char path[NAME_SIZE];
    if (fresh->name[0] != '\0') return linkat(folder_fd, fresh->name, folder_fd, name, 0) == 0 ? 0 : -errno;
    /* AT_EMPTY_PATH would need a capability. */
    (void)text_format(path, sizeof path, "/proc/self/fd/%d", fresh->fd);
    return linkat(AT_FDCWD, path, folder_fd, name, AT_SYMLINK_FOLLOW) == 0 ? 0 : -errno;
}

/* Nothing was linked: and perhaps only because /proc isn't there, its links can't be followed, or the disk can't give a
 * name to a file that had none. A disk that was found broken in the middle of it (EROFS) leaves it open. */
static bool is_unlinked(int error) {
    return error == -ENOENT || (error != 0 && error != -EROFS && !directory_error_passes(-error));
}

/* NOLINTNEXTLINE(misc-no-recursion): once, for then it has a name */
static int create(int folder_fd, const char *name, const char *body, size_t length, bool named, bool *linked) {
    struct fresh fresh;
    int error = open_fresh(folder_fd, named, &fresh);
    if (error != 0) return error;
    error = write_all(fresh.fd, body, length);
    if (error == 0 && fsync(fresh.fd) != 0) error = -errno;
    if (error == 0) {
        *linked = true;
        error = link_fresh(folder_fd, &fresh, name);
        if (is_unlinked(error)) *linked = false;
    }
    bool had_name = fresh.name[0] != '\0';
    close_fresh(folder_fd, &fresh);
    if (!had_name && is_unlinked(error)) return create(folder_fd, name, body, length, true, linked);
    return error;
}

int directory_file_create(int folder_fd, const char *name, const char *body, size_t length, bool *linked) {
    *linked = false;
    int error = create(folder_fd, name, body, length, false, linked);
    if (error != 0 && error != -EEXIST) return error;
    /* Also where it was there before: whoever hears of it must find it again after a power cut. */
    return fsync(folder_fd) == 0 ? error : -errno;
}

int directory_file_clock(int folder_fd, int64_t *ms) {
    struct fresh fresh;
    struct stat status;
    int error = open_fresh(folder_fd, false, &fresh);
    if (error != 0) return error;
    if (fstat(fresh.fd, &status) != 0) error = -errno;
    close_fresh(folder_fd, &fresh);
    if (error == 0) *ms = (int64_t)status.st_mtim.tv_sec * MS_PER_S + status.st_mtim.tv_nsec / NS_PER_MS;
    return error;
}

bool directory_file_is_temporary(const char *name) {
    uint8_t bytes[RANDOM_BYTES];
    char hex[2 * RANDOM_BYTES + 1];
    size_t prefix = sizeof TEMPORARY_PREFIX - 1, digits = sizeof hex - 1;
    if (strlen(name) != prefix + digits + sizeof TEMPORARY_SUFFIX - 1) return false;
    if (strncmp(name, TEMPORARY_PREFIX, prefix) != 0 || strcmp(name + prefix + digits, TEMPORARY_SUFFIX) != 0)
        return false;
    (void)text_format(hex, sizeof hex, "%.*s", (int)digits, name + prefix);
    return text_from_hex(bytes, RANDOM_BYTES, hex);
}

static int sync_folder(const char *path) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return errno == EACCES ? 0 : -errno; /* we may search it but not read it: made, but not synced by us */
    int error = fsync(fd) == 0 ? 0 : -errno;
    (void)close(fd);
    return error;
}

/* Makes the last part of path where it is missing. */
static int make_folder(const char *path) {
    char above[PATH_MAX];
    if (mkdir(path, 0777) != 0) return errno == EEXIST ? 0 : -errno;
    const char *slash = strrchr(path, '/');
    if (slash == NULL) return sync_folder(".");
    int failed = text_format(above, sizeof above, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    return failed != 0 ? -ENAMETOOLONG : sync_folder(above);
}

int directory_file_make_folders(const char *path) {
    char part[PATH_MAX];
    if (text_copy(part, sizeof part, path) != 0) return -ENAMETOOLONG;
    for (char *end = part; *end != '\0';) {
        end = strchrnul(end + 1, '/');
        char next = *end;
        *end = '\0';
        int error = make_folder(part);
        if (error != 0) return error;
        *end = next;
    }
    return 0;
}
