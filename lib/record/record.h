/* What a slot of the log holds: the struct, and to and from its JSON bytes.
 *
 * A slot is an entry (a JSON record), a vacancy (the five bytes "free\n"), or unreadable: anything else, nothing at all
 * included. Records come from outside and are untrusted: length, depth and every field are checked, and what doesn't
 * pass is unreadable, never an error. Knows nothing of keys, stores, clocks or of what an entry means to an election.
 */
#ifndef RECORD_RECORD_H
#define RECORD_RECORD_H

#include <stddef.h>
#include <stdint.h>

#define RECORD_VERSION      1
#define RECORD_NONCE_SIZE   16
#define RECORD_NODE_SIZE    160
#define RECORD_HOST_SIZE    80
#define RECORD_COMMAND_SIZE 256
#define RECORD_JSON_MAX     4096 /* bytes; a longer slot is unreadable */
#define RECORD_SEQ_MAX      INT64_C(999999999998)
#define RECORD_TTL_MIN_MS   INT64_C(1)
#define RECORD_TTL_MAX_MS   INT64_C(600000)   /* claim, renew, evict: 10 min */
#define RECORD_HOLD_MAX_MS  INT64_C(86400000) /* hold: 24 h */

#define RECORD_VACANCY        "free\n"
#define RECORD_VACANCY_LENGTH 5

enum record_kind { RECORD_CLAIM, RECORD_RENEW, RECORD_EVICT, RECORD_HOLD };

struct record {
    enum record_kind kind;
    int64_t seq;   /* the slot it is written in; 1 to RECORD_SEQ_MAX */
    int64_t token; /* the seq of the claim: the fencing token; 1 to seq */
    int64_t ttl_ms;
    uint8_t nonce[RECORD_NONCE_SIZE]; /* fresh in every append: tells our own write from another's */
    char node[RECORD_NODE_SIZE];
    /* The rest is for people; nothing decides by it. Wall-clock ms since 1970. */
    int64_t since_ms;     /* when this leadership was won */
    int64_t timestamp_ms; /* when this entry was made */
    int64_t expiry_ms;    /* timestamp + ttl */
    char host[RECORD_HOST_SIZE];
    int64_t pid;
    char command[RECORD_COMMAND_SIZE];
};

enum slot_kind { SLOT_ENTRY, SLOT_VACANCY, SLOT_UNREADABLE };

/* The content of one slot. Plain values; copying is fine. */
struct slot {
    enum slot_kind kind;
    struct record record; /* meaningful for SLOT_ENTRY only */
};

/* The name written in "kind": "claim", "renew", "evict", "hold". */
const char *record_kind_name(enum record_kind kind);

/* Writes record as JSON and a newline into out[size]; size RECORD_JSON_MAX + 1 is always enough. slot_parse() reads
 * back what it wrote: bytes that aren't UTF-8 and control characters become '?', a character cut off at a text's end is
 * dropped, times and pid are brought into their range. Returns the length in bytes, or -EINVAL (kind, seq, token or ttl
 * break their bounds), -ENOSPC, -ENOMEM. */
int record_format(const struct record *record, char *out, size_t size);

/* Tells what the length bytes of slot seq are, into *slot: what is no record, or one of another seq or version, is
 * SLOT_UNREADABLE. The fields for people may be missing, and what is too long of them is cut; a field that is there has
 * the right type. Names that it doesn't know are passed over. Returns 0, or -ENOMEM: not known, though *slot has the
 * safe reading, SLOT_UNREADABLE. */
int slot_parse(struct slot *slot, const char *bytes, size_t length, int64_t seq);

#endif
