"""XXH3 in plain Python, as its specification tells it: 64 bits with a seed, 128 bits without.

Slow (a few hundred kilobytes a second), independent of libxxhash, and enough for a rollup.
"""

import struct

MASK = (1 << 64) - 1
PRIME32 = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D)
PRIME64 = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63,
           0x27D4EB2F165667C5)
PRIME_AVALANCHE = 0x165667919E3779F9
PRIME_RRMXMX = 0x9FB21C651E98DF25
SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f"
    "cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c"
    "3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364"
    "eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e"
    "2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e")
SHORT_SECRET = 136  # how much of the secret the middle lengths know
STRIPE = 64
STRIPES = (len(SECRET) - STRIPE) // 8  # of a block


def word(data, at):
    return int.from_bytes(data[at:at + 8], "little")


def half(data, at):
    return int.from_bytes(data[at:at + 4], "little")


def swapped(number, size):
    return int.from_bytes(number.to_bytes(size, "little"), "big")


def rotated(number, count, bits):
    return (number << count | number >> (bits - count)) & ((1 << bits) - 1)


def folded(a, b):
    product = (a & MASK) * (b & MASK)
    return (product ^ product >> 64) & MASK


def avalanche(h):
    h &= MASK
    h = (h ^ h >> 37) * PRIME_AVALANCHE & MASK
    return h ^ h >> 32


def avalanche_xxh64(h):
    h &= MASK
    h = (h ^ h >> 33) * PRIME64[1] & MASK
    h = (h ^ h >> 29) * PRIME64[2] & MASK
    return h ^ h >> 32


def flip(at, size=8):
    """Two neighbours of the secret, combined."""
    read = word if size == 8 else half
    return read(SECRET, at) ^ read(SECRET, at + size)


def three_bytes(data):
    count = len(data)
    return data[0] << 16 | data[count >> 1] << 24 | data[-1] | count << 8


def mixed(data, at, secret, seed):
    return folded(word(data, at) ^ (word(SECRET, secret) + seed & MASK),
                  word(data, at + 8) ^ (word(SECRET, secret + 8) - seed & MASK))


def seeded_secret(seed):
    words = struct.unpack("<24Q", SECRET)
    return struct.pack("<24Q", *((w - seed if i % 2 else w + seed) & MASK
                                 for i, w in enumerate(words)))


def accumulate(acc, lanes, keys):
    for i in range(8):
        keyed = lanes[i] ^ keys[i]
        acc[i ^ 1] = acc[i ^ 1] + lanes[i] & MASK
        acc[i] = acc[i] + (keyed & 0xFFFFFFFF) * (keyed >> 32) & MASK


