/* Options of curl's easy handles, and what is read out of a URL. */
#include "net/http_easy.h"

#include "base/addr.h"
#include "base/err.h"
#include "net/guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Options must not fail: some of them keep us safe. */
void http_easy_long(CURL *easy, CURLoption option, long value)
{
    CURLcode rc = curl_easy_setopt(easy, option, value);
    BTC_ASSERT(rc == CURLE_OK);
}

/* The same for a string, which curl copies. */
void http_easy_str(CURL *easy, CURLoption option, const char *value)
{
    CURLcode rc = curl_easy_setopt(easy, option, value);
    BTC_ASSERT(rc == CURLE_OK);
}

/* Binds to what the user named, or fails: curl must not guess, nor look an
 * interface up in the DNS. */
void http_easy_interface(CURL *easy, const char *name)
{
    struct addr a;
    char text[80];
    if (name[0] != '\0') {
        bool is_ip = addr_parse_ip(slice_str(name), 0, &a);
        (void)snprintf(text, sizeof(text), "%s!%s", is_ip ? "host" : "if",
                       name);
        http_easy_str(easy, CURLOPT_INTERFACE, text);
    }
}

/* Who vouches for servers: OpenSSL's own variables, which libcurl leaves to its
 * callers. */
void http_easy_trust(CURL *easy)
{
    const char *file = getenv("SSL_CERT_FILE");
    const char *folder = getenv("SSL_CERT_DIR");
    if (file != NULL && file[0] != '\0') {
        http_easy_str(easy, CURLOPT_CAINFO, file);
    }
    if (folder != NULL && folder[0] != '\0') {
        http_easy_str(easy, CURLOPT_CAPATH, folder);
    }
}

/* The first of these that is set. */
static const char *http_easy_set_one(const char *const names[], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && value[0] != '\0') {
            return names[i];
        }
    }
    return NULL;
}

const char *http_easy_proxy(const char *url)
{
    static const char *const plain[] = {"http_proxy", "all_proxy", "ALL_PROXY"};
    static const char *const secure[] = {"https_proxy", "HTTPS_PROXY",
                                         "all_proxy", "ALL_PROXY"};
    if (strncasecmp(url, "https:", 6) == 0) {
        return http_easy_set_one(secure, sizeof(secure) / sizeof(secure[0]));
    }
    return http_easy_set_one(plain, sizeof(plain) / sizeof(plain[0]));
}

/* A proxy does the connecting when one is set: then our addresses are its. */
bool http_easy_has_proxy(void)
{
    return http_easy_proxy("http:") != NULL ||
           http_easy_proxy("https:") != NULL;
}

/* "host:port" of a URL; "" when none can be read. */
void http_easy_host_key(const char *url, char key[HOST_QUEUE_KEY_MAX])
{
    CURLU *u = curl_url();
    char *host = NULL;
    char *port = NULL;
    key[0] = '\0';
    if (u && curl_url_set(u, CURLUPART_URL, url, 0) == 0 &&
        curl_url_get(u, CURLUPART_HOST, &host, 0) == 0 &&
        curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == 0) {
        (void)snprintf(key, HOST_QUEUE_KEY_MAX, "%s:%s", host, port);
    }
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(u);
}

/* The host of a key is local by its name. */
bool http_easy_is_local(const char *key)
{
    char host[HOST_QUEUE_KEY_MAX];
    const char *colon = strrchr(key, ':');
    if (colon == NULL) {
        return false;
    }
    (void)snprintf(host, sizeof(host), "%.*s", (int)(colon - key), key);
    return guard_host_is_local(host);
}
