/* File descriptors; see descriptors.h. */
#include "process/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#define FIRST_OWN_FD   3
#define CLOSE_FD_LIMIT 65536 /* where close_range(2) is missing */

int descriptor_raise(int fd) {
    if (fd < 0) return -errno;
    if (fd >= FIRST_OWN_FD) return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 ? fd : -errno;
    int raised = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_OWN_FD);
    int error = errno;
    (void)close(fd);
    return raised >= 0 ? raised : -error;
}

static bool is_kept(const int *kept, size_t count, int fd) {
    for (size_t i = 0; i < count; i++) {
        if (kept[i] == fd) return true;
    }
    return false;
}

/* The lowest kept number >= from, or INT_MAX. */
static int next_kept(const int *kept, size_t count, int from) {
    int lowest = INT_MAX;
    for (size_t i = 0; i < count; i++) {
        if (kept[i] >= from && kept[i] < lowest) lowest = kept[i];
    }
    return lowest;
}

void descriptors_close_others(const int *kept, size_t count) {
    for (int from = 0; from >= 0;) {
        int next = next_kept(kept, count, from);
        unsigned last = next == INT_MAX ? ~0U : (unsigned)next - 1;
        if (next > from && close_range((unsigned)from, last, 0) != 0) break;
        if (next == INT_MAX) return;
        from = next + 1;
    }
    for (int fd = 0; fd < CLOSE_FD_LIMIT; fd++) {
        if (!is_kept(kept, count, fd)) (void)close(fd);
    }
}

int descriptor_null(int fd, bool only_if_closed) {
    if (only_if_closed && fcntl(fd, F_GETFD) >= 0) return 0;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null == fd) return 0; /* cppcheck-suppress resourceLeak; that number is where it belongs */
    if (null < 0) return -errno;
    int error = dup3(null, fd, O_CLOEXEC) < 0 ? errno : 0;
    (void)close(null);
    return -error;
}
