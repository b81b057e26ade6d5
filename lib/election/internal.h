/* What the files of the election share among themselves; nobody else includes this. */
#ifndef ELECTION_INTERNAL_H
#define ELECTION_INTERNAL_H

#include "election/election.h"

#define UNREADABLE_TTL_NS   (600 * NS_PER_S)
#define UNREADABLE_AFTER_NS (30 * NS_PER_S) /* a head that can't be fetched for so long is worth a warning */
#define NO_WAIT_PATIENCE_NS (10 * NS_PER_S) /* --no-wait, while the store can't be reached */
#define HOLD_POLL_NS        (60 * NS_PER_S)
#define STORE_CLOCK_SKEW_MS (30 * MS_PER_S)
#define RELEASE_MOST_NS     (5 * NS_PER_S) /* how long the lock is tried to be freed while the user waits for us to end */
#define BACKOFF_FIRST_NS    (100 * NS_PER_MS)
#define RETRIES_A_TTL       30 /* under a lease, and while it is freed, tries are never further apart than TTL / this */
#define TRIM_EVERY_APPENDS  100
#define TRIM_MOST           250 /* deletions for TRIM_EVERY_APPENDS appends: at least two for each */

/* One call of election_step(): what every function needs. */
struct step {
    struct election *e;
    const struct election_event *event;
    struct election_actions *actions;
    bool nonce_used;
};

/* election.c */

/* The only writer of the state: checks that the transition exists. Both lanes are given up. */
void enter(struct step *s, enum election_state state);
struct election_action *act(struct step *s, enum election_action_type type);
void report(struct step *s, enum election_report what);
struct election_action *report_slot(struct step *s, enum election_report what, int64_t seq);
void report_holder(struct step *s, enum election_report what, const struct slot *slot, int64_t seq);
/* Waits for the lock from now on, as long as the user is ready to. */
void set_patience(struct step *s);
/* Ends the run. */
void leave(struct step *s, int exit_code);

/* lanes.c */

/* Asks the log on a lane, giving up what was under way there. */
void ask(struct step *s, int lane, enum log_op op, int64_t seq, int64_t timeout_ns, bool persistent);
/* Makes e->append a slot for seq with this step's nonce, sent now, and asks for it on lane. */
void append_vacancy(struct step *s, int lane, int64_t seq);
void append_entry(struct step *s, int lane, int64_t seq, enum record_kind kind, int64_t token, int64_t ttl_ns);
void absorb_answer(struct step *s);
/* Asks again what has backed off long enough. */
void retry_lanes(struct step *s);
/* Asks again, at once, what is under way or has backed off. */
void hurry_lanes(struct step *s);
void give_up_lanes(struct election *e);
void lane_again(struct step *s, int lane);
/* A share of span_ns, in whole us, as this step's jitter has it. */
int64_t jitter_ns(const struct step *s, int64_t span_ns);
/* An exponential backoff with jitter, in ns, after so many failures; never above most_ns. */
int64_t backoff_ns(const struct step *s, unsigned failures, int64_t most_ns);
/* Whether slot shows content's nonce: it is that very append. */
bool is_ours(const struct slot *slot, const struct slot *content);
/* Whether slot keeps the lock for us: a claim of ours (the newest or the one before), or any entry of the leadership
 * that it won. Its token alone doesn't tell: where the log was deleted, tokens begin at 1 again. */
bool keeps_for_us(const struct election *e, const struct slot *slot);

/* head.c */

/* The newest slot that it shows; 0: none. */
int64_t listing_newest(const struct listing *listing);
/* The head is another slot than before: a newer one, or the log went back. listing: where it was seen in one; slot:
 * where its content came with it. */
void head_found(struct step *s, int64_t seq, const struct listing *listing, const struct slot *slot);
/* Slot reading_seq was read (slot, or NULL where it is gone). */
void head_read(struct step *s, const struct slot *slot);
bool head_is_free(const struct election_head *head);
bool head_is_unreadable(const struct election_head *head);
bool head_is_hold(const struct election_head *head);
/* When (wait clock) the head may be claimed over by our own clock alone, and by the store's as well. */
int64_t head_over_ns(const struct election_head *head);
int64_t head_due_ns(const struct election *e);
/* Whether the head is old by the store's clock and we may go by that: a newcomer whose patience is shorter than what
 * the head has to be waited for. */
bool head_is_stale(const struct election *e);
int64_t head_stale_after_ms(const struct election_head *head);

/* presence.c */

/* We lead, and a listing has just shown our claim as the head. */
void begin_presence(struct step *s);
/* Looks at the head where that is due, and loses leadership where it isn't ours. */
void check_presence(struct step *s);
/* When (lease clock) it must act by itself. */
int64_t presence_wake_ns(const struct election *e);

/* candidate.c, claim.c, holder.c: one function a state; each is called again and again until nothing changes. */
void advance_looking(struct step *s);
void advance_watching(struct step *s);
void advance_claiming(struct step *s);
void advance_leading(struct step *s);
void advance_stopping(struct step *s);
void advance_releasing(struct step *s);
void begin_claim(struct step *s);
/* When (lease clock) a claim is given up if the user's patience has ended. */
int64_t claim_patience_ends_ns(const struct election *e);
/* Gives up: the head has the highest number there is. */
void log_full(struct step *s);
void begin_leading(struct step *s);
/* Frees the lock whose head we made, or which an evict of us makes ours to free. */
void begin_releasing(struct step *s);
/* Whether we claimed by the store's clock alone, and our own says that the holder before us may still be there. */
bool owes_a_wait(const struct step *s);
/* The ttl of our entries: as long as we owe a wait, at least that of the entry that we claimed over. */
int64_t entry_ttl_ns(const struct step *s);
/* The lock is another's: stops the child, where one runs. */
void lose_leadership(struct step *s);
void child_gone(struct step *s);
void shut_down(struct step *s);
/* When (lease clock) a holder must act by itself. */
int64_t holder_wake_ns(const struct election *e);

#endif
