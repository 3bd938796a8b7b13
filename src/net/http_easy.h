/* Options of curl's easy handles, and what is read out of a URL. For http.c
 * alone. */
#ifndef BTC_NET_HTTP_EASY_H
#define BTC_NET_HTTP_EASY_H

#include "net/host_queue.h"

#include <curl/curl.h>

/* Options must not fail, since some of them keep us safe: these abort. */
void http_easy_long(CURL *easy, CURLoption option, long value);
void http_easy_str(CURL *easy, CURLoption option, const char *value);
/* Binds to an address or a device; "" is any. */
void http_easy_interface(CURL *easy, const char *name);
/* Trusts whom SSL_CERT_FILE and SSL_CERT_DIR name. */
void http_easy_trust(CURL *easy);
/* The variable of the environment that names the proxy for this URL; NULL =
 * none does. (no_proxy may spare its host.) */
const char *http_easy_proxy(const char *url);
/* A proxy of the environment does the connecting. */
bool http_easy_has_proxy(void);
/* "host:port" of a URL; "" when none can be read. */
void http_easy_host_key(const char *url, char key[HOST_QUEUE_KEY_MAX]);
/* The host of such a key is local by its name. */
bool http_easy_is_local(const char *key);

#endif
