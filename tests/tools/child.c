/* A command for leaderexec to run in tests: writes what happens to it into a file, and behaves as badly as it is told
 * to.
 *
 *     child FILE [options]      appends lines "WHAT TOKEN NAME PID BOOTTIME_NS REALTIME_MS" to FILE, each in one
 * write(2)
 *
 * WHAT is begin, beat (every 10 ms), the number of a signal that came, or end. Options:
 *     -n NAME    its name in the lines (default: child)      -x CODE   exit code (default 0)
 *     -d MS      end after so long (default: never)          -i        ignore TERM, INT and HUP
 *     -l MS      end so long after TERM (default 0)          -e        beat on stdout too
 *     -c N       N children that beat as well, NAME.1 ...    -g        a grandchild whose parent is gone, NAME.orphan
 *     -s         the same in a session of its own, NAME.setsid
 *     -f         once these are started, end at once and leave them behind
 *     -D N       at SIGUSR2, N daemons (orphans in sessions of their own), NAME.daemon, that beat
 *                once a second
 *     -o N       first, N orphans that live for a moment
 *     -b N       a fork bomb that never has more than N processes, whoever runs it, and ends by itself after 60 s
 *     -F N       N chains of fork-and-exit, which end by themselves after 60 s
 *     -r SOCKET  write to a fenced resource too: "TOKEN NAME BOOTTIME_NS" to this datagram socket, every 50 ms
 * Every descendant ends by itself after five minutes, should a test lose it. Knows nothing of leaderexec but
 * LEADEREXEC_TOKEN. */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BEAT_MS     10
#define DAEMON_MS   1000
#define FENCE_BEATS 5 /* so many beats for each write to the fenced resource */
#define LIFETIME_MS INT64_C(300000)
#define RAMPAGE_MS  INT64_C(60000)
#define BOMB_MAX    1000

struct options {
    char name[64];
    int64_t duration_ms, linger_ms;
    int children, daemons, orphans, bomb, chains, exit_code;
    bool ignore, grandchild, session, leave, echo;
    const char *resource;
};

static int log_fd = -1, resource_fd = -1;

static int64_t now_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t now_ms(void) { return now_ns(CLOCK_BOOTTIME) / 1000000; }

