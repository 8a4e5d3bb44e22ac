package sop

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"context"
	"log/slog"
	"runtime"
	"sync"
	"time"
	"unsafe"
)

// Durability says where a commit is when it is answered.
type Durability uint32

// How durable commits are; what is lost is always a suffix of them.
const (
	// Flushed commits are on stable storage: they survive a loss of power.
	Flushed Durability = C.SOP_FLUSHED
	// Written commits are with the operating system: they survive the end of the process.
	Written Durability = C.SOP_WRITTEN
	// Buffered commits are in memory; they and written ones are flushed within the flush interval.
	Buffered Durability = C.SOP_BUFFERED
)

// String is the word for it in options and on the command line, such as "flushed".
func (d Durability) String() string {
	switch d {
	case Flushed:
		return "flushed"
	case Written:
		return "written"
	case Buffered:
		return "buffered"
	}
	return "default"
}

// Options are how a database is opened. Zero values mean the defaults of the library, which each comment ends with; a value
// outside of what is possible is [ErrLimit], which names the range.
type Options struct {
	// Create makes the database if it is missing. Without it opening makes nothing.
	Create bool
	// ReadOnly writes nothing at all into the folder, which any number of processes may then have open.
	ReadOnly bool
	// Durability of transactions that do not say; [Flushed].
	Durability Durability
	// FlushInterval is the time within which written and buffered commits are flushed; 10 ms.
	FlushInterval time.Duration
	// CacheBytes is the memory for nodes; a quarter of the host's.
	CacheBytes int64
	// LogBytesMax is how much log opening may have to read after a crash; 256 MiB or a quarter of the data, whichever is more.
	LogBytesMax int64
	// SnapshotBytesMax is how many bytes of old versions the oldest transaction may keep alive before it ends with
	// [ErrTimeout]; half of CacheBytes, in memory 1 GiB.
	SnapshotBytesMax int64
	// TransactionBytesMax bounds the changes and checked reads of one transaction; 1 GiB.
	TransactionBytesMax int64
	// Deadline of transactions whose context has none; none.
	Deadline time.Duration
	// RetryFor is how long after its beginning [DB.Update] runs a transaction again that conflicts; 30 s, or, where the context,
	// the transaction or Deadline sets a deadline, until that. [WithRetryFor] goes before it.
	RetryFor time.Duration
	// NodeBytes is the size of a leaf, 1024 to 32768, fixed when a database is made; 4096.
	NodeBytes int
	// NodeItems is how many items a node of a store has that does not say, 4 to 20000; as many as fit.
	NodeItems int
	// InlineValueBytes is how large a value may be to stay in its leaf; 1024.
	InlineValueBytes int
	// RegistryBuckets is how many buckets a segment of the registry has, fixed when a database is made; 250.
	RegistryBuckets int
	// Logger receives the messages of the library from LogLevel on; nobody does if it is nil. See [DB.LogTo].
	Logger   *slog.Logger
	LogLevel slog.Level
	// More sets any option of the library by name, such as those of a newer one.
	More map[string]string
}

const retryForDefault = 30 * time.Second

// DB is an open database. It is safe for use by many goroutines: open it once and share it.
type DB struct {
	h        *dbHandle
	retryFor time.Duration // of Options; 0: not set
	deadline time.Duration // of Options

	mu     sync.RWMutex
	stores map[identity]*storeHandle
	free   [modes][]*shell // transactions that have ended, to be begun anew

	telling map[uint64]bool // goroutines in which functions of the program are called back
}

// dbHandle frees its database when nothing can reach it any more. Nothing refers from it to anything.
type dbHandle struct {
	c *C.sop_db
	_ alone
}

// alone makes an object one with pointers (those of the library count as none), which has memory of its own. Small ones without
// share pieces of it, and no finalizer of theirs runs as long as the program keeps any other in the same piece.
type alone = *byte

const freeShellsMax = 64 // of each mode

