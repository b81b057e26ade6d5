/* Actions in sentences; see describe.h. */
#include "describe.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "words.h"

#define TIME_SIZE 32

/* An instant of the lease clock, since the start. */
static const char *instant_text(char out[TIME_SIZE], int64_t ns) {
    text_from_ns(out, TIME_SIZE, ns);
    return out;
}

static void describe_append(struct world *world, const struct election_request *request, bool content_is_new) {
    const struct record *record = &request->content.record;
    char ttl[TIME_SIZE];
    if (request->content.kind != SLOT_ENTRY) {
        world_tell(world, "append vacancy in slot %" PRId64 ", lane %d", request->seq, request->lane);
        return;
    }
    size_t number = world_append_number(world, &request->content);
    if (!content_is_new) {
        world_tell(world, "append #%zu in slot %" PRId64 ", lane %d", number, request->seq, request->lane);
        return;
    }
    world_tell(world, "append #%zu in slot %" PRId64 ", lane %d: %s, token %" PRId64 ", ttl %s", number, request->seq,
               request->lane, record_kind_name(record->kind), record->token,
               instant_text(ttl, record->ttl_ms * NS_PER_MS));
}

static void describe_request(struct world *world, const struct election_request *request, bool content_is_new) {
    char retention[TIME_SIZE];
    switch (request->op) {
    case LOG_NEWEST:
        world_tell(world, "list, lane %d", request->lane);
        break;
    case LOG_READ:
        world_tell(world, "read slot %" PRId64 ", lane %d", request->seq, request->lane);
        break;
    case LOG_APPEND:
        describe_append(world, request, content_is_new);
        break;
    case LOG_TRIM:
        world_tell(world, "trim behind slot %" PRId64 " what is older than %s, %d at most", request->seq,
                   instant_text(retention, request->retention_ns), request->trim_most);
        break;
    }
}

static const char *report_text(const struct election_action *action) {
    switch (action->report) {
    case REPORT_WAITING:
        return "waiting for";
    case REPORT_WON:
        return "won";
    case REPORT_LOST_TO:
        return "lost to";
    case REPORT_EVICTED:
        return "evicted by";
    case REPORT_OUT_OF_TIME:
        return "out of time";
    case REPORT_UNREADABLE:
        return "unreadable";
    case REPORT_BUSY:
        return "busy, held by";
    case REPORT_UNREACHABLE:
        return "unreachable";
    case REPORT_REFUSED:
        return "refused";
    case REPORT_STORE_UNSAFE:
        return "store unsafe";
    case REPORT_LOG_FULL:
        return "log full";
    case REPORT_RELEASED:
        return "released";
    case REPORT_NOT_RELEASED:
        return "not released";
    case REPORT_DELETED:
        return action->holder.node[0] != '\0' ? "deleted by" : "deleted";
    case REPORT_UNLISTED:
        return "unlisted";
    case REPORT_WENT_BACK:
        return "the log went back";
    case REPORT_GUARD_LOST:
        return "guard lost";
    }
    return "?";
}

static void describe_report(struct world *world, const struct election_action *action) {
    const char *text = report_text(action);
    bool of_another = action->report == REPORT_WAITING || action->report == REPORT_LOST_TO ||
                      action->report == REPORT_EVICTED || action->report == REPORT_BUSY ||
                      (action->report == REPORT_DELETED && action->holder.node[0] != '\0');
    const char *holder = action->holder.node[0] != '\0' ? action->holder.node : "somebody";
    if (of_another)
        world_tell(world, "report %s %s, slot %" PRId64, text, holder, action->seq);
    else if (action->seq != 0)
        world_tell(world, "report %s, slot %" PRId64, text, action->seq);
    else
        world_tell(world, "report %s", text);
}

static void describe_stop(struct world *world, const struct election_action *action) {
    if (action->stop == STOP_LOST)
        world_tell(world, "stop child, lost");
    else if (action->stop_signal == 0)
        world_tell(world, "stop child, told to by an evict");
    else
        world_tell(world, "stop child, told to by SIG%s", sigabbrev_np(action->stop_signal));
}

void describe_action(struct world *world, const struct election_action *action, bool content_is_new) {
    char time[TIME_SIZE];
    switch (action->type) {
    case ELECTION_REQUEST:
        describe_request(world, &action->request, content_is_new);
        break;
    case ELECTION_START_CHILD:
        world_tell(world, "start child with token %" PRId64 ", lease ends at %s", action->token,
                   instant_text(time, world->lease_end_ns));
        break;
    case ELECTION_EXTEND:
        world_tell(world, "lease ends at %s", instant_text(time, world->lease_end_ns));
        break;
    case ELECTION_STOP_CHILD:
        describe_stop(world, action);
        break;
    case ELECTION_REPORT:
        describe_report(world, action);
        break;
    case ELECTION_EXIT:
        world_tell(world, "exit %d", action->exit_code);
        break;
    }
}
