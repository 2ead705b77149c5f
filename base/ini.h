// base/ini.h - configuration files in INI form, read by inih, every mistake with its line.
//
//     [section name]
//     key = value ; comment
//         more of the value            an indented line continues the value before it
//
// inih holds 198 bytes a line and neither reports the line to its handler nor a line that is too
// long; the reader here counts lines and refuses what inih would cut.
#ifndef BASE_INI_H
#define BASE_INI_H

#include "base/err.h"

struct ini_entry {
    const char *section; // "" before the first section
    const char *key;     // "": the section begins here
    const char *value;
    int line;       // 1 = first
    bool continued; // the value continues that of the entry before
};

// Called for each [section] line and each key. Returns false after filling err to stop. Texts are
// valid during the call only.
typedef bool ini_on_entry(void *context, const struct ini_entry *entry, struct tally_err *err);

// Errors: TALLY_IO, TALLY_INVALID with place "PATH:LINE" (a line that is neither a section nor a
// key is told after all others were read), or whatever `on_entry` said, which gets the same place
// unless it set one.
bool ini_read(const char *path, ini_on_entry *on_entry, void *context, struct tally_err *err);

// err_place "PATH:LINE"; of a long path its end, so that the line is always there.
bool ini_place(struct tally_err *err, const char *path, int line);

#endif
