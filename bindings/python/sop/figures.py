"""Figures about databases, as named tuples in the order of the library's structures."""

from __future__ import annotations

import uuid
from typing import Any, NamedTuple, Optional

from . import _raw
from .transaction import Durability


class Stats(NamedTuple):
    """Counters since opening, and levels now (include/sop/stats.h says more). Of a database in memory, what concerns files
    is 0."""

    position: int
    begins: int
    commits: int
    reads_ended: int
    rollbacks: int
    conflicts: int
    retries: int
    operations: int
    splits: int
    merges: int
    transactions_open: int
    oldest_snapshot_age_ms: int
    stores: int
    nodes: int
    memory_bytes: int
    node_bytes_used: int
    old_version_bytes: int
    value_bytes_apart: int
    durable_position: int
    checkpoint_position: int
    checkpoints: int
    checkpoint_failures: int
    flushes: int
    log_bytes_written: int
    log_bytes: int
    dirty_bytes: int
    cache_bytes: int
    cache_bytes_used: int
    cache_reads: int
    evictions: int
    packs: int
    pack_bytes: int
    pack_bytes_live: int
    registry_entries: int
    registry_bytes: int
    disk_bytes: int
    failed: int
    low_space: int
    durability: int


class Info(NamedTuple):
    """What a database is and how it was opened (include/sop/database.h)."""

    backend: str
    """"inmemory" or "inredfs"."""
    uuid: uuid.UUID
    format: int
    durability: Durability
    node_bytes: int
    node_items: int
    inline_value_bytes: int
    registry_buckets: int
    transaction_bytes_max: int
    snapshot_bytes_max: int
    deadline_ms: int
    flush_interval_ms: int
    cache_bytes: int
    log_bytes_max: int
    path: str
    """Of its folder as it was given; "" in memory."""


class Peek(NamedTuple):
    """What can be seen of a database that some process has open (include/sop/stats.h)."""

    is_open: bool
    process: int
    host: str
    has_figures: bool
    age_ms: int
    written_ms: int
    opened_ms: int
    running_ms: int
    interval_ms: int
    commits_timed: int
    commit_p50_ns: int
    commit_p99_ns: int
    commit_longest_ns: int
    log_bytes_max: int
    flush_interval_ms: int
    uuid: uuid.UUID
    stats: Optional[Stats]
    """Its figures, if it has left some."""


class Problem(NamedTuple):
    """What Database.verify found wrong."""

    kind: str
    """One word, such as "order" or "count"."""
    store: str
    file: str
    offset: int
    """In bytes, or -1."""
    message: str

    @property
    def is_damage(self) -> bool:
        """False for a file that nothing names, which harms nobody."""
        return self.kind not in ("leak", "unknown")


def info_of(answer: Any) -> Info:
    """Info of what the extension answers."""
    fields, path = answer
    backend, identity, form, durability, *rest = fields
    return Info(backend, uuid.UUID(bytes=identity), form, Durability(durability), *rest, path=_path(path))


def _path(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


def peek_of(path: bytes) -> Peek:
    """What can be seen of the database in the folder `path`."""
    fields, *stats = _raw.sop_stats_peek(path)
    values = list(fields)
    values[0], values[3], values[15] = bool(values[0]), bool(values[3]), uuid.UUID(bytes=values[15])
    return Peek(*values, stats=Stats(*stats[0]) if stats and values[3] else None)
