/* The command line as a contract: what each option and variable may be, who wins, and what is said when it is wrong. */
#include <errno.h>
#include <getopt.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"
#include "option_table.h"
#include "options.h"

#define WORDS_MOST 16

static struct options options;
static char reason[TEXT_REASON_SIZE];

/* Parses "leaderexec" and words with variables; both end with NULL. */
static int parse(const char *const *words, const char *const *variables) {
    static const char *argv[WORDS_MOST + 2];
    static const char *const none[] = {NULL};
    int argc = 1;
    argv[0] = "leaderexec";
    for (; words[argc - 1] != NULL; argc++) {
        assert_true(argc < WORDS_MOST);
        argv[argc] = words[argc - 1];
    }
    argv[argc] = NULL;
    reason[0] = '\0';
    return options_parse(&options, argc, (char *const *)argv, (char *const *)(variables != NULL ? variables : none),
                         reason);
}

#define PARSE(...)     parse((const char *const[]){__VA_ARGS__, NULL}, NULL)
#define RUN(...)       PARSE("-b", "bucket", __VA_ARGS__, "job")
#define VARIABLES(...) ((const char *const[]){__VA_ARGS__, NULL})
#define WORDS(...)     ((const char *const[]){__VA_ARGS__, NULL})
#define assert_parses(...)                                                                                             \
    do {                                                                                                               \
        if ((__VA_ARGS__) != 0) fail_msg("refused: %s", reason);                                                       \
    } while (0)

/* The line must name what is wrong: each of the words. */
#define assert_refused(call, ...)                                                                                      \
    do {                                                                                                               \
        assert_int_equal(call, -EINVAL);                                                                               \
        assert_reason((const char *const[]){__VA_ARGS__, NULL});                                                       \
    } while (0)

static void assert_reason(const char *const *words) {
    assert_null(strchr(reason, '\n'));
    for (; *words != NULL; words++) {
        if (strstr(reason, *words) == NULL) fail_msg("\"%s\" isn't in: %s", *words, reason);
    }
}

static void defaults_are_those_of_the_manual(void **state) {
    (void)state;
    assert_parses(RUN("--"));
    assert_int_equal(options.mode, OPTIONS_RUN);
    assert_string_equal(options.lock, "leader");
    assert_string_equal(options.prefix, "locks/");
    assert_string_equal(options.identity, "s3://bucket/locks/leader");
    assert_int_equal(options.ttl_ms, 30000);
    assert_int_equal(options.poll_ms, 5000);
    assert_true(options.give_up_ms == OPTIONS_NEVER);
    assert_int_equal(options.conflict_exit_code, 124);
    assert_int_equal(options.hold_ms, 0);
    assert_int_equal(options.stop_signal, SIGTERM);
    assert_int_equal(options.kill_after_ms, 3750);
    assert_true(options.stop_timeout_ms == OPTIONS_NEVER);
    assert_int_equal(options.request_timeout_ms, 5000);
    assert_int_equal(options.retention_ms, 3600000);
    assert_false(options.rejoin);
    assert_false(options.log_json);
    assert_int_equal(options.log_level, LOG_LEVEL_WARN);
    assert_null(options.endpoint_url);
    assert_null(options.addressing_style);
    assert_string_equal(options.command[0], "job");
    assert_int_equal(options_outage_ms(&options), 30000 - 10000 - 600 - 1500 - 3750);
}

static void options_end_at_the_command(void **state) {
    (void)state;
    assert_parses(PARSE("-b", "bucket", "job", "--ttl", "x", "-h"));
    assert_string_equal(options.command[0], "job");
    assert_string_equal(options.command[1], "--ttl");
    assert_int_equal(options.ttl_ms, 30000);
    assert_parses(PARSE("-b", "bucket", "--", "--ttl", "-h"));
    assert_string_equal(options.command[0], "--ttl");
}

static void status_is_a_subcommand_as_the_first_word_only(void **state) {
    (void)state;
    assert_parses(PARSE("status", "-b", "bucket", "--json"));
    assert_int_equal(options.mode, OPTIONS_STATUS);
    assert_true(options.json);
    assert_parses(PARSE("-b", "bucket", "--", "status"));
    assert_int_equal(options.mode, OPTIONS_RUN);
    assert_string_equal(options.command[0], "status");
    assert_parses(PARSE("-b", "bucket", "status", "-x"));
    assert_int_equal(options.mode, OPTIONS_RUN);
    assert_refused(PARSE("status", "-b", "bucket", "job"), "status", "\"job\"");
    assert_refused(PARSE("-b", "bucket", "--json", "job"), "--json");
}

