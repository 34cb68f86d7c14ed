"""A JPEG's Huffman-coded scan, walked from its first to its last block without making pixels.

Decoders go on through damage and hand out pixels all the same; what they warn of is found here. A block's values are
not kept: of those that a later scan of a progressive file refines, only which are not zero.

The state of reading is (position, bits, count, feigned): the next byte, the last bits read, how many of them are still
to come, and how many of those are zeros made up beyond the last true one, so that one test a block is enough.
"""

import numpy as np

from passband.kernels.cpu.compile import kernel

COMPLETE, CUT, EARLY, BAD_CODE, RESTART = range(5)
OUTCOMES = (
    "complete",
    "the bytes end before the pixels do",
    "data ends before the pixels do",
    "bits that are no code",  # or that place a value outside its block
    "a restart marker is wrong or missing",
)
"""How a walk ends: at the last block, or at what is wrong."""

_FAST_BITS = 9
_LIMITS, _OFFSETS, _SYMBOLS = 2**_FAST_BITS, 2**_FAST_BITS + 17, 2**_FAST_BITS + 34
TABLE = _SYMBOLS + 256
"""Words of a table: entries by the first bits, limits and offsets by length, entries by index."""

# An entry, from its low bits: the symbol (8), its length (5), its length and that of the value after it (6), and how
# many coefficients it goes on by (8), beyond any block at its end.
_LENGTH, _TOTAL, _ADVANCE, _END = 8, 13, 19, 128


@kernel
def fill_table(table, counts, symbols, first_values):
    """Write a code's table, (TABLE,) int32, from `counts`, (16,) by length, and its symbols; False if it is no code.

    `first_values` is 1 for a table of blocks' first values, whose symbols are lengths, and 0 for one of the others'.
    """
    table[:] = 0
    code, index = 0, 0
    for length in range(1, 17):
        table[_OFFSETS + length] = index - code
        for _ in range(counts[length - 1]):
            symbol = np.int64(symbols[index])
            if code >= 1 << length or (first_values == 1 and symbol > 15):
                return False
            size = symbol & 15
            advance = _END if symbol >> 4 < 15 and size == 0 else (symbol >> 4) + 1
            table[_SYMBOLS + index] = symbol | size << _TOTAL | advance << _ADVANCE
            if length <= _FAST_BITS:
                spread = 1 << (_FAST_BITS - length)
                entry = table[_SYMBOLS + index] + (length << _LENGTH | length << _TOTAL)
                table[code * spread : (code + 1) * spread] = entry
            code, index = code + 1, index + 1
        table[_LIMITS + length] = code << (16 - length)
        code <<= 1
    return True


@kernel
def _refill(data, stop, position, bits, count, feigned):
    """Fill fewer than 32 bits up; zeros after a marker or the end. FF 00 stands for the byte FF."""
    if position + 4 <= stop:
        a, b = np.int64(data[position]), np.int64(data[position + 1])
        c, d = np.int64(data[position + 2]), np.int64(data[position + 3])
        if a != 0xFF and b != 0xFF and c != 0xFF and d != 0xFF:
            return position + 4, bits << 32 | a << 24 | b << 16 | c << 8 | d, count + 32, feigned
    while count < 32:
        value, after = np.int64(0), position
        if position < stop:
            value, after = np.int64(data[position]), position + 1
            if value == 0xFF:
                while after < stop and data[after] == 0xFF:
                    after += 1
                if after < stop and data[after] == 0:
                    after += 1
                else:
                    value, after = np.int64(0), position
        if after == position:
            feigned += 8
        position, bits, count = after, bits << 8 | value, count + 8
    return position, bits, count, feigned


@kernel
def _rewind(data, position, count):
    """Return where the first of the last `count` bytes that were read begins."""
    for _ in range(count):
        position -= 1
        if data[position] == 0 and data[position - 1] == 0xFF:
            position -= 1
            while data[position - 1] == 0xFF:
                position -= 1
    return position


