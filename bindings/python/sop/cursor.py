"""Cursors: going over a part of a store both ways."""

from __future__ import annotations

from types import GenericAlias
from typing import TYPE_CHECKING, Any, Generic, Iterator, NamedTuple, Optional, Tuple, TypeVar

from . import _raw

K = TypeVar("K")
V = TypeVar("V")

_SEEKS = {
    "ge": _raw.SOP_SEEK_GE,
    "gt": _raw.SOP_SEEK_GT,
    "le": _raw.SOP_SEEK_LE,
    "lt": _raw.SOP_SEEK_LT,
    "eq": _raw.SOP_SEEK_EQ,
}


if TYPE_CHECKING:

    class Entry(NamedTuple, Generic[K, V]):
        """An item with all that is known of it."""

        key: K
        """The whole key, with the fields that ride along."""
        value: V
        version: int
        """The position that wrote it; 0: this transaction, or a cursor over keys only."""
        item: int
        """Its item id in a store with duplicates, else 0."""

else:  # before 3.11 a named tuple cannot be generic

    class Entry(NamedTuple):
        """An item with all that is known of it: its whole key, with the fields that ride along; its value; the version
        that wrote it (0: this transaction, or a cursor over keys only); its item id in a store with duplicates, else 0."""

        key: Any
        value: Any
        version: int
        item: int

    Entry.__class_getitem__ = classmethod(GenericAlias)


class Cursor(Generic[K, V]):
    """Stands on one item of a part of a store, or on none, and moves. It remembers its key, not its place: whatever the
    transaction changes meanwhile, no item is met twice and none that stays is left out.

    Moves return whether there is such an item. At either end the cursor stays behind the last item, and goes back from
    there. It ends with its transaction, then every call is a ClosedError.
    """

    __slots__ = ("_bound", "_entry", "_handle", "_keys_only", "_owner", "_reverse")

    def __init__(self, handle: _raw.Handle, bound: _raw.Bound, owner: Any, reverse: bool, keys_only: bool) -> None:
        self._handle = handle
        self._bound = bound
        self._owner = owner
        self._reverse = reverse
        self._keys_only = keys_only
        self._entry: Optional[Tuple[bytes, bytes, int, int]] = None

    def _stand(self, entry: Optional[Tuple[bytes, bytes, int, int]]) -> bool:
        self._entry = entry
        return entry is not None

    def first(self) -> bool:
        """Moves to the first item."""
        return self._stand(_raw.sop_cursor_first(self._handle))

    def last(self) -> bool:
        """Moves to the last item."""
        return self._stand(_raw.sop_cursor_last(self._handle))

    def next(self) -> bool:
        """Moves to the next item; at the beginning, to the first."""
        return self._stand(_raw.sop_cursor_next(self._handle))

    def prev(self) -> bool:
        """Moves to the item before; at the beginning, to the last."""
        return self._stand(_raw.sop_cursor_prev(self._handle))

    def seek(self, key: Any, where: str = "ge") -> bool:
        """Moves to the first item at ("ge") or behind ("gt") `key`, to the last at ("le") or before ("lt") it, or to the
        item of this very key ("eq"). But for "eq" a tuple of leading fields will do."""
        if where not in _SEEKS:
            raise ValueError(f'where is "ge", "gt", "le", "lt" or "eq"; not {where!r}')
        codec = self._bound.key
        packed = codec.pack(key) if where == "eq" else codec.pack_prefix(key)
        return self._stand(_raw.sop_cursor_seek(self._handle, packed, _SEEKS[where]))

    def _standing(self) -> Tuple[bytes, bytes, int, int]:
        if self._entry is None:
            raise LookupError("the cursor stands on no item")
        return self._entry

    def _decode(self, value: bytes) -> Any:
        return None if self._keys_only else self._bound.decode(value)

    @property
    def key(self) -> K:
        """The key of the item, as it was when the cursor came to it. LookupError if it stands on none."""
        return self._bound.key.unpack(self._standing()[0])

    @property
    def value(self) -> V:
        """The value of the item, as it was when the cursor came to it."""
        return self._decode(self._standing()[1])

    @property
    def entry(self) -> Entry[K, V]:
        """All that is known of the item, as it was when the cursor came to it."""
        key, value, version, item = self._standing()
        return Entry(self._bound.key.unpack(key), self._decode(value), version, item)

    def refresh(self) -> bool:
        """Reads the item again; False if it was removed."""
        return self._stand(_raw.sop_cursor_entry(self._handle))

    def update(self, value: V) -> None:
        """Replaces the value of the item; fields that ride along are kept."""
        data = self._bound.encode(value)
        _raw.sop_cursor_update(self._handle, data)
        if self._entry is not None:
            self._entry = (self._entry[0], data, 0, self._entry[3])

    def remove(self) -> None:
        """Removes the item; next() and prev() go on from its place."""
        _raw.sop_cursor_remove(self._handle)
        self._entry = None

    def close(self) -> None:
        """Ends it: every later call is a ClosedError."""
        self._handle.close()
        self._entry = None

    def __enter__(self) -> Cursor[K, V]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Entry[K, V]]:
        """The items from here on, in the direction of the cursor."""
        move = self.prev if self._reverse else self.next
        while move():
            yield self.entry

    def __reduce__(self) -> Any:
        raise TypeError("a cursor cannot be pickled")
