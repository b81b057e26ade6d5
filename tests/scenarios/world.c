/* An election's world on virtual time; see world.h. */
#include "world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "describe.h"
#include "words.h"

/* The clocks start far apart, so that a time of the one taken for a time of the other shows; and the one a little below
 * zero, for nothing is said of where they start. */
#define LEASE_CLOCK_START_NS (1000000 * NS_PER_S)
#define WAIT_CLOCK_START_NS  (-5 * NS_PER_S)
#define GARBAGE              0xa5
#define SPINS_MOST           8

static void fault(struct world *world, const char *what) {
    if (world->fault[0] == '\0') (void)text_copy(world->fault, sizeof world->fault, what);
}

void world_tell(struct world *world, const char *format, ...) {
    if (world->lines == WORLD_LINES_MAX) {
        fault(world, "more happens at one line than WORLD_LINES_MAX");
        return;
    }
    char *line = world->line[world->lines++];
    char time[32];
    size_t length = 0;
    if (world->now_ns != world->line_ns) {
        text_from_ns(time, sizeof time, world->now_ns);
        length = (size_t)snprintf(line, WORLD_LINE_SIZE, "at %s: ", time);
    }
    va_list args;
    va_start(args, format);
    int rest = vsnprintf(line + length, WORLD_LINE_SIZE - length, format, args);
    va_end(args);
    if (rest < 0 || length + (size_t)rest >= WORLD_LINE_SIZE) fault(world, "a sentence longer than WORLD_LINE_SIZE");
}

size_t world_append_number(const struct world *world, const struct slot *content) {
    for (size_t i = 0; i < world->appends; i++) {
        if (memcmp(world->append[i].record.nonce, content->record.nonce, RECORD_NONCE_SIZE) == 0) return i + 1;
    }
    return 0;
}

static bool same_record(const struct record *a, const struct record *b) {
    return a->kind == b->kind && a->seq == b->seq && a->token == b->token && a->ttl_ms == b->ttl_ms &&
           strcmp(a->node, b->node) == 0;
}

/* Keeps what is appended, to know it again. Returns whether it is new. */
static bool keep_content(struct world *world, const struct election_request *request) {
    const struct slot *content = &request->content;
    if (request->op != LOG_APPEND || content->kind != SLOT_ENTRY) return false;
    if (strcmp(content->record.node, world->config.node) != 0) fault(world, "an entry in another's name");
    if (content->record.seq != request->seq) fault(world, "an entry that names another slot than its own");
    size_t number = world_append_number(world, content);
    if (number > 0) {
        if (!same_record(&world->append[number - 1].record, &content->record))
            fault(world, "two contents with one nonce");
        return false;
    }
    if (world->appends == WORLD_APPENDS_MAX)
        fault(world, "more appends than WORLD_APPENDS_MAX");
    else
        world->append[world->appends++] = *content;
    return true;
}

/* Returns whether the request is worth a sentence. */
static bool take_request(struct world *world, const struct election_request *request) {
    if (request->id <= world->last_id) fault(world, "a request's id that was used before");
    if (request->timeout_ns <= 0) fault(world, "a request without a timeout");
    world->last_id = request->id;
    struct world_request *slot = &world->lane[request->lane];
    world->former[request->lane] = *slot;
    *slot = (struct world_request){.waiting = true, .request = *request};
    slot->due_ns = world->now_ns - world->asleep_ns + request->timeout_ns;
    if (!world->quiet) return true;
    bool renewal = request->op == LOG_APPEND && request->content.kind == SLOT_ENTRY &&
                   request->content.record.kind == RECORD_RENEW;
    if (renewal) world->renewals++;
    bool listing = request->op == LOG_NEWEST && world->election.state >= ELECTION_LEADING;
    if (request->op == LOG_READ) world->reads++;
    if (listing) world->listings++;
    return !renewal && request->op != LOG_READ && !listing;
}

