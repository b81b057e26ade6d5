/* Two ways to keys from before there were profiles, which botocore still goes between a web identity and a container's
 * agent: AWS_CREDENTIAL_FILE, and the files of boto 2. They aren't supported; but where they would give keys, going on
 * to the container's or the instance's would be another identity in silence. */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "s3/credentials.h"
#include "s3/ini.h"
#include "s3/path.h"

static enum s3_step refuse(struct s3_fetch *fetch, const char *what) {
    return s3_fetch_fail(
        fetch, S3_STEP_FAILED,
        "no credentials: %.200s, which isn't supported, and other keys aren't taken in its place: move "
        "them to ~/.aws/credentials",
        what);
}

/* Returns whether path, as somebody wrote it, is a file with boto's keys. */
static bool has_keys(const struct s3_fetch *fetch, const char *path) {
    char expanded[S3_PATH_SIZE];
    struct ini ini;
    if (s3_path_expand(expanded, path, fetch->config->sources.environment) != 0 || expanded[0] == '\0') return false;
    ini_init(&ini);
    int rc = ini_read(&ini, expanded);
    bool found = rc == -EILSEQ || /* botocore says that it can't read it, and ends */
                 (rc == 0 && ini_get(&ini, ini_find_section(&ini, "Credentials"), "aws_access_key_id") != NULL);
    ini_deinit(&ini);
    return found;
}

static enum s3_step begin(struct s3_fetch *fetch) {
    char what[300];
    const char *named = s3_fetch_variable(fetch, "BOTO_CONFIG");
    const char *const paths[] = {named != NULL ? named : "/etc/boto.cfg", named != NULL ? named : "~/.boto"};
    if (s3_fetch_variable(fetch, "AWS_CREDENTIAL_FILE") != NULL) return refuse(fetch, "AWS_CREDENTIAL_FILE is set");
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        if (!has_keys(fetch, paths[i])) continue;
        (void)text_format(what, sizeof what, "boto's %.150s may have keys", paths[i]);
        return refuse(fetch, what);
    }
    return S3_STEP_ABSENT;
}

const struct s3_provider s3_provider_retired = {.name = "boto", .begin = begin};
