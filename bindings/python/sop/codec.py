"""How values become bytes and come back."""

from __future__ import annotations

import json
from typing import Any, Optional, Protocol, Tuple, TypeVar

from .key import KeyType

V = TypeVar("V")


class Codec(Protocol[V]):
    """What a value codec has. `decode(encode(value))` is `value`; both may raise, and then nothing was done."""

    def encode(self, value: V, /) -> bytes:
        """The bytes that are stored."""
        ...

    def decode(self, data: bytes, /) -> V:
        """The value that stored bytes are."""
        ...


class BytesCodec(KeyType[bytes]):
    """Bytes as they are: as the values of a store, and as its raw keys."""

    def encode(self, value: bytes, /) -> bytes:
        """The same bytes."""
        return bytes(value)

    def decode(self, data: bytes, /) -> bytes:
        """The same bytes."""
        return data


class Int64Codec:
    """An integer of 8 bytes, little-endian, -2^63 to 2^63-1: what add, min and max work on."""

    def encode(self, value: int, /) -> bytes:
        return value.to_bytes(8, "little", signed=True)

    def decode(self, data: bytes, /) -> int:
        return int.from_bytes(data, "little", signed=True)


class JsonCodec:
    """JSON in compact UTF-8, which the other languages and sopctl read. NaN and infinities are refused."""

    def __init__(self) -> None:
        self._encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        self._decoder = json.JSONDecoder()

    def encode(self, value: Any, /) -> bytes:
        return self._encoder.encode(value).encode()

    def decode(self, data: bytes, /) -> Any:
        return self._decoder.decode(data.decode())

    def __reduce__(self) -> str:
        return "JSON"

    def parts(self) -> Tuple[Any, Any, Any]:
        """To text, from text, and the scanner behind the latter, which the extension may call at once."""
        return self._encoder.encode, self._decoder.decode, getattr(self._decoder, "scan_once", None)


BYTES = BytesCodec(None)
INT64 = Int64Codec()
JSON = JsonCodec()


def native_parts(codec: Any) -> Tuple[int, Any, Any, Optional[Any]]:
    """What the extension needs of a codec: its kind, and functions where it does not know it."""
    if isinstance(codec, BytesCodec):
        return 0, None, None, None
    if isinstance(codec, Int64Codec):
        return 1, None, None, None
    if isinstance(codec, JsonCodec):
        return (2, *codec.parts())
    encode, decode = getattr(codec, "encode", None), getattr(codec, "decode", None)
    if isinstance(codec, type) or not callable(encode) or not callable(decode):
        raise TypeError(f"{codec!r} declares no values: use sop.JSON and its like, or an object with encode and decode")
    return 3, encode, decode, None
