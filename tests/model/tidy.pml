/* Normal forms: states that can't be told apart by what may still happen are made one, at the end of each step, so that
 * fewer are left to search. Nothing here decides anything. In C, for it is about the state, not about the protocol.
 *
 * Where the store creates a slot once, and reads aren't stale where slots are trimmed (FORGETFUL):
 * - A candidate whose head isn't the newest can do nothing of consequence before it looks again, for the slot that it
 *   could claim is taken. It might as well know nothing.
 * - What a slot behind the head holds matters only to the node whose write is answered from there, and who made an
 *   entry only to a node that can still know it for its own.
 * - Numbers count only by their order: when nobody refers to the lowest slot any more, all of them move down by one. So
 *   the log is endless, though SLOTS slots are in view at a time (not where slots are trimmed).
 * Nodes are alike: they are sorted. REMEMBER leaves all this out; so do lanes. */
#if defined(REMEMBER) || defined(LANES)
inline tidy() { skip }
#else
inline tidy() { c_code { tidy(); } }

c_code {

static int is_of(int content, int i) { return content == RENEWAL(i) || is_claim_of(content, i); }

static int owner_of(int content)
{
    int i;
    for (i = 0; i < NODES; i++)
        if (is_of(content, i)) return i;
    return -1;
}

#ifdef FORGETFUL

#ifdef PAUSES
#define has_looked(i) now.looked[i] /* it may claim what it believes to be the next slot, even long afterwards */
#else
#define has_looked(i) 0
#endif

/* Whether node i will read slot. */
static int awaits(int i, int slot)
{
    if (now.mode[i] == WATCHING && has_looked(i)) return now.seen[i] + 1 == slot || now.seen[i] == slot;
    return now.mode[i] >= CLAIMING && now.mode[i] != LOST && now.mode[i] < REFUSED && now.seen[i] + 1 == slot;
}

/* Whether node i, with something to read behind the head, will find there that others went on without it. */
static int is_late(int i)
{
    int slot = now.seen[i] + 1, content = now.log[slot];
#ifdef TRIM
    return 0; /* what others wrote there may go, and i's write arrive yet */
#endif
    if (now.mode[i] < CLAIMING || now.mode[i] == LOST || slot >= now.top) return 0;
    if (now.mode[i] == CLAIMING && now.left[i] == 0) return 1;
    return content != EVICT && !is_of(content, i);
}

static void forget_knowledge(int i)
{
    int late = is_late(i);
    if (now.mode[i] == WATCHING && now.log[now.top] == EVICT && now.seen[i] + 1 == now.top && now.top > 1)
        now.seen[i] = now.top; /* an evict changes nothing: it is as good as seen */
    if (((now.mode[i] == WATCHING && !has_looked(i)) || now.mode[i] == LOST) && now.seen[i] < now.top)
        now.seen[i] = now.wait[i] = 0;
    if (late && now.log[1] == PAST) now.seen[i] = 0;
    if (now.mode[i] == LEADING && now.lease[i] == 0 && !now.child[i]) now.left[i] = 0;
}

static int is_awaited(int slot)
{
    int i;
    for (i = 0; i < NODES; i++)
        if (awaits(i, slot) && !is_late(i)) return 1;
    return 0;
}

static void forget_nonce(int i)
{
    int slot, claims = 0, renewals = 0, j;
    if (now.mode[i] == CLAIMING) return;
    if (now.mode[i] != WATCHING && now.mode[i] > DOWN && is_claim_of(now.log[now.seen[i]], i))
        now.log[now.seen[i]] = RENEWAL(i); /* what became of the claim is known */
    for (slot = 1; slot <= now.top; slot++) {
        claims += is_claim_of(now.log[slot], i);
        renewals += now.log[slot] == RENEWAL(i);
    }
    for (j = 0; j < GHOSTS; j++) {
        claims += is_claim_of(now.ghost_what[j], i);
        renewals += now.ghost_what[j] == RENEWAL(i);
    }
    if (now.nonce[i] == NO_NONCE || claims > 0) return;
    now.nonce[i] = renewals > 0 || now.mode[i] > WATCHING ? 0 : NO_NONCE;
}

static int without_owner(int content)
{
    int i = owner_of(content);
    return i >= 0 && now.nonce[i] == NO_NONCE ? PAST : content;
}

static void forget_contents(void)
{
    int slot, j;
    for (slot = 1; slot <= now.top; slot++) {
        if (slot < now.top && !is_awaited(slot)) now.log[slot] = PAST;
        now.log[slot] = without_owner(now.log[slot]);
    }
    for (j = 0; j < GHOSTS; j++) now.ghost_what[j] = without_owner(now.ghost_what[j]);
}

static void forget_token(void)
{
    int i, next = now.top + 1;
    for (i = 0; i < NODES; i++) {
        if (now.term[i] > 0 && now.term[i] < next) next = now.term[i];
        if (now.mode[i] == CLAIMING && now.seen[i] + 1 < next) next = now.seen[i] + 1;
    }
    if (now.token < next) now.token = 0;
}

/* Whether nobody refers to slot 1. Those who are late need no more than that something is there. */
static int may_move_down(void)
{
    int i;
    if (now.top < 2 || now.log[1] != PAST) return 0;
    for (i = 0; i < NODES; i++) {
        if (now.term[i] == 1) return 0;
        if (awaits(i, 1) && (!is_late(i) || now.top < 3 || now.log[2] != PAST)) return 0;
    }
    return 1;
}

#define one_less(counter) if (counter > 0) counter--

static void move_down(void)
{
    int i;
    for (i = 1; i <= now.top; i++) now.log[i] = now.log[i + 1];
    one_less(now.top);
    one_less(now.token);
    for (i = 0; i < NODES; i++) {
        one_less(now.seen[i]);
        one_less(now.term[i]);
    }
    for (i = 0; i < GHOSTS; i++) one_less(now.ghost_slot[i]);
}

static void forget(void)
{
    int i;
    for (i = 0; i < NODES; i++) forget_knowledge(i);
    for (i = 0; i < NODES; i++) forget_nonce(i);
    forget_contents();
    forget_token();
#ifndef TRIM
    while (may_move_down()) move_down();
#endif
}
#else
static void forget(void) {}
#endif

static void exchange_bytes(unsigned char *array, int i, int j)
{
    unsigned char kept = array[i];
    array[i] = array[j];
    array[j] = kept;
}

static int renamed(int content, int i, int j)
{
    if (is_of(content, i)) return is_claim_of(content, i) ? content + 4 * (j - i) : RENEWAL(j);
    if (is_of(content, j)) return is_claim_of(content, j) ? content + 4 * (i - j) : RENEWAL(i);
    return content;
}

static void exchange_nodes(int i, int j)
{
    int k;
    exchange_bytes(now.mode, i, j);
    exchange_bytes(now.seen, i, j);
    exchange_bytes(now.wait, i, j);
    exchange_bytes(now.what, i, j);
    exchange_bytes(now.left, i, j);
    exchange_bytes(now.lease, i, j);
    exchange_bytes(now.truth, i, j);
    exchange_bytes(now.child, i, j);
    exchange_bytes(now.nonce, i, j);
    exchange_bytes(now.term, i, j);
#ifdef WITNESS
    exchange_bytes(now.overtakes, i, j);
#endif
#ifdef PAUSES
    exchange_bytes(now.looked, i, j);
#endif
#ifdef WAIT_FROM_SEND
    exchange_bytes(now.look, i, j);
#endif
    for (k = 0; k < NODES; k++) now.what[k] = renamed(now.what[k], i, j);
    for (k = 1; k <= SLOTS; k++) now.log[k] = renamed(now.log[k], i, j);
    for (k = 0; k < GHOSTS; k++) now.ghost_what[k] = renamed(now.ghost_what[k], i, j);
}

static unsigned long order_of(int i)
{
    unsigned long order = now.mode[i];
    int k;
    order = order * 8 + now.seen[i];
    order = order * 4 + now.wait[i];
    order = order * 4 + now.left[i];
    order = order * 4 + now.lease[i];
    order = order * 2 + now.child[i];
    order = order * 8 + now.term[i];
    order = order * 8 + now.nonce[i];
    order = order * 4 + (now.what[i] == NOTHING ? 0 : now.what[i] == VACANCY ? 1 : now.what[i] == RENEWAL(i) ? 2 : 3);
    for (k = 1; k <= SLOTS; k++) order = order * 2 + is_of(now.log[k], i);
    for (k = 0; k < GHOSTS; k++) order = order * 2 + is_of(now.ghost_what[k], i);
    return order;
}

static void sort_nodes(void)
{
    int i, j;
    for (i = 1; i < NODES; i++)
        for (j = i; j > 0 && order_of(j - 1) > order_of(j); j--) exchange_nodes(j - 1, j);
}

void tidy(void)
{
    forget();
    sort_nodes();
}
}
#endif
