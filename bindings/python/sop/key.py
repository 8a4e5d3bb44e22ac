"""Keys: raw bytes, one typed field, or a class of several.

A key class lists its fields in the order in which they sort:

    class EmpKey(sop.Key):
        region: str
        hired: datetime = sop.desc()             # newest first
        emp_id: int
        deleted: bool = sop.ride(default=False)  # stored with the key, never compared

Types are str, int (-2^63 to 2^64-1), float (no NaN), bool, bytes, uuid.UUID, and datetime with a time zone, which is kept
in UTC to the microsecond. Any field may be None, which sorts first (last where it is descending).
"""

from __future__ import annotations

import datetime
import json
import keyword
import operator
import types
import typing
import uuid
from typing import TYPE_CHECKING, Any, Dict, Generic, Iterator, List, Optional, Tuple, Type, TypeVar, Union

from . import _raw

if TYPE_CHECKING:
    from typing_extensions import Self, dataclass_transform
else:

    def dataclass_transform(**_options):
        return lambda cls: cls


T = TypeVar("T")
K = TypeVar("K")

_TYPES: Dict[Any, str] = {
    str: "str",
    int: "int",
    float: "float",
    bool: "bool",
    bytes: "bytes",
    uuid.UUID: "uuid",
    datetime.datetime: "ts",
}
_UNIONS = (Union, getattr(types, "UnionType", Union))  # the latter since 3.10
_METHODS = ("replace", "schema", "sort_fields")
_MISSING: Any = object()
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


class KeyType(Generic[K]):
    """What keys of a store are: raw bytes, or one field of a type. Use sop.BYTES, sop.STR, sop.INT and so on."""

    def __init__(self, type_name: Optional[str]) -> None:
        if type_name is None:
            self._codec = _raw.KeyCodec(None, None, ())
        else:
            schema = {"v": 1, "sort": [{"n": "key", "t": type_name}]}
            self._codec = _raw.KeyCodec(json.dumps(schema), None, ())
        self._type_name = type_name

    def __reduce__(self) -> Any:
        return type(self), (self._type_name,)

    def __repr__(self) -> str:
        return f"<keys of {self._type_name or 'raw bytes'}>"


class _Field:
    """How one field of a key class is kept; what desc(), ride() and field() leave in the body of the class."""

    __slots__ = ("default", "descending", "name", "ride")

    def __init__(self, *, default: Any, descending: bool, ride: bool, name: Optional[str]) -> None:
        self.default = default
        self.descending = descending
        self.ride = ride
        self.name = name


def field(*, default: Any = _MISSING, name: Optional[str] = None) -> Any:
    """An ascending sort field: `name` is what the schema calls it, if that is not the attribute's name."""
    return _Field(default=default, descending=False, ride=False, name=name)


def desc(*, default: Any = _MISSING, name: Optional[str] = None) -> Any:
    """A descending sort field."""
    return _Field(default=default, descending=True, ride=False, name=name)


def ride(*, default: Any = None, name: Optional[str] = None) -> Any:
    """A field that is stored with the key and comes with it, but is never compared. It follows all sort fields. `default`
    is what older items have, and what a key has that leaves it out."""
    return _Field(default=default, descending=False, ride=True, name=name)


def _type_name(owner: str, name: str, hint: Any) -> str:
    """The type of a field in the schema, of its annotation; Optional[...] is allowed, since any field may be None."""
    if typing.get_origin(hint) in _UNIONS:
        arguments = [each for each in typing.get_args(hint) if each is not type(None)]
        if len(arguments) == 1:
            hint = arguments[0]
    try:
        return _TYPES[hint]
    except (KeyError, TypeError):
        known = ", ".join(sorted(each.__name__ for each in _TYPES))
        raise TypeError(f"{owner}.{name}: a field of a key is one of {known}; not {hint!r}") from None


def _default_json(value: Any) -> Any:
    """A default as the schema has it."""
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, datetime.datetime):
        return (value - _EPOCH) // datetime.timedelta(microseconds=1)
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 1 << 53:
        return {"int": str(value)}
    return value


def _check_name(owner: str, name: str) -> None:
    """A field is a parameter and a property, and may not hide what keys have."""
    if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_") or name in _METHODS:
        raise TypeError(
            f"{owner}.{name}: no field can have this name; give it another, and this one to sop.field(name={name!r})"
        )


class _Layout:
    """The fields of a key class."""

    def __init__(self, cls: type) -> None:
        self.names: List[str] = []
        self.defaults: Dict[str, Any] = {}
        sort: List[Dict[str, Any]] = []
        rides: List[Dict[str, Any]] = []
        for name, hint in typing.get_type_hints(cls).items():
            if typing.get_origin(hint) is typing.ClassVar:
                continue
            _check_name(cls.__name__, name)
            found = cls.__dict__.get(name, _MISSING)
            spec = (
                found if isinstance(found, _Field) else _Field(default=found, descending=False, ride=False, name=None)
            )
            entry: Dict[str, Any] = {"n": spec.name or name, "t": _type_name(cls.__name__, name, hint)}
            if spec.default is not _MISSING:
                self.defaults[name] = spec.default
            elif self.defaults:
                raise TypeError(f"{cls.__name__}.{name}: a field without a default follows one with a default")
            if spec.ride:
                rides.append({**entry, "default": _default_json(spec.default)})
            elif rides:
                raise TypeError(f"{cls.__name__}.{name}: a sort field follows one that rides along")
            else:
                sort.append({**entry, "desc": True} if spec.descending else entry)
            self.names.append(name)
        if not sort:
            raise TypeError(f"{cls.__name__}: a key has at least one sort field")
        self.sort_count = len(sort)
        self.schema = json.dumps({"v": 1, "sort": sort, "ride": rides} if rides else {"v": 1, "sort": sort})
        self.ride_defaults = tuple(self.defaults[name] for name in self.names[self.sort_count :])

    def constructor(self, cls: type) -> Any:
        """A __new__ with one parameter for each field, made as those of namedtuples are."""
        new: Any = tuple.__new__  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        scope: Dict[str, Any] = {"_new": new, "_defaults": self.defaults}
        parameters = ", ".join(f"{n}=_defaults[{n!r}]" if n in self.defaults else n for n in self.names)
        exec(f"def __new__(_cls, {parameters}): return _new(_cls, ({', '.join(self.names)},))", scope)
        made = scope["__new__"]
        made.__qualname__ = f"{cls.__qualname__}.__new__"
        return made


