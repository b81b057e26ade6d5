/* What happens in a transcript; see script.h. */
#include "script.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "answers.h"
#include "base/clock.h"
#include "base/text.h"
#include "election/lease.h"
#include "words.h"

static bool read_wait(const char *value, int64_t *ns) {
    if (strcmp(value, "forever") == 0) {
        *ns = ELECTION_FOREVER;
        return true;
    }
    if (strcmp(value, "none") == 0) {
        *ns = 0;
        return true;
    }
    return text_duration_ns(value, ns);
}

static bool read_jitter(const char *value, uint32_t *jitter) {
    char number[8];
    int64_t percent;
    size_t length = strlen(value);
    if (length < 2 || length > sizeof number || value[length - 1] != '%') return false;
    memcpy(number, value, length - 1);
    number[length - 1] = '\0';
    if (!text_number(number, &percent) || percent > 99) return false;
    *jitter = (uint32_t)(((percent << 32) + 99) / 100);
    return true;
}

static bool read_rejoin(const char *value, bool *rejoin) {
    *rejoin = strcmp(value, "rejoin") == 0;
    return *rejoin || strcmp(value, "exit") == 0;
}

static bool read_exit_code(const char *value, int *code) {
    int64_t number;
    if (!text_number(value, &number) || number > 255) return false;
    *code = (int)number;
    return true;
}

static bool read_setting(struct election_config *config, uint32_t *jitter, const char *word) {
    const struct {
        const char *name;
        int64_t *ns;
    } durations[] = {
        {"ttl", &config->ttl_ns},
        {"poll", &config->poll_ns},
        {"hold", &config->hold_ns},
        {"kill-after", &config->kill_after_ns},
        {"request-timeout", &config->request_timeout_ns},
        {"retention", &config->retention_ns},
    };
    for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
        const char *value = text_value_of(word, durations[i].name);
        if (value != NULL) return text_duration_ns(value, durations[i].ns);
    }
    const char *value;
    if ((value = text_value_of(word, "wait")) != NULL) return read_wait(value, &config->give_up_ns);
    if ((value = text_value_of(word, "jitter")) != NULL) return read_jitter(value, jitter);
    if (strcmp(word, "fresh-listings") == 0) return config->listings_are_fresh = true;
    if ((value = text_value_of(word, "on-loss")) != NULL) return read_rejoin(value, &config->rejoin);
    if ((value = text_value_of(word, "conflict-exit-code")) != NULL) {
        return read_exit_code(value, &config->conflict_exit_code);
    }
    return false;
}

/* Defaults as the command line has them. */
static const char *configure(struct script *script, struct words *words) {
    struct election_config config = {.ttl_ns = 30 * NS_PER_S,
                                     .poll_ns = 5 * NS_PER_S,
                                     .give_up_ns = ELECTION_FOREVER,
                                     .look_timeout_ns = 10 * NS_PER_S,
                                     .retention_ns = 3600 * NS_PER_S,
                                     .conflict_exit_code = 124,
                                     .node = "us"};
    uint32_t jitter = UINT32_C(1) << 31;
    for (const char *word = words_take(words); word != NULL; word = words_take(words)) {
        if (!read_setting(&config, &jitter, word)) return "an unknown setting, or a value that it can't have";
    }
    config.margin_ns = lease_margin_ns(config.ttl_ns);
    if (config.kill_after_ns == 0) config.kill_after_ns = lease_default_kill_after_ns(config.ttl_ns);
    if (config.request_timeout_ns == 0) config.request_timeout_ns = lease_default_request_timeout_ns(config.ttl_ns);
    if (config.poll_ns > config.ttl_ns / 3) config.poll_ns = config.ttl_ns / 3;
    if (config.kill_after_ns > lease_most_kill_after_ns(config.ttl_ns)) return "kill-after leaves no room";
    world_init(&script->world, &config, jitter);
    script->configured = true;
    return NULL;
}

static const char *answer_lane(struct world *world, struct words *words, int lane, bool late) {
    const struct world_request *request = late ? &world->former[lane] : &world->lane[lane];
    struct log_answer answer = {.lane = lane};
    const char *wrong = answer_read(&answer, words, world, request->request.seq);
    return wrong != NULL ? wrong : world_answer(world, &answer, late);
}

static const char *do_answer(struct world *world, struct words *words) {
    if (words_accept(words, "both")) {
        if (!words_accept(words, "lanes")) return "both what?";
        struct words again = *words;
        const char *wrong = answer_lane(world, words, LOG_LANE_0, false);
        return wrong != NULL ? wrong : answer_lane(world, &again, LOG_LANE_1, false);
    }
    bool late = words_accept(words, "late");
    int64_t lane;
    if (!words_accept(words, "lane") || !words_number(words, &lane) || lane >= LOG_LANES) return "on which lane?";
    return answer_lane(world, words, (int)lane, late);
}

/* Answers what a start asks for, at once: each line of steps on a lane of its own. */
static const char *answer_all(struct world *world, const char *const steps[], size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct words words;
        if (!words_cut(&words, steps[i])) return "a line too long";
        const char *wrong = do_answer(world, &words);
        if (wrong != NULL) return wrong;
    }
    return NULL;
}

