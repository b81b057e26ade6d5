/* A store's lines for people; see notices.h. */
#include "notices.h"

#include "store/store.h"

void notices_tell(struct store *store, const struct log *log) {
    struct store_notice notice;
    while (store_take_notice(store, &notice)) {
        log_line(log, notice.warning ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "%s", notice.text);
    }
}