// Open opens the database that url names: `inmemory:` is a new one in memory; `inredfs:/srv/db?create=true` one in a folder
// with options; all that does not begin with a scheme is the path of a folder. options may be nil. Close it when done.
//
// A folder belongs to one process at a time ([ErrLocked]); within the process it can be opened several times.
func Open(url string, options *Options) (*DB, error) {
	if options == nil {
		options = &Options{}
	}
	e := newErr()
	set, err := options.c(e)
	if err != nil {
		return nil, err
	}
	defer C.sop_options_free(set)
	name, err := cString(url)
	if err != nil {
		return nil, err
	}
	defer C.free(unsafe.Pointer(name))
	var c *C.sop_db
	longCalls.enter()
	status := C.sop_open(name, set, &c, e)
	longCalls.leave()
	if status != C.SOP_OK {
		return nil, fromC(e)
	}
	db := &DB{h: &dbHandle{c: c}, retryFor: options.RetryFor, deadline: options.Deadline, stores: make(map[identity]*storeHandle)}
	runtime.SetFinalizer(db.h, func(h *dbHandle) { go C.sop_db_free(h.c) }) // freeing may have to close
	if options.Logger != nil {
		if err := db.LogTo(options.Logger, options.LogLevel); err != nil {
			return nil, closeAfter(db, err)
		}
	}
	return db, nil
}

// OpenPath is [Open] for a path that is taken as it is, whatever it begins with.
func OpenPath(path string, options *Options) (*DB, error) {
	for _, scheme := range []string{"inmemory:", "inredfs:", "inredcfs:"} {
		if len(path) >= len(scheme) && path[:len(scheme)] == scheme {
			path = "./" + path
			break
		}
	}
	return Open(path, options)
}

// opened tells who has a database that nobody opened.
func (db *DB) opened() error {
	if db == nil || db.h == nil {
		return fault(StatusMisuse, "there is no database: it is nil or zero; use what Open returned without an error")
	}
	return nil
}

func closeAfter(db *DB, err error) error {
	_ = db.Close() // the first error is the one to tell
	return err
}

// cString copies text for a call; the caller frees it.
func cString(text string) (*C.char, error) {
	for i := range len(text) {
		if text[i] == 0 {
			return nil, fault(StatusMisuse, "%q has a NUL byte", text)
		}
	}
	return C.CString(text), nil
}

// c makes the options of the library; the caller frees them.
func (o *Options) c(e *C.sop_error) (*C.sop_options, error) {
	var set *C.sop_options
	if status := C.sop_options_new(&set, e); status != C.SOP_OK {
		return nil, fromC(e)
	}
	err := o.fill(set, e)
	if err != nil {
		C.sop_options_free(set)
		return nil, err
	}
	return set, nil
}

func (o *Options) fill(set *C.sop_options, e *C.sop_error) error {
	for _, number := range []struct {
		name  string
		value int64
	}{
		{"flush_interval_ms", milliseconds(o.FlushInterval)},
		{"cache_bytes", o.CacheBytes},
		{"log_bytes_max", o.LogBytesMax},
		{"snapshot_bytes_max", o.SnapshotBytesMax},
		{"transaction_bytes_max", o.TransactionBytesMax},
		{"deadline_ms", milliseconds(o.Deadline)},
		{"node_bytes", int64(o.NodeBytes)},
		{"node_items", int64(o.NodeItems)},
		{"inline_value_bytes", int64(o.InlineValueBytes)},
		{"registry_buckets", int64(o.RegistryBuckets)},
	} {
		if number.value == 0 {
			continue
		}
		name := C.CString(number.name)
		status := C.sop_options_set_int(set, name, C.int64_t(number.value), e)
		C.free(unsafe.Pointer(name))
		if status != C.SOP_OK {
			return fromC(e)
		}
	}
	for _, flag := range []struct {
		name string
		set  bool
	}{{"create", o.Create}, {"read_only", o.ReadOnly}} {
		if !flag.set {
			continue
		}
		if err := setText(set, flag.name, "true", e); err != nil {
			return err
		}
	}
	if o.Durability != 0 {
		if err := setText(set, "durability", o.Durability.String(), e); err != nil {
			return err
		}
	}
	for name, text := range o.More {
		if err := setText(set, name, text, e); err != nil {
			return err
		}
	}
	return nil
}

func setText(set *C.sop_options, name, text string, e *C.sop_error) error {
	cName, err := cString(name)
	if err != nil {
		return err
	}
	defer C.free(unsafe.Pointer(cName))
	cText, err := cString(text)
	if err != nil {
		return err
	}
	defer C.free(unsafe.Pointer(cText))
	return check(C.sop_options_set_text(set, cName, cText, e), e)
}

// milliseconds rounds up, so that a short time does not become none.
func milliseconds(d time.Duration) int64 {
	if d <= 0 {
		return 0
	}
	return int64((d-1)/time.Millisecond) + 1
}

