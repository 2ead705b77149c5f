#include "store/cluster/transfer.h"

#include "base/clock.h"
#include "store/cluster/refusal.h"
#include "store/cluster/servers_private.h"
#include "store/cluster/sql.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
    WORDS_BYTES_MAX = 4096,
    ANSWER_BUFFER_BYTES = 16 << 20, // kept in the server's memory; more goes to its disk
    URL_BYTES_MAX = 16000,          // 18.16 takes 16384
    CONNECT_MS_MAX = 5000,
    RECEIVE_BUFFER_BYTES = 256 << 10,
};

static size_t on_header(char *line, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    size_t bytes = size * count;
    static const char length[] = "content-length:";
    static const char encoding[] = "transfer-encoding:";
    static const char code[] = "x-clickhouse-exception-code:";

    if (bytes >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        transfer->sized = false;
    }
    if ((bytes >= sizeof length - 1 && strncasecmp(line, length, sizeof length - 1) == 0) ||
        (bytes >= sizeof encoding - 1 && strncasecmp(line, encoding, sizeof encoding - 1) == 0)) {
        transfer->sized = true;
    }
    if (bytes >= sizeof code - 1 && strncasecmp(line, code, sizeof code - 1) == 0) {
        transfer->failed_later = true;
    }
    return bytes;
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    size_t bytes = size * count;
    long status = 0;

    transfer->curl->easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200 || transfer->failed_later) {
        size_t room = WORDS_BYTES_MAX - transfer->words.count;
        bytes_put(&transfer->words, data, bytes < room ? bytes : room);
        return bytes;
    }
    struct servers *servers = transfer->servers;
    if (bytes > servers->answer_bytes_max - servers->answer_bytes) {
        transfer->too_long = true;
        return 0;
    }
    servers->answer_bytes += bytes;
    bytes_put(transfer->out, data, bytes);
    return transfer->out->ok ? bytes : 0;
}

static int on_progress(void *context, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    struct transfer *transfer = context;

    (void)down_total;
    (void)up_total;
    if (down + up != transfer->moved_bytes) {
        transfer->moved_bytes = down + up;
        transfer->moved_ns = clock_ticks_ns();
    }
    return 0;
}

static void put_escaped(const struct transfer *transfer, struct bytes *url, const char *name,
                        const char *text)
{
    size_t bytes = strlen(text);
    char *escaped = transfer->curl->easy_escape(transfer->easy, text, (int)bytes);

    sql_print(url, "&%s=", name);
    if (!escaped && bytes > 0) {
        url->ok = false;
    } else if (escaped) {
        bytes_put(url, escaped, strlen(escaped));
    }
    transfer->curl->free(escaped);
}

// "IN committed" becomes "IN (1, 2, 3)": for a statement too long to stand in a URL.
static void put_inlined(struct bytes *sql, const struct servers_numbers *numbers)
{
    if (numbers->count == 0) {
        sql_print(sql, "(SELECT toUInt64(0) WHERE 0)");
        return;
    }
    for (size_t i = 0; i < numbers->count; i++) {
        sql_print(sql, "%s%" PRIu64, i == 0 ? "(" : ",", numbers->number[i]);
    }
    sql_print(sql, ")");
}

