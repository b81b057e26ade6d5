/* What /proc tells about processes, without allocation, relative to a descriptor of /proc that was opened and checked
 * once. */
#ifndef PROCESS_PROCFS_H
#define PROCESS_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROCFS_NAME_SIZE 16

struct process_info {
    pid_t parent;
    pid_t group;
    pid_t session;
    int threads;
    int64_t born; /* clock ticks since boot */
    int exit_signal;
    uintptr_t arguments_start; /* where its command line lies in its memory */
    uintptr_t arguments_end;
    char name[PROCFS_NAME_SIZE]; /* comm; untrusted */
};

/* Called for each child found; returns false to end the search. */
typedef bool procfs_visit(void *context, pid_t pid);

/* Opens /proc, close-on-exec, no number below 3, and makes sure that its numbers are this process's own. Returns the
 * descriptor, or -errno; -EXDEV: it is another PID namespace's. */
int procfs_open(void);

/* Reads /proc/<pid>/stat. Returns 0, or -errno (-ENOENT, -ESRCH: no such process, or hidden from us). */
int procfs_read(int proc, pid_t pid, struct process_info *info);

/* Visits the children of all of pid's threads (threads: their number, where known to be 1; else 0) as
 * /proc/<pid>/task/.../children has them. For the calling process's own children the list is exact as long as nobody
 * reaps meanwhile. Returns 0, or -errno (some may have been visited); -ENOTSUP where the kernel has no such files. */
int procfs_children(int proc, pid_t pid, int threads, procfs_visit *visit, void *context);

/* Opens the calling thread's list of children to be read again and again, even when no other descriptor can be opened
 * any more. The main thread's has all that a process with no other forking threads forked, and all orphans that came to
 * it. Returns a descriptor, close-on-exec and no number below 3, or -errno; -ENOTSUP where the kernel has no such
 * files. */
int procfs_open_list(int proc);

/* Visits those in such a list, of the thread that opened it. Returns 0 or -errno. */
int procfs_list(int list, procfs_visit *visit, void *context);

/* Visits every process there is. Returns 0 or -errno. */
int procfs_all(int proc, procfs_visit *visit, void *context);

#endif
