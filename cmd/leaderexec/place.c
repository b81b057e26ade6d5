/* Hands each call to the kind of place; see place.h. */
#include "place.h"

int place_look(struct place *place, struct report *report, char *reason) {
    return place->ops->look(place, report, reason);
}

struct store *place_open(struct place *place, int who, char *reason) {
    return place->ops->open(place, who, reason);
}

int place_remove(struct place *place, int64_t seq, bool *allowed, char *reason) {
    return place->ops->remove(place, seq, allowed, reason);
}

int place_settings(struct place *place, struct report *report, int64_t seq, char *reason) {
    return place->ops->settings(place, report, seq, reason);
}

int place_clean(struct place *place, int64_t last, char *reason) { return place->ops->clean(place, last, reason); }

void place_close(struct place *place) {
    if (place != NULL) place->ops->close(place);
}
