/* Finding the oldest slots among however many, against a bucket that lists as S3 does; and looks that page. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "store/look.h"
#include "store/trim.h"

#define FOLDER       "locks/leader/"
#define NOW_MS       INT64_C(1795471200000) /* 2026-11-23T22:00:00Z */
#define RETENTION_MS INT64_C(3600000)

/* A log whose slots first ... head are there, one a second; slot head was written at NOW_MS. Foreign keys stand behind
 * or in front. */
struct bucket {
    int64_t first, head;
    int foreign_in_front; /* "000...": they sort before every slot */
    int foreign_behind;   /* "999999999999-x...": they sort behind every slot */
    int pages;            /* listed so far */
};

static void append_object(struct buffer *out, const char *key, int64_t modified_ms) {
    char text[512];
    int64_t s = modified_ms / 1000 - (NOW_MS / 1000 - 22 * 3600); /* seconds of the 23rd */
    int day = 23;
    while (s < 0) s += 86400, day--;
    (void)snprintf(text, sizeof text,
                   "<Contents><Key>%s</Key><LastModified>2026-11-%02dT%02d:%02d:%02d.000Z</LastModified><Size>300</"
                   "Size></Contents>",
                   key, day, (int)(s / 3600), (int)(s / 60 % 60), (int)(s % 60));
    assert_int_equal(buffer_append_text(out, text), 0);
}

static int append_foreign(struct buffer *out, const char *form, int count, const char *after, int room) {
    char key[256];
    int written = 0;
    for (int i = 0; i < count && written < room; i++) {
        (void)snprintf(key, sizeof key, "%s%s%06d", FOLDER, form, i);
        if (strcmp(key, after) <= 0) continue;
        append_object(out, key, NOW_MS - 10 * RETENTION_MS);
        written++;
    }
    return written;
}

/* Writes the page behind after, at most keys long. */
static void list(struct bucket *bucket, const char *after, int keys, struct buffer *out) {
    char name[KEY_SLOT_SIZE], key[256];
    bucket->pages++;
    buffer_clear(out);
    assert_int_equal(buffer_append_text(out, "<ListBucketResult><Prefix>" FOLDER "</Prefix>"), 0);
    int room = keys + 1;
    room -= append_foreign(out, "000", bucket->foreign_in_front, after, room);
    for (int64_t seq = bucket->head; seq >= bucket->first && room > 0; seq--) {
        key_format_slot(name, seq);
        (void)snprintf(key, sizeof key, "%s%s", FOLDER, name);
        if (strcmp(key, after) <= 0) continue;
        append_object(out, key, NOW_MS - (bucket->head - seq) * 1000);
        room--;
    }
    room -= append_foreign(out, "999999999999-x", bucket->foreign_behind, after, room);
    bool truncated = room <= 0;
    if (truncated) { /* one more than asked for shows that there is more; take it back */
        char *last = out->data;
        for (char *p = out->data; (p = strstr(p, "<Contents>")) != NULL; p++) last = p;
        out->length = (size_t)(last - out->data);
    }
    assert_int_equal(buffer_append_text(out, truncated ? "<IsTruncated>true</IsTruncated></ListBucketResult>"
                                                       : "<IsTruncated>false</IsTruncated></ListBucketResult>"),
                     0);
}

static enum trim_step run(struct trim *trim, struct bucket *bucket, int64_t floor, int most) {
    struct buffer page;
    buffer_init(&page, 4 * 1024 * 1024);
    enum trim_step step = trim_init(trim, FOLDER, floor, bucket->head, NOW_MS - RETENTION_MS, most);
    while (step == TRIM_LIST) {
        list(bucket, trim->start_after, TRIM_KEYS, &page);
        step = trim_page(trim, page.data, page.length);
    }
    buffer_deinit(&page);
    return step;
}

static void the_oldest_go_first_and_only_what_is_old(void **state) {
    (void)state;
    struct bucket bucket = {.first = 1, .head = 3700};
    struct trim trim;
    assert_int_equal(run(&trim, &bucket, 1, 400), TRIM_DELETE);
    /* Slot 100 is exactly an hour old: it stays. */
    assert_int_equal(trim.count, 99);
    for (size_t i = 0; i < trim.count; i++) assert_int_equal(trim.victims[i], (int64_t)i + 1);
    assert_int_equal(bucket.pages, 1);
}

static void a_young_log_is_left_alone_and_found_again(void **state) {
    (void)state;
    for (int64_t first = 1; first <= 2001; first += 500) {
        struct bucket bucket = {.first = first, .head = first + 2999};
        struct trim trim;
        assert_int_equal(run(&trim, &bucket, 1, 400), TRIM_DELETE);
        assert_int_equal(trim.count, 0);
        assert_true(trim.floor <= first); /* what is kept isn't behind the next trim */
    }
}