// Close waits for the calls that run, rolls open transactions back, puts what has committed on stable storage, and closes
// the database. Later calls on it and on what was opened from it return [ErrClosed]. Closing again does nothing. In a function
// that another call of this database was given, such as one for progress, it is [ErrMisuse], since it would wait for itself: so
// it would, for ever, in a goroutine that such a function waits for.
func (db *DB) Close() error {
	if err := db.opened(); err != nil {
		return err
	}
	if db.isTelling() {
		return fault(StatusMisuse, "a function that a call on the database was given cannot close it: stop the call from there, and close it afterwards")
	}
	e := newErr()
	longCalls.enter()
	status := C.sop_close(db.h.c, e)
	longCalls.leave()
	db.mu.Lock()
	free := db.free
	db.free = [modes][]*shell{}
	db.stores = make(map[identity]*storeHandle)
	db.mu.Unlock()
	for _, shells := range free {
		for _, sh := range shells {
			sh.release()
		}
	}
	keep(db)
	return check(status, e)
}

// Version of the library that is linked.
func Version() string { return C.GoString(C.sop_version()) }

// HasFeature tells whether the library has a feature, such as "inmemory".
func HasFeature(name string) bool {
	c, err := cString(name)
	if err != nil {
		return false
	}
	defer C.free(unsafe.Pointer(c))
	return C.sop_has_feature(c) != 0
}

// ---- transactions that run again ---------------------------------------------------------------------

// Update runs body in a transaction that reads and writes, and commits it if body returns nil; otherwise, and if body panics,
// nothing of it has happened. If it conflicts with another transaction it is rolled back and body runs again, until the
// context ends or [Options.RetryFor] is over: body should change nothing outside of tx. It must not keep tx.
//
// When the context is cancelled, calls on tx soon return [ErrCancelled], and so does the commit, if it has not begun; its
// deadline is that of the transaction. [ErrCommitUnknown] is never retried.
func (db *DB) Update(ctx context.Context, body func(tx *Tx) error, options ...TxOption) error {
	tx, err := db.begin(ctx, ModeWrite, options)
	if err != nil {
		return err
	}
	defer tx.drop()
	return because(tx.run(body), ctx)
}

// View runs body in a transaction that only reads, all of it as of one moment. It never conflicts and runs once. body must
// not keep tx.
func (db *DB) View(ctx context.Context, body func(tx *Tx) error, options ...TxOption) error {
	tx, err := db.begin(ctx, ModeRead, options)
	if err != nil {
		return err
	}
	defer tx.drop()
	if tx.mode == ModeWrite || tx.mode == ModeNoCheck {
		return fault(StatusMisuse, "View takes the mode ModeRead or ModeSnapshot; use Update")
	}
	return because(tx.run(body), ctx)
}

// Begin starts a transaction by hand: it ends with [Tx.Commit] or [Tx.Rollback], runs again with [Tx.Again], and is given
// back with [Tx.Close], which `defer` best does. The context is that of the whole transaction.
func (db *DB) Begin(ctx context.Context, mode Mode, options ...TxOption) (*Tx, error) {
	tx, err := db.begin(ctx, mode, options)
	if err != nil {
		return nil, err
	}
	tx.byHand = true
	return tx, nil
}

// Outcome of a transaction.
type Outcome uint32

// What may have become of a transaction.
const (
	// NotCommitted: rolled back, failed, changed nothing, or never seen.
	NotCommitted Outcome = C.SOP_OUTCOME_NOT_COMMITTED
	// Committed: it is there.
	Committed Outcome = C.SOP_OUTCOME_COMMITTED
	// Pending: it is still open.
	Pending Outcome = C.SOP_OUTCOME_PENDING
	// OutcomeUnknown: too old; more than a million transactions have written since.
	OutcomeUnknown Outcome = C.SOP_OUTCOME_UNKNOWN
)

// String says it in words, such as "not committed".
func (o Outcome) String() string {
	switch o {
	case NotCommitted:
		return "not committed"
	case Committed:
		return "committed"
	case Pending:
		return "pending"
	}
	return "unknown"
}

// Outcome tells what became of the transaction with an id ([Tx.ID], [WithID]), and its position if it has committed.
func (db *DB) Outcome(id UUID) (Outcome, uint64, error) {
	if err := db.opened(); err != nil {
		return OutcomeUnknown, 0, err
	}
	e := newErr()
	var outcome C.sop_outcome
	var position C.uint64_t
	calls.enter()
	status := C.sop_txn_outcome(db.h.c, (*C.uint8_t)(&id[0]), &outcome, &position, e)
	calls.leave()
	keep(db)
	return Outcome(outcome), uint64(position), check(status, e)
}
