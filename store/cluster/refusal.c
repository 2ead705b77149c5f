#include "store/cluster/refusal.h"

#include <stdint.h>
#include <string.h>

struct meaning {
    int code; // ErrorCodes.cpp of ClickHouse
    enum tally_code means;
};

static const struct meaning MEANINGS[] = {
    {60, TALLY_NOT_FOUND},     // UNKNOWN_TABLE
    {81, TALLY_NOT_FOUND},     // UNKNOWN_DATABASE
    {173, TALLY_NO_MEMORY},    // CANNOT_ALLOCATE_MEMORY
    {241, TALLY_NO_MEMORY},    // MEMORY_LIMIT_EXCEEDED
    {243, TALLY_NO_SPACE},     // NOT_ENOUGH_SPACE
    {32, TALLY_UNAVAILABLE},   // ATTEMPT_TO_READ_AFTER_EOF: a shard's connection ended
    {101, TALLY_UNAVAILABLE},  // UNEXPECTED_PACKET_FROM_CLIENT
    {102, TALLY_UNAVAILABLE},  // UNEXPECTED_PACKET_FROM_SERVER
    {159, TALLY_UNAVAILABLE},  // TIMEOUT_EXCEEDED
    {198, TALLY_UNAVAILABLE},  // DNS_ERROR
    {202, TALLY_UNAVAILABLE},  // TOO_MANY_SIMULTANEOUS_QUERIES
    {203, TALLY_UNAVAILABLE},  // NO_FREE_CONNECTION
    {209, TALLY_UNAVAILABLE},  // SOCKET_TIMEOUT
    {210, TALLY_UNAVAILABLE},  // NETWORK_ERROR
    {225, TALLY_UNAVAILABLE},  // NO_ZOOKEEPER
    {236, TALLY_UNAVAILABLE},  // ABORTED
    {242, TALLY_UNAVAILABLE},  // TABLE_IS_READ_ONLY: ZooKeeper was lost
    {244, TALLY_UNAVAILABLE},  // UNEXPECTED_ZOOKEEPER_ERROR
    {252, TALLY_UNAVAILABLE},  // TOO_MANY_PARTS
    {254, TALLY_UNAVAILABLE},  // NO_ACTIVE_REPLICAS
    {279, TALLY_UNAVAILABLE},  // ALL_CONNECTION_TRIES_FAILED
    {285, TALLY_UNAVAILABLE},  // TOO_FEW_LIVE_REPLICAS
    {286, TALLY_UNAVAILABLE},  // UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
    {289, TALLY_UNAVAILABLE},  // REPLICA_IS_NOT_IN_QUORUM
    {319, TALLY_UNAVAILABLE},  // UNKNOWN_STATUS_OF_INSERT
    {394, TALLY_UNAVAILABLE},  // QUERY_WAS_CANCELLED
    {425, TALLY_UNAVAILABLE},  // SYSTEM_ERROR
    {999, TALLY_UNAVAILABLE},  // KEEPER_EXCEPTION
    {1000, TALLY_UNAVAILABLE}, // POCO_EXCEPTION: connection refused, reset
};

enum { WORDS_BYTES_MAX = 180 };

static int code_of(const char *text, const char **out_rest)
{
    const char *at = strstr(text, "Code: ");
    int code = 0;

    *out_rest = text;
    if (!at) {
        return 0;
    }
    for (at += strlen("Code: "); *at >= '0' && *at <= '9' && code < 100000; at++) {
        code = code * 10 + (*at - '0');
    }
    *out_rest = at;
    return code;
}

// What an exception says, without what stands around it; control characters become blanks.
static void take_words(const char *rest, char words[WORDS_BYTES_MAX])
{
    static const char *const heads[] = {
        "DB::NetException: ", "DB::Exception: ", "e.displayText() = "};
    const char *at = rest;
    size_t bytes = 0;

    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        const char *head = strstr(rest, heads[i]);
        if (head) {
            at = head + strlen(heads[i]);
            break;
        }
    }
    const char *tail = strstr(at, ", e.what() = ");
    tail = tail ? tail : strstr(at, " (version ");
    size_t count = tail ? (size_t)(tail - at) : strlen(at);
    for (; bytes < count && bytes < WORDS_BYTES_MAX - 1; bytes++) {
        unsigned char c = (unsigned char)at[bytes];
        words[bytes] = (char)(c < ' ' || c == 0x7f ? ' ' : c);
    }
    while (bytes > 0 && words[bytes - 1] == ' ') {
        bytes--;
    }
    words[bytes] = '\0';
}

static enum tally_code meaning_of(int code, long status, const char *text)
{
    if (strstr(text, "No space left on device") || strstr(text, "errno: 28,")) {
        return TALLY_NO_SPACE;
    }
    for (size_t i = 0; i < sizeof MEANINGS / sizeof *MEANINGS; i++) {
        if (MEANINGS[i].code == code) {
            return MEANINGS[i].means;
        }
    }
    // Without a code it is no server of ClickHouse's that speaks, but what stands in front of it.
    bool passes = code == 0 && (status >= 500 || status == 408 || status == 429);
    return passes ? TALLY_UNAVAILABLE : TALLY_INVALID;
}

bool refusal_read(const char *host, long status, const char *body, size_t bytes,
                  struct tally_err *err)
{
    char text[4096] = "";
    char words[WORDS_BYTES_MAX];
    const char *rest;

    bytes = bytes < sizeof text - 1 ? bytes : sizeof text - 1;
    for (size_t i = 0; i < bytes; i++) {
        text[i] = body[i] != '\0' ? body[i] : ' ';
    }
    text[bytes] = '\0';
    int code = code_of(text, &rest);
    enum tally_code means = meaning_of(code, status, text);
    take_words(rest, words);
    if (code == 0) {
        return err_set(err, means, "%s answers HTTP %ld: %s", host, status, words);
    }
    return err_set(err, means, "%s refuses (code %d): %s", host, code, words);
}
