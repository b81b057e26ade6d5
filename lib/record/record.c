/* Records to and from JSON; see record.h. Untrusted bytes pass three gates: a scan that needs no parser (length, bytes,
 * depth), cJSON, and a check of each field. */
#include "record/record.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "record/rfc3339.h"
#include "record/utf8.h"

#define DEPTH_MAX  8  /* brackets; a record needs one */
#define FIELDS_MAX 64 /* a record has 13, the rest is room for later versions of this format */
#define PID_MAX    INT64_C(2147483647)

static const char *const kind_names[] = {"claim", "renew", "evict", "hold"};

#define KINDS (sizeof kind_names / sizeof *kind_names)

const char *record_kind_name(enum record_kind kind) { return (size_t)kind < KINDS ? kind_names[kind] : "unknown"; }

static int64_t ttl_max_ms(enum record_kind kind) {
    return kind == RECORD_HOLD ? RECORD_HOLD_MAX_MS : RECORD_TTL_MAX_MS;
}

/* What the election decides by is within its bounds. */
static bool is_sound(const struct record *record) {
    return (size_t)record->kind < KINDS && record->seq >= 1 && record->seq <= RECORD_SEQ_MAX && record->token >= 1 &&
           record->token <= record->seq && record->ttl_ms >= RECORD_TTL_MIN_MS &&
           record->ttl_ms <= ttl_max_ms(record->kind);
}

/* --- to JSON --- */

/* Copies text[size], terminated or not, as valid UTF-8 without control characters: a bad byte or a control character's
 * bytes become '?' (so nothing grows), a character cut off at the end is dropped. */
static void clean_text(char *out, const char *text, size_t size) {
    size_t length = strnlen(text, size - 1);
    size_t i = 0;
    while (i < length) {
        uint32_t codepoint;
        size_t step = utf8_next(text + i, length - i, &codepoint);
        if (step == 0 && utf8_is_cut_off(text + i, length - i)) break;
        if (step == 0 || utf8_is_control(codepoint)) {
            if (step == 0) step = 1;
            memset(out + i, '?', step);
        } else {
            memcpy(out + i, text + i, step);
        }
        i += step;
    }
    out[i] = '\0';
}

static bool add_text(cJSON *object, const char *name, const char *text, size_t size) {
    char clean[RECORD_COMMAND_SIZE]; /* the longest of the texts */
    clean_text(clean, text, size);
    return cJSON_AddStringToObject(object, name, clean) != NULL;
}

static bool add_number(cJSON *object, const char *name, int64_t value) {
    return cJSON_AddNumberToObject(object, name, (double)value) != NULL;
}

static bool add_time(cJSON *object, const char *name, int64_t ms) {
    char text[RFC3339_SIZE];
    rfc3339_format(text, ms);
    return cJSON_AddStringToObject(object, name, text) != NULL;
}

static bool add_fields(cJSON *object, const struct record *record) {
    char nonce[2 * RECORD_NONCE_SIZE + 1];
    text_to_hex(nonce, record->nonce, RECORD_NONCE_SIZE);
    int64_t pid = record->pid < 0 || record->pid > PID_MAX ? 0 : record->pid;
    return add_number(object, "version", RECORD_VERSION) && add_number(object, "seq", record->seq) &&
           cJSON_AddStringToObject(object, "kind", record_kind_name(record->kind)) != NULL &&
           add_number(object, "token", record->token) && add_text(object, "node", record->node, sizeof record->node) &&
           cJSON_AddStringToObject(object, "nonce", nonce) != NULL && add_number(object, "ttl", record->ttl_ms) &&
           add_time(object, "since", record->since_ms) && add_time(object, "timestamp", record->timestamp_ms) &&
           add_time(object, "expiry", record->expiry_ms) &&
           add_text(object, "host", record->host, sizeof record->host) && add_number(object, "pid", pid) &&
           add_text(object, "command", record->command, sizeof record->command);
}

int record_format(const struct record *record, char *out, size_t size) {
    if (!is_sound(record)) return -EINVAL;
    int result = -ENOMEM;
    char *json = NULL;
    cJSON *object = cJSON_CreateObject();
    if (object != NULL && add_fields(object, record)) json = cJSON_PrintUnformatted(object);
    cJSON_Delete(object);
    if (json != NULL) {
        int failed = text_format(out, size, "%s\n", json);
        result = failed != 0 ? failed : (int)strlen(out);
    }
    cJSON_free(json);
    return result;
}

/* --- from JSON --- */

/* Walks over the string that text, behind its opening quote, begins. Returns its length with the closing quote, or 0:
 * control characters, no end, or \u0000, which cJSON would take for the end of the text. */
static size_t scan_string(const char *text) {
    for (size_t i = 0; (unsigned char)text[i] >= 0x20; i++) {
        if (text[i] == '"') return i + 1;
        if (text[i] != '\\') continue;
        if (strncmp(text + i, "\\u0000", 6) == 0) return 0;
        if (text[++i] == '\0') return 0;
    }
    return 0;
}

/* What must hold before a parser sees text[length], which is terminated. */
static bool is_parsable(const char *text, size_t length) {
    if (length == 0 || text[0] != '{' || strlen(text) != length || !utf8_is_valid(text, length)) return false;
    int depth = 0;
    for (size_t i = 0; i < length;) {
        char c = text[i++];
        if (c == '"') {
            size_t string = scan_string(text + i);
            if (string == 0) return false;
            i += string;
        } else if (c == '{' || c == '[') {
            if (++depth > DEPTH_MAX) return false;
        } else if (c == '}' || c == ']') {
            depth--;
        } else if ((unsigned char)c < 0x20 && c != '\n' && c != '\r' && c != '\t') {
            return false;
        }
    }
    return true;
}

