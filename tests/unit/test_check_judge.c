/* What check makes of what it saw: which rounds of a race are bad, which TTL is advised, what a month costs, and how a
 * finding looks in words and in JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"
#include "check_judge.h"

#define FOLDER "locks/leader/"

static struct finding finding;

static void assert_says(enum finding_level level, const char *text) {
    if (finding.level != level || strstr(finding.text, text) == NULL) {
        fail_msg("not %s with \"%s\": %s %s", finding_level_name(level), text, finding_level_name(finding.level),
                 finding.text);
    }
}

static double figure(const char *name) {
    for (int i = 0; i < finding.figure_count; i++) {
        if (strcmp(finding.figures[i].name, name) == 0) return finding.figures[i].value;
    }
    fail_msg("no figure %s", name);
    return 0;
}

static void a_round_is_good_bad_or_undecided(void **state) {
    (void)state;
    static const struct {
        struct round round;
        int several, none, wrong, undecided, winners;
    } cases[] = {
        {{1, 15, 0, ROUND_OF_CREATOR}, 0, 0, 0, 0, 1}, {{1, 15, 0, ROUND_UNREAD}, 0, 0, 0, 0, 1},
        {{2, 14, 0, ROUND_OF_CREATOR}, 1, 0, 0, 0, 2}, {{16, 0, 0, ROUND_OF_CREATOR}, 1, 0, 0, 0, 16},
        {{1, 15, 0, ROUND_OF_OTHER}, 0, 0, 1, 0, 1},   {{1, 15, 0, ROUND_EMPTY}, 0, 0, 1, 0, 1},
        {{1, 15, 0, ROUND_STRANGE}, 0, 0, 1, 0, 1},    {{0, 16, 0, ROUND_STRANGE}, 0, 0, 1, 0, 0},
        {{0, 16, 0, ROUND_OF_OTHER}, 0, 0, 0, 0, 1}, /* its own first try, sent twice by the library */
        {{0, 15, 1, ROUND_OF_OTHER}, 0, 0, 0, 0, 1}, /* its answer was lost */
        {{0, 16, 0, ROUND_EMPTY}, 0, 1, 0, 0, 0},      {{0, 12, 4, ROUND_EMPTY}, 0, 0, 0, 1, 0},
        {{0, 12, 4, ROUND_UNREAD}, 0, 0, 0, 1, 0},     {{0, 16, 0, ROUND_UNREAD}, 0, 0, 0, 1, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tally tally = {0};
        tally_add(&tally, &cases[i].round);
        if (tally.several != cases[i].several || tally.none != cases[i].none || tally.wrong != cases[i].wrong ||
            tally.undecided != cases[i].undecided || tally.winners != cases[i].winners)
            fail_msg("case %zu: %d %d %d %d %d", i, tally.several, tally.none, tally.wrong, tally.undecided,
                     tally.winners);
        assert_int_equal(tally_bad(&tally), cases[i].several + cases[i].none + cases[i].wrong);
    }
}

static void a_race_with_two_winners_fails_with_their_mean(void **state) {
    (void)state;
    struct tally tally = {.rounds = 50, .winners = 50};
    judge_race(&finding, &tally, 16, 1);
    assert_says(FINDING_OK, "16 writers at once: one winner in each of 50 rounds");
    assert_true(figure("winners_mean") == 1.0);
    judge_race(&finding, &tally, 16, 3);
    assert_says(FINDING_OK, "16 writers at once over 3 endpoints");
    tally = (struct tally){.rounds = 50, .several = 2, .winners = 54};
    judge_race(&finding, &tally, 16, 1);
    assert_says(FINDING_FAIL, "more than once in 2 of 50 rounds, 1.1 times on average");
    assert_true(figure("rounds_bad") == 2);
    tally = (struct tally){.rounds = 50, .wrong = 1, .winners = 50};
    judge_race(&finding, &tally, 16, 1);
    assert_says(FINDING_FAIL, "1 of 50 rounds the slot doesn't hold");
    tally = (struct tally){.rounds = 50, .none = 50};
    judge_race(&finding, &tally, 16, 1);
    assert_says(FINDING_FAIL, "50 of 50 rounds nobody");
}

