/* Trying a log, one request at a time; see probes.h. */
#include "probes.h"

#include <errno.h>
#include <poll.h>

#include "base/clock.h"
#include "base/text.h"

#define SHOW_MS  INT64_C(5000) /* a new slot that isn't seen within it is taken as never seen */
#define PAUSE_MS 20

static void count_append(struct round *round, enum outcome outcome) {
    if (outcome == OUTCOME_DONE) {
        round->created++;
    } else if (outcome == OUTCOME_EXISTS) {
        round->exists++;
    } else {
        round->unknown++;
    }
}

static int read_slot(struct crew *crew, int who, int64_t seq, struct log_answer *answer) {
    struct log_request request = {.op = LOG_READ, .seq = seq};
    return crew_ask(crew, who, &request, answer, NULL);
}

static int try_once(struct crew *crew, int64_t seq, struct round *round) {
    struct log_answer answer;
    int first = 0, second = crew->count > 1 ? 1 : 0, winner = -1;
    for (int i = 0; i < 2; i++) {
        int who = i == 0 ? first : second;
        int r = crew_append(crew, who, seq, &answer, NULL);
        if (r != 0) return r;
        count_append(round, answer.outcome);
        if (answer.outcome == OUTCOME_DONE) winner = who;
    }
    int r = read_slot(crew, second, seq, &answer);
    if (r != 0) return r;
    round->content = answer.outcome == OUTCOME_ABSENT ? ROUND_EMPTY : ROUND_UNREAD;
    if (answer.outcome != OUTCOME_DONE) return 0;
    int author = crew_author(crew, &answer.slot, seq);
    round->content = author < 0 ? ROUND_STRANGE : author == winner ? ROUND_OF_CREATOR : ROUND_OF_OTHER;
    return 0;
}

int probe_once(struct crew *crew, int64_t *next, int slots, struct tally *tally) {
    int r = 0;
    for (int i = 0; i < slots && r == 0; i++) {
        struct round round = {.created = 0};
        r = try_once(crew, (*next)++, &round);
        if (r == 0) tally_add(tally, &round);
    }
    return r;
}

/* --- reading --- */

static int pause_a_little(const struct crew *crew) {
    struct pollfd wake = {.fd = crew->wake_fd, .events = POLLIN};
    return poll(&wake, 1, PAUSE_MS) > 0 ? -EINTR : 0;
}

/* Asks until the slot shows. Sets *after_ms, since created_ns, -1 where it doesn't, *late where not at once, and
 * trouble where an answer wasn't one. */
static int look_for(struct crew *crew, int who, enum log_op op, int64_t seq, int64_t created_ns, int64_t *after_ms,
                    bool *late, char *trouble) {
    struct log_request request = {.op = op, .seq = op == LOG_READ ? seq : 0};
    *late = false;
    *after_ms = -1;
    for (;;) {
        struct log_answer answer;
        int r = crew_ask(crew, who, &request, &answer, NULL);
        if (r != 0) return r;
        int64_t age_ms = (clock_now().wait_ns - created_ns) / NS_PER_MS;
        bool shows = answer.outcome == OUTCOME_DONE &&
                     (op == LOG_READ || (!answer.listing.empty && answer.listing.head_seq >= seq));
        if (shows) *after_ms = age_ms;
        if (answer.reason[0] != '\0') (void)text_copy(trouble, TEXT_REASON_SIZE, answer.reason);
        if (shows || age_ms > SHOW_MS) return 0;
        /* No answer says nothing about the slot. */
        if (answer.outcome == OUTCOME_DONE || answer.outcome == OUTCOME_ABSENT) *late = true;
        r = pause_a_little(crew);
        if (r != 0) return r;
    }
}

static int see_one(struct crew *crew, int64_t seq, struct visibility *seen) {
    int64_t created_ns = clock_now().wait_ns, after_ms;
    int others = crew->count > 1 ? crew->count - 1 : 1, reader = crew->count > 1 ? 1 + (int)(seq % others) : 0;
    int lister = crew->count > 1 ? 1 + (int)((seq + 1) % others) : 0;
    bool late;
    int r = look_for(crew, reader, LOG_READ, seq, created_ns, &after_ms, &late, seen->trouble);
    if (r != 0) return r;
    seen->slots++;
    seen->late_reads += late;
    seen->never_read += after_ms < 0;
    if (late && after_ms > seen->latest_ms) seen->latest_ms = after_ms;
    if (!seen->lists) return 0;
    r = look_for(crew, lister, LOG_NEWEST, seq, created_ns, &after_ms, &late, seen->trouble);
    if (r != 0) return r;
    seen->late_lists += late;
    seen->never_listed += after_ms < 0;
    if (late && after_ms > seen->latest_ms) seen->latest_ms = after_ms;
    return 0;
}

int probe_visibility(struct crew *crew, int64_t *next, int slots, struct visibility *seen, struct samples *writes) {
    int r = 0;
    for (int i = 0; i < slots && r == 0 && seen->never_read + seen->never_listed == 0; i++) {
        struct log_answer answer;
        int64_t took_ns, seq = (*next)++;
        r = crew_append(crew, 0, seq, &answer, &took_ns);
        if (r != 0 || answer.outcome != OUTCOME_DONE) continue;
        samples_add(writes, took_ns);
        r = see_one(crew, seq, seen);
    }
    if (seen->never_read + seen->never_listed > 0) seen->latest_ms = SHOW_MS;
    return r;
}

/* --- time --- */

int probe_writes(struct crew *crew, int64_t *next, int slots, struct samples *writes) {
    int r = 0;
    for (int i = 0; i < slots && r == 0; i++) {
        struct log_answer answer;
        int64_t took_ns;
        r = crew_append(crew, 0, (*next)++, &answer, &took_ns);
        /* One without an answer took at least so long; one that was turned away at once tells nothing of writes. */
        bool written = r == 0 && (answer.outcome == OUTCOME_DONE || answer.outcome == OUTCOME_EXISTS);
        if (written || (r == 0 && took_ns >= CREW_TIMEOUT_MS * NS_PER_MS)) samples_add(writes, took_ns);
    }
    return r;
}

int probe_clock(struct crew *crew, int64_t slot, bool coarse, struct clocks *clocks) {
    struct log_request request = {.op = LOG_NEWEST};
    struct log_answer answer;
    int64_t took_ns, before_ms = clock_wall_ms();
    int r = crew_ask(crew, 0, &request, &answer, &took_ns);
    if (r != 0 || answer.outcome != OUTCOME_DONE || answer.listing.date_ms <= 0) return r;
    int64_t half_trip_ms = took_ns / NS_PER_MS / 2, half_s = coarse ? MS_PER_S / 2 : 0;
    clocks->known = true;
    clocks->offset_ms = answer.listing.date_ms + half_s - (before_ms + half_trip_ms);
    clocks->error_ms = half_trip_ms + half_s + 1;
    if (!answer.listing.empty && answer.listing.head_seq == slot)
        clocks->date_minus_modified_ms = answer.listing.date_ms - answer.listing.head_modified_ms;
    return 0;
}
