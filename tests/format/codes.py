"""What sections are made of: days, texts, varints, bits and monotone lists (reader.py reads with it).

From docs/format.md and Python's standard library alone, as the reader itself.
"""

import struct

LOW_BITS_MAX = 56
NUMBER_BITS_MAX = 100  # m + k


class Refused(Exception):
    """Not a valid file. Says which section and why."""


def need(condition, section, why):
    if not condition:
        raise Refused(f"{section}: {why}")


# ---------------------------------------------------------------- days

def days_before_year(year):
    """From 1970-01-01 to the first of January, proleptic Gregorian, year 0 included."""
    last = year - 1
    return 365 * year + last // 4 - last // 100 + last // 400 + 1 - 719528


def lengths_of_months(year):
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def day_text(day):
    year = 1970 + day * 400 // 146097
    while days_before_year(year) > day:
        year -= 1
    while days_before_year(year + 1) <= day:
        year += 1
    rest = day - days_before_year(year)
    month = 0
    while rest >= lengths_of_months(year)[month]:
        rest -= lengths_of_months(year)[month]
        month += 1
    return f"{'-' if year < 0 else ''}{abs(year):04}-{month + 1:02}-{rest + 1:02}"


def day_number(text):
    year, month, day = text.rsplit("-", 2)
    return days_before_year(int(year)) + sum(lengths_of_months(int(year))[:int(month) - 1]) \
        + int(day) - 1


# ---------------------------------------------------------------- bytes and bits

def text_of(data):
    return data.decode(errors="surrogateescape")  # names of files need not be UTF-8


def bytes_of(text):
    return text.encode(errors="surrogateescape")


class Bytes:
    """A cursor over one section."""

    def __init__(self, data, section):
        self.data = data
        self.section = section
        self.at = 0

    def need(self, condition, why):
        need(condition, self.section, f"{why}, at byte {self.at}")

    def take(self, count):
        self.need(count <= len(self.data) - self.at, "goes on behind the end")
        self.at += count
        return self.data[self.at - count:self.at]

    def unpack(self, form):
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))

    def number(self, form):
        return self.unpack(form)[0]

    def varint(self):
        value = 0
        for i in range(10):
            byte = self.number("B")
            value |= (byte & 0x7F) << 7 * i
            if byte < 0x80:
                self.need(value < 1 << 64 and (byte or not i), "a varint too great or too long")
                return value
        raise Refused(f"{self.section}: a varint of more than ten bytes")

    def text(self):
        return text_of(self.take(self.varint()))

    def several(self, most, take):
        count = self.varint()
        self.need(count <= most, f"more than {most}")
        return [take() for _ in range(count)]

    def fill(self):
        self.need(not any(self.take(-self.at % 8)), "the filling is not zero")

    def bits(self, count):
        """`count` bits in words of 8 bytes; those behind them are zero."""
        bits = Bits(self.take((count + 63) // 64 * 8), self.section)
        self.need(bits.number >> count == 0, "the filling is not zero")
        return bits

    def end(self):
        self.need(self.at == len(self.data), "the section goes on behind its content")


class Bits:
    """A cursor over a string of bits."""

    def __init__(self, data, section):
        self.number = int.from_bytes(data, "little")
        self.count = 8 * len(data)
        self.section = section
        self.at = 0

    def take(self, width):
        need(width <= self.count - self.at, self.section, "a code goes on behind the end")
        self.at += width
        return self.number >> (self.at - width) & ((1 << width) - 1)

    def unary(self):
        rest = self.number >> self.at
        need(rest, self.section, "a unary code goes on behind the end")
        zeros = (rest & -rest).bit_length() - 1
        self.at += zeros + 1
        return zeros

    def rice(self, k):
        high = self.unary()
        return high << k | self.take(k)

    def golomb(self, k):
        m = self.unary()
        need(m + k <= NUMBER_BITS_MAX, self.section, "a number of too many bits")
        return ((1 << m | self.take(m)) - 1) << k | self.take(k)

    def ones(self):
        """Where all ones stand."""
        text = bin(self.number)[:1:-1]
        return [i for i, bit in enumerate(text) if bit == "1"]


def zigzag(value):
    return ~(value >> 1) if value & 1 else value >> 1


def to_zigzag(value):
    return ~value << 1 | 1 if value < 0 else value << 1


def monotone(cursor):
    count, low_bits, last_high = cursor.unpack("IIQ")
    cursor.need(low_bits <= LOW_BITS_MAX, "a list with low parts that are too wide")
    cursor.need(count or not last_high, "an empty list with a last number")
    low = cursor.bits(count * low_bits)
    bits = count + last_high + 1
    cursor.need(bits <= 8 * len(cursor.data), "a list behind the end")
    ones = cursor.bits(bits).ones()
    cursor.need(len(ones) == count, "a list whose count is another")
    cursor.need(not count or ones[-1] == bits - 2, "a list that ends before its last number")
    ranks = cursor.unpack(f"{(bits + 511) // 512}I")
    for i, rank in enumerate(ranks):
        cursor.need(rank == sum(p < 512 * i for p in ones), "a list with wrong ranks")
    cursor.fill()
    numbers = [p - i << low_bits | low.take(low_bits) for i, p in enumerate(ones)]
    cursor.need(numbers == sorted(numbers), "a list out of order")
    return numbers
