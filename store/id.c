#include "store/id.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

struct id_parts id_split(const char *id, size_t bytes)
{
    struct id_parts parts = {.head_bytes = bytes};
    uint32_t number = 0;
    uint32_t weight = 1;

    for (size_t digits = 1; digits <= ID_DIGITS_MAX && digits <= bytes; digits++) {
        unsigned digit = (unsigned)(unsigned char)id[bytes - digits] - '0';
        if (digit > 9) {
            break;
        }
        number += digit * weight;
        weight *= 10;
        if (digit != 0) {
            parts = (struct id_parts){.head_bytes = bytes - digits, .number = number};
        }
    }
    return parts;
}

void id_format(const char *head, size_t head_bytes, uint32_t number, struct id_text *out)
{
    assert(head_bytes <= ID_BYTES_MAX);
    memcpy(out->text, head, head_bytes);
    out->text[head_bytes] = '\0';
    out->bytes = head_bytes;
    if (number != 0) {
        out->bytes += (size_t)snprintf(out->text + head_bytes, ID_DIGITS_MAX + 1, "%u", number);
    }
}