static void take_child(struct world *world, const struct election_action *action) {
    int64_t lease_end_ns = action->lease_end_ns - LEASE_CLOCK_START_NS;
    switch (action->type) {
    case ELECTION_START_CHILD:
        if (world->child_running) fault(world, "a second child");
        world->child_running = true;
        world->child_lost = false;
        world->lease_end_ns = lease_end_ns;
        break;
    case ELECTION_EXTEND:
        if (!world->child_running) fault(world, "a deadline without a child");
        if (lease_end_ns <= world->lease_end_ns) fault(world, "a deadline that doesn't move forward");
        world->lease_end_ns = lease_end_ns;
        break;
    case ELECTION_STOP_CHILD:
        if (!world->child_running) fault(world, "a stop without a child");
        if (action->stop == STOP_LOST) world->child_lost = true;
        break;
    case ELECTION_EXIT:
        if (world->child_running) fault(world, "an exit while the child runs");
        world->exited = true;
        break;
    case ELECTION_REQUEST:
    case ELECTION_REPORT:
        break;
    }
}

static void step_once(struct world *world, struct election_event *event) {
    struct election_actions actions;
    memset(&actions, GARBAGE, sizeof actions);
    enum election_state before = world->election.state;
    event->now.lease_ns = LEASE_CLOCK_START_NS + world->now_ns;
    event->now.wait_ns = WAIT_CLOCK_START_NS + world->now_ns - world->asleep_ns;
    event->jitter = world->jitter;
    world->nonces++;
    memset(event->nonce, GARBAGE, sizeof event->nonce);
    memcpy(event->nonce, &world->nonces, sizeof world->nonces);
    election_step(&world->election, event, &actions);
    if (world->election.state != before) world_tell(world, "%s", election_state_name(world->election.state));
    for (size_t i = 0; i < actions.count; i++) {
        const struct election_action *action = &actions.item[i];
        bool told = true, content_is_new = false;
        if (world->exited) fault(world, "an action after the exit");
        if (action->type == ELECTION_REQUEST) {
            content_is_new = keep_content(world, &action->request);
            told = take_request(world, &action->request);
        }
        take_child(world, action);
        if (action->type == ELECTION_EXTEND && world->quiet) told = false;
        if (told) describe_action(world, action, content_is_new);
    }
    if (world->exited && actions.wake_in_ns != ELECTION_FOREVER) fault(world, "it wants to be woken after its exit");
    world->wake_ns = actions.wake_in_ns == ELECTION_FOREVER ? INT64_MAX : world->now_ns + actions.wake_in_ns;
    int64_t stop_ns = world->lease_end_ns - world->config.margin_ns - world->config.kill_after_ns;
    if (world->child_running && !world->child_lost && world->now_ns >= stop_ns) {
        fault(world, "a child left running when it must be asked to stop");
    }
}

/* Hands an answer to request in. */
static void deliver(struct world *world, const struct world_request *to, struct log_answer *answer) {
    answer->id = to->request.id;
    answer->lane = to->request.lane;
    answer->op = to->request.op;
    answer->seq = to->request.seq;
    struct election_event event = {.type = ELECTION_ANSWERED, .answer = answer};
    step_once(world, &event);
}

static int64_t due_ns(const struct world *world, const struct world_request *request) {
    return request->waiting ? request->due_ns + world->asleep_ns : INT64_MAX;
}

/* The next time at which something happens by itself. */
static int64_t next_ns(const struct world *world) {
    int64_t next = world->exited ? INT64_MAX : world->wake_ns;
    for (int lane = 0; lane < LOG_LANES; lane++) {
        if (due_ns(world, &world->lane[lane]) < next) next = due_ns(world, &world->lane[lane]);
    }
    return next;
}

/* What happens by itself now: a timeout, else a tick. */
static void happen(struct world *world) {
    for (int lane = 0; lane < LOG_LANES; lane++) {
        struct world_request *request = &world->lane[lane];
        if (due_ns(world, request) > world->now_ns) continue;
        request->waiting = false;
        struct log_answer answer = {.outcome = OUTCOME_UNKNOWN};
        if (!world->exited) world_tell(world, "lane %d timed out", lane);
        deliver(world, request, &answer);
        return;
    }
    struct election_event event = {.type = ELECTION_TICKED};
    step_once(world, &event);
}

