/* Everything below a process; see descendants.h. */
#include "process/descendants.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"

/* Breadth first: those found so far and whose children they were. */
struct round {
    const struct descendants *who;
    int signal;
    struct descendants_seen *seen;
    size_t count;
    pid_t found[DESCENDANTS_MAX];
    pid_t parent[DESCENDANTS_MAX];
    pid_t expanding; /* the parent of those visited now */
    bool added;
};

static bool is_among_spared(const struct round *r, pid_t pid) {
    const struct descendants *who = r->who;
    for (size_t i = 0; i < who->spared_count; i++) {
        if (who->spared[i] == pid) return true;
    }
    if (who->born == 0) return false;
    /* Its age can't be read where it is another user's and hidden, or where nothing can be opened. Then nothing speaks
     * against its being the command's, and that must end. */
    struct process_info info;
    return procfs_read(who->proc, pid, &info) == 0 && info.born < who->born;
}

/* A child of ours whose exit signal isn't SIGCHLD, so that waitid(2) doesn't see it. */
static bool is_quiet(pid_t pid) {
    siginfo_t info;
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 && errno == ECHILD;
}

static bool is_spared(struct round *r, pid_t pid) {
    if (r->who->spare_quiet && pid != r->who->guard && is_quiet(pid)) return true;
    if (!is_among_spared(r, pid)) return false;
    r->seen->spared++;
    return true;
}

/* error: of a call that signals pid; 0: it worked. Anything else than a refusal says that there is nobody. */
static void note_refusal(struct round *r, pid_t pid, int error) {
    if ((error != EPERM && error != EACCES) || r->seen->refused != 0) return;
    struct process_info info = {.name = "?"};
    (void)procfs_read(r->who->proc, pid, &info);
    r->seen->refused = pid;
    r->seen->refusal = error;
    memcpy(r->seen->refused_name, info.name, sizeof r->seen->refused_name);
}

static bool visit_child(void *context, pid_t pid) {
    struct round *r = context;
    bool own = r->expanding == r->who->root;
    if (own && is_spared(r, pid)) return true;
    if (own) r->seen->children++;
    if (r->count == DESCENDANTS_MAX) return own; /* own ones are counted to the end */
    r->found[r->count] = pid;
    r->parent[r->count] = r->expanding;
    r->count++;
    return true;
}

/* A group is signalled in one go, which no fork escapes. Its number is the group's as long as a child of ours is in it,
 * dead or alive. */
static void kill_group(const struct round *r) {
    pid_t group = r->who->group;
    if (group == 0 || r->signal != SIGKILL) return;
    for (size_t i = 0; i < r->count; i++) {
        if (r->parent[i] != r->who->root || getpgid(r->found[i]) != group) continue;
        (void)kill(-group, SIGKILL);
        return;
    }
}

/* Adds the children of one that was found. threads: how many it has, where that is known. */
static void expand(struct round *r, pid_t pid, int threads) {
    if (r->who->walk_all) return; /* they have been found another way */
    r->expanding = pid;
    (void)procfs_children(r->who->proc, pid, threads, visit_child, r);
}

static void signal_child(struct round *r, pid_t pid) {
    struct process_info info = {.threads = 1};
    /* When killing, every system call counts against a bomb: what other threads started comes to us anyway. */
    if (r->signal == SIGKILL || procfs_read(r->who->proc, pid, &info) == 0) expand(r, pid, info.threads);
    if (kill(pid, r->signal) != 0) {
        note_refusal(r, pid, errno);
        return;
    }
    if (r->signal != SIGKILL) (void)kill(pid, SIGCONT);
}

static void signal_stranger(struct round *r, pid_t pid, pid_t parent) {
    int fd = pidfd_open(pid, 0);
    if (fd < 0) return; /* gone; or no such call: it will be a child of ours once its parent is dead */
    struct process_info info;
    /* Its parent is the one that it was found under; or we are, because that one was killed in this very round. */
    bool still_ours = procfs_read(r->who->proc, pid, &info) == 0 && info.born >= r->who->born &&
                      (info.parent == parent || info.parent == r->who->root);
    if (still_ours) {
        expand(r, pid, info.threads); /* first, since the dead have no children */
        int error = pidfd_send_signal(fd, r->signal, NULL, 0) != 0 ? errno : 0;
        note_refusal(r, pid, error);
        if (error == 0 && r->signal != SIGKILL) (void)pidfd_send_signal(fd, SIGCONT, NULL, 0);
    }
    (void)close(fd);
}

static void signal_found(struct round *r) {
    kill_group(r);
    for (size_t i = 0; i < r->count; i++) { /* count grows */
        if (r->parent[i] == r->who->root) {
            signal_child(r, r->found[i]);
        } else {
            signal_stranger(r, r->found[i], r->parent[i]);
        }
    }
}

static bool is_found(const struct round *r, pid_t pid) {
    if (pid == r->who->root) return true;
    for (size_t i = 0; i < r->count; i++) {
        if (r->found[i] == pid) return true;
    }
    return false;
}

static bool visit_any(void *context, pid_t pid) {
    struct round *r = context;
    struct process_info info;
    if (is_found(r, pid)) return true;
    int error = procfs_read(r->who->proc, pid, &info);
    if (error == -EMFILE || error == -ENFILE || error == -ENOMEM) r->seen->failed = true;
    if (error != 0 || !is_found(r, info.parent)) return true;
    r->expanding = info.parent;
    size_t before = r->count;
    (void)visit_child(r, pid);
    if (r->count > before) r->added = true;
    return true;
}

/* Where the kernel keeps no lists of children: all processes again and again until no more of ours turn up. */
static void find_by_parents(struct round *r) {
    r->seen->incomplete = true; /* no list of a moment: somebody may have been forked behind our back */
    do {
        r->added = false;
        if (procfs_all(r->who->proc, visit_any, r) != 0) {
            r->seen->failed = true;
            return;
        }
    } while (r->added && r->count < DESCENDANTS_MAX);
}

void descendants_signal(const struct descendants *who, int signal, struct descendants_seen *seen) {
    struct round r; /* its lists needn't be emptied */
    r.who = who;
    r.signal = signal;
    r.seen = seen;
    r.count = 0;
    r.expanding = who->root;
    *seen = (struct descendants_seen){0};
    int error = who->walk_all ? -ENOTSUP : procfs_children(who->proc, who->root, 0, visit_child, &r);
    if (error == -ENOTSUP) {
        find_by_parents(&r);
    } else if (error != 0) {
        r.count = 0; /* what was found so far is found again */
        *seen = (struct descendants_seen){0};
        seen->failed = who->list == 0 || procfs_list(who->list, visit_child, &r) != 0;
    }
    signal_found(&r);
}

void descendants_describe_refusal(const struct descendants_seen *seen, char *out, size_t size) {
    char name[PROCFS_NAME_SIZE];
    text_copy_printable(name, sizeof name, seen->refused_name);
    (void)text_format(out, size,
                      "can't signal process %d (%s), which the command started: %s; end it by hand, the lock isn't "
                      "freed before",
                      (int)seen->refused, name,
                      seen->refusal == EACCES ? "a security module forbids it" : "it became another user's");
}