static void check_is_a_subcommand_with_options_of_its_own(void **state) {
    (void)state;
    assert_parses(PARSE("check", "-b", "bucket"));
    assert_int_equal(options.mode, OPTIONS_CHECK);
    assert_int_equal(options.writers, 16);
    assert_int_equal(options.rounds, 50);
    assert_int_equal(options.endpoint_count, 0);
    assert_parses(PARSE("check", "-b", "bucket", "--json", "--writers", "2", "--rounds", "7", "--endpoint-url",
                        "http://a", "--endpoint-url", "http://b"));
    assert_true(options.json);
    assert_int_equal(options.writers, 2);
    assert_int_equal(options.rounds, 7);
    assert_int_equal(options.endpoint_count, 2);
    assert_string_equal(options.endpoint_urls[0], "http://a");
    assert_string_equal(options.endpoint_urls[1], "http://b");
    assert_parses(PARSE("-b", "bucket", "--", "check"));
    assert_int_equal(options.mode, OPTIONS_RUN);
    assert_parses(RUN("--endpoint-url", "http://a", "--endpoint-url", "http://b"));
    assert_string_equal(options.endpoint_url, "http://b");
    assert_int_equal(options.endpoint_count, 0);
    assert_refused(PARSE("check", "-b", "bucket", "job"), "check", "\"job\"");
    assert_refused(PARSE("check", "-b", "bucket", "--writers", "1"), "--writers", "from 2 to 64");
    assert_refused(PARSE("check", "-b", "bucket", "--rounds", "0"), "--rounds", "from 1 to 10000");
    assert_refused(RUN("--rounds", "3"), "--rounds goes with leaderexec check only");
    assert_refused(PARSE("status", "-b", "bucket", "--writers", "3"), "--writers goes with leaderexec check only");
    assert_refused(RUN("--json"), "--json goes with leaderexec status and check only");
    const char *many[] = {"check",
                          "-b",
                          "bucket",
                          "--endpoint-url=a",
                          "--endpoint-url=a",
                          "--endpoint-url=a",
                          "--endpoint-url=a",
                          "--endpoint-url=a",
                          "--endpoint-url=a",
                          "--endpoint-url=a",
                          "--endpoint-url=a",
                          "--endpoint-url=http://ninth",
                          NULL};
    assert_refused(parse(many, NULL), "--endpoint-url", "http://ninth", "eight");
}

static void every_option_does_what_it_says(void **state) {
    (void)state;
    assert_parses(RUN("-l", "nightly", "--prefix", "team/x/", "-t", "2m", "-p", "500ms"));
    assert_string_equal(options.identity, "s3://bucket/team/x/nightly");
    assert_int_equal(options.ttl_ms, 120000);
    assert_int_equal(options.poll_ms, 500);
    assert_parses(RUN("-E", "0", "-s", "INT", "-k", "1", "--stop-timeout", "1h", "--on-loss", "rejoin"));
    assert_int_equal(options.conflict_exit_code, 0);
    assert_int_equal(options.stop_signal, SIGINT);
    assert_int_equal(options.kill_after_ms, 1000);
    assert_int_equal(options.stop_timeout_ms, 3600000);
    assert_true(options.rejoin);
    assert_parses(RUN("--node-id", "web-1", "--endpoint-url=http://127.0.0.1:7480", "--request-timeout", "2.5s"));
    assert_string_equal(options.node, "web-1");
    assert_string_equal(options.endpoint_url, "http://127.0.0.1:7480");
    assert_int_equal(options.request_timeout_ms, 2500);
    assert_parses(RUN("--region", "eu-x", "--profile", "p", "--ca-bundle", "/a", "--addressing-style", "path",
                      "--log-format", "json"));
    assert_string_equal(options.region, "eu-x");
    assert_string_equal(options.profile, "p");
    assert_string_equal(options.ca_bundle, "/a");
    assert_string_equal(options.addressing_style, "path");
    assert_true(options.log_json);
    assert_parses(RUN("--sse", "AES256"));
    assert_string_equal(options.sse, "AES256");
    assert_null(options.sse_kms_key_id);
    assert_parses(RUN("--sse", "aws:kms:dsse", "--sse-kms-key-id", "alias/locks"));
    assert_string_equal(options.sse, "aws:kms:dsse");
    assert_string_equal(options.sse_kms_key_id, "alias/locks");
}