/* Answers what is under way as a store does of which nobody else wants anything. Returns whether there was any. */
static bool answer_once(struct world *world) {
    bool any = false;
    for (int lane = 0; lane < LOG_LANES; lane++) {
        struct world_request *request = &world->lane[lane];
        bool leads = world->election.state == ELECTION_LEADING || world->election.state == ELECTION_STOPPING;
        if (!request->waiting || (request->request.op == LOG_NEWEST && !leads)) continue;
        request->waiting = false;
        any = true;
        struct log_answer answer = {.outcome = request->request.op == LOG_READ ? OUTCOME_ABSENT : OUTCOME_DONE,
                                    .listing = {.head_seq = world->election.append.seq}};
        deliver(world, request, &answer);
    }
    return any;
}

/* And what it asks at once after the answer. */
static void answer_quietly(struct world *world) {
    for (int spins = 0; answer_once(world); spins++) {
        if (spins == SPINS_MOST) {
            fault(world, "it spins: asks again and again at the same instant");
            return;
        }
    }
}

void world_settle(struct world *world) {
    if (world->quiet) answer_quietly(world);
    for (int spins = 0; next_ns(world) <= world->now_ns; spins++) {
        if (spins == SPINS_MOST) {
            fault(world, "it spins: woken again and again at the same instant");
            return;
        }
        happen(world);
        if (world->quiet) answer_quietly(world);
    }
}

void world_init(struct world *world, const struct election_config *config, uint32_t jitter) {
    memset(world, 0, sizeof *world);
    world->config = *config;
    world->jitter = jitter;
    world->wake_ns = INT64_MAX;
    memset(&world->election, GARBAGE, sizeof world->election); /* whatever was there before */
    election_init(&world->election, config);
}

void world_step(struct world *world, struct election_event *event) {
    if (event->type == ELECTION_CHILD_GONE) world->child_running = false;
    step_once(world, event);
    world_settle(world);
}

void world_start(struct world *world) {
    struct election_event event = {.type = ELECTION_STARTED};
    world_step(world, &event);
}

void world_advance(struct world *world, int64_t at_ns) {
    while (next_ns(world) < at_ns && world->fault[0] == '\0') {
        if (next_ns(world) > world->now_ns) world->now_ns = next_ns(world);
        world_settle(world);
    }
    world->now_ns = at_ns;
}

const char *world_answer(struct world *world, struct log_answer *answer, bool late) {
    struct world_request *request = late ? &world->former[answer->lane] : &world->lane[answer->lane];
    if (request->request.id == 0) return "no request was sent on this lane";
    if (!late && !request->waiting) return "the request on this lane has been answered";
    bool any = answer->outcome == OUTCOME_UNKNOWN || answer->outcome == OUTCOME_REFUSED;
    if (!any && answer->op != request->request.op) return "this doesn't answer what the lane asks for";
    request->waiting = false;
    deliver(world, request, answer);
    world_settle(world);
    return NULL;
}

void world_suspend(struct world *world, int64_t ns) {
    world->now_ns += ns;
    world->asleep_ns += ns;
    world->line_ns = world->now_ns;
    struct election_event event = {.type = ELECTION_TICKED};
    world_step(world, &event);
}

void world_quiet_until(struct world *world, int64_t at_ns) {
    world->quiet = true;
    world->renewals = world->reads = world->listings = 0;
    answer_quietly(world);
    world_advance(world, at_ns);
    world_settle(world);
    world->quiet = false;
    if (world->renewals > 0) world_tell(world, "renewals: %u", world->renewals);
    if (world->listings > 0) world_tell(world, "listings: %u", world->listings);
    if (world->reads > 0) world_tell(world, "reads that found nothing: %u", world->reads);
}
