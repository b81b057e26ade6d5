/* Times as people write them: any text read, any time written. */
#include "record/rfc3339.h"
#include "any.h"

static char memory[64];

int main(void) {
    int64_t ms;
    char out[RFC3339_SIZE];
    const char *text = any_text(memory, sizeof memory) + any_int(0, sizeof memory - 1);
    if (rfc3339_parse(text, &ms)) {
        //@ check within_its_years: 0 <= ms <= RFC3339_MAX_MS;
    }
    rfc3339_format(out, any_int64(INT64_MIN, INT64_MAX));
    return 0;
}