/* start leading with token N: the lock was free, and is won at once. */
static const char *start_leading(struct world *world, struct words *words) {
    int64_t token;
    char time[32], before[64], after[64];
    if (!words_accept(words, "with") || !words_accept(words, "token") || !words_number(words, &token) || token < 2) {
        return "leading with which token, from 2 on?";
    }
    (void)text_format(before, sizeof before, "both lanes list %" PRId64 " vacancy", token - 1);
    (void)text_format(after, sizeof after, "lane 0 list %" PRId64, token);
    const char *const steps[] = {before, "lane 0 created", "lane 1 exists", after, "lane 1 show #1", "lane 2 trimmed"};
    const char *wrong = answer_all(world, steps, sizeof steps / sizeof steps[0]);
    if (wrong != NULL) return wrong;
    if (!world->child_running) return "it doesn't lead";
    world->lines = 0;
    text_from_ns(time, sizeof time, world->lease_end_ns);
    world_tell(world, "leading with token %" PRId64 ", lease ends at %s", token, time);
    return NULL;
}

/* start behind SLOT ENTRY: the head is listed and read at once. */
static const char *start_behind(struct world *world, struct words *words) {
    const char *slot = words_take(words);
    char list[64], show[WORDS_LINE_MAX] = "lane 0 show";
    if (slot == NULL) return "behind which slot?";
    (void)text_format(list, sizeof list, "both lanes list %s", slot);
    for (const char *word = words_take(words); word != NULL; word = words_take(words)) {
        size_t length = strlen(show);
        if (text_format(show + length, sizeof show - length, " %s", word) != 0) return "a line too long";
    }
    const char *const steps[] = {list, show};
    return answer_all(world, steps, sizeof steps / sizeof steps[0]);
}

static const char *do_start(struct script *script, struct words *words) {
    if (script->started) return "started twice";
    script->started = true;
    world_start(&script->world);
    if (words_accept(words, "leading")) return start_leading(&script->world, words);
    if (!words_accept(words, "behind")) return NULL;
    script->world.lines = 0; /* the two listings */
    return start_behind(&script->world, words);
}

static const char *do_signal(struct world *world, struct words *words) {
    static const struct {
        const char *name;
        int number;
    } signals[] = {{"TERM", SIGTERM}, {"INT", SIGINT}, {"QUIT", SIGQUIT}};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        if (!words_accept(words, signals[i].name)) continue;
        struct election_event event = {.type = ELECTION_SIGNALLED, .signal = signals[i].number};
        world_step(world, &event);
        return NULL;
    }
    return "which signal?";
}

static const char *do_child(struct world *world, struct words *words) {
    int64_t code;
    struct election_event event = {.type = ELECTION_CHILD_GONE, .child_end = CHILD_ENDED};
    if (words_accept(words, "out")) {
        if (!words_accept(words, "of") || !words_accept(words, "time")) return "out of what?";
        event.child_end = CHILD_OUT_OF_TIME;
    } else if (words_accept(words, "without")) {
        if (!words_accept(words, "guard")) return "without what?";
        event.child_end = CHILD_GUARD_LOST;
    } else if (words_accept(words, "never")) {
        if (!words_accept(words, "ran")) return "never what?";
        event.child_never_ran = true;
    } else if (!words_accept(words, "ends")) {
        return "what about the child?";
    }
    if (!words_number(words, &code) || code > 255) return "with which exit code?";
    if (!world->child_running) return "no child runs";
    event.child_exit_code = (int)code;
    world_step(world, &event);
    return NULL;
}

static const char *do_suspend(struct world *world, struct words *words) {
    int64_t ns;
    if (!words_duration_ns(words, &ns)) return "for how long?";
    world_suspend(world, ns);
    return NULL;
}

/* at TIME ... */
static const char *do_at(struct world *world, struct words *words) {
    int64_t ns;
    if (!words_duration_ns(words, &ns)) return "at what time?";
    if (ns < world->now_ns) return "this time is over";
    world->line_ns = ns;
    world_advance(world, ns);
    if (words->next == words->count) {
        world_settle(world);
        return NULL;
    }
    if (words_accept(words, "signal")) return do_signal(world, words);
    if (words_accept(words, "child")) return do_child(world, words);
    if (words_accept(words, "suspend")) return do_suspend(world, words);
    return do_answer(world, words);
}

/* until TIME all is quiet */
static const char *do_until(struct world *world, struct words *words) {
    int64_t ns;
    if (!words_duration_ns(words, &ns) || ns < world->now_ns) return "until what time?";
    if (!words_accept(words, "all") || !words_accept(words, "is") || !words_accept(words, "quiet")) {
        return "what until then?";
    }
    world->line_ns = ns;
    world_quiet_until(world, ns);
    return NULL;
}

const char *script_do(struct script *script, const char *line) {
    struct words words;
    const char *wrong = "an unknown line";
    if (!words_cut(&words, line)) return "a line too long";
    if (words_accept(&words, "config")) {
        wrong = script->configured ? "configured twice" : configure(script, &words);
    } else if (!script->configured) {
        return "config comes first";
    } else if (words_accept(&words, "start")) {
        wrong = do_start(script, &words);
    } else if (!script->started) {
        return "start comes first";
    } else if (words_accept(&words, "at")) {
        wrong = do_at(&script->world, &words);
    } else if (words_accept(&words, "until")) {
        wrong = do_until(&script->world, &words);
    }
    if (wrong != NULL) return wrong;
    if (words.next < words.count) return "more words than it understands";
    return script->world.fault[0] != '\0' ? script->world.fault : NULL;
}
