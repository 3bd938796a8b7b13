/* What a failed request means, in our codes and in words for a person. For
 * http.c only.
 */
#ifndef BTC_NET_HTTP_TEXT_H
#define BTC_NET_HTTP_TEXT_H

#include <stddef.h>

struct http_failure {
    int curl_code;         /* CURLcode */
    long status;           /* HTTP status, 0 = none */
    long os_error;         /* errno of a failed connect */
    long asked;            /* bytes of requests sent; 0 = never got there */
    const char *limited;   /* what was too large, NULL = nothing */
    size_t limit;          /* its limit in bytes */
    const char *interface; /* what to bind to, "" = nothing */
    const char *curl_text; /* curl's own text, "" = none */
    const char *proxy;     /* the variable that names one, NULL = none */
    const char *url;       /* the last URL; only its host is shown */
};

/* 0 or BTC_E_*. The text is "" for a success below status 300. It names the
 * host only: the rest of a tracker's URL may hold a passkey. */
int http_text_explain(const struct http_failure *f, char *text, size_t len);

#endif