static bool goes_on(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static const struct servers_numbers *numbers_at(const struct request *request, const char *at)
{
    for (size_t i = 0; i < request->numbers_count; i++) {
        size_t bytes = strlen(request->numbers[i].name);
        if (strncmp(at, request->numbers[i].name, bytes) == 0 && !goes_on(at[bytes])) {
            return &request->numbers[i];
        }
    }
    return NULL;
}

// Where a text or a name in quotes ends that begins at `at`.
static const char *behind_quoted(const char *at)
{
    char quote = *at++;

    while (*at != '\0' && *at != quote) {
        at += at[0] == '\\' && at[1] != '\0' ? 2 : 1;
    }
    return *at == '\0' ? at : at + 1;
}

// What stands in quotes is a text of a feed, whatever it says.
static void put_statement(struct bytes *sql, const struct request *request)
{
    static const char in[] = " IN ";

    for (const char *at = request->sql; *at != '\0';) {
        const struct servers_numbers *numbers = NULL;
        if (strncmp(at, in, sizeof in - 1) == 0) {
            numbers = numbers_at(request, at + sizeof in - 1);
        }
        if (numbers) {
            sql_print(sql, "%s", in);
            put_inlined(sql, numbers);
            at += sizeof in - 1 + strlen(numbers->name);
            continue;
        }
        const char *end = *at == '\'' || *at == '`' ? behind_quoted(at) : at + 1;
        bytes_put(sql, at, (size_t)(end - at));
        at = end;
    }
}

static void put_address(const struct servers *servers, struct transfer *transfer,
                        const struct request *request)
{
    struct bytes *url = &transfer->url;

    bytes_clear(url);
    sql_print(url,
              "%s://%s/?default_format=RowBinary&wait_end_of_query=1&buffer_size=%d&query_id=%s",
              servers->options->tls ? "https" : "http", transfer->host, ANSWER_BUFFER_BYTES,
              transfer->id);
    if (!request->outside) {
        put_escaped(transfer, url, "database", servers->options->database);
    }
}

// Numbers go as the parts of a form; then the statement has to stand in the URL.
static bool put_form(struct transfer *transfer, const struct request *request)
{
    const struct curl *curl = transfer->curl;

    for (size_t i = 0; i < request->numbers_count; i++) {
        sql_print(&transfer->url, "&%s_structure=n%%20UInt64&%s_format=RowBinary",
                  request->numbers[i].name, request->numbers[i].name);
    }
    put_escaped(transfer, &transfer->url, "query", request->sql);
    if (transfer->url.count > URL_BYTES_MAX || !transfer->url.ok) {
        return false;
    }
    transfer->mime = curl->mime_init(transfer->easy);
    for (size_t i = 0; i < request->numbers_count; i++) {
        const struct servers_numbers *numbers = &request->numbers[i];
        curl_mimepart *part = transfer->mime ? curl->mime_addpart(transfer->mime) : NULL;
        // RowBinary is little-endian, as is every machine that tallyd is built for.
        if (!part || curl->mime_name(part, numbers->name) != CURLE_OK ||
            curl->mime_filename(part, numbers->name) != CURLE_OK ||
            curl->mime_type(part, "application/octet-stream") != CURLE_OK ||
            curl->mime_data(part, (const char *)numbers->number,
                            numbers->count * sizeof *numbers->number) != CURLE_OK) {
            transfer->url.ok = false;
            return false;
        }
    }
    curl->easy_setopt(transfer->easy, CURLOPT_MIMEPOST, transfer->mime);
    return true;
}

static void set_body(struct transfer *transfer, const struct bytes *body)
{
    transfer->curl->easy_setopt(transfer->easy, CURLOPT_POST, 1L);
    transfer->curl->easy_setopt(transfer->easy, CURLOPT_POSTFIELDS, (const char *)body->data);
    transfer->curl->easy_setopt(transfer->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                                (curl_off_t)body->count);
}

static bool put_request(struct servers *servers, struct transfer *transfer,
                        const struct request *request)
{
    put_address(servers, transfer, request);
    if (request->rows) {
        sql_print(&transfer->url, "&insert_distributed_sync=1");
        put_escaped(transfer, &transfer->url, "query", request->sql);
        set_body(transfer, request->rows);
        return transfer->url.ok;
    }
    if (request->numbers_count > 0) {
        if (put_form(transfer, request)) {
            return true;
        }
        put_address(servers, transfer, request);
        sql_print(&transfer->url,
                  "&max_query_size=%d&max_ast_elements=%d&"
                  "max_expanded_ast_elements=%d",
                  1 << 30, 1 << 30, 1 << 30);
    }
    put_statement(&transfer->body, request);
    set_body(transfer, &transfer->body);
    return transfer->url.ok && transfer->body.ok;
}

static void set_options(const struct servers *servers, struct transfer *transfer, uint64_t limit_ms)
{
    const struct cluster_options *options = servers->options;
    CURL *easy = transfer->easy;
    __typeof__(&curl_easy_setopt) set = transfer->curl->easy_setopt;
    uint64_t connect_ms =
        options->timeout_ms < CONNECT_MS_MAX ? options->timeout_ms : CONNECT_MS_MAX;

    set(easy, CURLOPT_URL, (const char *)transfer->url.data);
    set(easy, CURLOPT_HTTPHEADER, servers->headers);
    set(easy, CURLOPT_PRIVATE, transfer);
    set(easy, CURLOPT_ERRORBUFFER, transfer->problem);
    set(easy, CURLOPT_NOSIGNAL, 1L);
    set(easy, CURLOPT_PROXY, "");
    set(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    set(easy, CURLOPT_BUFFERSIZE, (long)RECEIVE_BUFFER_BYTES);
    set(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    set(easy, CURLOPT_TIMEOUT_MS, (long)limit_ms);
    set(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    set(easy, CURLOPT_TCP_KEEPIDLE, 20L);
    set(easy, CURLOPT_TCP_KEEPINTVL, 10L);
    set(easy, CURLOPT_HEADERFUNCTION, on_header);
    set(easy, CURLOPT_HEADERDATA, transfer);
    set(easy, CURLOPT_WRITEFUNCTION, on_body);
    set(easy, CURLOPT_WRITEDATA, transfer);
    set(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    set(easy, CURLOPT_XFERINFODATA, transfer);
    set(easy, CURLOPT_NOPROGRESS, 0L);
    if (options->ca_file) {
        set(easy, CURLOPT_CAINFO, options->ca_file);
    }
}

bool transfer_start(struct servers *servers, struct transfer *transfer,
                    const struct request *request, const char *host, struct bytes *out,
                    uint64_t limit_ms, struct tally_err *err)
{
    *transfer = (struct transfer){
        .curl = &servers->curl,
        .host = host,
        .out = out,
        .servers = servers,
        .moved_ns = clock_ticks_ns(),
        .easy = servers->curl.easy_init(),
    };
    bytes_init(&transfer->url);
    bytes_init(&transfer->body);
    bytes_init(&transfer->words);
    snprintf(transfer->id, sizeof transfer->id, "tally-%016" PRIx64 "-%" PRIu64, servers->run,
             ++servers->asked);
    if (!transfer->easy || !put_request(servers, transfer, request) || !sql_text(&transfer->url)) {
        transfer_drop(servers, transfer);
        return err_set(err, TALLY_NO_MEMORY, "no memory for a request");
    }
    set_options(servers, transfer, limit_ms);
    if (servers->curl.multi_add_handle(servers->multi, transfer->easy) != CURLM_OK) {
        transfer_drop(servers, transfer);
        return err_set(err, TALLY_NO_MEMORY, "no memory for a request");
    }
    return true;
}

void transfer_drop(struct servers *servers, struct transfer *transfer)
{
    if (transfer->easy) {
        servers->curl.multi_remove_handle(servers->multi, transfer->easy);
        servers->curl.easy_cleanup(transfer->easy);
        servers->curl.mime_free(transfer->mime);
    }
    bytes_done(&transfer->url);
    bytes_done(&transfer->body);
    bytes_done(&transfer->words);
    *transfer = (struct transfer){.easy = NULL};
}

static bool judge(const struct servers *servers, const struct transfer *transfer, CURLcode result,
                  struct tally_err *err)
{
    long status = 0;
    bool no_memory = !transfer->out->ok || result == CURLE_OUT_OF_MEMORY;

    if (transfer->too_long) {
        return err_set(err, TALLY_NO_MEMORY, "%s: answers of more than %zu bytes", transfer->host,
                       servers->answer_bytes_max);
    }
    if (no_memory) {
        return err_set(err, TALLY_NO_MEMORY, "%s: no memory for an answer", transfer->host);
    }
    if (result != CURLE_OK) {
        // A certificate that is not believed will not be the next time either.
        bool for_good = result == CURLE_PEER_FAILED_VERIFICATION ||
                        result == CURLE_SSL_CACERT_BADFILE || result == CURLE_URL_MALFORMAT;
        return err_set(err, for_good ? TALLY_INVALID : TALLY_UNAVAILABLE, "%s: %s", transfer->host,
                       transfer->problem[0] != '\0' ? transfer->problem
                                                    : servers->curl.easy_strerror(result));
    }
    servers->curl.easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200 || transfer->failed_later) {
        return refusal_read(transfer->host, status, (const char *)transfer->words.data,
                            transfer->words.count, err);
    }
    if (!transfer->sized) {
        return err_set(err, TALLY_UNAVAILABLE, "%s: an answer that does not say where it ends",
                       transfer->host);
    }
    return true;
}

bool transfer_finish(struct servers *servers, struct transfer *transfer, CURLcode result,
                     struct tally_err *err)
{
    bool ok = judge(servers, transfer, result, err);
    transfer_drop(servers, transfer);
    return ok;
}
