// report/options.h - the command line of `tally`, read by one table.
//
//     tally [-c FILE | --state DIR] COMMAND [OPTION]... [ARGUMENT]...
//
// The table in options.c says which option belongs to which command; parsing, checks and --help
// all come from it. Options may stand before or behind a command's arguments.
#ifndef REPORT_OPTIONS_H
#define REPORT_OPTIONS_H

#include "base/err.h"
#include "report/print.h"
#include "store/rollup_read.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum options_command {
    COMMAND_NONE,
    COMMAND_ROLLUPS,
    COMMAND_WINDOW,
    COMMAND_SERIES,
    COMMAND_EXPLAIN,
    COMMAND_DIFF,
    COMMAND_CLAIMS,
    COMMAND_FILES,
    COMMAND_VERIFY,
    COMMAND_SALVAGE,
    COMMAND_DUMP,
    COMMAND_REPORT,
    COMMAND_EXPORT,
    COMMAND_STATUS,
    COMMAND_RESCAN,
    COMMAND_WAIT,
};

enum { OPTIONS_WHERE_MAX = 64 };

// Where figures are asked for instead of the rollup file.
enum options_engine { OPTIONS_ENGINE_CONFIGURED, OPTIONS_ENGINE_LEDGER, OPTIONS_ENGINE_CLICKHOUSE };

struct options {
    enum options_command command;
    bool help;
    bool version;
    const char *config; // NULL: not given
    const char *state;
    char **args; // what is left: ROLLUP, files
    size_t args_count;
    uint32_t days; // 0: not given
    bool end_given;
    int32_t end;
    const char *from; // a date or a moment, as the command has it
    const char *to;   // or a file to write
    enum basis basis;
    const char *by;
    const char *where[OPTIONS_WHERE_MAX];
    size_t where_count;
    bool previous;
    bool year_ago;
    const char *sort;
    bool limited;
    uint64_t limit;
    const char *as_of;
    enum options_engine engine;
    bool format_given;
    enum print_format format;
    bool openmetrics; // instead of format
    bool follow;
    const char *socket; // NULL: not given
    bool after_given;
    uint64_t after; // generation
    bool timeout_given;
    uint64_t timeout_s;
    bool rejected;
    bool incidents;
    bool spans;
    bool force;
};

// Errors: TALLY_INVALID with one sentence that says what is right.
bool options_parse(struct options *options, int argc, char **argv, struct tally_err *err);

// What --help prints: of all commands, or of the one that was named.
void options_help(const struct options *options, FILE *out);

const char *options_command_name(enum options_command command);

// "2020-10-24". Errors: TALLY_INVALID naming the option.
bool options_parse_day(const char *option, const char *text, int32_t *out_day,
                       struct tally_err *err);

#endif
