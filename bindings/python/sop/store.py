"""Declarations of stores."""

from __future__ import annotations

from typing import Any, Generic, Type, TypeVar, Union, overload

from . import _raw
from .codec import BYTES, Codec, native_parts
from .key import KeyType, codec_of

K = TypeVar("K")
V = TypeVar("V")
GivenKey = TypeVar("GivenKey")
GivenValue = TypeVar("GivenValue")


class Store(Generic[K, V]):
    """What a program expects of a store, as a constant of a module:

        USERS = sop.Store("users", key=sop.STR, value=sop.JSON)

    name:       1 to 255 bytes of UTF-8 without control characters
    key:        sop.BYTES (raw bytes, the default), sop.STR, INT, FLOAT, BOOL, UUID, TIME, or a class derived from sop.Key
    value:      sop.BYTES (the default), sop.JSON, sop.INT64, or an object with encode and decode
    duplicates: whether equal keys are kept, in the order in which they came
    node_items: items in a node of the tree, 4 to 20000; 0: as many as fit

    A declaration does nothing: db[STORE] and tx[STORE] use it, the first write creates the store, and one that is there
    with another schema is a SchemaError that names the difference. It may be used with any number of databases.
    """

    __slots__ = ("_codec", "_parts", "duplicates", "key", "name", "node_items", "value")

    @overload
    def __init__(self: Store[bytes, bytes], name: str, *, duplicates: bool = False, node_items: int = 0) -> None: ...
    @overload
    def __init__(
        self: Store[bytes, GivenValue],
        name: str,
        *,
        value: Codec[GivenValue],
        duplicates: bool = False,
        node_items: int = 0,
    ) -> None: ...
    @overload
    def __init__(
        self: Store[GivenKey, bytes],
        name: str,
        *,
        key: Union[KeyType[GivenKey], Type[GivenKey]],
        duplicates: bool = False,
        node_items: int = 0,
    ) -> None: ...
    @overload
    def __init__(
        self: Store[GivenKey, GivenValue],
        name: str,
        *,
        key: Union[KeyType[GivenKey], Type[GivenKey]],
        value: Codec[GivenValue],
        duplicates: bool = False,
        node_items: int = 0,
    ) -> None: ...
    def __init__(
        self, name: str, *, key: Any = BYTES, value: Any = BYTES, duplicates: bool = False, node_items: int = 0
    ) -> None:
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"the name of a store is a str, not {type(name).__name__}")
        self.name = name
        self.key = key
        self.value = value
        self.duplicates = duplicates
        self.node_items = node_items
        self._codec = codec_of(key)
        self._parts = native_parts(value)

    def schema(self) -> str:
        """The schema of its keys as canonical JSON, "" for raw bytes."""
        return self._codec.schema() or ""

    def pack(self, key: K) -> bytes:
        """The bytes that `key` is stored under."""
        return self._codec.pack(key)

    def pack_prefix(self, *fields: Any) -> bytes:
        """The bytes with which all packed keys begin that have these leading fields; of raw keys one of bytes, itself."""
        kind = self._codec.single_type()
        if kind != _raw.SOP_TYPE_NULL and len(fields) > 1:
            raise TypeError("keys of this store have one field, and so has a prefix of them")
        if kind == _raw.SOP_TYPE_NULL:
            return self._codec.pack_prefix(fields)
        return self._codec.pack_prefix(*fields) if fields else b""

    def unpack(self, data: bytes) -> K:
        """The key that bytes are."""
        return self._codec.unpack(data)

    def bind(self, db: _raw.Handle) -> _raw.Bound:
        """Declares the store on an open database; for this package's own use."""
        handle = _raw.sop_store_open(db, self.name, (self._codec, int(self.duplicates), self.node_items))
        return _raw.Bound(handle, self._codec, *self._parts, self, self.duplicates)

    def __reduce__(self) -> Any:
        return _again, (self.name, self.key, self.value, self.duplicates, self.node_items)

    def __repr__(self) -> str:
        return f"<sop.Store {self.name!r}>"


def _again(name: str, key: Any, value: Any, duplicates: bool, node_items: int) -> Store[Any, Any]:
    """The same declaration in another process."""
    return Store(name, key=key, value=value, duplicates=duplicates, node_items=node_items)
