/* Names of slots and folders: any name read, any number written. */
#include "store/key.h"
#include "any.h"
#include "record/record.h"

static char name[40], lock[64], prefix[64], folder[KEY_FOLDER_SIZE], slot[KEY_SLOT_SIZE];

int main(void) {
    int64_t seq = 1;
    size_t start = (size_t)any_int(0, sizeof name - 1);
    //@ split start;
    if (key_parse_slot(any_text(name, sizeof name) + start, &seq)) {
        //@ check a_slot: 0 <= seq <= RECORD_SEQ_MAX;
    }
    //@ merge start;
    key_format_slot(slot, any_int64(1, RECORD_SEQ_MAX));
    const char *first = any_text(lock, sizeof lock) + any_int(0, sizeof lock - 1);
    const char *second = any_text(prefix, sizeof prefix) + any_int(0, sizeof prefix - 1);
    (void)key_format_folder(folder, (size_t)any_int(1, sizeof folder), second, first);
    return 0;
}
