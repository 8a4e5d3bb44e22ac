package sop

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"time"
	"unsafe"
)

// Stats are counters since a database was opened, and levels now. From DurablePosition on they are of databases in a folder.
type Stats struct {
	Position           uint64        // newest answered position
	Begins             uint64        // transactions begun
	Commits            uint64        // transactions that changed something and committed
	ReadsEnded         uint64        // transactions that ended without changing anything
	Rollbacks          uint64        // rolled back by the caller
	Conflicts          uint64        // commits that answered [ErrConflict]
	Retries            uint64        // attempts of [DB.Update] and [Tx.Again] beyond the first
	Operations         uint64        // resolved operations applied
	Splits             uint64        // nodes split
	Merges             uint64        // nodes merged
	TransactionsOpen   uint64        // now
	OldestSnapshotAge  time.Duration // age of the oldest open transaction; 0: none
	Stores             uint64        // now
	Nodes              uint64        // of all trees, now
	MemoryBytes        uint64        // taken from the system for nodes, now
	NodeBytesUsed      uint64        // of these, in use by current and old versions, now
	OldVersionBytes    uint64        // of these, kept only for older snapshots, now
	ValueBytesApart    uint64        // large values kept apart from their leaf, now
	DurablePosition    uint64        // everything up to here is on stable storage
	CheckpointPosition uint64        // everything up to here is in the data files
	Checkpoints        uint64        // written
	CheckpointFailures uint64        // given up for want of space
	Flushes            uint64        // of the log
	LogBytesWritten    uint64        // into the log
	LogBytes           uint64        // of log that opening would have to read now
	DirtyBytes         uint64        // of nodes that no checkpoint has written, now
	CacheBytes         uint64        // memory for nodes: the budget
	CacheBytesUsed     uint64        // of it, now
	CacheReads         uint64        // nodes read from disk
	Evictions          uint64        // nodes that made room for others
	Packs              uint64        // data files now
	PackBytes          uint64        // in data files now
	PackBytesLive      uint64        // of these, not superseded
	RegistryEntries    uint64        // nodes and values that the registry knows, now
	RegistryBytes      uint64        // in registry files now
	DiskBytes          uint64        // in all files now
	Failed             bool          // it has stopped after an I/O error; close it and open it again
	LowSpace           bool          // commits that add get [ErrNoSpace] now, removing goes on
	Durability         Durability    // of transactions that do not say
}

func statsOf(c *C.sop_stats) Stats {
	return Stats{
		Position:           uint64(c.position),
		Begins:             uint64(c.begins),
		Commits:            uint64(c.commits),
		ReadsEnded:         uint64(c.reads_ended),
		Rollbacks:          uint64(c.rollbacks),
		Conflicts:          uint64(c.conflicts),
		Retries:            uint64(c.retries),
		Operations:         uint64(c.operations),
		Splits:             uint64(c.splits),
		Merges:             uint64(c.merges),
		TransactionsOpen:   uint64(c.transactions_open),
		OldestSnapshotAge:  time.Duration(c.oldest_snapshot_age_ms) * time.Millisecond,
		Stores:             uint64(c.stores),
		Nodes:              uint64(c.nodes),
		MemoryBytes:        uint64(c.memory_bytes),
		NodeBytesUsed:      uint64(c.node_bytes_used),
		OldVersionBytes:    uint64(c.old_version_bytes),
		ValueBytesApart:    uint64(c.value_bytes_apart),
		DurablePosition:    uint64(c.durable_position),
		CheckpointPosition: uint64(c.checkpoint_position),
		Checkpoints:        uint64(c.checkpoints),
		CheckpointFailures: uint64(c.checkpoint_failures),
		Flushes:            uint64(c.flushes),
		LogBytesWritten:    uint64(c.log_bytes_written),
		LogBytes:           uint64(c.log_bytes),
		DirtyBytes:         uint64(c.dirty_bytes),
		CacheBytes:         uint64(c.cache_bytes),
		CacheBytesUsed:     uint64(c.cache_bytes_used),
		CacheReads:         uint64(c.cache_reads),
		Evictions:          uint64(c.evictions),
		Packs:              uint64(c.packs),
		PackBytes:          uint64(c.pack_bytes),
		PackBytesLive:      uint64(c.pack_bytes_live),
		RegistryEntries:    uint64(c.registry_entries),
		RegistryBytes:      uint64(c.registry_bytes),
		DiskBytes:          uint64(c.disk_bytes),
		Failed:             c.failed != 0,
		LowSpace:           c.low_space != 0,
		Durability:         Durability(c.durability),
	}
}

// Stats reads the figures of the database.
func (db *DB) Stats() (Stats, error) {
	if err := db.opened(); err != nil {
		return Stats{}, err
	}
	e := newErr()
	c := C.sop_stats{struct_size: C.sizeof_sop_stats}
	status := C.sop_db_stats(db.h.c, &c, e)
	keep(db)
	return statsOf(&c), check(status, e)
}

// Metrics are the same figures as OpenMetrics text.
func (db *DB) Metrics() (string, error) {
	if err := db.opened(); err != nil {
		return "", err
	}
	e := newErr()
	var text C.sop_buf
	status := C.sop_db_metrics(db.h.c, &text, e)
	defer C.sop_buf_free(&text)
	keep(db)
	return C.GoStringN((*C.char)(text.data), C.int(text.size)), check(status, e)
}

