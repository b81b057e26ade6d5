/* leaderexec: run a command only while leading. Reads the options and calls what they ask for.
 *
 * Nothing here opens a descriptor or wakes a library: for a run, the guard must be forked before that. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "check.h"
#include "options.h"
#include "process/child.h"
#include "run.h"
#include "status.h"

#define SHORT_TTL_MS INT64_C(5000)

/* -v: what the durations chosen mean. */
static void explain(const struct options *options, const struct log *log) {
    char ttl[32], poll[32], kill_after[32], outage[32];
    text_format_duration(ttl, sizeof ttl, options->ttl_ms);
    text_format_duration(poll, sizeof poll, options->poll_ms);
    text_format_duration(kill_after, sizeof kill_after, options->kill_after_ms);
    text_format_duration(outage, sizeof outage, options_outage_ms(options));
    log_line(log, LOG_LEVEL_INFO,
             "lock %s: ttl %s, poll %s, kill-after %s; the command won't notice the store being away for up to %s",
             options->identity, ttl, poll, kill_after, outage);
    if (options->ttl_ms < SHORT_TTL_MS) {
        log_line(log, LOG_LEVEL_INFO, "a ttl below 5s is for quiet machines: a busy one may miss its renewals");
    }
}

/* Returns code, or 125 where what was printed on stdout didn't get out. */
static int finish_output(int code, const struct log *log) {
    if (fflush(stdout) == 0 && ferror(stdout) == 0) return code;
    log_line(log, LOG_LEVEL_ERROR, "can't write to standard output");
    return EXIT_OWN_FAILURE;
}

/* Ends as the command did, so that whoever looks at us sees what he would have seen of it: a shell's loop stops at
 * Ctrl-C. Returns the exit code for who is PID 1, which no signal ends. */
static int end_by(int number) {
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, number);
    (void)signal(number, SIG_DFL);
    (void)sigprocmask(SIG_UNBLOCK, &only, NULL);
    (void)raise(number);
    return 128 + number; /* as a shell reports it */
}

static int run(const struct options *options) {
    int code = run_command(options, environ);
    return code > CHILD_EXIT_SIGNALLED ? end_by(code - CHILD_EXIT_SIGNALLED) : code;
}

int main(int argc, char **argv) {
    struct options options;
    char reason[TEXT_REASON_SIZE];
    int r = options_parse(&options, argc, argv, environ, reason);
    struct log log = {.fd = STDERR_FILENO, .level = options.log_level, .json = options.log_json};
    if (r < 0) {
        log_line(&log, LOG_LEVEL_ERROR, "%s", reason);
        return EXIT_OWN_FAILURE;
    }
    switch (options.mode) {
    case OPTIONS_RUN:
        explain(&options, &log);
        return run(&options);
    case OPTIONS_STATUS:
        return finish_output(status_command(&options, environ, &log), &log);
    case OPTIONS_CHECK:
        return finish_output(check_command(&options, environ, &log), &log);
    case OPTIONS_HELP:
        options_print_help(stdout);
        return finish_output(0, &log);
    case OPTIONS_VERSION:
        (void)puts("leaderexec " LEADEREXEC_VERSION);
        return finish_output(0, &log);
    }
    return EXIT_OWN_FAILURE;
}
