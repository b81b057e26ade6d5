/* An LD_PRELOAD library: a disk that hangs. fsync and fdatasync don't return while the file named by
 * $PRELOAD_FSYNC_HANG exists. Knows nothing of who calls. */
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void hang(void) {
    const char *switch_file = getenv("PRELOAD_FSYNC_HANG");
    while (switch_file && access(switch_file, F_OK) == 0) {
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
    }
}

int fsync(int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    hang();
    return real(fd);
}

int fdatasync(int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    hang();
    return real(fd);
}
