/* Findings in words and in JSON; see finding.h. */
#include "finding.h"

#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define ITEM_WIDTH 11 /* the longest is "credentials" */

void finding_set(struct finding *finding, const char *item, enum finding_level level, const char *format, ...) {
    va_list arguments;
    *finding = (struct finding){.item = item, .level = level};
    va_start(arguments, format);
    (void)vsnprintf(finding->text, sizeof finding->text, format, arguments);
    va_end(arguments);
}

void finding_add_figure(struct finding *finding, const char *name, double value) {
    if (finding->figure_count == FINDING_FIGURES) return;
    finding->figures[finding->figure_count].name = name;
    finding->figures[finding->figure_count].value = value;
    finding->figure_count++;
}

const char *finding_level_name(enum finding_level level) {
    switch (level) {
    case FINDING_OK:
        return "ok";
    case FINDING_WARN:
        return "warn";
    case FINDING_FAIL:
        return "FAIL";
    }
    return "FAIL";
}

void finding_format(const struct finding *finding, char out[FINDING_LINE_SIZE]) {
    char clean[FINDING_TEXT_SIZE];
    text_copy_printable(clean, sizeof clean, finding->text);
    (void)text_format(out, FINDING_LINE_SIZE, "%-4s  %-*s  %s", finding_level_name(finding->level), ITEM_WIDTH,
                      finding->item, clean);
}

enum finding_level finding_worst(const struct finding *findings, size_t count) {
    enum finding_level worst = FINDING_OK;
    for (size_t i = 0; i < count; i++) {
        if (findings[i].level > worst) worst = findings[i].level;
    }
    return worst;
}

static int count_of(const struct finding *findings, size_t count, enum finding_level level) {
    int found = 0;
    for (size_t i = 0; i < count; i++) found += findings[i].level == level;
    return found;
}

void finding_format_summary(const struct finding *findings, size_t count, const char *lock, char *out, size_t size) {
    int warnings = count_of(findings, count, FINDING_WARN), failures = count_of(findings, count, FINDING_FAIL);
    if (failures > 0) {
        (void)text_format(out, size, "%s: %d of %zu failed: no lock can be kept here", lock, failures, count);
    } else if (warnings > 0) {
        (void)text_format(out, size, "%s: a lock can be kept here; %d to look at", lock, warnings);
    } else {
        (void)text_format(out, size, "%s: a lock can be kept here", lock);
    }
}

static bool add_finding(cJSON *items, const struct finding *finding) {
    char clean[FINDING_TEXT_SIZE];
    cJSON *item = cJSON_CreateObject();
    if (item == NULL || !cJSON_AddItemToArray(items, item)) {
        cJSON_Delete(item);
        return false;
    }
    text_copy_printable(clean, sizeof clean, finding->text);
    bool ok = cJSON_AddStringToObject(item, "item", finding->item) != NULL &&
              cJSON_AddStringToObject(item, "level", finding_level_name(finding->level)) != NULL &&
              cJSON_AddStringToObject(item, "text", clean) != NULL;
    for (int i = 0; i < finding->figure_count && ok; i++) {
        ok = cJSON_AddNumberToObject(item, finding->figures[i].name, finding->figures[i].value) != NULL;
    }
    return ok;
}

char *finding_format_json(const struct finding *findings, size_t count, const char *lock) {
    cJSON *object = cJSON_CreateObject();
    bool ok = cJSON_AddStringToObject(object, "lock", lock) != NULL &&
              cJSON_AddStringToObject(object, "level", finding_level_name(finding_worst(findings, count))) != NULL;
    cJSON *items = ok ? cJSON_AddArrayToObject(object, "items") : NULL;
    ok = items != NULL;
    for (size_t i = 0; i < count && ok; i++) ok = add_finding(items, &findings[i]);
    char *text = ok ? cJSON_PrintUnformatted(object) : NULL;
    cJSON_Delete(object);
    return text;
}
