/* Looking up the store's name; see names.h. */
#include "s3/names.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/environment.h"
#include "base/text.h"
#include "s3/handle.h"

#define LOOKUP_TIMEOUT_MS 60000L /* longer than any resolver takes (resolv.conf(5): 3 servers, 2 tries, 5 s) */
#define FRESH_NS          (60 * NS_PER_S)
#define RESOLVE_MAX       1024 /* bytes of a name and its addresses; what doesn't fit is left out */

/* --- the scout --- */

/* Called for each address that was found, in libcurl's order; it gets no socket for any of them. */
static curl_socket_t on_address(void *data, curlsocktype purpose, struct curl_sockaddr *address) {
    struct s3_names *names = data;
    char text[INET6_ADDRSTRLEN];
    const void *number = NULL;
    (void)purpose;
    if (address->family == AF_INET) number = &((struct sockaddr_in *)(void *)&address->addr)->sin_addr;
    if (address->family == AF_INET6) number = &((struct sockaddr_in6 *)(void *)&address->addr)->sin6_addr;
    if (number == NULL || inet_ntop(address->family, number, text, sizeof text) == NULL) return CURL_SOCKET_BAD;
    struct buffer *found = &names->found;
    if (found->length + strlen(text) + 1 > found->limit) return CURL_SOCKET_BAD;
    bool first = found->length > 0 && found->data[found->length - 1] == ':';
    (void)buffer_append_text(found, first ? "" : ",");
    (void)buffer_append_text(found, text);
    return CURL_SOCKET_BAD;
}

