/* An LD_PRELOAD library: an answer that gets lost on a disk. link and linkat do their work and then return EIO, as
 * often as the number in the file named by $PRELOAD_LINK_EIO says; each such call counts it down. Knows nothing of who
 * calls. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

/* Takes one from the number in the file. Returns whether there was one to take. */
static bool take_one(void) {
    const char *path = getenv("PRELOAD_LINK_EIO");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) {
        return false;
    }
    char text[16] = "";
    bool taken = false;
    if (flock(fd, LOCK_EX) == 0 && pread(fd, text, sizeof(text) - 1, 0) > 0) {
        int left = atoi(text);
        int length = left > 0 ? snprintf(text, sizeof(text), "%d\n", left - 1) : 0;
        taken = length > 0 && ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)length, 0) == length;
    }
    close(fd);
    return taken;
}

static int lose(int result) {
    if (result == 0 && take_one()) {
        errno = EIO;
        return -1;
    }
    return result;
}

int link(const char *from, const char *to) {
    int (*real)(const char *, const char *) = (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "link");
    return lose(real(from, to));
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags) {
    int (*real)(int, const char *, int, const char *, int) =
        (int (*)(int, const char *, int, const char *, int))dlsym(RTLD_NEXT, "linkat");
    return lose(real(from_dir, from, to_dir, to, flags));
}