class _KeyMeta(type):
    """Makes key classes without a dictionary in each key."""

    def __new__(mcs, name: str, bases: Tuple[type, ...], namespace: Dict[str, Any], **options: Any) -> Any:
        namespace.setdefault("__slots__", ())
        return super().__new__(mcs, name, bases, namespace, **options)


if TYPE_CHECKING:
    _KeyBase = object
else:
    _KeyBase = tuple


@dataclass_transform(frozen_default=True, field_specifiers=(field, desc, ride))
class Key(_KeyBase, metaclass=_KeyMeta):
    """A key of several fields: immutable, hashable, a tuple of all its fields.

    Keys are ordered as the store orders them: by the sort fields, descending ones reversed. Equality looks at all fields,
    those that ride along included.
    """

    if TYPE_CHECKING:

        def __iter__(self) -> Iterator[Any]: ...
        def __getitem__(self, index: int) -> Any: ...
        def __len__(self) -> int: ...

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.__mro__[1] is not Key:
            raise TypeError(f"{cls.__name__}: a key class derives from sop.Key itself")
        if "__new__" in cls.__dict__ or "__init__" in cls.__dict__:
            raise TypeError(
                f"{cls.__name__}: a key class has no constructor of its own: keys that are read would skip it"
            )
        layout = _Layout(cls)
        for index, name in enumerate(layout.names):
            setattr(cls, name, property(operator.itemgetter(index)))
        type.__setattr__(cls, "__new__", layout.constructor(cls))
        type.__setattr__(cls, "_layout", layout)
        type.__setattr__(cls, "_codec", _raw.KeyCodec(layout.schema, cls, layout.ride_defaults))
        type.__setattr__(cls, "__match_args__", tuple(layout.names))

    def replace(self, **changes: Any) -> Self:
        """The same key with other values of some fields."""
        fields = dict(zip(_layout_of(type(self)).names, self))
        unknown = set(changes) - set(fields)
        if unknown:
            raise TypeError(f"{type(self).__name__} has no field {sorted(unknown)[0]!r}")
        return type(self)(**{**fields, **changes})

    __replace__ = replace  # for copy.replace

    def sort_fields(self) -> Tuple[Any, ...]:
        """The fields that sort. Given as a key where an item is replaced, it keeps the fields that ride along."""
        return tuple(self)[: _layout_of(type(self)).sort_count]

    @classmethod
    def schema(cls) -> str:
        """The schema as canonical JSON."""
        return codec_of(cls).schema() or ""

    def __repr__(self) -> str:
        names = _layout_of(type(self)).names
        return f"{type(self).__name__}({', '.join(f'{n}={v!r}' for n, v in zip(names, self))})"

    def __getnewargs__(self) -> Tuple[Any, ...]:
        return tuple(self)

    def _order(self) -> bytes:
        return codec_of(type(self)).pack_prefix(self)

    def _other(self, other: Any) -> bytes:
        if type(other) is not type(self):
            raise TypeError(f"{type(self).__name__} is ordered among its like only, not with {type(other).__name__}")
        return other._order()

    def __lt__(self, other: Any) -> bool:
        return self._order() < self._other(other)

    def __le__(self, other: Any) -> bool:
        return self._order() <= self._other(other)

    def __gt__(self, other: Any) -> bool:
        return self._order() > self._other(other)

    def __ge__(self, other: Any) -> bool:
        return self._order() >= self._other(other)


def _layout_of(cls: type) -> _Layout:
    return cls.__dict__["_layout"]


def codec_of(key: Union[KeyType[Any], Type[Any]]) -> _raw.KeyCodec:
    """How keys are packed: of a KeyType, a key class, or one of the types that a field may have."""
    if isinstance(key, KeyType):
        return key._codec  # pyright: ignore[reportPrivateUsage]
    if key is Key:
        raise TypeError("sop.Key has no fields: derive a class from it")
    found = key.__dict__.get("_codec") if isinstance(key, _KeyMeta) else None
    if found is not None:
        return found
    if key is bytes:
        return _RAW._codec  # pyright: ignore[reportPrivateUsage]
    if key in _TYPES:
        return KeyType(_TYPES[key])._codec
    raise TypeError(f"{key!r} declares no keys: use sop.STR and its like, or a class derived from sop.Key")


_RAW: KeyType[bytes] = KeyType(None)
STR: KeyType[str] = KeyType("str")
INT: KeyType[int] = KeyType("int")
FLOAT: KeyType[float] = KeyType("float")
BOOL: KeyType[bool] = KeyType("bool")
UUID: KeyType[uuid.UUID] = KeyType("uuid")
TIME: KeyType[datetime.datetime] = KeyType("ts")