def accumulators(data, secret):
    """What more than 240 bytes come to before the end."""
    acc = [PRIME32[2], PRIME64[0], PRIME64[1], PRIME64[2], PRIME64[3], PRIME32[1], PRIME64[4],
           PRIME32[0]]
    keys = [struct.unpack_from("<8Q", secret, 8 * i) for i in range(STRIPES + 1)]
    for i in range((len(data) - 1) // STRIPE):
        accumulate(acc, struct.unpack_from("<8Q", data, STRIPE * i), keys[i % STRIPES])
        if i % STRIPES == STRIPES - 1 and len(data) > STRIPE * (i + 1):
            acc = [(a ^ a >> 47 ^ key) * PRIME32[0] & MASK for a, key in zip(acc, keys[STRIPES])]
    accumulate(acc, struct.unpack_from("<8Q", data, len(data) - STRIPE),
               struct.unpack_from("<8Q", secret, len(secret) - STRIPE - 7))
    return acc


def merged(acc, secret, at, start):
    return avalanche(start + sum(folded(acc[2 * i] ^ word(secret, at + 16 * i),
                                        acc[2 * i + 1] ^ word(secret, at + 16 * i + 8))
                                 for i in range(4)))


def short64(data, seed):
    """Up to 16 bytes."""
    count = len(data)
    if count > 8:
        low = word(data, 0) ^ (flip(24) + seed & MASK)
        high = word(data, count - 8) ^ (flip(40) - seed & MASK)
        return avalanche(count + swapped(low, 8) + high + folded(low, high))
    if count >= 4:
        seed ^= swapped(seed & 0xFFFFFFFF, 4) << 32
        h = half(data, count - 4) + (half(data, 0) << 32) ^ (flip(8) - seed & MASK)
        h ^= rotated(h, 49, 64) ^ rotated(h, 24, 64)
        h = h * PRIME_RRMXMX & MASK
        h = (h ^ (h >> 35) + count) * PRIME_RRMXMX & MASK
        return h ^ h >> 28
    if count:
        return avalanche_xxh64(three_bytes(data) ^ flip(0, 4) + seed)
    return avalanche_xxh64(seed ^ flip(56))


def xxh3_64(data, seed=0):
    count = len(data)
    if count <= 16:
        return short64(data, seed)
    if count <= 128:
        pairs = (count - 1) // 32 + 1
        return avalanche(count * PRIME64[0] + sum(
            mixed(data, 16 * i, 32 * i, seed) + mixed(data, count - 16 * (i + 1), 32 * i + 16, seed)
            for i in range(pairs)))
    if count <= 240:
        h = avalanche(count * PRIME64[0] + sum(mixed(data, 16 * i, 16 * i, seed)
                                               for i in range(8)))
        return avalanche(h + mixed(data, count - 16, SHORT_SECRET - 17, seed) + sum(
            mixed(data, 16 * i, 16 * (i - 8) + 3, seed) for i in range(8, count // 16)))
    secret = seeded_secret(seed) if seed else SECRET
    return merged(accumulators(data, secret), secret, 11, count * PRIME64[0])


def short128(data):
    """Up to 16 bytes; the low half and the high one."""
    count = len(data)
    if count > 8:
        first, last = word(data, 0), word(data, count - 8)
        m = (first ^ last ^ flip(32)) * PRIME64[0]
        low, high = (m & MASK) + (count - 1 << 54) & MASK, m >> 64
        last ^= flip(48)
        high = high + last + (last & 0xFFFFFFFF) * (PRIME32[1] - 1) & MASK
        m = (low ^ swapped(high, 8)) * PRIME64[1]
        return avalanche(m), avalanche((m >> 64) + high * PRIME64[1])
    if count >= 4:
        m = (half(data, 0) + (half(data, count - 4) << 32) ^ flip(16)) * (PRIME64[0] + 4 * count)
        low, high = m & MASK, m >> 64
        high = high + (low << 1) & MASK
        low ^= high >> 3
        low = (low ^ low >> 35) * PRIME_RRMXMX & MASK
        return low ^ low >> 28, avalanche(high)
    if count:
        low = three_bytes(data)
        high = rotated(swapped(low, 4), 13, 32)
        return avalanche_xxh64(low ^ flip(0, 4)), avalanche_xxh64(high ^ flip(8, 4))
    return avalanche_xxh64(flip(64)), avalanche_xxh64(flip(80))


def mixed_pair(acc, data, one, two, secret, seed=0):
    low, high = acc
    low = low + mixed(data, one, secret, seed) ^ word(data, two) + word(data, two + 8)
    high = high + mixed(data, two, secret + 16, seed) ^ word(data, one) + word(data, one + 8)
    return low & MASK, high & MASK


def middle128(data):
    """17 to 240 bytes."""
    count = len(data)
    acc = (count * PRIME64[0], 0)
    if count <= 128:
        for i in reversed(range((count - 1) // 32 + 1)):
            acc = mixed_pair(acc, data, 16 * i, count - 16 * (i + 1), 32 * i)
    else:
        for i in range(4):
            acc = mixed_pair(acc, data, 32 * i, 32 * i + 16, 32 * i)
        acc = avalanche(acc[0]), avalanche(acc[1])
        for i in range(4, count // 32):
            acc = mixed_pair(acc, data, 32 * i, 32 * i + 16, 32 * (i - 4) + 3)
        acc = mixed_pair(acc, data, count - 16, count - 32, SHORT_SECRET - 33)
    low, high = acc
    return (avalanche(low + high),
            -avalanche(low * PRIME64[0] + high * PRIME64[3] + count * PRIME64[1]) & MASK)


def xxh3_128(data):
    """As a number: the low half in its low 64 bits."""
    count = len(data)
    if count <= 16:
        low, high = short128(data)
    elif count <= 240:
        low, high = middle128(data)
    else:
        acc = accumulators(data, SECRET)
        low = merged(acc, SECRET, 11, count * PRIME64[0])
        high = merged(acc, SECRET, len(SECRET) - 64 - 11, ~(count * PRIME64[1]) & MASK)
    return low | high << 64
