// store/cluster/transfer.h - one HTTP request to one server, and what came of it.
//
//   transfer_start --multi handle--> ... --> transfer_finish     or transfer_drop
//
// An answer counts only when it is whole. `wait_end_of_query` makes a server keep it back until the
// question is done, so that status 200 says that nothing failed; and an answer that does not say
// where it ends (chunks, a length) is none, since a connection that broke would look like its end.
#ifndef STORE_CLUSTER_TRANSFER_H
#define STORE_CLUSTER_TRANSFER_H

#include "base/bytes.h"
#include "base/err.h"
#include "store/cluster/curl.h"
#include "store/cluster/servers.h"

#include <stddef.h>
#include <stdint.h>

enum { TRANSFER_ID_BYTES = 64 };

struct request {
    const char *sql;
    const struct servers_numbers *numbers;
    size_t numbers_count;
    const struct bytes *rows; // of an insert
    bool outside;             // without the database, which may not be there yet
};

struct transfer {
    CURL *easy; // NULL: none
    curl_mime *mime;
    struct bytes url;
    struct bytes body;
    struct bytes words; // of an answer that is none
    struct bytes *out;
    struct servers *servers;
    const struct curl *curl;
    const char *host;
    char id[TRANSFER_ID_BYTES]; // by which the server knows the question
    bool sized;                 // the answer says where it ends
    bool failed_later;          // a header says that it failed after its status was sent
    bool too_long;
    curl_off_t moved_bytes; // up and down
    uint64_t moved_ns;      // when the last of them did
    char problem[CURL_ERROR_SIZE];
};

// `limit_ms` bounds all of it; 0: no bound but that of connecting.
bool transfer_start(struct servers *servers, struct transfer *transfer,
                    const struct request *request, const char *host, struct bytes *out,
                    uint64_t limit_ms, struct tally_err *err);
// What came of it, by the multi handle's word.
bool transfer_finish(struct servers *servers, struct transfer *transfer, CURLcode result,
                     struct tally_err *err);
void transfer_drop(struct servers *servers, struct transfer *transfer); // none is fine

#endif