static void doubt_is_told_and_nothing_but_doubt_fails(void **state) {
    (void)state;
    struct tally tally = {.rounds = 50, .undecided = 3, .unknown = 60, .winners = 47};
    judge_race(&finding, &tally, 16, 1);
    assert_says(FINDING_OK, "one winner in each of 47 rounds (60 answers said neither yes nor no)");
    assert_true(figure("winners_mean") == 1.0);
    tally = (struct tally){.rounds = 50, .unknown = 750, .winners = 50};
    judge_race(&finding, &tally, 16, 1);
    assert_says(FINDING_WARN, "(750 of 800), so this was hardly a race");
    tally = (struct tally){.rounds = 50, .undecided = 50, .unknown = 800};
    judge_race(&finding, &tally, 16, 1);
    assert_says(FINDING_FAIL, "none of 50 rounds could be decided");
    judge_once(&finding, &(struct tally){.rounds = 5, .winners = 5});
    assert_says(FINDING_OK, "5 slots were created once each");
    judge_once(&finding, &(struct tally){.rounds = 5, .several = 5, .winners = 10});
    assert_says(FINDING_FAIL, "more than once in 5 of 5 rounds, 2.0 times");
}

static void late_reads_are_safe_and_slow(void **state) {
    (void)state;
    judge_visibility(&finding, &(struct visibility){.slots = 20, .lists = true});
    assert_says(FINDING_OK, "20 new slots were there at once for GET and LIST");
    judge_visibility(&finding, &(struct visibility){.slots = 20});
    assert_null(strstr(finding.text, "LIST"));
    judge_visibility(&finding, &(struct visibility){.slots = 20, .lists = true, .late_lists = 2, .latest_ms = 730});
    assert_says(FINDING_WARN, "2 listed late, by up to 730 ms");
    judge_visibility(&finding, &(struct visibility){.slots = 20, .lists = true, .never_listed = 1, .late_lists = 1});
    assert_says(FINDING_FAIL, "1 weren't listed");
    judge_visibility(&finding, &(struct visibility){.slots = 1, .never_read = 1, .trouble = "it isn't sorted"});
    assert_says(FINDING_FAIL, "use another store; it isn't sorted");
    judge_visibility(&finding, &(struct visibility){.slots = 0, .lists = true});
    assert_says(FINDING_WARN, "isn't known");
}

static void percentiles_are_values_that_were_seen(void **state) {
    (void)state;
    struct samples samples = {.count = 0};
    assert_int_equal(samples_percentile(&samples, 99), 0);
    for (int i = 100; i >= 1; i--) samples_add(&samples, i);
    assert_int_equal(samples_percentile(&samples, 50), 50);
    assert_int_equal(samples_percentile(&samples, 99), 99);
    assert_int_equal(samples_percentile(&samples, 100), 100);
    assert_int_equal(samples_percentile(&samples, 1), 1);
    samples = (struct samples){.count = 0};
    samples_add(&samples, 7);
    assert_int_equal(samples_percentile(&samples, 50), 7);
    assert_int_equal(samples_percentile(&samples, 99), 7);
    for (int i = 0; i < 2 * SAMPLES_MOST; i++) samples_add(&samples, i);
    assert_int_equal(samples.count, SAMPLES_MOST);
}

static void the_advised_ttl_leaves_a_slow_write_its_time(void **state) {
    (void)state;
    assert_int_equal(advised_ttl_ms(0), 5000);
    assert_int_equal(advised_ttl_ms(5 * NS_PER_MS), 5000);
    assert_int_equal(advised_ttl_ms(250 * NS_PER_MS), 6000);
    assert_int_equal(advised_ttl_ms(251 * NS_PER_MS), 7000);
    assert_int_equal(advised_ttl_ms(60 * NS_PER_S), 600000);
}

static struct samples all_of(int64_t ms) {
    struct samples samples = {.count = 0};
    for (int i = 0; i < 60; i++) samples_add(&samples, ms * NS_PER_MS);
    return samples;
}

static void a_ttl_is_held_against_the_round_trip(void **state) {
    (void)state;
    struct samples samples = all_of(20);
    judge_speed(&finding, &samples, 30000, 5000);
    assert_says(FINDING_OK, "20.0 ms (p99 20.0 ms): --ttl 30s is fine, from 5s on would do");
    assert_true(figure("advised_ttl_ms") == 5000);
    judge_speed(&finding, &samples, 2000, 333);
    assert_says(FINDING_WARN, "--ttl 2s leaves little room; use 5s or more");
    samples = all_of(400);
    judge_speed(&finding, &samples, 5000, 833);
    assert_says(FINDING_WARN, "use 10s or more");
    judge_speed(&finding, &samples, 2000, 333);
    assert_says(FINDING_FAIL, "no lease would be renewed; use --ttl 10s or more");
    samples.count = 0;
    judge_speed(&finding, &samples, 30000, 5000);
    assert_says(FINDING_WARN, "isn't known");
    samples = all_of(80);
    judge_speed(&finding, &samples, 30000, 50); /* a longer TTL wouldn't help */
    assert_says(FINDING_FAIL, "--request-timeout is 50ms: no lease would be renewed; leave it out");
    samples = all_of(20);
    samples_add(&samples, 60 * NS_PER_MS);
    judge_speed(&finding, &samples, 30000, 50);
    assert_says(FINDING_WARN, "some renewals would be sent twice");
}