// Info is what a database is and how it was opened.
type Info struct {
	Backend             string        // "inmemory" or "inredfs"
	UUID                UUID          // of the database, made with it; all zero in memory
	Format              uint32        // version of its files; 0 in memory
	Durability          Durability    // of transactions that do not say
	NodeBytes           int           // size of a leaf
	NodeItems           int           // in a node of stores that do not say; 0: by bytes
	InlineValueBytes    int           // larger values are kept apart from the leaf
	RegistryBuckets     int           // of a segment of the registry; 0 in memory
	TransactionBytesMax uint64        // of one transaction
	SnapshotBytesMax    uint64        // old versions beyond which the oldest transaction ends
	Deadline            time.Duration // of transactions that do not say; 0: none
	FlushInterval       time.Duration // within which weaker commits are on stable storage; 0 in memory
	CacheBytes          uint64        // memory for nodes; 0 in memory: no limit
	LogBytesMax         uint64        // log that opening may have to read; 0: chosen by the size of the data
	Path                string        // of its folder, as it was opened; "" in memory
}

func infoOf(c *C.sop_info) Info {
	return Info{
		Backend:             C.GoString(&c.backend[0]),
		UUID:                uuidOf(&c.uuid),
		Format:              uint32(c.format),
		Durability:          Durability(c.durability),
		NodeBytes:           int(c.node_bytes),
		NodeItems:           int(c.node_items),
		InlineValueBytes:    int(c.inline_value_bytes),
		RegistryBuckets:     int(c.registry_buckets),
		TransactionBytesMax: uint64(c.transaction_bytes_max),
		SnapshotBytesMax:    uint64(c.snapshot_bytes_max),
		Deadline:            time.Duration(c.deadline_ms) * time.Millisecond,
		FlushInterval:       time.Duration(c.flush_interval_ms) * time.Millisecond,
		CacheBytes:          uint64(c.cache_bytes),
		LogBytesMax:         uint64(c.log_bytes_max),
	}
}

func uuidOf(c *[16]C.uint8_t) UUID { return *(*UUID)(unsafe.Pointer(c)) }

// Info tells what the database is and how it was opened.
func (db *DB) Info() (Info, error) {
	if err := db.opened(); err != nil {
		return Info{}, err
	}
	e := newErr()
	c := C.sop_info{struct_size: C.sizeof_sop_info}
	var path C.sop_buf
	status := C.sop_db_info(db.h.c, &c, &path, e)
	defer C.sop_buf_free(&path)
	keep(db)
	info := infoOf(&c)
	info.Path = C.GoStringN((*C.char)(path.data), C.int(path.size))
	return info, check(status, e)
}

// PeekInfo is what can be seen of a database that some process has open.
type PeekInfo struct {
	IsOpen        bool          // some process has it open
	Process       uint64        // which one, as its own host counts them; 0: not known
	Host          string        // where that runs; "": not known
	HasFigures    bool          // it has left figures; what follows is 0 without
	Age           time.Duration // of the figures, by the clock of whoever asks
	Written       time.Time     // when they were written
	Opened        time.Time     // when the database was opened
	Running       time.Duration // from then to the writing, whatever was done to the clock
	Interval      time.Duration // before the writing, of which the next four are
	CommitsTimed  uint64        // all that wait for a flush, one in 16 of the others
	CommitP50     time.Duration // half of them took no longer; to a quarter
	CommitP99     time.Duration // the same of 99 of 100
	CommitLongest time.Duration
	LogBytesMax   uint64        // option of the database; 0: chosen by the size of the data
	FlushInterval time.Duration // option of the database
	UUID          UUID          // of the database
}

func peekOf(c *C.sop_peek) PeekInfo {
	return PeekInfo{
		IsOpen:        c.is_open != 0,
		Process:       uint64(c.process),
		Host:          C.GoString(&c.host[0]),
		HasFigures:    c.has_figures != 0,
		Age:           time.Duration(c.age_ms) * time.Millisecond,
		Written:       time.UnixMilli(int64(c.written_ms)),
		Opened:        time.UnixMilli(int64(c.opened_ms)),
		Running:       time.Duration(c.running_ms) * time.Millisecond,
		Interval:      time.Duration(c.interval_ms) * time.Millisecond,
		CommitsTimed:  uint64(c.commits_timed),
		CommitP50:     time.Duration(c.commit_p50_ns) * time.Nanosecond,
		CommitP99:     time.Duration(c.commit_p99_ns) * time.Nanosecond,
		CommitLongest: time.Duration(c.commit_longest_ns) * time.Nanosecond,
		LogBytesMax:   uint64(c.log_bytes_max),
		FlushInterval: time.Duration(c.flush_interval_ms) * time.Millisecond,
		UUID:          uuidOf(&c.uuid),
	}
}

// Peek looks at the database in a folder from outside, whoever has it open: it takes no lock and waits for nobody. With
// [ErrNotFound], [ErrCorrupt] and [ErrUnsupported] too, what is known is returned.
func Peek(path string) (PeekInfo, Stats, error) {
	name, err := cString(path)
	if err != nil {
		return PeekInfo{}, Stats{}, err
	}
	defer C.free(unsafe.Pointer(name))
	e := newErr()
	peek := C.sop_peek{struct_size: C.sizeof_sop_peek}
	stats := C.sop_stats{struct_size: C.sizeof_sop_stats}
	calls.enter()
	status := C.sop_stats_peek(name, &peek, &stats, e)
	calls.leave()
	return peekOf(&peek), statsOf(&stats), check(status, e)
}
