"""A store, or a part of it, as a sorted mapping."""

from __future__ import annotations

import operator
import sys
from collections.abc import ItemsView, KeysView, Mapping, MutableMapping, ValuesView
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    Iterable,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Tuple,
    TypeVar,
    Union,
    cast,
    overload,
)

from . import _raw, given
from .codec import JSON
from .cursor import Cursor, Entry
from .errors import ExistsError, NotFoundError, SchemaError, WouldBlockError

if TYPE_CHECKING:
    from .store import Store

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")
D = TypeVar("D")

_KEYS, _VALUES, _ITEMS, _FULL = range(4)
_NONE: Any = None
_ALL = 1 << 64  # behind whichever item
_NOWHERE: Any = (None, _ALL, None)
_MISSING: Any = object()


def _next_stem(data: bytes) -> Optional[bytes]:
    """The first bytes behind all that begin with `data`; None: there are none."""
    stem = data.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else None


def _next_text(text: str) -> Optional[str]:
    """The first text behind all that begin with `text`; None: there are none."""
    stem = text.rstrip(chr(sys.maxunicode))
    if not stem:
        return None
    behind = ord(stem[-1]) + 1
    return stem[:-1] + chr(0xE000 if behind == 0xD800 else behind)


class StoreInfo(NamedTuple):
    """How a store is kept."""

    id: int
    """Number of the store, never used again."""
    duplicates: bool
    node_items: int
    """Items in a node as created; 0: by bytes."""
    schema: str
    """Of its keys as canonical JSON; "" for raw bytes."""


class _Rows:
    """What items(), keys() and values() share: a part of a store, a direction, a limit. Each iteration is a new one."""

    __slots__ = ()

    _what = _ITEMS
    _view: View[Any, Any]
    _reverse: bool
    _limit: int

    def __init__(self, view: View[Any, Any], reverse: bool, limit: Optional[int]) -> None:
        self._view = view
        self._reverse = reverse
        self._limit = given.limit(limit)

    def __iter__(self) -> Iterator[Any]:
        return self._view._rows(self._what, self._reverse, self._limit)  # pyright: ignore[reportPrivateUsage]

    def __reversed__(self) -> Iterator[Any]:
        """The other way round; not with a limit, which counts from the end that was asked for."""
        if self._limit >= 0:
            raise TypeError("what has a limit has one direction: ask for reverse=True")
        return self._view._rows(self._what, not self._reverse, -1)  # pyright: ignore[reportPrivateUsage]

    def __len__(self) -> int:
        count = self._view.count()
        return count if self._limit < 0 else min(count, self._limit)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._view!r}>"


class Items(_Rows, ItemsView[K, V]):
    """Pairs of keys and values, lazily."""

    __slots__ = ("_limit", "_reverse", "_view")
    _what = _ITEMS

    if TYPE_CHECKING:

        def __iter__(self) -> Iterator[Tuple[K, V]]: ...
        def __reversed__(self) -> Iterator[Tuple[K, V]]: ...

    def __contains__(self, item: object) -> bool:
        key, value = cast(Tuple[Any, Any], item)
        found: Any = self._view.get(key, self)
        return found is not self and bool(found == value)


class Keys(_Rows, KeysView[K]):
    """Keys, lazily. Their values are not read, and changes of values are no conflict."""

    __slots__ = ("_limit", "_reverse", "_view")
    _what = _KEYS

    if TYPE_CHECKING:

        def __iter__(self) -> Iterator[K]: ...
        def __reversed__(self) -> Iterator[K]: ...

    def __contains__(self, key: object) -> bool:
        return key in self._view


class Values(_Rows, ValuesView[V]):
    """Values, lazily."""

    __slots__ = ("_limit", "_reverse", "_view")
    _what = _VALUES

    if TYPE_CHECKING:

        def __iter__(self) -> Iterator[V]: ...
        def __reversed__(self) -> Iterator[V]: ...

    def __contains__(self, value: object) -> bool:
        return any(each == value for each in self)


