/* From curl's codes to ours, and to a sentence that names the host. */
#include "net/http_text.h"

#include "base/err.h"
#include <curl/curl.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define HTTP_HOST_MAX 128 /* of a host in a text */

/* How a group of curl's codes is told. "%h" stands for the host. */
struct http_text {
    int curl_code;
    int code;
    const char *text;
    bool add_curl_text; /* curl knows more */
};

/* clang-format off */
static const struct http_text http_texts[] = {
    {CURLE_URL_MALFORMAT, BTC_E_SYNTAX, "this is not a usable URL", true},
    {CURLE_COULDNT_RESOLVE_HOST, BTC_E_NETWORK,
     "the name %h cannot be resolved; is it spelled right, and the network up?", false},
    {CURLE_COULDNT_RESOLVE_PROXY, BTC_E_NETWORK,
     "the name of the proxy cannot be resolved; see http_proxy in the environment", false},
    {CURLE_PROXY, BTC_E_NETWORK, "the proxy did not let us through to %h", true},
    {CURLE_COULDNT_CONNECT, BTC_E_NETWORK, "cannot connect to %h", true},
    {CURLE_OPERATION_TIMEDOUT, BTC_E_TIMEOUT, "%h did not answer in time", true},
    {CURLE_SSL_CONNECT_ERROR, BTC_E_NETWORK, "no TLS connection to %h", true},
    {CURLE_PEER_FAILED_VERIFICATION, BTC_E_NETWORK,
     "the TLS certificate of %h is not valid here; if you trust it, name its "
     "issuer's file in SSL_CERT_FILE", true},
    {CURLE_SSL_CACERT_BADFILE, BTC_E_NETWORK,
     "no certificates to check %h with; is ca-certificates installed?", true},
    {CURLE_TOO_MANY_REDIRECTS, BTC_E_PROTO, "%h redirects too often", false},
    {CURLE_GOT_NOTHING, BTC_E_CLOSED, "%h closed the connection without an answer", false},
    {CURLE_PARTIAL_FILE, BTC_E_CLOSED, "%h closed the connection before the end of its answer", false},
    {CURLE_RECV_ERROR, BTC_E_CLOSED, "the connection to %h broke", true},
    {CURLE_SEND_ERROR, BTC_E_CLOSED, "the connection to %h broke", true},
    {CURLE_WEIRD_SERVER_REPLY, BTC_E_PROTO, "%h does not speak HTTP", true},
    {CURLE_BAD_CONTENT_ENCODING, BTC_E_PROTO, "the answer of %h cannot be unpacked", true},
    {CURLE_HTTP2, BTC_E_PROTO, "%h broke HTTP/2", true},
    {CURLE_HTTP2_STREAM, BTC_E_PROTO, "%h broke HTTP/2", true},
    {CURLE_OUT_OF_MEMORY, BTC_E_LIMIT, "out of memory", false},
};
/* clang-format on */

/* The host of a URL, "the server" when there is none. */
static void http_text_host(const char *url, char host[HTTP_HOST_MAX])
{
    CURLU *u = curl_url();
    char *part = NULL;
    (void)snprintf(host, HTTP_HOST_MAX, "the server");
    if (u &&
        curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) == 0 &&
        curl_url_get(u, CURLUPART_HOST, &part, 0) == 0 && part[0] != '\0') {
        (void)snprintf(host, HTTP_HOST_MAX, "%s", part);
    }
    curl_free(part);
    curl_url_cleanup(u);
}

/* The names of the statuses that trackers and web servers give. */
static const char *http_text_status(long status)
{
    if (status < 400) {
        return " and no place to go on to";
    }
    switch (status) {
    case 400:
        return " Bad Request";
    case 401:
        return " Unauthorized";
    case 403:
        return " Forbidden";
    case 404:
        return " Not Found";
    case 410:
        return " Gone";
    case 429:
        return " Too Many Requests";
    case 500:
        return " Internal Server Error";
    case 502:
        return " Bad Gateway";
    case 503:
        return " Service Unavailable";
    case 504:
        return " Gateway Timeout";
    default:
        return "";
    }
}

