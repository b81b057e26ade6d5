/* Runs a command under a keeper with a lease that is made up: no lock, no store. It is renewed every TTL/3 for as long
 * as asked. keeper_driver [-t TTL_MS] [-k KILL_AFTER_MS] [-T STOP_TIMEOUT_MS] [-s SIGNAL] [-r RENEW_FOR_MS] [-w
 * WAIT_MS] [-n STARTS] [-f FAIL_AFTER_MS] [-l LINGER_MS]
 *                   [-o LOG] [-q] -- COMMAND [ARG...]
 * -r: renewals stop after so long; -w: the command is started so long after the keeper; -n: started so often, one after
 * the other; -o: where a line is written for each event (and first "keeper PID guard PID"); -q: a helper process of the
 * store's kind hangs beside it; -N: children are started in a time namespace that is so many seconds ahead; -f: it fails
 * so long after the start of all, whatever runs; -l: it stays so long after the last command's end, as if freeing a lock.
 * It exits with the command's code, 123 when the lease ended it, 125 when the guard was lost. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "election/lease.h"
#include "process/child.h"
#include "process/keeper.h"

extern char **environ;

struct driver {
    struct keeper keeper;
    struct keeper_options options;
    int64_t renew_for_ns;
    int64_t wait_ns;
    int64_t fail_after_ns; /* 0: never */
    int64_t linger_ns;
    int64_t starts;
    const char *log_path;
    bool quiet_helper;
    const char *boottime_ahead;

    int log;
    int64_t token;
    bool running;
    bool stopping;
    int64_t start_at_ns;
    int64_t renew_at_ns;
    int64_t renew_until_ns;
    int64_t leave_at_ns; /* 0: not yet known */
    bool done;
    int exit_code;
};

static void say(const struct driver *d, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(const struct driver *d, const char *format, ...) {
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (d->log >= 0 && length > 0 && write(d->log, line, (size_t)length) < 0) abort();
}

static int64_t milliseconds(const char *text) { return strtoll(text, NULL, 10) * NS_PER_MS; }

static int parse(struct driver *d, int argc, char **argv) {
    int option;
    d->options = (struct keeper_options){.stop_signal = SIGTERM, .stop_timeout_ns = INT64_MAX, .environment = environ};
    d->options.ttl_ns = 20 * NS_PER_S;
    d->options.kill_after_ns = 500 * NS_PER_MS;
    d->renew_for_ns = INT64_MAX;
    d->starts = 1;
    while ((option = getopt(argc, argv, "+t:k:T:s:r:w:n:o:f:l:qN:")) != -1) {
        switch (option) {
        case 't':
            d->options.ttl_ns = milliseconds(optarg);
            break;
        case 'k':
            d->options.kill_after_ns = milliseconds(optarg);
            break;
        case 'T':
            d->options.stop_timeout_ns = milliseconds(optarg);
            break;
        case 's':
            d->options.stop_signal = atoi(optarg);
            break;
        case 'r':
            d->renew_for_ns = milliseconds(optarg);
            break;
        case 'w':
            d->wait_ns = milliseconds(optarg);
            break;
        case 'n':
            d->starts = strtoll(optarg, NULL, 10);
            break;
        case 'o':
            d->log_path = optarg;
            break;
        case 'f':
            d->fail_after_ns = milliseconds(optarg);
            break;
        case 'l':
            d->linger_ns = milliseconds(optarg);
            break;
        case 'N':
            d->boottime_ahead = optarg;
            break;
        case 'q':
            d->quiet_helper = true;
            break;
        default:
            return -EINVAL;
        }
    }
    d->options.margin_ns = lease_margin_ns(d->options.ttl_ns);
    d->options.isolate = getenv("LEADEREXEC_ISOLATE") != NULL;
    d->options.argv = argv + optind;
    d->options.restartable = d->starts > 1;
    return argv[optind] == NULL ? -EINVAL : 0;
}

/* As the directory store makes them: a clone without an exit signal, which ends with us. This one never does anything.
 */
static void start_quiet_helper(void) {
    if (syscall(SYS_clone, 0, 0, NULL, NULL, NULL) != 0) return;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)prctl(PR_SET_NAME, "leaderexec-io");
    (void)close_range(0, ~0U, 0);
    for (;;) (void)pause();
}

/* Returns 0 or -errno. */
static int divert_children(const char *boottime_ahead) {
    char line[64];
    int error = text_format(line, sizeof line, "boottime %s 0", boottime_ahead);
    if (error == 0 && unshare(CLONE_NEWTIME) != 0) error = -errno;
    int fd = error == 0 ? open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC) : -1;
    if (error == 0 && (fd < 0 || write(fd, line, strlen(line)) < 0)) error = -errno;
    if (fd >= 0) (void)close(fd);
    return error;
}

