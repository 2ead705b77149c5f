#include "store/cluster/sql.h"

#include <stdarg.h>
#include <stdio.h>

static void put_quoted(struct bytes *sql, char quote, const char *text, size_t count)
{
    bytes_put_u8(sql, (uint8_t)quote);
    for (size_t i = 0; i < count; i++) {
        unsigned char c = (unsigned char)text[i];
        // Texts of feeds need be no UTF-8.
        if (c < ' ' || (c > '~' && quote == '\'')) {
            sql_print(sql, "\\x%02X", c);
            continue;
        }
        if (c == (unsigned char)quote || c == '\\') {
            bytes_put_u8(sql, '\\');
        }
        bytes_put_u8(sql, c);
    }
    bytes_put_u8(sql, (uint8_t)quote);
}

void sql_quote(struct bytes *sql, const char *text, size_t count)
{
    put_quoted(sql, '\'', text, count);
}

void sql_name(struct bytes *sql, const char *name)
{
    put_quoted(sql, '`', name, strlen(name));
}

void sql_print(struct bytes *sql, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int bytes = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (bytes < 0 || !bytes_reserve(sql, (size_t)bytes + 1)) {
        sql->ok = false;
        return;
    }
    va_start(args, format);
    vsnprintf((char *)sql->data + sql->count, (size_t)bytes + 1, format, args);
    va_end(args);
    sql->count += (size_t)bytes;
}

const char *sql_text(struct bytes *sql)
{
    bytes_put_u8(sql, '\0');
    if (!sql->ok) {
        return NULL;
    }
    sql->count--;
    return (const char *)sql->data;
}