/* Puts a table's text together. */
static void http_text_format(const struct http_text *t,
                             const struct http_failure *f, const char *host,
                             char *text, size_t len)
{
    const char *at = strstr(t->text, "%h");
    bool more = t->add_curl_text && f->curl_text[0] != '\0';
    int before = at ? (int)(at - t->text) : (int)strlen(t->text);
    (void)snprintf(text, len, "%.*s%s%s%s%s", before, t->text, at ? host : "",
                   at ? at + 2 : "", more ? ": " : "",
                   more ? f->curl_text : "");
}

/* A scheme that we do not take, named by the user or by a redirect; or an
 * answer that is no HTTP, which curl tells the same way. */
static int http_text_unsupported(const struct http_failure *f, const char *host,
                                 char *text, size_t len)
{
    if (f->asked > 0) {
        (void)snprintf(text, len, "%s: %s", host, f->curl_text);
        return BTC_E_PROTO;
    }
    (void)snprintf(text, len, "only http and https can be fetched: %s",
                   f->curl_text);
    return BTC_E_UNSUPPORTED;
}

/* A failure of the transfer. */
static int http_text_failure(const struct http_failure *f, const char *host,
                             char *text, size_t len)
{
    struct http_text t = {f->curl_code, BTC_E_NETWORK, "%h", true};
    if (f->limited || f->curl_code == CURLE_FILESIZE_EXCEEDED) {
        (void)snprintf(text, len,
                       "the %s of the answer of %s is larger than "
                       "%zu bytes",
                       f->limited ? f->limited : "body", host, f->limit);
        return BTC_E_LIMIT;
    }
    if (f->curl_code == CURLE_INTERFACE_FAILED) {
        (void)snprintf(text, len, "cannot reach %s from %s: %s", host,
                       f->interface, f->curl_text);
        return BTC_E_NETWORK;
    }
    if (f->curl_code == CURLE_UNSUPPORTED_PROTOCOL) {
        return http_text_unsupported(f, host, text, len);
    }
    if (f->curl_code == CURLE_COULDNT_CONNECT && f->os_error == ECONNREFUSED) {
        (void)snprintf(text, len, "%s refused the connection", host);
        return BTC_E_REFUSED;
    }
    for (size_t i = 0; i < sizeof(http_texts) / sizeof(http_texts[0]); i++) {
        if (http_texts[i].curl_code == f->curl_code) {
            t = http_texts[i];
        }
    }
    http_text_format(&t, f, host, text, len);
    return t.code;
}

/* Nothing came back: that may have been the proxy, which then is the one to
 * look at. curl tells neither which of the two nor, when it is spared the host,
 * that it was none. */
static void http_text_doubt(const struct http_failure *f, char *text,
                            size_t len)
{
    size_t at = strlen(text);
    if (f->proxy != NULL && f->status == 0 &&
        f->curl_code != CURLE_COULDNT_RESOLVE_PROXY &&
        f->curl_code != CURLE_PROXY) {
        (void)snprintf(text + at, len - at,
                       " (if it was not the proxy that %s in the environment "
                       "names)",
                       f->proxy);
    }
}

/* Code and text of a request that has ended. */
int http_text_explain(const struct http_failure *f, char *text, size_t len)
{
    char host[HTTP_HOST_MAX];
    text[0] = '\0';
    if (f->curl_code == CURLE_OK && f->status < 300) {
        return 0;
    }
    http_text_host(f->url, host);
    if (f->curl_code != CURLE_OK) {
        int code = http_text_failure(f, host, text, len);
        if (code == BTC_E_REFUSED || code == BTC_E_NETWORK ||
            code == BTC_E_TIMEOUT || code == BTC_E_CLOSED) {
            http_text_doubt(f, text, len);
        }
        return code;
    }
    (void)snprintf(text, len, "%s answered with HTTP status %ld%s", host,
                   f->status, http_text_status(f->status));
    return 0;
}
