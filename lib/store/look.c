/* Heads of logs from listings; see look.h. */
#include "store/look.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"

void look_init(struct look *look, const char *folder) { *look = (struct look){.folder = folder}; }

const char *look_tail(const char *folder, const char *key) {
    for (; *folder != '\0'; folder++, key++) {
        if (*folder != *key && !(*folder == '+' && *key == ' ')) return NULL;
    }
    return key;
}

static int on_object(void *context, const struct s3_object *object) {
    struct look *look = context;
    int64_t seq;
    const char *tail = look_tail(look->folder, object->key);
    if (tail == NULL || !key_parse_slot(tail, &seq)) return 0;
    if (look->last_seq != 0 && seq > look->last_seq) look->unsorted = true;
    if (seq == look->last_seq) return 0;
    look->last_seq = seq;
    look->slots++;
    if (look->slots == 1) {
        look->listing.head_seq = seq;
        look->listing.head_size = object->size;
        look->listing.head_modified_ms = object->modified_ms;
    } else if (look->slots == 2) {
        look->listing.previous_seq = seq;
        look->listing.previous_modified_ms = object->modified_ms;
    }
    return 0;
}

/* Whether no slot can follow last_key: slots begin with a digit. */
static bool is_past_slots(const struct look *look, const char *last_key) {
    const char *tail = look_tail(look->folder, last_key);
    return tail != NULL && (unsigned char)tail[0] > '9';
}

/* Where the next page begins. What sorts before every digit is jumped over at once. Returns whether that is further on.
 */
static bool advance(struct look *look, const char *last_key) {
    char next[S3_KEY_SIZE];
    const char *tail = look_tail(look->folder, last_key);
    bool before_digits = tail != NULL && (unsigned char)tail[0] < '/';
    int rc = tail == NULL ? -EINVAL : text_format(next, sizeof next, "%s%s", look->folder, before_digits ? "/" : tail);
    if (rc != 0 || strcmp(next, look->start_after) <= 0) return false;
    (void)text_copy(look->start_after, sizeof look->start_after, next);
    return true;
}

enum look_step look_page(struct look *look, const char *bytes, size_t length, int64_t date_ms) {
    struct s3_page page;
    if (s3_listing_parse(&page, bytes, length, look->folder, on_object, look) != 0) return LOOK_GARBLED;
    look->pages++;
    /* The earliest page's date makes the head look younger, if anything. */
    if (look->pages == 1) look->listing.date_ms = date_ms;
    if (look->unsorted) return LOOK_UNSORTED;
    if (look->slots < 2 && page.truncated && !is_past_slots(look, page.last_key)) {
        if (look->pages >= LOOK_PAGES_MAX) return LOOK_TOO_LONG;
        return page.count > 0 && advance(look, page.last_key) ? LOOK_MORE : LOOK_GARBLED;
    }
    look->listing.empty = look->slots == 0;
    return LOOK_DONE;
}

/* One object's size. */
struct sighting {
    const char *key;
    int64_t size;
};

static int on_sight(void *context, const struct s3_object *object) {
    struct sighting *sighting = context;
    const char *tail = look_tail(sighting->key, object->key);
    if (tail != NULL && *tail == '\0') sighting->size = object->size;
    return 0;
}

enum look_step look_for_size(int64_t *size, const char *bytes, size_t length, const char *key) {
    struct s3_page page;
    struct sighting sighting = {.key = key, .size = -1};
    if (s3_listing_parse(&page, bytes, length, key, on_sight, &sighting) != 0) return LOOK_GARBLED;
    *size = sighting.size;
    return LOOK_DONE;
}
