/* The race; see race.h. The racers start each slot together and meet in shared memory. */
#include "race.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "record/record.h"

#define SPIN_SLEEP_US  50
#define RETRY_SLEEP_US 20000
#define RETRIES_MOST   100

struct slot_race {
    atomic_int arrived;
    atomic_int created;              /* answers that said so */
    atomic_int unknown;              /* answers that said nothing */
    int winner_seen[RACE_PROCESSES]; /* by each racer in the slot; -1: it couldn't be read */
};

struct race {
    struct slot_race slots[RACE_SLOTS + 1];
};

static void wait_for_all(struct slot_race *slot) {
    atomic_fetch_add(&slot->arrived, 1);
    while (atomic_load(&slot->arrived) < RACE_PROCESSES) (void)usleep(SPIN_SLEEP_US);
}

/* Appends until it is known whether the slot is taken. */
static void append_until_known(struct store *store, struct slot_race *slot, int64_t seq, const char *body,
                               size_t length) {
    for (int i = 0; i < RETRIES_MOST; i++) {
        enum outcome outcome = ask_append(store, seq, body, length).outcome;
        if (outcome == OUTCOME_DONE) atomic_fetch_add(&slot->created, 1);
        if (outcome == OUTCOME_DONE || outcome == OUTCOME_EXISTS) return;
        atomic_fetch_add(&slot->unknown, 1);
        (void)usleep(RETRY_SLEEP_US);
    }
}

static int read_winner(struct store *store, int64_t seq) {
    for (int i = 0; i < RETRIES_MOST; i++) {
        struct log_answer answer = ask_read(store, seq);
        if (answer.outcome == OUTCOME_DONE) return answer.slot.kind == SLOT_ENTRY ? answer.slot.record.nonce[0] : -1;
        (void)usleep(RETRY_SLEEP_US);
    }
    return -1;
}

static void run_racer(struct race *race, const struct target *target, const char *lock, int me) {
    struct store *store = target_open(target, "", lock);
    for (int64_t seq = 1; seq <= RACE_SLOTS; seq++) {
        struct record record = {.kind = RECORD_CLAIM, .seq = seq, .token = seq, .ttl_ms = 30000, .node = "racer"};
        char body[RECORD_JSON_MAX + 1];
        memset(record.nonce, me, sizeof record.nonce);
        int length = record_format(&record, body, sizeof body);
        struct slot_race *slot = &race->slots[seq];
        wait_for_all(slot);
        append_until_known(store, slot, seq, body, (size_t)length);
        slot->winner_seen[me] = read_winner(store, seq);
    }
    store_close(store);
}

static bool is_fair(const struct race *race, char *report) {
    for (int seq = 1; seq <= RACE_SLOTS; seq++) {
        const struct slot_race *slot = &race->slots[seq];
        int created = atomic_load(&slot->created), unknown = atomic_load(&slot->unknown);
        /* A creation may hide behind an unknown answer. */
        if (created > 1 || (created == 0 && unknown == 0)) {
            (void)text_format(report, TEXT_REASON_SIZE, "slot %d was created %d times (%d unknown)", seq, created,
                              unknown);
            return false;
        }
        for (int i = 0; i < RACE_PROCESSES; i++) {
            if (slot->winner_seen[i] >= 0 && slot->winner_seen[i] == slot->winner_seen[0]) continue;
            (void)text_format(report, TEXT_REASON_SIZE, "slot %d: racer 0 read winner %d, racer %d read %d", seq,
                              slot->winner_seen[0], i, slot->winner_seen[i]);
            return false;
        }
    }
    return true;
}

bool race_run(const struct target *target, const char *lock, char *report) {
    struct race *race = mmap(NULL, sizeof *race, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (race == MAP_FAILED) return false;
    pid_t racers[RACE_PROCESSES];
    bool all_ended = true;
    for (int i = 0; i < RACE_PROCESSES; i++) {
        racers[i] = fork();
        if (racers[i] == 0) {
            (void)alarm(200);
            run_racer(race, target, lock, i);
            _exit(EXIT_SUCCESS);
        }
    }
    for (int i = 0; i < RACE_PROCESSES; i++) {
        int status = -1;
        if (racers[i] < 0 || waitpid(racers[i], &status, 0) != racers[i] || status != 0) all_ended = false;
    }
    if (!all_ended) (void)text_copy(report, TEXT_REASON_SIZE, "a racer failed");
    bool fair = all_ended && is_fair(race, report);
    (void)munmap(race, sizeof *race);
    return fair;
}
