"""Keys as programs write them, and their packed form, by the format's definition (docs/format.md): independent of the library."""
import struct

BYTES_MAX = 65536  # of a key


def escaped(data):
    return data.replace(b"\0", b"\0\xff") + b"\0\1"


def packed_int(number):
    if number == 0:
        return b"\x14"
    size = (abs(number).bit_length() + 7) // 8
    if number > 0:
        return bytes([0x14 + size]) + number.to_bytes(size, "big")
    return bytes([0x14 - size]) + (number + 2 ** (8 * size) - 1).to_bytes(size, "big")


def packed_float(bits):
    if bits == 1 << 63:
        bits = 0
    flipped = ~bits & 2**64 - 1 if bits >> 63 else bits | 1 << 63
    return b"\x21" + struct.pack(">Q", flipped)


def packed_field(token, descending):
    kind, text = token[0], token[1:]
    if kind == "n":
        data = b"\0"
    elif kind in "tf":
        data = b"\x27" if kind == "t" else b"\x26"
    elif kind in "im":
        data = packed_int(int(text))
    elif kind == "d":
        data = packed_float(int(text, 16))
    elif kind == "u":
        data = b"\x30" + bytes.fromhex(text)
    else:
        data = (b"\1" if kind == "b" else b"\2") + escaped(bytes.fromhex(text))
    return bytes(255 - byte for byte in data) if descending else data


def parse_bytes(token):
    """Bytes as programs write them: in hex, or one of them so often."""
    if token[0] == "x":
        return bytes.fromhex(token[1:])
    count, byte = token[1:].split("*")
    return bytes.fromhex(byte) * int(count)


def split(schema, token):
    """The sort fields and the ride-along fields of a key, as lists of tokens."""
    fields = token.split(",")
    return fields[:len(schema["sort"])], fields[len(schema["sort"]):]


def packed(schema, token):
    """The bytes that order a key, or the leading fields of one; `schema` None: raw."""
    if schema is None:
        return parse_bytes(token)
    return b"".join(packed_field(field, part.get("desc", False)) for field, part in zip(token.split(","), schema["sort"]))


def behind(prefix):
    """The end of the range of keys that begin with `prefix`; None: there is none."""
    while prefix and prefix[-1] == 255:
        prefix = prefix[:-1]
    return prefix[:-1] + bytes([prefix[-1] + 1]) if prefix else None