static void start_or_renew(struct driver *d, int64_t now_ns) {
    if (d->leave_at_ns != 0) {
        d->done = now_ns >= d->leave_at_ns;
    } else if (!d->running && d->starts > 0 && now_ns >= d->start_at_ns) {
        d->starts--;
        d->running = true;
        d->renew_at_ns = now_ns + d->options.ttl_ns / 3;
        d->renew_until_ns = d->renew_for_ns == INT64_MAX ? INT64_MAX : now_ns + d->renew_for_ns;
        int error = keeper_start(&d->keeper, ++d->token, now_ns + d->options.ttl_ns);
        say(d, "start %d lease_end_ms %lld\n", error, (long long)((now_ns + d->options.ttl_ns) / NS_PER_MS));
    } else if (d->running && now_ns >= d->renew_at_ns && now_ns < d->renew_until_ns) {
        d->renew_at_ns = now_ns + d->options.ttl_ns / 3;
        (void)keeper_extend(&d->keeper, now_ns + d->options.ttl_ns);
        say(d, "extend lease_end_ms %lld\n", (long long)((now_ns + d->options.ttl_ns) / NS_PER_MS));
    }
}

static int as_a_shell(int exit_code) {
    return exit_code > CHILD_EXIT_SIGNALLED ? 128 + exit_code - CHILD_EXIT_SIGNALLED : exit_code;
}

static void command_gone(struct driver *d, const struct keeper_event *event, int64_t now_ns) {
    d->running = false;
    d->start_at_ns = now_ns;
    d->exit_code = event->end == KEEPER_ENDED         ? as_a_shell(event->exit_code)
                   : event->end == KEEPER_OUT_OF_TIME ? 123
                                                      : 125;
    if (d->starts == 0 || event->end == KEEPER_GUARD_LOST) d->leave_at_ns = now_ns + d->linger_ns;
    say(d, "gone end %d code %d errno %d at_ms %lld\n", (int)event->end, as_a_shell(event->exit_code),
        event->exec_errno, (long long)(now_ns / NS_PER_MS));
}

static int take_events(struct driver *d) {
    for (;;) {
        struct instant now = clock_now();
        struct keeper_event event;
        int error = keeper_next(&d->keeper, now, &event);
        if (error != 0) return error;
        switch (event.type) {
        case KEEPER_NOTHING:
            return 0;
        case KEEPER_SIGNALLED:
            say(d, "signalled %d kernel %d\n", event.signal, event.from_kernel);
            d->starts = 0;
            if (d->running && !d->stopping)
                (void)keeper_stop(&d->keeper, KEEPER_STOP_SHUTDOWN, event.signal, event.from_kernel);
            d->stopping = true;
            if (!d->running) {
                d->done = true;
                d->exit_code = 128 + event.signal;
            }
            break;
        case KEEPER_GONE:
            command_gone(d, &event, now.lease_ns);
            break;
        case KEEPER_NOTE:
            say(d, "note %s\n", event.text);
            break;
        case KEEPER_BROKEN:
            say(d, "broken %s\n", event.text);
            d->done = true;
            d->exit_code = 125;
            break;
        }
    }
}

static int next_timeout_ms(const struct driver *d, struct instant now) {
    int64_t wake_ns = keeper_wake_ns(&d->keeper, now);
    int64_t own_ns = d->leave_at_ns != 0 ? d->leave_at_ns - now.lease_ns
                     : d->running ? d->renew_at_ns < d->renew_until_ns ? d->renew_at_ns - now.lease_ns : INT64_MAX
                                  : d->start_at_ns - now.lease_ns;
    if (own_ns < wake_ns) wake_ns = own_ns;
    if (wake_ns <= 0) return 0;
    return wake_ns > 60 * NS_PER_S ? 60000 : (int)(wake_ns / NS_PER_MS) + 1;
}

static int loop(struct driver *d) {
    int64_t begun_ns = clock_now().lease_ns;
    d->start_at_ns = begun_ns + d->wait_ns;
    while (!d->done) {
        struct pollfd fds[KEEPER_POLLFDS];
        keeper_pollfds(&d->keeper, fds);
        (void)poll(fds, KEEPER_POLLFDS, d->fail_after_ns == 0 ? next_timeout_ms(d, clock_now()) : 10);
        if (d->fail_after_ns != 0 && clock_now().lease_ns - begun_ns >= d->fail_after_ns) return -EIO;
        int error = take_events(d);
        if (error != 0) return error;
        if (!d->done) start_or_renew(d, clock_now().lease_ns);
    }
    return 0;
}

int main(int argc, char **argv) {
    struct driver d = {.log = -1};
    char reason[TEXT_REASON_SIZE];
    if (parse(&d, argc, argv) != 0) {
        (void)fprintf(stderr, "keeper_driver: bad usage\n");
        return 2;
    }
    if (d.boottime_ahead != NULL && divert_children(d.boottime_ahead) != 0) return 2;
    if (keeper_init(&d.keeper, &d.options, reason) != 0) {
        (void)fprintf(stderr, "keeper_driver: %s\n", reason);
        return 125;
    }
    if (d.log_path != NULL) d.log = open(d.log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    say(&d, "keeper %d guard %d foreground %d\n", (int)getpid(), (int)d.keeper.guard, d.keeper.foreground);
    if (d.quiet_helper) start_quiet_helper();
    int error = loop(&d);
    if (error != 0) say(&d, "failed %d\n", error);
    if (keeper_finish(&d.keeper, reason) != 0) say(&d, "left %s\n", reason);
    keeper_deinit(&d.keeper);
    if (d.log >= 0) (void)close(d.log);
    return error != 0 ? 125 : d.exit_code;
}