static void newest_two_stay(bool heeds_start_after) {
    for (int64_t head = 1; head <= 5; head++) {
        struct bucket bucket = {.first = 1, .head = head};
        struct trim trim;
        enum trim_step step = trim_init(&trim, FOLDER, 1, head, NOW_MS + 10000, 400);
        struct buffer page;
        buffer_init(&page, 1024 * 1024);
        if (step == TRIM_LIST) {
            list(&bucket, heeds_start_after ? trim.start_after : "", TRIM_KEYS, &page);
            step = trim_page(&trim, page.data, page.length);
        }
        assert_int_equal(step, TRIM_DELETE);
        assert_int_equal(trim.count, head > 2 ? head - 2 : 0);
        buffer_deinit(&page);
    }
}

static void the_newest_two_stay_however_old(void **state) {
    (void)state;
    newest_two_stay(true);
}

static void the_newest_two_stay_where_more_is_listed_than_was_asked_for(void **state) {
    (void)state;
    newest_two_stay(false);
}

static void at_most_as_many_as_asked_are_chosen(void **state) {
    (void)state;
    struct bucket bucket = {.first = 1, .head = 10000};
    struct trim trim;
    assert_int_equal(run(&trim, &bucket, 1, 7), TRIM_DELETE);
    assert_int_equal(trim.count, 7);
    assert_int_equal(trim.victims[6], 7);
    assert_int_equal(run(&trim, &bucket, 1, 100000), TRIM_DELETE);
    assert_true(trim.count <= TRIM_MOST_MAX);
}

static void no_more_are_chosen_than_there_is_room_for(void **state) {
    (void)state;
    struct bucket bucket = {.first = 1, .head = TRIM_KEYS};
    struct trim trim;
    struct buffer page;
    buffer_init(&page, 4 * 1024 * 1024);
    assert_int_equal(trim_init(&trim, FOLDER, 1, bucket.head, NOW_MS + 10000, 100000), TRIM_LIST);
    list(&bucket, "", TRIM_KEYS, &page); /* more slots than were asked for */
    assert_int_equal(trim_page(&trim, page.data, page.length), TRIM_DELETE);
    assert_int_equal(trim.count, TRIM_MOST_MAX);
    buffer_deinit(&page);
}

/* All old slots are gone: the next trim mustn't begin behind those that come to be. */
static void an_empty_bottom_is_skipped_and_no_more(void **state) {
    (void)state;
    for (int64_t head = 3; head <= 3000; head += 333) {
        struct bucket bucket = {.first = head - 1, .head = head};
        struct trim trim;
        assert_int_equal(run(&trim, &bucket, 0, 400), TRIM_DELETE);
        assert_int_equal(trim.count, 0);
        assert_int_equal(trim.floor, bucket.first);
    }
}

/* A store that always says the opposite of what would lead on. */
static void no_store_keeps_a_trim_listing_for_ever(void **state) {
    (void)state;
    static const char nothing[] =
        "<ListBucketResult><Prefix>" FOLDER "</Prefix><IsTruncated>false</IsTruncated></ListBucketResult>";
    static const char foreign[] =
        "<ListBucketResult><Prefix>" FOLDER "</Prefix><IsTruncated>true</IsTruncated><Contents><Key>" FOLDER
        "000</Key><LastModified>2026-11-23T22:00:00Z</LastModified><Size>1</Size></Contents>"
        "</ListBucketResult>";
    struct trim trim;
    enum trim_step step = trim_init(&trim, FOLDER, 1, INT64_C(1000000000), NOW_MS, 100);
    int pages = 0;
    for (; step == TRIM_LIST && pages <= TRIM_PAGES_MAX; pages++)
        step = pages % 2 == 0 ? trim_page(&trim, nothing, sizeof nothing - 1)
                              : trim_page(&trim, foreign, sizeof foreign - 1);
    assert_int_equal(step, TRIM_GIVE_UP);
    assert_int_equal(pages, TRIM_PAGES_MAX);
}

static void the_oldest_slot_is_found_far_up_in_a_few_pages(void **state) {
    (void)state;
    struct bucket bucket = {.first = 1000000, .head = 1050000};
    struct trim trim;
    assert_int_equal(run(&trim, &bucket, 1, 200), TRIM_DELETE);
    assert_int_equal(trim.count, 200);
    assert_int_equal(trim.victims[0], 1000000);
    assert_true(bucket.pages < 40);
    /* Remembered, it takes one page. */
    bucket.first = trim.victims[199] + 1;
    bucket.pages = 0;
    assert_int_equal(run(&trim, &bucket, bucket.first, 200), TRIM_DELETE);
    assert_int_equal(trim.victims[0], 1000200);
    assert_int_equal(bucket.pages, 1);
}

static void foreign_keys_are_in_nobodys_way(void **state) {
    (void)state;
    struct bucket bucket = {.first = 1, .head = 3700, .foreign_in_front = 700, .foreign_behind = 700};
    struct trim trim;
    assert_int_equal(run(&trim, &bucket, 1, 400), TRIM_DELETE);
    assert_int_equal(trim.count, 99);
}

static void a_page_that_is_no_listing_ends_it(void **state) {
    (void)state;
    struct trim trim;
    assert_int_equal(trim_init(&trim, FOLDER, 1, 10000, NOW_MS - RETENTION_MS, 100), TRIM_LIST);
    assert_int_equal(trim_page(&trim, "junk", 4), TRIM_GIVE_UP);
}