static bool take_number(const cJSON *item, int64_t least, int64_t most, int64_t *value) {
    if (!cJSON_IsNumber(item)) return false;
    double number = item->valuedouble;
    if (!(number >= (double)least && number <= (double)most)) return false; /* all bounds here are exact in a double */
    *value = (int64_t)number;
    return (double)*value == number;
}

/* A text without control characters; what is too long is cut, or refused where it may not be. */
static bool take_text(const cJSON *item, char *out, size_t size, bool may_cut) {
    if (!cJSON_IsString(item)) return false;
    const char *text = item->valuestring;
    size_t length = strlen(text);
    for (size_t i = 0, step; i < length; i += step) {
        uint32_t codepoint;
        step = utf8_next(text + i, length - i, &codepoint);
        if (step == 0 || utf8_is_control(codepoint)) return false;
    }
    size_t fitting = utf8_fitting(text, length, size - 1);
    if (fitting < length && !may_cut) return false;
    memcpy(out, text, fitting);
    out[fitting] = '\0';
    return true;
}

static bool take_time(const cJSON *item, int64_t *ms) {
    return cJSON_IsString(item) && rfc3339_parse(item->valuestring, ms);
}

static bool take_version(struct record *record, const cJSON *item) {
    int64_t version;
    (void)record;
    return take_number(item, RECORD_VERSION, RECORD_VERSION, &version);
}

static bool take_seq(struct record *record, const cJSON *item) {
    return take_number(item, 1, RECORD_SEQ_MAX, &record->seq);
}

static bool take_kind(struct record *record, const cJSON *item) {
    if (!cJSON_IsString(item)) return false;
    for (size_t i = 0; i < KINDS; i++) {
        if (strcmp(item->valuestring, kind_names[i]) != 0) continue;
        record->kind = (enum record_kind)i;
        return true;
    }
    return false;
}

static bool take_token(struct record *record, const cJSON *item) {
    return take_number(item, 1, RECORD_SEQ_MAX, &record->token);
}

static bool take_node(struct record *record, const cJSON *item) {
    return take_text(item, record->node, sizeof record->node, false);
}

static bool take_nonce(struct record *record, const cJSON *item) {
    return cJSON_IsString(item) && text_from_hex(record->nonce, RECORD_NONCE_SIZE, item->valuestring);
}

static bool take_ttl(struct record *record, const cJSON *item) {
    return take_number(item, RECORD_TTL_MIN_MS, RECORD_HOLD_MAX_MS, &record->ttl_ms);
}

static bool take_since(struct record *record, const cJSON *item) { return take_time(item, &record->since_ms); }

static bool take_timestamp(struct record *record, const cJSON *item) { return take_time(item, &record->timestamp_ms); }

static bool take_expiry(struct record *record, const cJSON *item) { return take_time(item, &record->expiry_ms); }

static bool take_host(struct record *record, const cJSON *item) {
    return take_text(item, record->host, sizeof record->host, true);
}

static bool take_pid(struct record *record, const cJSON *item) { return take_number(item, 0, PID_MAX, &record->pid); }

static bool take_command(struct record *record, const cJSON *item) {
    return take_text(item, record->command, sizeof record->command, true);
}

struct field {
    const char *name;
    bool required;
    bool (*take)(struct record *record, const cJSON *item);
};

static const struct field fields[] = {
    {"version", true, take_version},  {"seq", true, take_seq},      {"kind", true, take_kind},
    {"token", true, take_token},      {"node", true, take_node},    {"nonce", true, take_nonce},
    {"ttl", true, take_ttl},          {"since", false, take_since}, {"timestamp", false, take_timestamp},
    {"expiry", false, take_expiry},   {"host", false, take_host},   {"pid", false, take_pid},
    {"command", false, take_command},
};

/* A name that comes twice means one thing to one reader and another to the next. */
static bool has_duplicates(const cJSON *object) {
    int count = 0;
    for (const cJSON *item = object->child; item != NULL; item = item->next) {
        if (++count > FIELDS_MAX) return true;
        for (const cJSON *other = item->next; other != NULL; other = other->next) {
            if (strcmp(item->string, other->string) == 0) return true;
        }
    }
    return false;
}

static bool take_fields(struct record *record, const cJSON *object) {
    if (!cJSON_IsObject(object) || has_duplicates(object)) return false;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, fields[i].name);
        if (item == NULL ? fields[i].required : !fields[i].take(record, item)) return false;
    }
    return is_sound(record);
}

int slot_parse(struct slot *slot, const char *bytes, size_t length, int64_t seq) {
    *slot = (struct slot){.kind = SLOT_UNREADABLE};
    if (length == RECORD_VACANCY_LENGTH && memcmp(bytes, RECORD_VACANCY, length) == 0) {
        slot->kind = SLOT_VACANCY;
        return 0;
    }
    char text[RECORD_JSON_MAX + 1];
    if (length == 0 || length > RECORD_JSON_MAX) return 0;
    memcpy(text, bytes, length);
    text[length] = '\0';
    if (!is_parsable(text, length)) return 0;
    struct record record = {0};
    errno = 0; /* cJSON itself doesn't say why it has no result */
    cJSON *object = cJSON_ParseWithLengthOpts(text, length + 1, NULL, true);
    if (object == NULL && errno == ENOMEM) return -ENOMEM;
    if (object != NULL && take_fields(&record, object) && record.seq == seq) {
        slot->kind = SLOT_ENTRY;
        slot->record = record;
    }
    cJSON_Delete(object);
    return 0;
}