class View(_raw.ViewBase, MutableMapping[K, V]):
    """A store, or a range of its keys: what tx[STORE] and db[STORE] are.

    In a transaction it ends with it (then MisuseError; ClosedError once that is closed), and is used by one thread at a
    time. On a database every call is a transaction of its own, and an iteration one that reads.

    view[key] = value is the blind put: it reads nothing, and two of them never conflict. view[a:b] is the part from a to
    before b, view.prefix(...) that of keys which begin so; both have all methods of the whole. Bounds of composite keys
    may be tuples of leading fields. Items come in the order of their keys; changing the store meanwhile is allowed: no
    item comes twice, and none that stays is left out.

    A store that is not there is created by the first write; reading it is a NotFoundError that names it.
    """

    __slots__ = ()

    if TYPE_CHECKING:

        @overload
        def __getitem__(self, key: slice[Any, Any, Any]) -> View[K, V]: ...
        @overload
        def __getitem__(self, key: K) -> V: ...
        def __getitem__(self, key: Any) -> Any: ...
        def __setitem__(self, key: K, value: V) -> None: ...
        def __delitem__(self, key: Union[K, slice[Any, Any, Any]]) -> None: ...
        def __contains__(self, key: object) -> bool: ...
        @overload
        def get(self, key: K, default: None = None) -> Optional[V]: ...
        @overload
        def get(self, key: K, default: Union[V, D]) -> Union[V, D]: ...
        def get(self, key: K, default: Any = None) -> Any: ...

    @property
    def store(self) -> Store[K, V]:
        """The declaration."""
        return self._bound.declaration

    # ---- parts

    def _part(
        self,
        low: Optional[bytes],
        high: Optional[bytes],
        prefix: Optional[bytes],
        after: Optional[bytes] = None,
        through: Optional[bytes] = None,
        after_item: int = 0,
    ) -> View[K, V]:
        """This part, narrowed. Bounds are compared as the packed bytes that they are; `after` and `through` are what `low`
        and `high` are the places behind, and what the library is given then. Single keys are looked for as if the key of
        `after_item` were outside."""
        lows = [(self._low, self._after_item or _ALL, self._after), (low, after_item or _ALL, after)]
        highs = [(place, of) for place, of in ((self._high, self._through), (high, through)) if place is not None]
        prefixes = sorted((each for each in (self._prefix, prefix) if each is not None), key=len)
        if len(prefixes) == 2 and not prefixes[1].startswith(prefixes[0]):
            highs.append((b"", None))  # nothing begins with both, and nothing is before this
        first = max((each for each in lows if each[0] is not None), key=operator.itemgetter(0, 1), default=_NOWHERE)
        high, through = min(highs, key=operator.itemgetter(0), default=(None, None))
        kept = prefixes[-1] if prefixes else None
        bounds = first[0], high, kept, first[2], through, 0 if first[1] == _ALL else first[1]
        return type(self)(self._owner, self._db, self._txn, self._bound, *bounds)

    def range(self, low: Any = None, high: Any = None) -> View[K, V]:
        """The part from `low` to before `high`; None leaves an end open."""
        pack = self._bound.key.pack_prefix
        return self._part(None if low is None else pack(low), None if high is None else pack(high), None)

    def after(self, key: Any, item: int = 0) -> View[K, V]:
        """The part behind `key` and its duplicates, such as the next page; behind one of these if `item` names it (then
        single keys are looked for behind all of them). A tuple of leading fields stands for all keys that begin so, which are
        outside."""
        after_item = given.item(item)
        codec = self._bound.key
        packed = codec.pack_prefix(key)
        if after_item:
            codec.pack(key)  # an item has a whole key
        place = self._behind(packed)
        if place is None and after_item == 0:
            return self._part(None, b"", None)
        return self._part(packed if place is None else place, None, None, packed, None, after_item)

    def through(self, key: Any) -> View[K, V]:
        """The part up to `key` and its duplicates, which are in it; with all that begin so, if it is a tuple of leading
        fields."""
        packed = self._bound.key.pack_prefix(key)
        place = self._behind(packed)
        return self if place is None else self._part(None, place, None, through=packed)

    def _behind(self, packed: bytes) -> Optional[bytes]:
        """The place behind a packed key, or all that begin with these packed fields; None: that is the end."""
        return packed + b"\0" if self._bound.key.single_type() == -1 else _next_stem(packed)

    def _slice(self, key: slice[Any, Any, Any]) -> View[K, V]:
        if key.step is not None:
            raise ValueError("a slice of a store has no step")
        return self.range(key.start, key.stop)

    def prefix(self, *fields: Any) -> View[K, V]:
        """The part of keys that begin so: with these leading fields, or, of str and raw keys, with this text or bytes."""
        codec = self._bound.key
        kind = codec.single_type()
        if not fields:
            return self
        if kind == _raw.SOP_TYPE_NULL:
            return self._part(None, None, codec.pack_prefix(fields))
        if len(fields) != 1:
            raise TypeError("keys of this store have one field, and so has a prefix of them")
        (stem,) = fields
        if kind == _raw.SOP_TYPE_STR:
            return self._text_prefix(given.text_of(stem, "a prefix of these keys"))
        return self._bytes_prefix(codec.pack(stem)) if kind == -1 else self._part(None, None, codec.pack_prefix(stem))

    def starts_with(self, *fields: Any) -> View[K, V]:
        """The part of keys with these leading fields, the last of which, a str, is what the field begins with:
        starts_with("US", "Bo") has the keys with "US" and "Bonn". The field is an ascending text, else it is a TypeError."""
        before, text = fields[:-1], given.text_of(fields[-1] if fields else None, "what starts_with is given last")
        codec = self._bound.key
        if not codec.is_text(len(before)):
            raise TypeError(
                f"starts_with takes a text of an ascending field last, and field {len(before) + 1} of these keys is none: "
                "prefix takes whole fields, and of raw keys the first bytes"
            )
        if not text:
            return self.prefix(*before)
        if codec.single_type() == _raw.SOP_TYPE_STR:
            return self._text_prefix(text)
        behind = _next_text(text)
        high = None if behind is None else codec.pack_prefix((*before, behind))
        return self.prefix(*before)._part(codec.pack_prefix(fields), high, None)

    def _bytes_prefix(self, data: bytes) -> View[K, V]:
        """The same of bytes."""
        return self._part(data, _next_stem(data), None)

    def _text_prefix(self, text: str) -> View[K, V]:
        """Texts that begin with `text` are those from it to before the next one that does not."""
        return self.range(text, _next_text(text))

    # ---- iterating

    def _bounded(self, low: Any, high: Any) -> View[K, V]:
        return self if low is None and high is None else self.range(low, high)

    def items(
        self, low: Any = None, high: Any = None, *, reverse: bool = False, limit: Optional[int] = None
    ) -> Items[K, V]:
        """Pairs (key, value) from `low` to before `high`; `reverse` begins at the end; at most `limit`."""
        return Items(self._bounded(low, high), reverse, limit)

    def keys(self, low: Any = None, high: Any = None, *, reverse: bool = False, limit: Optional[int] = None) -> Keys[K]:
        """Keys alone, as items(); values are never read."""
        return Keys(self._bounded(low, high), reverse, limit)

    def values(
        self, low: Any = None, high: Any = None, *, reverse: bool = False, limit: Optional[int] = None
    ) -> Values[V]:
        """Values alone, as items()."""
        return Values(self._bounded(low, high), reverse, limit)

    def __iter__(self) -> Iterator[K]:
        return self._rows(_KEYS, False, -1)

    def __reversed__(self) -> Iterator[K]:
        return self._rows(_KEYS, True, -1)

    def cursor(self, *, reverse: bool = False, keys_only: bool = False) -> Cursor[K, V]:
        """A cursor over this part, which goes both ways. With `keys_only` values are not read: they
        are None, and versions, which change with them, are 0."""
        flags = (_raw.SOP_CURSOR_REVERSE if reverse else 0) | (_raw.SOP_CURSOR_KEYS if keys_only else 0)
        return Cursor(self._cursor(flags), self._bound, self._owner, reverse, keys_only)

    # ---- counting and looking

    def count(self) -> int:
        """The number of items. It is validated: it conflicts with every insert and remove in this part."""
        return self._count()

    def __len__(self) -> int:
        return self._count()

    def __bool__(self) -> bool:
        """Whether there is an item; looks at one key."""
        return next(self._rows(_KEYS, False, 1), self) is not self

    def approx_count(self) -> int:
        """The newest committed number of items in the whole store: free, and no promise."""
        return _raw.sop_approx_count(self._db, self._bound.store)

    def describe(self) -> StoreInfo:
        """How the store is kept."""
        txn = self._txn or _raw.begin(self._db, _raw.SOP_READ)
        about, schema = _raw.sop_store_describe(txn, self._bound.store)
        return StoreInfo(about[0], bool(about[1]), about[3], schema.decode())

    def first(self) -> Optional[Tuple[K, V]]:
        """The first item, or None."""
        return next(self._rows(_ITEMS, False, 1), None)

    def last(self) -> Optional[Tuple[K, V]]:
        """The last item, or None."""
        return next(self._rows(_ITEMS, True, 1), None)

    def _near(self, key: Any, where: int) -> Optional[Tuple[K, V]]:
        found = _raw.sop_cursor_seek(self._cursor(0), self._bound.key.pack_prefix(key), where)
        return None if found is None else (self._bound.key.unpack(found[0]), self._bound.decode(found[1]))

    def floor(self, key: Any) -> Optional[Tuple[K, V]]:
        """The last item at or before `key`, or None."""
        return self._near(key, _raw.SOP_SEEK_LE)

    def ceiling(self, key: Any) -> Optional[Tuple[K, V]]:
        """The first item at or behind `key`, or None."""
        return self._near(key, _raw.SOP_SEEK_GE)

    def lower(self, key: Any) -> Optional[Tuple[K, V]]:
        """The last item before `key`, or None."""
        return self._near(key, _raw.SOP_SEEK_LT)

    def higher(self, key: Any) -> Optional[Tuple[K, V]]:
        """The first item behind `key`, or None."""
        return self._near(key, _raw.SOP_SEEK_GT)

    def _contains_once(self, key: K) -> bool:
        return key in self._with(_raw.begin(self._db, _raw.SOP_READ))

    def entry(self, key: K, item: int = 0) -> Entry[K, V]:
        """All that is known of an item: its whole key, with the fields that ride along, its value, the version that wrote
        it, its item id. `item` names one of several with an equal key, 0 the oldest. KeyError if it is not there."""
        txn = self._txn or _raw.begin(self._db, _raw.SOP_READ)
        try:
            whole, value, about = _raw.sop_fetch(txn, self._bound.store, self._pack(key), item, 0)
        except NotFoundError as error:
            if error.store:
                raise
            raise KeyError(key) from None
        return Entry(self._bound.key.unpack(whole), self._bound.decode(value), *about)

    @overload
    def get_now(self, key: K) -> Optional[V]: ...
    @overload
    def get_now(self, key: K, default: Union[V, D]) -> Union[V, D]: ...
    def get_now(self, key: K, default: Any = None) -> Any:
        """As get(), if that is known without waiting for the disk: WouldBlockError if a page would have to be read, as by
        get() in a thread that may wait. sop.aio does that."""
        found = self._get_now(key, default, _MISSING)
        if found is _MISSING:
            raise WouldBlockError("the answer is not in memory: ask get() in a thread that may wait")
        return found

    def duplicates(self, key: K) -> Iterator[Entry[K, V]]:
        """All items with an equal key, the oldest first: at most one, but in a store with duplicates."""
        cursor = self.cursor()
        packed = self._bound.key.pack_prefix(key)
        standing = cursor.seek(key, "eq")
        while standing and self._bound.key.pack_prefix(cursor.key) == packed:
            yield cursor.entry
            standing = cursor.next()

    # ---- many at once

    @overload
    def get_many(self, keys: Iterable[K]) -> List[Optional[V]]: ...
    @overload
    def get_many(self, keys: Iterable[K], default: D) -> List[Union[V, D]]: ...
    def get_many(self, keys: Iterable[K], default: Any = None) -> List[Any]:
        """The values of `keys` in their order, `default` where there is none: one crossing for thousands."""
        return self._get_many(keys, default)

    def entry_many(self, keys: Iterable[K]) -> List[Optional[Entry[K, V]]]:
        """All that is known of many items, as entry() tells it of one, in the order of `keys`; None where there is none. With
        duplicates the oldest of each key."""
        return [None if row is None else Entry(*row) for row in self._get_many(keys, None, True)]

    def put_many(self, rows: Union[Iterable[Tuple[K, V]], MutableMapping[K, V]]) -> int:
        """Puts pairs (key, value), as view[key] = value does. Returns how many. On a database they are all taken at once."""
        return self._many(rows, _raw.SOP_PUT)

    def insert_many(self, rows: Iterable[Tuple[K, V]]) -> int:
        """Inserts pairs. Stops with ExistsError at the first key that is there; rows_done tells how many were before it."""
        return self._many(rows, _raw.SOP_INSERT)

    def replace_many(self, rows: Iterable[Tuple[K, V]]) -> int:
        """Replaces values. Stops with NotFoundError at the first key that is not there."""
        return self._many(rows, _raw.SOP_UPDATE)

    def remove_many(self, keys: Iterable[K]) -> int:
        """Removes keys. Stops with NotFoundError at the first that is not there."""
        return self._many(keys, _raw.SOP_REMOVE)

    def _many(self, rows: Any, how: int) -> int:
        pairs = rows.items() if hasattr(rows, "items") else rows
        if self._txn is not None:
            return self._put_many(pairs, how)
        kept = list(pairs)  # a transaction may run more than once
        return self._once(lambda view: view._put_many(kept, how))

    # ---- writing one item

    def _with(self, txn: _raw.Handle) -> View[K, V]:
        """The same part in a transaction."""
        bounds = self._low, self._high, self._prefix, self._after, self._through, self._after_item
        return type(self)(self._owner, self._db, txn, self._bound, *bounds)

    def _once(self, body: Callable[[View[K, V]], T]) -> T:
        """Runs `body` in the transaction of this view, or in one of its own."""
        if self._txn is not None:
            return body(self)

        def run(tx: _raw.TransactionBase) -> T:
            return body(self._with(tx._handle))

        return self._owner.run(run)

    def _creating(self, call: Callable[..., T], *arguments: Any) -> T:
        """Writes; if the store is not there, creates it and writes again."""

        def body(view: View[K, V]) -> T:
            txn, store = cast(_raw.Handle, view._txn), view._bound.store
            try:
                return call(txn, store, *arguments)
            except NotFoundError as error:
                if not error.store:
                    raise
            _raw.sop_store_create(txn, store)
            return call(txn, store, *arguments)

        return self._once(body)

    def _changing(self, key: K, call: Callable[..., T], *arguments: Any) -> T:
        """Changes an item that must be there: KeyError if it is not."""
        try:
            return self._once(lambda view: call(view._txn, view._bound.store, *arguments))
        except NotFoundError as error:
            if error.store:
                raise
        raise KeyError(key)

    def _set(self, key: Any, value: V) -> None:
        if isinstance(key, slice):
            raise TypeError("a part of a store cannot be assigned: use put_many")
        self._once(lambda view: view.__setitem__(key, value))

    def _delete(self, key: Any) -> None:
        if isinstance(key, slice):
            self._slice(cast("slice[Any, Any, Any]", key)).remove_all()
        else:
            self.remove(key)

    def insert(self, key: K, value: V) -> int:
        """Adds an item: ExistsError if its key is there and the store keeps no duplicates. Returns its item id, or 0."""
        return self._creating(_raw.sop_insert, self._pack(key), self._bound.encode(value))

    def replace(self, key: K, value: V, item: int = 0) -> None:
        """Replaces the value of an item that is there, else KeyError. Fields that ride along and are left out of `key`
        (a tuple of its sort fields) are kept."""
        self._changing(key, _raw.sop_update, self._pack(key), item, self._bound.encode(value))

    def set_ride(self, key: K, item: int = 0) -> None:
        """Replaces the fields that ride along of the item by those in `key`; its value is not touched."""
        self._changing(key, _raw.sop_set_ride, self._pack(key), item)

    def remove(self, key: K, item: int = 0) -> None:
        """Removes an item, else KeyError. `item` names one of several with an equal key, 0 the oldest."""
        self._changing(key, _raw.sop_remove, self._pack(key), item)

    def remove_all(self) -> int:
        """Removes all items of this part at once; how many there were."""
        return self._once(lambda view: view._remove_range())

    def clear(self) -> None:
        """Removes all items of this part."""
        self.remove_all()

    def add(self, key: K, by: int) -> None:
        """Adds to the integer of 8 bytes under `key` (sop.INT64), which counts as 0 if it is not there. Reads nothing, so
        concurrent additions never conflict."""
        self._atomic(_raw.sop_add, key, by)

    def _atomic(self, call: Callable[..., None], key: K, number: int) -> None:
        if self._bound.declaration.value is JSON:  # the key may be new: 8 bytes that are no JSON
            raise SchemaError(
                f"add, min and max are for sop.INT64; the values of {self._bound.declaration.name!r} are sop.JSON"
            )
        try:
            self._creating(call, self._pack(key), number)
        except (TypeError, OverflowError):
            given.int64(number)
            raise

    def min(self, key: K, to: int) -> None:
        """Lowers the integer under `key` to `to` if it is higher or not there, as add()."""
        self._atomic(_raw.sop_min, key, to)

    def max(self, key: K, to: int) -> None:
        """Raises the integer under `key` to `to` if it is lower or not there, as add()."""
        self._atomic(_raw.sop_max, key, to)

    # ---- of mappings

    def setdefault(self, key: K, default: V = _NONE) -> V:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The value of `key`; if there is none, `default`, which is inserted."""

        def body(view: View[K, V]) -> V:
            try:
                view.insert(key, default)
            except ExistsError:
                return view[key]
            return default

        return self._once(body)

    @overload
    def pop(self, key: K) -> V: ...
    @overload
    def pop(self, key: K, default: Union[V, D]) -> Union[V, D]: ...
    def pop(self, key: K, default: Any = _MISSING) -> Any:
        """Removes an item and returns its value; `default` if it is not there, else KeyError."""

        def body(view: View[K, V]) -> Any:
            try:
                value = view[key]
            except KeyError:
                if default is not _MISSING:
                    return default
                raise
            view.remove(key)
            return value

        return self._once(body)

    def popitem(self, last: bool = True) -> Tuple[K, V]:
        """Removes the last item, or the first, and returns it; KeyError if there is none."""

        def body(view: View[K, V]) -> Tuple[K, V]:
            cursor = view.cursor()
            if not (cursor.last() if last else cursor.first()):
                raise KeyError("popitem(): there is no item")
            found = cursor.entry
            cursor.remove()
            return found.key, found.value

        return self._once(body)

    def update(self, other: Any = (), /, **more: Any) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Puts the items of a mapping or of pairs."""
        self.put_many(other)
        if more:
            self.put_many(cast(Any, more))

    def __eq__(self, other: object) -> bool:
        """Whether a mapping holds the same, as of dicts. Reads all of the part, or up to the first difference; a key with
        duplicates equals nothing."""
        if self is other:
            return True
        if not isinstance(other, Mapping):
            return NotImplemented
        rest: Dict[Any, Any] = dict(cast(Any, other).items())
        for key, value in self.items():
            if key not in rest or rest.pop(key) != value:
                return False
        return not rest

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __reduce__(self) -> Any:
        raise TypeError("a view of a store cannot be pickled: copy what it holds, as dict(view)")

    def __repr__(self) -> str:
        bounds = (self._low, self._high, self._prefix, self._after, self._through)
        part = "" if all(bound is None for bound in bounds) else "a part of "
        return f"<sop.View of {part}{self.store.name!r}{' in a transaction' if self._txn is not None else ''}>"


_raw.use_view(View)
