#include "daemon/claim_order.h"

#include "base/checksum.h"
#include "base/disk.h"

#include <fcntl.h>
#include <string.h>

enum { HEAD_BYTES = 16, CHECKSUM_BYTES = 8, NAMES_BYTES_MAX = 1 << 20 };

static const char path[] = "claim-order";
static const char magic[] = "TALLYORD";

int claim_order_open(int state_dir_fd, struct tally_err *err)
{
    return disk_open(state_dir_fd, path, O_RDWR | O_CREAT, 0640, err);
}

bool claim_order_write(int fd, const struct bytes *names, struct tally_err *err)
{
    struct bytes file;

    bytes_init(&file);
    bytes_put(&file, magic, 8);
    bytes_put_u64(&file, names->count);
    bytes_put(&file, names->data, names->count);
    if (file.ok) {
        bytes_put_u64(&file, checksum64(file.data, file.count, 0));
    }
    bool ok = file.ok ? disk_write_at(fd, file.data, file.count, 0, err)
                      : err_set(err, TALLY_NO_MEMORY, "no memory for the order of files");
    bytes_done(&file);
    return ok;
}

// The whole names of a file that is whole.
static bool decode(const unsigned char *data, size_t count, struct bytes *out_names)
{
    struct cursor in = cursor_over(data, count);
    const unsigned char *head = cursor_take(&in, 8);
    uint64_t bytes = cursor_take_u64(&in);

    if (!head || memcmp(head, magic, 8) != 0 || bytes > cursor_left(&in)) {
        return false;
    }
    const unsigned char *names = cursor_take(&in, bytes);
    uint64_t checksum = cursor_take_u64(&in);
    if (!in.ok || bytes == 0 || names[bytes - 1] != '\0' ||
        checksum != checksum64(data, HEAD_BYTES + bytes, 0)) {
        return false;
    }
    bytes_put(out_names, names, bytes);
    return out_names->ok;
}

struct bytes claim_order_read(int state_dir_fd)
{
    struct bytes names;
    struct bytes file;
    struct tally_err ignored;
    int fd = disk_open(state_dir_fd, path, O_RDONLY, 0, &ignored);

    bytes_init(&names);
    bytes_init(&file);
    if (fd >= 0 && bytes_reserve(&file, HEAD_BYTES + NAMES_BYTES_MAX + CHECKSUM_BYTES)) {
        ssize_t got = disk_read_at(fd, file.data, file.capacity, 0, &ignored);
        if (got <= 0 || !decode(file.data, (size_t)got, &names)) {
            bytes_clear(&names);
        }
    }
    if (fd >= 0) {
        disk_close(fd);
    }
    bytes_done(&file);
    return names;
}
