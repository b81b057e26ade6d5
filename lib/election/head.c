/* What a candidate knows of the log's head, and when it may be claimed over. Knows no lanes and no states. */
#include "election/internal.h"
#include "election/lease.h"
#include "record/evict.h"

static bool is_hold(const struct slot *slot) { return slot->kind == SLOT_ENTRY && slot->record.kind == RECORD_HOLD; }

int64_t listing_newest(const struct listing *listing) { return listing->empty ? 0 : listing->head_seq; }

void head_found(struct step *s, int64_t seq, const struct listing *listing, const struct slot *slot) {
    struct election *e = s->e;
    e->doubted = false;
    if (seq < e->head.seq)
        e->below.known = false; /* the log went back: what was there is gone */
    else if (e->head.known)
        e->below = e->head;
    e->head = (struct election_head){
        .seq = seq, .reading_seq = seq, .ttl_ns = UNREADABLE_TTL_NS, .seen_ns = s->event->now.wait_ns};
    if (listing != NULL && !listing->empty) {
        e->head.modified_ms = listing->head_modified_ms;
        e->head.date_ms = e->newcomer ? listing->date_ms : 0;
        if (listing->head_size == RECORD_VACANCY_LENGTH) {
            e->head.known = true;
            e->head.slot.kind = SLOT_VACANCY;
        }
    }
    if (slot != NULL) head_read(s, slot);
}

/* An evict changes nothing for a candidate: the head means what lies below it, seen when that was seen. Returns whether
 * that is the head before this one, and was read. */
static bool is_evict_of_former_head(struct election *e, const struct slot *slot) {
    struct election_head *head = &e->head;
    bool above = evict_is(slot) && e->below.known && e->below.seq == head->reading_seq - 1;
    if (above) head->seen_ns = e->below.seen_ns;
    return above && e->below.slot.kind != SLOT_UNREADABLE;
}

void head_read(struct step *s, const struct slot *slot) {
    struct election *e = s->e;
    struct election_head *head = &e->head;
    bool told = head->known; /* read before, and not readable then */
    struct slot is = {.kind = SLOT_UNREADABLE};
    if (slot != NULL)
        is = *slot;
    else if (head->reading_seq == head->seq)
        return; /* a stale read: the head itself is never trimmed */
    if (is_evict_of_former_head(e, &is)) {
        head->known = true;
        head->slot = e->below.slot;
        head->ttl_ns = e->below.ttl_ns;
        return;
    }
    head->known = !evict_look_below(&is, head->seq, &head->reading_seq);
    if (!head->known) return;
    head->slot = is;
    switch (is.kind) {
    case SLOT_ENTRY:
        head->ttl_ns = is.record.ttl_ms * NS_PER_MS;
        break;
    case SLOT_VACANCY:
        break;
    case SLOT_UNREADABLE:
        if (!told) report_holder(s, REPORT_UNREADABLE, &is, head->reading_seq);
        break;
    }
}

bool head_is_hold(const struct election_head *head) { return head->known && is_hold(&head->slot); }

bool head_is_unreadable(const struct election_head *head) { return head->known && head->slot.kind == SLOT_UNREADABLE; }

bool head_is_free(const struct election_head *head) {
    return head->seq == 0 || (head->known && head->slot.kind == SLOT_VACANCY);
}

int64_t head_over_ns(const struct election_head *head) {
    if (head_is_free(head)) return head->seen_ns;
    if (head_is_hold(head)) return head->seen_ns + head->ttl_ns; /* no child runs behind a hold */
    return head->seen_ns + lease_with_drift_ns(head->ttl_ns);
}

int64_t head_stale_after_ms(const struct election_head *head) {
    if (is_hold(&head->slot)) return head->ttl_ns / NS_PER_MS;
    return (lease_with_drift_ns(head->ttl_ns) + NS_PER_MS - 1) / NS_PER_MS + STORE_CLOCK_SKEW_MS;
}

bool head_is_stale(const struct election *e) {
    const struct election_head *head = &e->head;
    bool impatient = e->config.give_up_ns < head_over_ns(head) - head->seen_ns; /* who can wait it out waits */
    return impatient && head->known && !head_is_free(head) && head->date_ms > 0 && head->modified_ms > 0 &&
           head->date_ms - head->modified_ms >= head_stale_after_ms(head);
}

int64_t head_due_ns(const struct election *e) {
    const struct election_head *head = &e->head;
    int64_t due_ns = head_over_ns(head);
    if (head_is_stale(e)) {
        /* A live holder, whom only a proxy's wrong Date makes look dead, renews within TTL / 3 and one try more; give
         * it that long to show itself rather than take the lock from it. Nobody renews a hold. */
        due_ns = head->seen_ns + (is_hold(&head->slot) ? 0 : head->ttl_ns / 2);
    }
    return due_ns > e->not_before_ns ? due_ns : e->not_before_ns;
}