@kernel
def _entry(tables, base, bits, count):
    """Return the entry of the next code in the table at `base`; 0 for no code. There are 32 bits or more."""
    ahead = bits >> (count - 16) & 0xFFFF
    entry = np.int64(tables[base + (ahead >> (16 - _FAST_BITS))])
    if entry == 0:
        for length in range(_FAST_BITS + 1, 17):
            if ahead < tables[base + _LIMITS + length]:
                index = tables[base + _OFFSETS + length] + (ahead >> (16 - length))
                return np.int64(tables[base + _SYMBOLS + index]) + (length << _LENGTH | length << _TOTAL)
    return entry


@kernel
def _first_value(data, stop, tables, base, position, bits, count, feigned):
    """Pass a block's first value; the last thing returned is whether there was a code."""
    if count < 32:
        position, bits, count, feigned = _refill(data, stop, position, bits, count, feigned)
    entry = _entry(tables, base, bits, count)
    return position, bits, count - (entry >> _TOTAL & 63), feigned, entry != 0


@kernel
def _other_values(data, stop, tables, base, position, bits, count, feigned):
    """Pass a sequential block's other 63 values. Zeros may run over its end, a value may not."""
    k, entry = np.int64(1), np.int64(1)
    while k < 64 and entry != 0:
        if count < 32:
            position, bits, count, feigned = _refill(data, stop, position, bits, count, feigned)
        entry = _entry(tables, base, bits, count)
        count -= entry >> _TOTAL & 63
        k += entry >> _ADVANCE
    outside = 64 < k < _END and entry & 15 > 0
    return position, bits, count, feigned, entry != 0 and not outside


@kernel
def _first_bits(data, stop, tables, base, position, bits, count, feigned, k, last, nonzero, word):
    """Pass the coefficients k to last of a block in a first progressive scan; also return the run of empty blocks."""
    while k <= last:
        if count < 32:
            position, bits, count, feigned = _refill(data, stop, position, bits, count, feigned)
        entry = _entry(tables, base, bits, count)
        zeros, size = entry >> 4 & 15, entry & 15
        if size == 0 and zeros < 15 and entry != 0:
            count -= (entry >> _LENGTH & 31) + zeros
            return position, bits, count, feigned, True, (1 << zeros) + (bits >> count & ((1 << zeros) - 1))
        count -= entry >> _TOTAL & 63
        k += zeros
        if entry == 0 or (size > 0 and k > last):
            return position, bits, count, feigned, False, np.int64(0)
        if size > 0:
            nonzero[word] |= np.uint64(1) << np.uint64(k)
        k += 1
    return position, bits, count, feigned, True, np.int64(0)


@kernel
def _pass_zeros(data, stop, position, bits, count, feigned, k, last, known, zeros):
    """Go past `zeros` coefficients that were zero, and past those that were not, which have a bit each."""
    while k <= last:
        if known >> np.uint64(k) & np.uint64(1):
            if count == 0:
                position, bits, count, feigned = _refill(data, stop, position, bits, count, feigned)
            count -= 1
        else:
            zeros -= 1
            if zeros < 0:
                break
        k += 1
    return position, bits, count, feigned, k


@kernel
def _next_bits(data, stop, tables, base, position, bits, count, feigned, k, last, nonzero, word, run):
    """Pass the coefficients k to last of a block in a scan that refines them; otherwise as `_first_bits`."""
    known = nonzero[word]
    while run == 0 and k <= last:
        if count < 32:
            position, bits, count, feigned = _refill(data, stop, position, bits, count, feigned)
        entry = _entry(tables, base, bits, count)
        zeros, size = entry >> 4 & 15, entry & 15
        if entry == 0 or size > 1:
            return position, bits, count, feigned, False, run
        if size == 0 and zeros < 15:
            count -= (entry >> _LENGTH & 31) + zeros
            run = (1 << zeros) + (bits >> count & ((1 << zeros) - 1))
            break
        count -= entry >> _TOTAL & 63
        position, bits, count, feigned, k = _pass_zeros(
            data, stop, position, bits, count, feigned, k, last, known, zeros
        )
        if size > 0:
            if k > last:
                return position, bits, count, feigned, False, run
            nonzero[word] |= np.uint64(1) << np.uint64(k)
        k += 1
    if run > 0 and k <= last:
        rest = known >> np.uint64(k) << np.uint64(63 - last + k)
        while rest != 0:
            if count == 0:
                position, bits, count, feigned = _refill(data, stop, position, bits, count, feigned)
            count -= 1
            rest &= rest - np.uint64(1)
    return position, bits, count, feigned, True, run