static enum look_step look_at(struct look *look, struct bucket *bucket) {
    struct buffer page;
    buffer_init(&page, 4 * 1024 * 1024);
    look_init(look, FOLDER);
    enum look_step step = LOOK_MORE;
    for (int keys = LOOK_FIRST_KEYS; step == LOOK_MORE; keys = LOOK_MORE_KEYS) {
        list(bucket, look->start_after, keys, &page);
        step = look_page(look, page.data, page.length, NOW_MS - bucket->pages);
    }
    buffer_deinit(&page);
    return step;
}

static void a_look_finds_the_head_in_one_page(void **state) {
    (void)state;
    struct bucket bucket = {.first = 1, .head = 3700, .foreign_behind = 50};
    struct look look;
    assert_int_equal(look_at(&look, &bucket), LOOK_DONE);
    assert_int_equal(bucket.pages, 1);
    assert_int_equal(look.listing.head_seq, 3700);
    assert_int_equal(look.listing.head_size, 300);
    assert_int_equal(look.listing.head_modified_ms, NOW_MS);
    assert_int_equal(look.listing.previous_seq, 3699);
    assert_false(look.listing.empty);
}

static void a_look_finds_the_head_behind_foreign_keys(void **state) {
    (void)state;
    struct bucket bucket = {.first = 3700, .head = 3700, .foreign_in_front = 1000, .foreign_behind = 1000};
    struct look look;
    assert_int_equal(look_at(&look, &bucket), LOOK_DONE);
    assert_int_equal(look.listing.head_seq, 3700);
    assert_int_equal(look.listing.previous_seq, 0);
    assert_int_equal(look.listing.date_ms, NOW_MS - 1); /* the first page's */
}

static void a_look_gives_up_in_a_flood_and_never_calls_it_empty(void **state) {
    (void)state;
    struct bucket bucket = {.first = 1, .head = 10, .foreign_in_front = 10000};
    struct look look;
    assert_int_equal(look_at(&look, &bucket), LOOK_TOO_LONG);
    assert_int_equal(bucket.pages, LOOK_PAGES_MAX);
}

static void a_folder_without_slots_is_an_empty_log(void **state) {
    (void)state;
    struct bucket bucket = {.first = 1, .head = 0, .foreign_in_front = 30, .foreign_behind = 30};
    struct look look;
    assert_int_equal(look_at(&look, &bucket), LOOK_DONE);
    assert_true(look.listing.empty);
}

static void a_store_that_goes_round_in_circles_is_noticed(void **state) {
    (void)state;
    static const char page[] =
        "<ListBucketResult><Prefix>" FOLDER "</Prefix><IsTruncated>true</IsTruncated><Contents><Key>" FOLDER
        "000</Key><LastModified>2026-11-23T22:00:00Z</LastModified><Size>1</Size></Contents></ListBucketResult>";
    struct look look;
    look_init(&look, FOLDER);
    assert_int_equal(look_page(&look, page, sizeof page - 1, NOW_MS), LOOK_MORE);
    assert_int_equal(look_page(&look, page, sizeof page - 1, NOW_MS), LOOK_GARBLED);
}

static void a_plus_in_a_folders_name_may_come_back_as_a_space(void **state) {
    (void)state;
    assert_string_equal(look_tail("locks/a+b/", "locks/a b/x"), "x");
    assert_string_equal(look_tail("locks/a+b/", "locks/a+b/x"), "x");
    assert_null(look_tail("locks/a b/", "locks/a+b/x"));
    assert_null(look_tail("locks/a/", "locks/a"));
    assert_string_equal(look_tail("locks/a/", "locks/a/"), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_go_first_and_only_what_is_old),
        cmocka_unit_test(a_young_log_is_left_alone_and_found_again),
        cmocka_unit_test(the_newest_two_stay_however_old),
        cmocka_unit_test(the_newest_two_stay_where_more_is_listed_than_was_asked_for),
        cmocka_unit_test(at_most_as_many_as_asked_are_chosen),
        cmocka_unit_test(no_more_are_chosen_than_there_is_room_for),
        cmocka_unit_test(an_empty_bottom_is_skipped_and_no_more),
        cmocka_unit_test(no_store_keeps_a_trim_listing_for_ever),
        cmocka_unit_test(the_oldest_slot_is_found_far_up_in_a_few_pages),
        cmocka_unit_test(foreign_keys_are_in_nobodys_way),
        cmocka_unit_test(a_page_that_is_no_listing_ends_it),
        cmocka_unit_test(a_look_finds_the_head_in_one_page),
        cmocka_unit_test(a_look_finds_the_head_behind_foreign_keys),
        cmocka_unit_test(a_look_gives_up_in_a_flood_and_never_calls_it_empty),
        cmocka_unit_test(a_folder_without_slots_is_an_empty_log),
        cmocka_unit_test(a_store_that_goes_round_in_circles_is_noticed),
        cmocka_unit_test(a_plus_in_a_folders_name_may_come_back_as_a_space),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
