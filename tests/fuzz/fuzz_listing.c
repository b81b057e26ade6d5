/* Listings: pages of XML, separated by zero bytes in an input, lead to a head that they show, or to a refusal, and
 * never in circles. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "record/record.h"
#include "s3/listing.h"
#include "store/look.h"

#define FOLDER  "locks/leader/"
#define DATE_MS INT64_C(1795471301000)

static int on_object(void *context, const struct s3_object *object) {
    size_t *count = context;
    CHECK(object->key[0] != '\0' && strlen(object->key) < S3_KEY_SIZE, "an object has a key");
    CHECK(object->size >= 0 && object->modified_ms >= 0, "sizes and times aren't negative");
    return ++*count >= 1000 ? -1 : 0;
}

static void check_page(const char *bytes, size_t length) {
    struct s3_page page;
    size_t count = 0;
    int rc = s3_listing_parse(&page, bytes, length, FOLDER, on_object, &count);
    CHECK(rc <= 0, "parsing says 0 or -errno");
    CHECK(rc != 0 || page.count == count, "every object is told");
    CHECK(strlen(page.last_key) < sizeof page.last_key, "the last key ends within its array");
}

static void check_head(const struct look *look) {
    const struct listing *l = &look->listing;
    CHECK(l->empty == (look->slots == 0), "a listing is empty where it shows no slot");
    CHECK(l->date_ms == DATE_MS, "the first page's date counts");
    if (l->empty) return;
    CHECK(l->head_seq >= 1 && l->head_seq <= RECORD_SEQ_MAX, "the head's number is within its bounds");
    CHECK(l->head_size >= 0 && l->head_modified_ms >= 0, "sizes and times aren't negative");
    CHECK(l->previous_seq >= 0 && l->previous_seq < l->head_seq, "what lies behind the head is older");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = {data, size};
    struct look look;
    char before[S3_KEY_SIZE];
    look_init(&look, FOLDER);
    for (enum look_step step = LOOK_MORE; step == LOOK_MORE;) {
        size_t length;
        int64_t date_ms = look.pages == 0 ? DATE_MS : DATE_MS + 1;
        memcpy(before, look.start_after, sizeof before);
        char *page = fuzz_block(&input, '\0', &length);
        check_page(page, length);
        step = look_page(&look, page, length, date_ms);
        free(page);
        CHECK(look.pages <= LOOK_PAGES_MAX, "pages are limited");
        if (step == LOOK_DONE) check_head(&look);
        if (step != LOOK_MORE) continue;
        CHECK(strcmp(look.start_after, before) > 0, "each page begins behind the one before");
        CHECK(look_tail(FOLDER, look.start_after) != NULL, "pages stay in the lock's folder");
    }
    return 0;
}
