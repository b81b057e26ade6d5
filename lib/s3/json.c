/* JSON with secrets in it; see json.h. */
#include "s3/json.h"

#include <cjson/cJSON.h>
#include <mbedtls/platform_util.h>
#include <string.h>

#include "base/text.h"
#include "s3/dates.h"

#define LATEST_MS 253402300799000.0 /* the year 9999 */

struct cJSON *s3_json_parse(const char *bytes, size_t length) {
    cJSON *json = cJSON_ParseWithLength(bytes, length);
    if (json == NULL || cJSON_IsObject(json)) return json;
    s3_json_free(json);
    return NULL;
}

/* As deep as cJSON parses. NOLINTNEXTLINE(misc-no-recursion): it has a limit of 1,000 itself */
static void wipe(cJSON *json) {
    for (; json != NULL; json = json->next) {
        if (json->valuestring != NULL) mbedtls_platform_zeroize(json->valuestring, strlen(json->valuestring));
        wipe(json->child);
    }
}

void s3_json_free(struct cJSON *json) {
    wipe(json);
    cJSON_Delete(json);
}

bool s3_json_text(const struct cJSON *json, const char *name, char *out, size_t size) {
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, name));
    bool fits = text != NULL && text_copy(out, size, text) == 0;
    if (!fits) out[0] = '\0';
    return fits;
}

bool s3_json_is(const struct cJSON *json, const char *name, int number) {
    const cJSON *field = cJSON_GetObjectItemCaseSensitive(json, name);
    return cJSON_IsNumber(field) && field->valuedouble == number;
}

const struct cJSON *s3_json_object(const struct cJSON *json, const char *name) {
    const cJSON *field = cJSON_GetObjectItemCaseSensitive(json, name);
    return cJSON_IsObject(field) ? field : NULL;
}

static bool take_expiry(int64_t *ms, const struct cJSON *json, const char *name) {
    const cJSON *expiry = cJSON_GetObjectItemCaseSensitive(json, name);
    const char *text = cJSON_GetStringValue(expiry);
    *ms = 0;
    if (expiry == NULL || cJSON_IsNull(expiry)) return true;
    if (text != NULL) return s3_date_parse_expiry(text, ms) == 0;
    if (!cJSON_IsNumber(expiry) || !(expiry->valuedouble > 0) || expiry->valuedouble > LATEST_MS) return false;
    *ms = (int64_t)expiry->valuedouble;
    return true;
}

const char *s3_json_credentials(struct s3_credentials *credentials, const struct cJSON *json,
                                const struct s3_json_names *names) {
    struct s3_credentials *c = credentials;
    bool has_token = cJSON_HasObjectItem(json, names->session_token) &&
                     !cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(json, names->session_token));
    if (!s3_json_text(json, names->access_key, c->access_key, sizeof c->access_key) || c->access_key[0] == '\0')
        return "it holds no access key";
    if (!s3_json_text(json, names->secret_key, c->secret_key, sizeof c->secret_key) || c->secret_key[0] == '\0')
        return "it holds no secret key";
    if (!s3_json_text(json, names->session_token, c->session_token, sizeof c->session_token) && has_token)
        return "its session token is no text, or longer than any";
    return take_expiry(&c->expiry_ms, json, names->expiry) ? NULL : "its expiry is no time";
}