static void every_option_has_a_variable_and_the_command_line_wins(void **state) {
    (void)state;
    const char *const *variables = VARIABLES("LEADEREXEC_BUCKET=other", "LEADEREXEC_TTL=10s",
                                             "LEADEREXEC_KILL_AFTER=1500ms", "LEADEREXEC_CONFLICT_EXIT_CODE=3",
                                             "LEADEREXEC_VERBOSE=1", "LEADEREXEC_ON_LOSS=rejoin", "LEADEREXEC_LOCK=");
    assert_parses(parse(WORDS("job"), variables));
    assert_string_equal(options.identity, "s3://other/locks/leader");
    assert_int_equal(options.ttl_ms, 10000);
    assert_int_equal(options.kill_after_ms, 1500);
    assert_int_equal(options.conflict_exit_code, 3);
    assert_int_equal(options.log_level, LOG_LEVEL_INFO);
    assert_true(options.rejoin);
    assert_parses(parse(WORDS("-b", "bucket", "--ttl", "20s", "-q", "job"), variables));
    assert_string_equal(options.identity, "s3://bucket/locks/leader");
    assert_int_equal(options.ttl_ms, 20000);
    assert_int_equal(options.log_level, LOG_LEVEL_ERROR);
    assert_refused(parse(WORDS("-b", "bucket", "job"), VARIABLES("LEADEREXEC_TTL=soon")), "LEADEREXEC_TTL", "\"soon\"");
    for (int id = 0; id < OPTION_COUNT; id++) {
        char name[OPTION_VARIABLE_SIZE];
        option_variable(name, (enum option_id)id);
        assert_true(strncmp(name, "LEADEREXEC_", 11) == 0);
        assert_int_equal(strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"), strlen(name));
    }
}

static void of_wait_and_no_wait_the_last_counts(void **state) {
    (void)state;
    assert_parses(RUN("--no-wait"));
    assert_int_equal(options.give_up_ms, 0);
    assert_parses(RUN("-w", "2s"));
    assert_int_equal(options.give_up_ms, 2000);
    assert_parses(RUN("-n", "-w", "2s"));
    assert_int_equal(options.give_up_ms, 2000);
    assert_parses(RUN("-w", "2s", "-n"));
    assert_int_equal(options.give_up_ms, 0);
    assert_parses(parse(WORDS("-b", "bucket", "-n", "job"), VARIABLES("LEADEREXEC_WAIT=9s")));
    assert_int_equal(options.give_up_ms, 0);
    assert_parses(parse(WORDS("-b", "bucket", "-w", "3s", "job"), VARIABLES("LEADEREXEC_NO_WAIT=1")));
    assert_int_equal(options.give_up_ms, 3000);
    assert_parses(parse(WORDS("-b", "bucket", "job"), VARIABLES("LEADEREXEC_NO_WAIT=0")));
    assert_true(options.give_up_ms == OPTIONS_NEVER);
}

static void hold_implies_no_wait_unless_wait_is_given(void **state) {
    (void)state;
    assert_parses(RUN("--hold", "10s"));
    assert_int_equal(options.hold_ms, 10000);
    assert_int_equal(options.give_up_ms, 0);
    assert_parses(RUN("--wait", "1m", "--hold", "10s"));
    assert_int_equal(options.give_up_ms, 60000);
    assert_parses(RUN("--hold", "24h"));
    assert_refused(RUN("--hold", "25h"), "--hold", "\"25h\"", "1d");
}

static void verbose_and_quiet_set_what_is_said(void **state) {
    (void)state;
    assert_parses(RUN("-v"));
    assert_int_equal(options.log_level, LOG_LEVEL_INFO);
    assert_parses(RUN("-v", "-q"));
    assert_int_equal(options.log_level, LOG_LEVEL_ERROR);
    assert_parses(RUN("-qv"));
    assert_int_equal(options.log_level, LOG_LEVEL_INFO);
}

static void poll_is_never_more_than_a_third_of_the_ttl(void **state) {
    (void)state;
    assert_parses(RUN("--ttl", "6s"));
    assert_int_equal(options.poll_ms, 2000);
    assert_parses(RUN("--ttl", "6s", "--poll", "1m"));
    assert_int_equal(options.poll_ms, 2000);
    assert_refused(RUN("--poll", "1ms"), "--poll", "100ms");
}

static void durations_that_make_no_sense_are_refused(void **state) {
    (void)state;
    assert_refused(RUN("--ttl", "1999ms"), "--ttl", "\"1999ms\"", "2s", "10m");
    assert_refused(RUN("-t", "601s"), "--ttl", "10m");
    assert_refused(RUN("-t", ""), "--ttl", "30s");
    assert_refused(RUN("-t", "-5s"), "--ttl", "30s");
    assert_refused(RUN("-t", "5 s"), "--ttl", "30s");
    assert_refused(RUN("-t", "1000000000000000000"), "--ttl", "10m");
    assert_refused(RUN("--wait", "soon"), "--wait", "\"soon\"");
    assert_refused(RUN("--request-timeout", "11s"), "--request-timeout", "TTL/3");
    assert_refused(RUN("--request-timeout", "1ms"), "--request-timeout", "50ms");
    assert_parses(RUN("--ttl", "2s"));
    assert_parses(RUN("--ttl", "10m"));
    assert_parses(RUN("--ttl", "10"));
}

static void a_kill_after_that_leaves_no_room_is_refused_with_the_sums(void **state) {
    (void)state;
    assert_refused(RUN("--kill-after", "9s"), "--kill-after 9s", "--ttl 30s", "margin", "7.8s");
    assert_parses(RUN("--kill-after", "7800ms"));
    assert_true(options_outage_ms(&options) >= options.ttl_ms / 3);
    assert_refused(RUN("--kill-after", "7801ms"), "7.8s");
    assert_parses(RUN("--kill-after", "0"));
    for (int64_t ttl = 2000; ttl <= 600000; ttl += 997) {
        char text[32];
        (void)text_format(text, sizeof text, "%dms", (int)ttl);
        assert_parses(RUN("-t", text));
        assert_true(options_outage_ms(&options) >= ttl / 3);
    }
}

static void signals_go_by_name_or_number(void **state) {
    (void)state;
    static const char *const terms[] = {"TERM", "SIGTERM", "term", "sigterm", "15"};
    for (size_t i = 0; i < sizeof terms / sizeof *terms; i++) {
        assert_parses(RUN("-s", terms[i]));
        assert_int_equal(options.stop_signal, SIGTERM);
    }
    assert_parses(RUN("-s", "KILL"));
    assert_int_equal(options.stop_signal, SIGKILL);
    assert_parses(RUN("-s", "SIGRTMIN+3"));
    assert_int_equal(options.stop_signal, SIGRTMIN + 3);
    static const char *const bad[] = {"STOP", "19", "TSTP", "TTIN",        "TTOU",  "",        "0",
                                      "-15",  "32", "65",   "99999999999", "TERMS", "RTMIN+99"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_refused(RUN("-s", bad[i]), "--signal", bad[i]);
}

static void a_lock_name_is_one_plain_name(void **state) {
    (void)state;
    char longest[130];
    memset(longest, 'a', sizeof longest);
    longest[128] = '\0';
    assert_parses(RUN("-l", longest));
    static const char *const good[] = {"a", "a.b", "...", "-x", "x:1@y+z=q,w_"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) assert_parses(RUN("-l", good[i]));
    longest[128] = 'a';
    longest[129] = '\0';
    const char *const bad[] = {"", "a/b", "/", ".", "..", "a b", "a\nb", "a\x7f", "caf\xc3\xa9", "a%", "a?", longest};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_refused(RUN("-l", bad[i]), "--lock", "without \"/\"");
}

static void a_prefix_names_folders(void **state) {
    (void)state;
    assert_parses(RUN("--prefix", ""));
    assert_string_equal(options.identity, "s3://bucket/leader");
    assert_parses(RUN("--prefix", "a/b"));
    assert_string_equal(options.prefix, "a/b/");
    static const char *const bad[] = {"/", "/a", "a//", "a//b", "../a", "a/..", "./a", "a b/", "a\x01/"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_refused(RUN("--prefix", bad[i]), "--prefix");
}

static void a_prefix_can_stand_in_the_bucket(void **state) {
    (void)state;
    assert_parses(PARSE("-b", "s3://bucket/team", "job"));
    assert_string_equal(options.identity, "s3://bucket/team/leader");
    assert_parses(PARSE("-b", "s3://bucket", "job"));
    assert_string_equal(options.identity, "s3://bucket/locks/leader");
    assert_parses(PARSE("-b", "s3://bucket/", "job"));
    assert_string_equal(options.identity, "s3://bucket/locks/leader");
    assert_refused(PARSE("-b", "s3://bucket/team", "--prefix", "other", "job"), "--prefix", "contradicts");
    assert_parses(parse(WORDS("-b", "s3://bucket/team", "job"), VARIABLES("LEADEREXEC_PREFIX=other/")));
    assert_string_equal(options.prefix, "team/");
    assert_parses(parse(WORDS("--prefix", "other", "job"), VARIABLES("LEADEREXEC_BUCKET=s3://bucket/team")));
    assert_string_equal(options.prefix, "other/");
    assert_refused(PARSE("-b", "s3://bucket//x", "job"), "--bucket");
}

static void a_bucket_must_be_named_right(void **state) {
    (void)state;
    assert_refused(PARSE("job"), "--bucket", "LEADEREXEC_BUCKET");
    static const char *const bad[] = {"b",        "ab",    "./locks", "/srv/locks", "name/x", "s3://",
                                      "s3://a/b", "a b c", ".abc",    "http://x",   "file:"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_refused(PARSE("-b", bad[i], "job"), "--bucket", bad[i], "file:DIR");
    assert_refused(PARSE("-b", "", "job"), "--bucket");
    assert_parses(PARSE("-b", "my.Bucket_1-x", "job"));
}

static void one_directory_has_one_identity_however_it_is_written(void **state) {
    (void)state;
    char top[] = "/tmp/test-options-XXXXXX", real[64], link[64], text[128], expected[160];
    assert_non_null(mkdtemp(top));
    (void)text_format(real, sizeof real, "%s/real dir", top);
    (void)text_format(link, sizeof link, "%s/link", top);
    assert_int_equal(mkdir(real, 0700), 0);
    assert_int_equal(symlink(real, link), 0);
    char *here = realpath(".", NULL);
    assert_non_null(here);
    assert_int_equal(chdir(top), 0);
    (void)text_format(expected, sizeof expected, "file:%s/real%%20dir/new/x/locks/leader", top);
    static const char *const ways[] = {"file:real dir/new/x", "file:./link/new/x/", "file:link/../link/new//x",
                                       "file:link/./new/./x"};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        assert_parses(PARSE("-b", ways[i], "job"));
        assert_string_equal(options.identity, expected);
    }
    (void)text_format(text, sizeof text, "file:%s/real dir/new/x", top);
    assert_parses(PARSE("-b", text, "job"));
    assert_string_equal(options.identity, expected);
    assert_int_equal(options.bucket.kind, BUCKET_DIRECTORY);
    assert_refused(PARSE("-b", "file:new/../x", "job"), "--bucket", "No such file");
    FILE *file = fopen("plain", "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    assert_refused(PARSE("-b", "file:plain", "job"), "--bucket", "Not a directory");
    assert_refused(PARSE("-b", "file:plain/x", "job"), "--bucket", "Not a directory");
    assert_parses(PARSE("-b", "file:/", "job"));
    assert_string_equal(options.identity, "file:/locks/leader");
    assert_parses(PARSE("-b", "file:/no-such-folder-here", "job"));
    assert_string_equal(options.identity, "file:/no-such-folder-here/locks/leader");
    assert_int_equal(unlink("plain"), 0);
    assert_int_equal(chdir(here), 0);
    assert_int_equal(unlink(link), 0);
    assert_int_equal(rmdir(real), 0);
    assert_int_equal(rmdir(top), 0);
    free(here);
}

static void a_directory_that_is_too_long_is_refused(void **state) {
    (void)state;
    char text[4200] = "file:/";
    memset(text + 6, 'a', sizeof text - 7);
    for (size_t i = 100; i < sizeof text - 1; i += 100) text[i] = '/';
    text[sizeof text - 1] = '\0';
    assert_refused(PARSE("-b", text, "job"), "--bucket");
    text[2000] = '\0';
    assert_refused(PARSE("-b", text, "job"), "--bucket", "too long");
}

static void what_getopt_does_not_know_is_said_in_one_line(void **state) {
    (void)state;
    assert_refused(RUN("--foo"), "\"--foo\"", "isn't known");
    assert_refused(RUN("-x"), "\"-x\"", "isn't known");
    assert_refused(RUN("--verbose", "-vx"), "\"-x\"", "isn't known");
    assert_refused(PARSE("-b", "bucket", "--ttl"), "\"--ttl\"", "needs a value");
    assert_refused(PARSE("-b"), "\"-b\"", "needs a value");
    assert_refused(RUN("--no-wait=1"), "--no-wait", "takes no value");
    assert_refused(PARSE("-b", "bucket"), "no command");
    assert_refused(PARSE("-b", "bucket", "--"), "no command");
    assert_refused(RUN("--on-loss", "panic"), "--on-loss", "exit|rejoin");
    assert_refused(RUN("--on-loss", "exit|rejoin"), "--on-loss");
    assert_refused(RUN("--log-format", "xml"), "--log-format", "text|json");
    assert_refused(RUN("--addressing-style", "pat"), "--addressing-style", "auto|path|virtual");
    assert_refused(RUN("--sse", "none"), "--sse", "AES256|aws:kms|aws:kms:dsse");
    assert_refused(RUN("--sse-kms-key-id", "k"), "--sse-kms-key-id", "goes with --sse aws:kms");
    assert_refused(RUN("--sse", "AES256", "--sse-kms-key-id", "k"), "--sse-kms-key-id", "goes with --sse aws:kms");
    assert_refused(RUN("-E", "256"), "--conflict-exit-code", "255");
    assert_refused(RUN("-E", "-1"), "--conflict-exit-code", "255");
    assert_refused(RUN("-E", "1x"), "--conflict-exit-code", "255");
    assert_refused(RUN("--region", ""), "--region", "empty");
    assert_refused(RUN("--node-id", "a\nb"), "--node-id", "control");
    assert_refused(parse(WORDS("-b", "bucket", "job"), VARIABLES("LEADEREXEC_NO_WAIT=maybe")), "LEADEREXEC_NO_WAIT",
                   "1 or 0");
}

static void a_node_is_named_by_host_pid_and_chance(void **state) {
    (void)state;
    char first[RECORD_NODE_SIZE], start[RECORD_NODE_SIZE], longest[200];
    assert_parses(RUN("-v"));
    (void)text_format(start, sizeof start, "%s:%ld:", options.host, (long)getpid());
    assert_memory_equal(options.node, start, strlen(start));
    assert_int_equal(strlen(options.node), strlen(start) + 8);
    (void)text_copy(first, sizeof first, options.node);
    assert_parses(RUN("-v"));
    assert_string_not_equal(options.node, first);
    memset(longest, 'n', sizeof longest);
    longest[RECORD_NODE_SIZE - 1] = '\0';
    assert_parses(RUN("--node-id", longest));
    longest[RECORD_NODE_SIZE - 1] = 'n';
    longest[RECORD_NODE_SIZE] = '\0';
    assert_refused(RUN("--node-id", longest), "--node-id", "159 bytes");
}

static void errors_look_as_the_log_format_asks(void **state) {
    (void)state;
    assert_refused(RUN("--ttl", "x", "--log-format", "json"), "--ttl");
    assert_true(options.log_json);
}

static void only_tests_shorten_the_retention(void **state) {
    (void)state;
    assert_parses(parse(WORDS("-b", "bucket", "job"), VARIABLES("LEADEREXEC_TEST_RETENTION=3s")));
    assert_int_equal(options.retention_ms, 3000);
    assert_refused(parse(WORDS("-b", "bucket", "job"), VARIABLES("LEADEREXEC_TEST_RETENTION=2h")),
                   "LEADEREXEC_TEST_RETENTION");
    assert_refused(RUN("--test-retention", "3s"), "isn't known");
}

static void help_and_version_need_nothing_else(void **state) {
    (void)state;
    assert_parses(parse(WORDS("--help"), VARIABLES("LEADEREXEC_TTL=soon")));
    assert_int_equal(options.mode, OPTIONS_HELP);
    assert_parses(PARSE("-V"));
    assert_int_equal(options.mode, OPTIONS_VERSION);
    assert_parses(PARSE("status", "-h"));
    assert_int_equal(options.mode, OPTIONS_HELP);
}

/* Returns the content of a file, for free(). */
static char *read_all(FILE *file) {
    char *text = calloc(1, 65536);
    assert_non_null(file);
    assert_non_null(text);
    assert_true(fread(text, 1, 65535, file) > 0);
    assert_int_equal(fclose(file), 0);
    return text;
}

static void help_fits_a_screen_and_names_every_option(void **state) {
    (void)state;
    FILE *out = tmpfile();
    assert_non_null(out);
    options_print_help(out);
    rewind(out);
    char *text = read_all(out);
    for (int id = 0; id < OPTION_COUNT; id++) {
        char name[64];
        (void)text_format(name, sizeof name, "--%s ", option_table[id].name);
        if (strstr(text, name) == NULL) fail_msg("--help doesn't say %s", name);
    }
    assert_null(strstr(text, "TEST_RETENTION"));
    int lines = 0;
    for (char *line = text; *line != '\0'; lines++) {
        size_t length = strcspn(line, "\n");
        if (length > 100) fail_msg("%zu columns: %s", length, line);
        line += length + (line[length] == '\n' ? 1 : 0);
    }
    assert_in_range(lines, OPTION_COUNT, 40);
    free(text);
}

static void readme_and_manual_say_every_option(void **state) {
    (void)state;
    char *readme = read_all(fopen(SOURCE_ROOT "/README.md", "r"));
    char *manual = read_all(fopen(SOURCE_ROOT "/cmd/leaderexec/leaderexec.1", "r"));
    for (int id = 0; id < OPTION_COUNT; id++) {
        char name[64], plain[64];
        (void)text_format(name, sizeof name, "--%s", option_table[id].name);
        (void)text_format(plain, sizeof plain, "Fl -%s", option_table[id].name);
        if (strstr(readme, name) == NULL) fail_msg("README.md doesn't say %s", name);
        if (strstr(manual, plain) == NULL) fail_msg("leaderexec.1 doesn't say %s", plain);
    }
    free(readme);
    free(manual);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_the_manual),
        cmocka_unit_test(options_end_at_the_command),
        cmocka_unit_test(status_is_a_subcommand_as_the_first_word_only),
        cmocka_unit_test(check_is_a_subcommand_with_options_of_its_own),
        cmocka_unit_test(every_option_does_what_it_says),
        cmocka_unit_test(every_option_has_a_variable_and_the_command_line_wins),
        cmocka_unit_test(of_wait_and_no_wait_the_last_counts),
        cmocka_unit_test(hold_implies_no_wait_unless_wait_is_given),
        cmocka_unit_test(verbose_and_quiet_set_what_is_said),
        cmocka_unit_test(poll_is_never_more_than_a_third_of_the_ttl),
        cmocka_unit_test(durations_that_make_no_sense_are_refused),
        cmocka_unit_test(a_kill_after_that_leaves_no_room_is_refused_with_the_sums),
        cmocka_unit_test(signals_go_by_name_or_number),
        cmocka_unit_test(a_lock_name_is_one_plain_name),
        cmocka_unit_test(a_prefix_names_folders),
        cmocka_unit_test(a_prefix_can_stand_in_the_bucket),
        cmocka_unit_test(a_bucket_must_be_named_right),
        cmocka_unit_test(one_directory_has_one_identity_however_it_is_written),
        cmocka_unit_test(a_directory_that_is_too_long_is_refused),
        cmocka_unit_test(what_getopt_does_not_know_is_said_in_one_line),
        cmocka_unit_test(a_node_is_named_by_host_pid_and_chance),
        cmocka_unit_test(errors_look_as_the_log_format_asks),
        cmocka_unit_test(only_tests_shorten_the_retention),
        cmocka_unit_test(help_and_version_need_nothing_else),
        cmocka_unit_test(help_fits_a_screen_and_names_every_option),
        cmocka_unit_test(readme_and_manual_say_every_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