static bool configure(struct s3_names *names) {
    CURL *scout = names->scout;
    CURLcode rc = s3_handle_configure(scout, "") ? CURLE_OK : CURLE_OUT_OF_MEMORY;
    if (rc == CURLE_OK) rc = curl_easy_setopt(scout, CURLOPT_SHARE, names->cache);
    if (rc == CURLE_OK) rc = curl_easy_setopt(scout, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
    if (rc == CURLE_OK) rc = curl_easy_setopt(scout, CURLOPT_CONNECT_ONLY, 1L);
    if (rc == CURLE_OK) rc = curl_easy_setopt(scout, CURLOPT_NOPROXY, "*");
    if (rc == CURLE_OK) rc = curl_easy_setopt(scout, CURLOPT_OPENSOCKETFUNCTION, on_address);
    if (rc == CURLE_OK) rc = curl_easy_setopt(scout, CURLOPT_OPENSOCKETDATA, names);
    if (rc == CURLE_OK) rc = curl_easy_setopt(scout, CURLOPT_TIMEOUT_MS, LOOKUP_TIMEOUT_MS);
    if (rc == CURLE_OK) rc = curl_easy_setopt(scout, CURLOPT_CONNECTTIMEOUT_MS, LOOKUP_TIMEOUT_MS);
    return rc == CURLE_OK;
}

static void give_up(struct s3_names *names) {
    if (names->busy) (void)curl_multi_remove_handle(names->multi, names->scout);
    names->busy = false;
}

/* Begins "HOST:PORT:", behind which addresses go. */
static bool begin_found(const struct s3_names *names, struct buffer *found) {
    size_t host = strcspn(names->host, ":");
    buffer_clear(found);
    return buffer_append(found, names->host, host) == 0 && buffer_append_text(found, ":") == 0 &&
           buffer_append_text(found, names->port) == 0 && buffer_append_text(found, ":") == 0;
}

/* Want of memory is one look-up less. */
static void look_up(struct s3_names *names) {
    char url[S3_HOST_SIZE + 16];
    if (names->busy || names->literal || names->through_proxy || names->host[0] == '\0') return;
    if (!begin_found(names, &names->found)) return;
    (void)text_format(url, sizeof url, "%s://%s/", names->scheme, names->host);
    if (curl_easy_setopt(names->scout, CURLOPT_URL, url) != CURLE_OK) return;
    names->busy = curl_multi_add_handle(names->multi, names->scout) == CURLM_OK;
}

/* --- what is known --- */

static void learn(struct s3_names *names, const struct buffer *found, int64_t now_ns) {
    if (found->length == 0 || found->data[found->length - 1] == ':') return; /* nothing was found */
    buffer_clear(&names->known);
    if (buffer_append(&names->known, found->data, found->length) == 0) names->known_ns = now_ns;
}

/* As libcurl decides it, but for no_proxy: then libcurl goes on looking names up itself, which works as well. */
static bool uses_proxy(char *const *environment, const char *scheme) {
    if (environment == NULL) return false;
    static const char *const of_all[] = {"all_proxy", "ALL_PROXY"}, *const of_https[] = {"https_proxy", "HTTPS_PROXY"};
    bool https = strcmp(scheme, "https") == 0;
    for (int i = 0; i < 2; i++) {
        if (environment_get(environment, of_all[i]) != NULL) return true;
        if (https && environment_get(environment, of_https[i]) != NULL) return true;
    }
    return !https && environment_get(environment, "http_proxy") != NULL;
}

int s3_names_init(struct s3_names *names, CURLM *multi, char *const *environment) {
    *names = (struct s3_names){.multi = multi, .environment = environment};
    buffer_init(&names->found, RESOLVE_MAX);
    buffer_init(&names->known, RESOLVE_MAX);
    names->scout = curl_easy_init();
    names->cache = curl_share_init();
    if (names->scout == NULL || names->cache == NULL) return -ENOMEM;
    if (curl_share_setopt(names->cache, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) != CURLSHE_OK) return -ENOMEM;
    return configure(names) ? 0 : -ENOMEM;
}

void s3_names_deinit(struct s3_names *names) {
    if (names->scout != NULL) give_up(names);
    curl_easy_cleanup(names->scout);
    if (names->cache != NULL) (void)curl_share_cleanup(names->cache);
    buffer_deinit(&names->found);
    buffer_deinit(&names->known);
    names->scout = NULL;
    names->cache = NULL;
}

static bool is_literal(const char *host) {
    char name[S3_HOST_SIZE];
    struct in_addr address;
    (void)text_format(name, sizeof name, "%.*s", (int)strcspn(host, ":"), host);
    return host[0] == '[' || inet_pton(AF_INET, name, &address) == 1;
}

/* Another host: what was known was about another. */
static void turn_to(struct s3_names *names, const struct s3_endpoint *endpoint) {
    give_up(names);
    buffer_clear(&names->known);
    (void)text_copy(names->host, sizeof names->host, endpoint->host);
    (void)text_copy(names->scheme, sizeof names->scheme, endpoint->scheme);
    const char *port = strchr(names->host, ':');
    const char *usual = strcmp(names->scheme, "https") == 0 ? "443" : "80";
    (void)text_copy(names->port, sizeof names->port, port != NULL ? port + 1 : usual);
    names->literal = is_literal(names->host);
    names->through_proxy = uses_proxy(names->environment, names->scheme);
}

int s3_names_use(struct s3_names *names, const struct s3_endpoint *endpoint, CURL *easy, struct curl_slist **list,
                 int64_t now_ns) {
    if (strcmp(names->host, endpoint->host) != 0 || strcmp(names->scheme, endpoint->scheme) != 0)
        turn_to(names, endpoint);
    bool known = names->known.length > 0;
    if (known && now_ns - names->known_ns >= FRESH_NS) look_up(names);
    struct curl_slist *fresh = known ? curl_slist_append(NULL, names->known.data) : NULL;
    if (known && fresh == NULL) return -ENOMEM;
    CURLcode rc = curl_easy_setopt(easy, CURLOPT_RESOLVE, fresh);
    curl_slist_free_all(*list);
    *list = fresh;
    return rc == CURLE_OK ? 0 : -ENOMEM;
}

void s3_names_heard(struct s3_names *names, CURL *easy, CURLcode code, int64_t now_ns) {
    char *address = NULL;
    struct buffer found;
    if (code != CURLE_OK) {
        look_up(names);
        return;
    }
    if (names->known.length > 0 || names->literal || names->through_proxy || names->host[0] == '\0') return;
    buffer_init(&found, RESOLVE_MAX);
    if (curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &address) == CURLE_OK && address != NULL &&
        begin_found(names, &found) && buffer_append_text(&found, address) == 0)
        learn(names, &found, now_ns);
    buffer_deinit(&found);
}

void s3_names_finish(struct s3_names *names, int64_t now_ns) {
    give_up(names);
    learn(names, &names->found, now_ns);
}
