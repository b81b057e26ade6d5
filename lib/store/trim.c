/* Choosing what to trim; see trim.h. */
#include "store/trim.h"

#include <string.h>

#include "base/text.h"
#include "store/look.h"

/* One page's slots, the oldest of them. */
struct reading {
    struct trim *trim;
    size_t count; /* slots seen */
    struct {
        int64_t seq;
        int64_t modified_ms;
    } slots[TRIM_KEYS];
};

/* Asks for the slots in [floor, floor + width), without the head and the slot behind it. Nothing left there is the end.
 */
static enum trim_step ask(struct trim *trim) {
    int64_t top = trim->floor + trim->width;
    if (top > trim->head - 1) top = trim->head - 1;
    if (top <= trim->floor) return TRIM_DELETE;
    char name[KEY_SLOT_SIZE];
    key_format_slot(name, top);
    return text_format(trim->start_after, sizeof trim->start_after, "%s%s", trim->folder, name) == 0 ? TRIM_LIST
                                                                                                     : TRIM_GIVE_UP;
}

enum trim_step trim_init(struct trim *trim, const char *folder, int64_t floor, int64_t head, int64_t old_ms, int most) {
    *trim = (struct trim){
        .folder = folder, .head = head, .old_ms = old_ms, .most = most, .floor = floor, .width = TRIM_WIDTH};
    if (trim->most > TRIM_MOST_MAX) trim->most = TRIM_MOST_MAX;
    if (trim->floor < 1) trim->floor = 1;
    return ask(trim);
}

static int on_object(void *context, const struct s3_object *object) {
    struct reading *reading = context;
    int64_t seq;
    const char *tail = look_tail(reading->trim->folder, object->key);
    if (tail == NULL || !key_parse_slot(tail, &seq) || seq >= reading->trim->head - 1) return 0;
    if (reading->count == TRIM_KEYS) return 0; /* a store that sends more than asked for: page.count tells */
    reading->slots[reading->count].seq = seq;
    reading->slots[reading->count].modified_ms = object->modified_ms;
    reading->count++;
    return 0;
}

/* Whether the page reaches down to the floor, where the oldest slots are. */
static bool is_complete(const struct trim *trim, const struct s3_page *page) {
    char name[KEY_SLOT_SIZE];
    if (page->count > TRIM_KEYS) return false;
    if (!page->truncated) return true;
    const char *tail = look_tail(trim->folder, page->last_key);
    key_format_slot(name, trim->floor);
    return tail != NULL && strcmp(tail, name) >= 0;
}

/* Takes from the oldest slot up while they are old enough. The first that isn't ends it, so that no gap comes to be. */
static enum trim_step choose(struct trim *trim, const struct reading *reading) {
    for (size_t i = reading->count; i > 0 && trim->count < (size_t)trim->most; i--) {
        if (reading->slots[i - 1].modified_ms >= trim->old_ms) break;
        trim->victims[trim->count++] = reading->slots[i - 1].seq;
    }
    trim->floor = reading->slots[reading->count - 1].seq;
    return TRIM_DELETE;
}

enum trim_step trim_page(struct trim *trim, const char *bytes, size_t length) {
    struct reading reading = {.trim = trim};
    struct s3_page page;
    if (s3_listing_parse(&page, bytes, length, trim->folder, on_object, &reading) != 0 ||
        ++trim->pages >= TRIM_PAGES_MAX)
        return TRIM_GIVE_UP;
    if (!is_complete(trim, &page)) {
        if (trim->width == 1) return TRIM_GIVE_UP;
        trim->width /= 2;
        return ask(trim);
    }
    if (reading.count > 0) return choose(trim, &reading);
    trim->floor += trim->width;
    if (trim->floor > trim->head - 1) trim->floor = trim->head - 1;
    trim->width *= 2;
    return ask(trim);
}