static void nap_ms(int64_t ms) {
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static void say(const char *what, const char *name) {
    const char *token = getenv("LEADEREXEC_TOKEN");
    char line[256];
    int length = snprintf(line, sizeof(line), "%s %s %s %d %" PRId64 " %" PRId64 "\n", what, token ? token : "-", name,
                          (int)getpid(), now_ns(CLOCK_BOOTTIME), now_ns(CLOCK_REALTIME) / 1000000);
    if (length < 0 || write(log_fd, line, (size_t)length) != length) {
        _exit(99);
    }
}

static bool echo_failed(const struct options *o) { return o->echo && write(STDOUT_FILENO, "beat\n", 5) < 0; }

/* A resource that is away or busy costs no beat. */
static void write_to_resource(const char *name) {
    const char *token = getenv("LEADEREXEC_TOKEN");
    char line[256];
    int length = snprintf(line, sizeof(line), "%s %s %" PRId64 "\n", token ? token : "-", name, now_ns(CLOCK_BOOTTIME));
    if (length > 0) {
        (void)!send(resource_fd, line, (size_t)length, MSG_DONTWAIT);
    }
}

static bool open_resource(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    resource_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    return resource_fd >= 0 && connect(resource_fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

static sigset_t signals_of_interest(void) {
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < 5; i++) {
        sigaddset(&set, (int[]){SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2}[i]);
    }
    return set;
}

static void make_daemons(const struct options *o);

/* Beats until its time is over or it was told to end. Returns the exit code. */
static int beat(const struct options *o, const char *name, int64_t every_ms, bool leader) {
    int64_t end = now_ms() + (leader && o->duration_ms >= 0 ? o->duration_ms : LIFETIME_MS);
    sigset_t set = signals_of_interest();
    sigprocmask(SIG_BLOCK, &set, NULL);
    say("begin", name);
    bool told = false;
    for (unsigned beats = 0; now_ms() < end && !echo_failed(o); beats++) {
        if (resource_fd >= 0 && beats % FENCE_BEATS == 0) {
            write_to_resource(name);
        }
        struct timespec pause = {.tv_sec = every_ms / 1000, .tv_nsec = every_ms % 1000 * 1000000};
        int number = sigtimedwait(&set, NULL, &pause);
        if (number > 0) {
            char what[16];
            snprintf(what, sizeof(what), "%d", number);
            say(what, name);
        }
        if (number == SIGUSR2 && leader) {
            make_daemons(o);
        }
        if (number > 0 && number != SIGUSR1 && number != SIGUSR2 && !o->ignore && !told) {
            told = true;
            end = now_ms() + o->linger_ms;
        }
        say("beat", name);
    }
    say("end", name);
    return leader ? o->exit_code : 0;
}

/* A process that beats under name, in a session of its own where wanted, and as nobody's child where orphan. */
static void spawn(const struct options *o, const char *suffix, int64_t every_ms, bool orphan,
                  bool session) {
    char name[96];
    snprintf(name, sizeof(name), "%s.%s", o->name, suffix);
    pid_t pid = fork();
    if (pid == 0) {
        if (session) {
            setsid();
        }
        if (orphan && fork() != 0) {
            _exit(0);
        }
        _exit(beat(o, name, every_ms, false));
    }
    if (pid > 0 && orphan) {
        waitpid(pid, NULL, 0);
    }
}

static void make_daemons(const struct options *o) {
    for (int i = 0; i < o->daemons; i++) {
        spawn(o, "daemon", DAEMON_MS, true, true);
    }
}

static void make_orphans(int count) {
    for (int i = 0; i < count; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            if (fork() == 0) {
                nap_ms(i % 20);
            }
            _exit(0);
        }
        waitpid(pid, NULL, 0);
    }
}

/* Each process of the bomb makes as many more as the common counter allows, dying ones' places included. */
static void bomb(int most) {
    atomic_int *alive = mmap(NULL, sizeof(*alive), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (alive == MAP_FAILED) {
        _exit(98);
    }
    most = most < BOMB_MAX ? most : BOMB_MAX;
    for (int64_t end = now_ms() + RAMPAGE_MS; now_ms() < end;) {
        if (atomic_fetch_add(alive, 1) < most) {
            if (fork() < 0) {
                atomic_fetch_sub(alive, 1);
            }
        } else {
            atomic_fetch_sub(alive, 1);
        }
        nap_ms(1);
    }
    _exit(0);
}

static void chain(void) {
    for (int64_t end = now_ms() + RAMPAGE_MS; now_ms() < end;) {
        pid_t pid = fork();
        if (pid > 0) {
            _exit(0);
        }
        nap_ms(1);
    }
    _exit(0);
}

static void read_options(struct options *o, int argc, char **argv) {
    int c;
    while ((c = getopt(argc, argv, "n:d:l:c:D:o:b:F:x:r:igsfe")) != -1) {
        switch (c) {
        case 'n':
            snprintf(o->name, sizeof(o->name), "%s", optarg);
            break;
        case 'd':
            o->duration_ms = atoll(optarg);
            break;
        case 'l':
            o->linger_ms = atoll(optarg);
            break;
        case 'c':
            o->children = atoi(optarg);
            break;
        case 'D':
            o->daemons = atoi(optarg);
            break;
        case 'o':
            o->orphans = atoi(optarg);
            break;
        case 'b':
            o->bomb = atoi(optarg);
            break;
        case 'F':
            o->chains = atoi(optarg);
            break;
        case 'x':
            o->exit_code = atoi(optarg);
            break;
        case 'r':
            o->resource = optarg;
            break;
        case 'i':
            o->ignore = true;
            break;
        case 'g':
            o->grandchild = true;
            break;
        case 's':
            o->session = true;
            break;
        case 'f':
            o->leave = true;
            break;
        case 'e':
            o->echo = true;
            break;
        default:
            exit(97);
        }
    }
}

int main(int argc, char **argv) {
    struct options o = {.name = "child", .duration_ms = -1};
    read_options(&o, argc, argv);
    if (optind + 1 != argc || (log_fd = open(argv[optind], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) < 0) {
        fprintf(stderr, "child: usage: child FILE [options]; see child.c\n");
        return 97;
    }
    if (o.resource && !open_resource(o.resource)) {
        fprintf(stderr, "child: no resource at %s\n", o.resource);
        return 97;
    }
    make_orphans(o.orphans);
    for (int i = 1; i <= o.children; i++) {
        char suffix[16];
        snprintf(suffix, sizeof(suffix), "%d", i);
        spawn(&o, suffix, BEAT_MS, false, false);
    }
    if (o.grandchild) {
        spawn(&o, "orphan", BEAT_MS, true, false);
    }
    if (o.session) {
        spawn(&o, "setsid", BEAT_MS, true, true);
    }
    for (int i = 0; i < o.chains; i++) {
        if (fork() == 0) {
            chain();
        }
    }
    if (o.bomb > 0 && fork() == 0) {
        bomb(o.bomb);
    }
    if (o.leave) {
        return o.exit_code;
    }
    return beat(&o, o.name, BEAT_MS, true);
}
