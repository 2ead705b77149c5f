// store/cluster/curl.h - libcurl, loaded when a cluster is used and not before.
//
// Linked in the ordinary way it would cost every `tally` command its start, and most never ask a
// cluster.
#ifndef STORE_CLUSTER_CURL_H
#define STORE_CLUSTER_CURL_H

#include "base/err.h"

#include <stdbool.h>

#include <curl/curl.h>

#define CURL_FUNCTIONS(X)                                                                          \
    X(global_init)                                                                                 \
    X(global_cleanup)                                                                              \
    X(easy_init)                                                                                   \
    X(easy_cleanup)                                                                                \
    X(easy_setopt)                                                                                 \
    X(easy_getinfo)                                                                                \
    X(easy_escape)                                                                                 \
    X(easy_strerror)                                                                               \
    X(free)                                                                                        \
    X(slist_append)                                                                                \
    X(slist_free_all)                                                                              \
    X(mime_init)                                                                                   \
    X(mime_addpart)                                                                                \
    X(mime_name)                                                                                   \
    X(mime_filename)                                                                               \
    X(mime_type)                                                                                   \
    X(mime_data)                                                                                   \
    X(mime_free)                                                                                   \
    X(multi_init)                                                                                  \
    X(multi_cleanup)                                                                               \
    X(multi_add_handle)                                                                            \
    X(multi_remove_handle)                                                                         \
    X(multi_perform)                                                                               \
    X(multi_poll)                                                                                  \
    X(multi_info_read)

struct curl {
    void *library;
#define CURL_MEMBER(name) __typeof__(&curl_##name) name;
    CURL_FUNCTIONS(CURL_MEMBER)
#undef CURL_MEMBER
};

// Errors: TALLY_NOT_FOUND naming the package.
bool curl_load(struct curl *curl, struct tally_err *err);
void curl_unload(struct curl *curl);

#endif