static void clocks_apart_are_told_by_what_minds_it(void **state) {
    (void)state;
    judge_clock(&finding, &(struct clocks){.known = false});
    assert_says(FINDING_WARN, "don't tell its time");
    judge_clock(&finding, &(struct clocks){.known = true, .offset_ms = -300, .error_ms = 510, .signs = true});
    assert_says(FINDING_OK, "-0.3 s off ours, to 0.5 s");
    judge_clock(&finding, &(struct clocks){.known = true, .offset_ms = -60000, .error_ms = 510, .signs = true});
    assert_says(FINDING_WARN, "leases don't mind");
    judge_clock(&finding, &(struct clocks){.known = true, .offset_ms = 3600000, .error_ms = 510, .signs = true});
    assert_says(FINDING_WARN, "set this machine's clock");
    judge_clock(&finding, &(struct clocks){.known = true, .date_minus_modified_ms = 40000});
    assert_says(FINDING_WARN, "40.0 s apart");
}

static void a_months_requests_follow_from_ttl_and_poll(void **state) {
    (void)state;
    struct month month = month_of(30000, 5000);
    assert_int_equal(month.puts, 259200);
    assert_int_equal(month.lists, 5184 + 86400);
    assert_int_equal(month.deletes, 259200);
    assert_int_equal(month.gets, 518400 + 259200);
    assert_true(month_leader_dollars(&month) > 1.7538 && month_leader_dollars(&month) < 1.7540);
    assert_true(month_standby_dollars(&month) > 0.3110 && month_standby_dollars(&month) < 0.3111);
    judge_requests(&finding, 30000, 5000, true);
    assert_says(FINDING_OK,
                "259200 PUT, 91584 LIST, 259200 DELETE ($1.75) at --ttl 30s, each standby 777600 GET ($0.31)");
    judge_requests(&finding, 30000, 5000, false);
    assert_null(strchr(finding.text, '$'));
}

static void versioning_is_judged_by_setting_and_by_answers(void **state) {
    (void)state;
    struct versioning_seen seen = {.known = SETTING_READ, .versioning = S3_VERSIONING_OFF};
    judge_versioning(&finding, &seen, FOLDER);
    assert_says(FINDING_OK, "off");
    seen.versioning = S3_VERSIONING_ENABLED;
    judge_versioning(&finding, &seen, FOLDER);
    assert_says(FINDING_WARN, "prefix locks/leader/ with NoncurrentVersionExpiration");
    seen.old_versions_rule = true;
    judge_versioning(&finding, &seen, FOLDER);
    assert_says(FINDING_OK, "deletes old versions below locks/leader/");
    seen.creates_twice = true;
    judge_versioning(&finding, &seen, FOLDER);
    assert_says(FINDING_WARN, "use a bucket that never had it");
    judge_versioning(&finding, &(struct versioning_seen){.known = SETTING_DENIED, .version_ids = true}, FOLDER);
    assert_says(FINDING_WARN, "on:");
    judge_versioning(&finding, &(struct versioning_seen){.known = SETTING_DENIED}, FOLDER);
    assert_says(FINDING_OK, "s3:GetBucketVersioning is denied");
    judge_versioning(&finding, &(struct versioning_seen){.known = SETTING_ABSENT}, FOLDER);
    assert_says(FINDING_OK, "no such setting");
    seen = (struct versioning_seen){.known = SETTING_READ, .versioning = S3_VERSIONING_SUSPENDED};
    judge_versioning(&finding, &seen, FOLDER);
    assert_says(FINDING_WARN, "may leave a delete marker; a lifecycle rule");
}

static void retention_and_expiry_are_warned_of(void **state) {
    (void)state;
    struct s3_object_lock lock = {.enabled = true, .mode = "COMPLIANCE", .days = 7};
    judge_object_lock(&finding, SETTING_READ, &lock, 30000);
    assert_says(FINDING_WARN, "7 days (COMPLIANCE), and so is each slot: 60480 of them");
    lock.days = 0;
    judge_object_lock(&finding, SETTING_READ, &lock, 30000);
    assert_says(FINDING_OK, "on, without a default retention");
    judge_object_lock(&finding, SETTING_ABSENT, &lock, 30000);
    assert_says(FINDING_OK, "off");
    judge_object_lock(&finding, SETTING_DENIED, &lock, 30000);
    assert_says(FINDING_OK, "isn't known");
    struct s3_lifecycle_rule rule = {.id = "tidy", .enabled = true, .expires = true, .days = 30};
    judge_expiry(&finding, SETTING_READ, &rule, FOLDER);
    assert_says(FINDING_WARN, "rule \"tidy\" deletes slots after 30 days");
    rule.days = 0;
    judge_expiry(&finding, SETTING_READ, &rule, FOLDER);
    assert_says(FINDING_WARN, "on a date");
    judge_expiry(&finding, SETTING_READ, NULL, FOLDER);
    assert_says(FINDING_OK, "no lifecycle rule");
    judge_expiry(&finding, SETTING_DENIED, NULL, FOLDER);
    assert_says(FINDING_WARN, "make sure that no lifecycle rule");
}

