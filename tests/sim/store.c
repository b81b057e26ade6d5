/* The virtual store: objects created once if absent, read and listed late, deleted by trimming. In some runs it creates
 * an object twice. Knows nothing of leases; it keeps every object ever made, so that a read can be of the past. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define EPOCH_MS INT64_C(1800000000000)

int store_init(struct store *store) {
    memset(store, 0, sizeof *store);
    store->trimmed_to = 1;
    return 0;
}

void store_deinit(struct store *store) {
    free(store->objects);
    free(store->latest);
    store->objects = NULL;
    store->latest = NULL;
}

static void make_room(struct store *store, int64_t seq) {
    if (store->count == store->room) {
        store->room = store->room == 0 ? 256 : store->room * 2;
        store->objects = realloc(store->objects, store->room * sizeof *store->objects);
    }
    if (seq >= store->latest_room) {
        int64_t room = seq * 2 + 256;
        store->latest = realloc(store->latest, (size_t)room * sizeof *store->latest);
        if (store->latest == NULL) abort();
        for (int64_t i = store->latest_room; i < room; i++) store->latest[i] = -1;
        store->latest_room = room;
    }
    if (store->objects == NULL) abort();
}

const struct object *store_find(const struct store *store, int64_t seq, int64_t as_of_ns) {
    if (seq < 1 || seq > store->highest) return NULL;
    for (int i = store->latest[seq]; i >= 0; i = store->objects[i].older) {
        const struct object *o = &store->objects[i];
        if (o->created_ns <= as_of_ns && as_of_ns < o->deleted_ns) return o;
    }
    return NULL;
}

static int64_t store_clock_ms(const struct world *w) {
    return EPOCH_MS + (w->now_ns + w->now_ns / 1000 * w->s.store_drift_ppm / 1000) / NS_PER_MS;
}

static int64_t rounded(const struct world *w, int64_t ms) {
    return w->s.modified_whole_seconds ? ms / MS_PER_S * MS_PER_S : ms;
}

static int64_t past_ns(struct world *w) {
    if (w->healed || !chance_ppm(&w->chance, w->s.stale_ppm)) return w->now_ns;
    return w->now_ns - chance_between(&w->chance, 0, w->s.stale_most_ns);
}

void store_write(struct world *w, struct message *m) {
    struct store *store = &w->store;
    make_room(store, m->seq);
    int older = store->latest[m->seq];
    if (older >= 0 && store->objects[older].deleted_ns == INT64_MAX) store->objects[older].deleted_ns = w->now_ns;
    struct object *o = &store->objects[store->count];
    int64_t skew_ms = chance_between(&w->chance, -w->s.modified_skew_ms, w->s.modified_skew_ms);
    *o = (struct object){.seq = m->seq,
                         .created_ns = w->now_ns,
                         .deleted_ns = INT64_MAX,
                         .modified_ms = rounded(w, store_clock_ms(w) + skew_ms),
                         .content = m->content,
                         .older = older};
    if (!w->healed && chance_ppm(&w->chance, w->s.cut_off_ppm)) {
        o->content = (struct content){.kind = SLOT_UNREADABLE, .proc = m->proc};
        TRACE(w, "store: slot %lld is cut off", (long long)m->seq);
    }
    check_created(w, o);
    store->latest[m->seq] = (int)store->count++;
    if (m->seq > store->highest) store->highest = m->seq;
    if (m->seq > store->top) store->top = m->seq;
    TRACE(w, "store: slot %lld created by proc %d, %s", (long long)m->seq, m->proc,
          o->content.kind == SLOT_ENTRY ? record_kind_name(o->content.record) : "no entry");
    m->outcome = o->content.kind == SLOT_UNREADABLE ? OUTCOME_UNKNOWN : OUTCOME_DONE;
}

static void append(struct world *w, struct message *m) {
    bool there = store_find(&w->store, m->seq, w->now_ns) != NULL;
    if (there && w->s.twice != TWICE_ALWAYS)
        m->outcome = OUTCOME_EXISTS;
    else
        store_write(w, m);
}

static void read_slot(struct world *w, struct message *m) {
    const struct object *o = store_find(&w->store, m->seq, past_ns(w));
    m->outcome = o == NULL ? OUTCOME_ABSENT : OUTCOME_DONE;
    if (o != NULL) m->content = o->content;
}

static void list(struct world *w, struct message *m) {
    int64_t as_of_ns = past_ns(w);
    m->outcome = OUTCOME_DONE;
    m->listing = (struct listing){.empty = true, .date_ms = rounded(w, store_clock_ms(w))};
    m->listing.date_ms += w->s.date_off_ms;
    if (w->s.date_lies && chance_ppm(&w->chance, 200000))
        m->listing.date_ms += chance_between(&w->chance, -3600, 3600) * MS_PER_S;
    for (int64_t seq = w->s.profile == PROFILE_VANISH ? w->store.top : w->store.highest; seq >= 1; seq--) {
        const struct object *o = store_find(&w->store, seq, as_of_ns);
        if (o == NULL) continue;
        if (!m->listing.empty) {
            m->listing.previous_seq = seq;
            m->listing.previous_modified_ms = o->modified_ms;
            break;
        }
        m->listing.empty = false;
        m->listing.head_seq = seq;
        m->listing.head_size = o->content.size;
        m->listing.head_modified_ms = o->modified_ms;
        if (w->s.stale_unevenly) as_of_ns = past_ns(w);
    }
}

static void delete (struct world *w, int64_t seq) {
    struct object *o = &w->store.objects[w->store.latest[seq]];
    check_deleted(w, o);
    o->deleted_ns = w->now_ns;
    w->counts.trimmed++;
}

void store_forget(struct world *w, int64_t seq) {
    struct store *store = &w->store;
    store->objects[store->latest[seq]].deleted_ns = w->now_ns;
    store->trimmed_to = 1;
    while (store->top > 0 && store_find(store, store->top, w->now_ns) == NULL) store->top--;
}

static bool is_old(struct world *w, int64_t seq, int64_t retention_ns) {
    const struct object *o = store_find(&w->store, seq, w->now_ns);
    return o != NULL && store_clock_ms(w) - o->modified_ms >= retention_ns / NS_PER_MS;
}

/* Deletes what is old behind the head and the slot behind that; which of it first is the lister's business. */
static void trim(struct world *w, struct message *m) {
    int left = m->trim_most;
    int64_t low = w->store.trimmed_to, high = m->seq - 2;
    if (high > w->store.highest - 2) high = w->store.highest - 2;
    m->outcome = OUTCOME_DONE;
    if (w->s.trims_from_the_top) {
        for (int64_t seq = high; seq >= low && left > 0; seq--) {
            if (!is_old(w, seq, m->retention_ns)) continue;
            delete (w, seq);
            left--;
        }
    } else {
        for (int64_t seq = low; seq <= high && left > 0; seq++) {
            if (!is_old(w, seq, m->retention_ns)) continue;
            delete (w, seq);
            left--;
        }
    }
    while (w->store.trimmed_to < w->store.highest && store_find(&w->store, w->store.trimmed_to, w->now_ns) == NULL)
        w->store.trimmed_to++;
}

void store_take(struct world *w, struct message *m) {
    switch (m->op) {
    case LOG_NEWEST:
        list(w, m);
        break;
    case LOG_READ:
        read_slot(w, m);
        break;
    case LOG_APPEND:
        append(w, m);
        break;
    case LOG_TRIM:
        trim(w, m);
        break;
    }
}
