/* Answers of a store; see answers.h. */
#include "answers.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"

#define STORE_CLOCK_START_MS INT64_C(1700000000000)
#define ENTRY_SIZE           300

/* An instant of the store's clock. */
static bool store_time_ms(const char *text, int64_t *ms) {
    int64_t ns;
    if (!text_duration_ns(text, &ns)) return false;
    *ms = STORE_CLOCK_START_MS + ns / NS_PER_MS;
    return true;
}

/* "SLOT@T" */
static bool read_previous(struct listing *listing, const char *text) {
    char slot[32];
    const char *at = strchr(text, '@');
    if (at == NULL || (size_t)(at - text) >= sizeof slot) return false;
    memcpy(slot, text, (size_t)(at - text));
    slot[at - text] = '\0';
    return text_number(slot, &listing->previous_seq) && store_time_ms(at + 1, &listing->previous_modified_ms);
}

static const char *read_listing(struct listing *listing, struct words *words) {
    listing->empty = words_accept(words, "nothing");
    if (!listing->empty && !words_number(words, &listing->head_seq)) return "list what?";
    listing->head_size = ENTRY_SIZE;
    if (words_accept(words, "vacancy")) listing->head_size = RECORD_VACANCY_LENGTH;
    if (words_accept(words, "empty")) listing->head_size = 0;
    for (const char *word = words_take(words); word != NULL; word = words_take(words)) {
        const char *modified = text_value_of(word, "modified"), *date = text_value_of(word, "date"),
                   *previous = text_value_of(word, "previous");
        bool good = (modified != NULL && store_time_ms(modified, &listing->head_modified_ms)) ||
                    (date != NULL && store_time_ms(date, &listing->date_ms)) ||
                    (previous != NULL && read_previous(listing, previous));
        if (!good) return "an unknown word about a listing";
    }
    return NULL;
}

static bool read_kind(struct words *words, enum record_kind *kind) {
    static const enum record_kind kinds[] = {RECORD_CLAIM, RECORD_RENEW, RECORD_EVICT, RECORD_HOLD};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        *kind = kinds[i];
        if (words_accept(words, record_kind_name(kinds[i]))) return true;
    }
    return false;
}

/* An entry that another wrote into slot seq. */
static const char *read_entry(struct slot *slot, struct words *words, const struct world *world, int64_t seq) {
    struct record *record = &slot->record;
    int64_t ttl_ns = world->config.ttl_ns;
    if (!read_kind(words, &record->kind)) return "show what?";
    if (!words_accept(words, "by")) return "an entry by whom?";
    const char *node = words_take(words);
    if (node == NULL || text_copy(record->node, sizeof record->node, node) != 0) return "an entry by whom?";
    if (!words_accept(words, "token") || !words_number(words, &record->token)) return "an entry with which token?";
    if (words_accept(words, "ttl") && !words_duration_ns(words, &ttl_ns)) return "not a duration";
    record->ttl_ms = ttl_ns / NS_PER_MS;
    record->seq = seq;
    if (words_accept(words, "nonce-0")) return NULL;
    memset(record->nonce, 0x5a, sizeof record->nonce); /* ours have another pattern */
    memcpy(record->nonce, &seq, sizeof seq);
    return NULL;
}

static const char *read_slot(struct slot *slot, struct words *words, const struct world *world, int64_t seq) {
    slot->kind = SLOT_VACANCY;
    if (words_accept(words, "vacancy")) return NULL;
    slot->kind = SLOT_UNREADABLE;
    if (words_accept(words, "unreadable")) return NULL;
    slot->kind = SLOT_ENTRY;
    int64_t number;
    const char *word = words->next < words->count ? words->word[words->next] : "";
    if (word[0] != '#') return read_entry(slot, words, world, seq);
    (void)words_take(words);
    bool good = text_number(word + 1, &number) && number >= 1 && (size_t)number <= world->appends;
    if (!good) return "there is no append of this number";
    *slot = world->append[number - 1];
    return slot->record.seq == seq ? NULL : "that append is for another slot than the one read";
}

const char *answer_read(struct log_answer *answer, struct words *words, const struct world *world, int64_t seq) {
    static const struct {
        const char *word;
        enum log_op op;
        enum outcome outcome;
    } simple[] = {
        {"created", LOG_APPEND, OUTCOME_DONE},  {"exists", LOG_APPEND, OUTCOME_EXISTS},
        {"absent", LOG_READ, OUTCOME_ABSENT},   {"trimmed", LOG_TRIM, OUTCOME_DONE},
        {"unknown", LOG_READ, OUTCOME_UNKNOWN}, {"refused", LOG_READ, OUTCOME_REFUSED},
    };
    for (size_t i = 0; i < sizeof simple / sizeof simple[0]; i++) {
        if (!words_accept(words, simple[i].word)) continue;
        answer->op = simple[i].op;
        answer->outcome = simple[i].outcome;
        return NULL;
    }
    answer->outcome = OUTCOME_DONE;
    if (words_accept(words, "list")) {
        answer->op = LOG_NEWEST;
        return read_listing(&answer->listing, words);
    }
    answer->op = LOG_READ;
    if (words_accept(words, "show")) return read_slot(&answer->slot, words, world, seq);
    return "an unknown answer";
}