static void a_setting_that_couldnt_be_asked_for_isnt_fine(void **state) {
    (void)state;
    struct s3_object_lock lock = {.enabled = false};
    judge_versioning(&finding, &(struct versioning_seen){.known = SETTING_FAILED}, FOLDER);
    assert_says(FINDING_WARN, "isn't known");
    judge_object_lock(&finding, SETTING_FAILED, &lock, 30000);
    assert_says(FINDING_WARN, "isn't known");
    judge_expiry(&finding, SETTING_FAILED, NULL, FOLDER);
    assert_says(FINDING_WARN, "make sure that no lifecycle rule");
}

static void findings_are_aligned_lines(void **state) {
    (void)state;
    char line[FINDING_LINE_SIZE], summary[256];
    struct finding all[3];
    finding_set(&all[0], "race", FINDING_OK, "%d writers", 16);
    finding_set(&all[1], "credentials", FINDING_WARN, "by \x1b[2J\n");
    finding_set(&all[2], "once", FINDING_FAIL, "no");
    finding_format(&all[0], line);
    assert_string_equal(line, "ok    race         16 writers");
    finding_format(&all[1], line);
    assert_string_equal(line, "warn  credentials  by ?[2J?");
    finding_format(&all[2], line);
    assert_string_equal(line, "FAIL  once         no");
    assert_int_equal(finding_worst(all, 0), FINDING_OK);
    assert_int_equal(finding_worst(all, 2), FINDING_WARN);
    assert_int_equal(finding_worst(all, 3), FINDING_FAIL);
    finding_format_summary(all, 1, "s3://b/l", summary, sizeof summary);
    assert_string_equal(summary, "s3://b/l: a lock can be kept here");
    finding_format_summary(all, 2, "s3://b/l", summary, sizeof summary);
    assert_string_equal(summary, "s3://b/l: a lock can be kept here; 1 to look at");
    finding_format_summary(all, 3, "s3://b/l", summary, sizeof summary);
    assert_string_equal(summary, "s3://b/l: 1 of 3 failed: no lock can be kept here");
}

static void json_has_the_figures(void **state) {
    (void)state;
    struct finding all[1];
    finding_set(&all[0], "race", FINDING_FAIL, "two \"winners\"");
    finding_add_figure(&all[0], "winners_mean", 1.5);
    char *text = finding_format_json(all, 1, "s3://b/l");
    assert_string_equal(text,
                        "{\"lock\":\"s3://b/l\",\"level\":\"FAIL\",\"items\":[{\"item\":\"race\",\"level\":\"FAIL\","
                        "\"text\":\"two \\\"winners\\\"\",\"winners_mean\":1.5}]}");
    free(text);
    for (int i = 0; i < 2 * FINDING_FIGURES; i++) finding_add_figure(&all[0], "x", i);
    assert_int_equal(all[0].figure_count, FINDING_FIGURES);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_round_is_good_bad_or_undecided),
        cmocka_unit_test(a_race_with_two_winners_fails_with_their_mean),
        cmocka_unit_test(doubt_is_told_and_nothing_but_doubt_fails),
        cmocka_unit_test(late_reads_are_safe_and_slow),
        cmocka_unit_test(percentiles_are_values_that_were_seen),
        cmocka_unit_test(the_advised_ttl_leaves_a_slow_write_its_time),
        cmocka_unit_test(a_ttl_is_held_against_the_round_trip),
        cmocka_unit_test(clocks_apart_are_told_by_what_minds_it),
        cmocka_unit_test(a_months_requests_follow_from_ttl_and_poll),
        cmocka_unit_test(versioning_is_judged_by_setting_and_by_answers),
        cmocka_unit_test(retention_and_expiry_are_warned_of),
        cmocka_unit_test(a_setting_that_couldnt_be_asked_for_isnt_fine),
        cmocka_unit_test(findings_are_aligned_lines),
        cmocka_unit_test(json_has_the_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
