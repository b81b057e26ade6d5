/* The command that tests/bench/run has started: first FILE [hold]
 *
 * Appends a line "PID BOOTTIME_NS" to FILE as its first act. With hold it then waits for a signal, at most a minute. */
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv) {
    struct timespec t;
    char line[64];
    clock_gettime(CLOCK_BOOTTIME, &t);
    int fd = argc > 1 ? open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666) : -1;
    int length = snprintf(line, sizeof line, "%d %lld%09ld\n", (int)getpid(), (long long)t.tv_sec, t.tv_nsec);
    if (fd < 0 || length < 0 || write(fd, line, (size_t)length) != length) return 99;
    if (argc > 2) (void)sleep(60);
    return 0;
}
