// tests/fuzz/fuzz_control.c - any bytes as what a client sends to the control socket.
//
// The first byte says how the rest is cut into reads; the rest is what is sent.
//
// Oracles: however the bytes are cut, the same lines give the same answers in the same order. There
// is one answer a line end, up to a line that is too long. A request that is taken is one of a few
// sentences, told here again without a JSON library: without its blanks, and whatever the order of
// its members, it reads as one of them (or escapes a letter, which this reader leaves alone). What
// is refused says so in a short line of printable ASCII.
#include "daemon/control_request.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { ANSWERS_MAX = 1 << 16, REFUSED = -1 };

struct answers {
    int answer[ANSWERS_MAX]; // REFUSED, or what * 2 + follow
    size_t count;
    bool too_long;
};

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// What a request of no escapes and no blanks within its words says.
static int read_plainly(const char *line, size_t bytes)
{
    static const struct {
        const char *text;
        int answer;
    } known[] = {{"{\"do\":\"status\"}", 0},
                 {"{\"do\":\"metrics\"}", 2},
                 {"{\"do\":\"rescan\"}", 4},
                 {"{\"do\":\"status\",\"follow\":true}", 1},
                 {"{\"follow\":true,\"do\":\"status\"}", 1},
                 {"{\"do\":\"status\",\"follow\":false}", 0},
                 {"{\"follow\":false,\"do\":\"status\"}", 0}};
    char plain[64];
    size_t used = 0;

    for (size_t i = 0; i < bytes; i++) {
        if (!is_blank(line[i]) && used < sizeof plain - 1) {
            plain[used++] = line[i];
        }
    }
    plain[used] = '\0';
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(plain, known[i].text) == 0) {
            return known[i].answer;
        }
    }
    return REFUSED;
}

static int answer_of(const struct control_line *line)
{
    struct control_request request;
    struct tally_err err = {.code = TALLY_OK};

    require(line->used <= CONTROL_LINE_BYTES);
    if (!control_parse(line->text, line->used, &request, &err)) {
        require(err.code == TALLY_INVALID && err.message[0]);
        for (const char *at = err.message; *at; at++) {
            require(*at >= ' ' && *at <= '~');
        }
        return REFUSED;
    }
    int answer = (int)request.what * 2 + request.follow;
    require(answer == 0 || answer == 1 || answer == 2 || answer == 4);
    if (!memchr(line->text, '\\', line->used)) {
        require(read_plainly(line->text, line->used) == answer);
    }
    return answer;
}

static void send(struct answers *answers, const char *data, size_t bytes, size_t piece)
{
    struct control_line *line = calloc(1, sizeof *line);

    require(line);
    for (size_t at = 0; at < bytes && !answers->too_long;) {
        size_t count = piece < bytes - at ? piece : bytes - at;
        size_t taken = 0;
        enum control_step step = control_feed(line, data + at, count, &taken);
        require(taken > 0 && taken <= count);
        at += taken;
        answers->too_long = step == CONTROL_TOO_LONG;
        if (step == CONTROL_COMPLETE && answers->count < ANSWERS_MAX) {
            answers->answer[answers->count++] = answer_of(line);
            line->used = 0;
        }
    }
    free(line);
}

static void check_count(const struct answers *answers, const char *data, size_t bytes)
{
    size_t lines = 0;
    size_t since = 0; // the last line end
    bool too_long = false;

    for (size_t i = 0; i < bytes && !too_long; i++) {
        since = data[i] == '\n' ? 0 : since + 1;
        lines += data[i] == '\n';
        too_long = since > CONTROL_LINE_BYTES;
    }
    require(answers->too_long == too_long);
    require(lines >= ANSWERS_MAX || answers->count == lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes == 0) {
        return 0;
    }
    const char *sent = (const char *)data + 1;
    struct answers *whole = calloc(1, sizeof *whole);
    struct answers *pieces = calloc(1, sizeof *pieces);
    require(whole && pieces);
    send(whole, sent, bytes - 1, bytes);
    send(pieces, sent, bytes - 1, (size_t)data[0] + 1);
    check_count(whole, sent, bytes - 1);
    require(whole->count == pieces->count && whole->too_long == pieces->too_long);
    require(memcmp(whole->answer, pieces->answer, whole->count * sizeof *whole->answer) == 0);
    free(whole);
    free(pieces);
    return 0;
}