@kernel
def walk_scan(data, position, tables, parts, columns, rows, restart, band, nonzero):
    """Walk one scan.

    Parameters
    ----------
    data : (N,) uint8, read-only
        The file.
    position : int
        Where the scan's coded bytes begin.
    tables : (8 * TABLE,) int32
        Four for the first value of a block, four for the others.
    parts : (P, 6) int64
        Per component of the scan: blocks across and down in an MCU, its two tables, where its blocks begin in
        `nonzero`, and how many stand in a row there.
    columns, rows : int
        MCUs of the scan.
    restart : int
        MCUs between restart markers; 0: there are none.
    band : (4,) int64
        First and last coefficient; whether the scan refines what was sent; whether the file is progressive.
    nonzero : (B,) uint64
        One word a block, bit k set once coefficient k is not zero; read and written by progressive scans alone.

    Returns
    -------
    outcome, position : int
        One of the outcomes above, and where the first byte stands that the last block did not need.
    """
    stop = data.shape[0]
    first, last, refines, progressive = band[0], band[1], band[2] > 0, band[3] > 0
    bits, count, feigned, run = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    due, marker, row, column = restart, 0, -1, columns - 1
    for _ in range(columns * rows):
        column += 1
        if column == columns:
            column, row = 0, row + 1
        if restart > 0 and due == 0:
            at = position
            while at < stop and data[at] == 0xFF:
                at += 1
            if at >= stop:
                return CUT, position
            if count - feigned >= 8 or at == position or data[at] != 0xD0 + marker:
                return RESTART, position
            position, bits, count, feigned, run = at + 1, np.int64(0), np.int64(0), np.int64(0), np.int64(0)
            due, marker = restart, (marker + 1) & 7
        due -= 1
        for part in range(parts.shape[0]):
            across, down, base = parts[part, 0], parts[part, 1], parts[part, 3] * TABLE
            for _ in range(across * down):
                sound = True
                if first == 0 and refines:
                    if count == 0:
                        position, bits, count, feigned = _refill(data, stop, position, bits, count, feigned)
                    count -= 1
                elif first == 0:
                    position, bits, count, feigned, sound = _first_value(
                        data, stop, tables, parts[part, 2] * TABLE, position, bits, count, feigned
                    )
                if not progressive and sound:
                    position, bits, count, feigned, sound = _other_values(
                        data, stop, tables, base, position, bits, count, feigned
                    )
                elif first > 0:
                    word = parts[part, 4] + row * parts[part, 5] + column  # such a scan is of one component
                    if refines and (run == 0 or nonzero[word] != 0):
                        position, bits, count, feigned, sound, run = _next_bits(
                            *(data, stop, tables, base, position, bits, count, feigned),
                            *(first, last, nonzero, word, run),
                        )
                    elif run == 0 and not refines:
                        position, bits, count, feigned, sound, run = _first_bits(
                            *(data, stop, tables, base, position, bits, count, feigned), *(first, last, nonzero, word)
                        )
                    if run > 0:
                        run -= 1
                if count < feigned or (not sound and count - feigned < 16):
                    return (CUT if position >= stop - 1 else EARLY), position
                if not sound:
                    return BAD_CODE, position
    return COMPLETE, _rewind(data, position, (count - feigned) // 8)
