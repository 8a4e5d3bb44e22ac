package sop

// #include "shim.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Status is what a call of the library answered. A Status is an error itself, so that it can be the target of
// [errors.Is]: errors.Is(err, sop.ErrConflict).
type Status int32

// The statuses of the library.
const (
	StatusOK          Status = C.SOP_OK
	StatusNotFound    Status = C.SOP_NOT_FOUND
	StatusExists      Status = C.SOP_EXISTS
	StatusConflict    Status = C.SOP_CONFLICT
	StatusLocked      Status = C.SOP_LOCKED
	StatusTimeout     Status = C.SOP_TIMEOUT
	StatusCancelled   Status = C.SOP_CANCELLED
	StatusUnknown     Status = C.SOP_UNKNOWN
	StatusClosed      Status = C.SOP_CLOSED
	StatusForked      Status = C.SOP_FORKED
	StatusReadOnly    Status = C.SOP_READ_ONLY
	StatusSchema      Status = C.SOP_SCHEMA
	StatusLimit       Status = C.SOP_LIMIT
	StatusNoSpace     Status = C.SOP_NO_SPACE
	StatusNoMemory    Status = C.SOP_NO_MEMORY
	StatusIO          Status = C.SOP_IO
	StatusCorrupt     Status = C.SOP_CORRUPT
	StatusUnavailable Status = C.SOP_UNAVAILABLE
	StatusUnsupported Status = C.SOP_UNSUPPORTED
	StatusMisuse      Status = C.SOP_MISUSE
	StatusFailed      Status = C.SOP_FAILED
	StatusWouldBlock  Status = C.SOP_WOULD_BLOCK
)

// One error for each status, for [errors.Is].
var (
	// ErrNotFound: there is no such store, database or folder. That a key is missing is no error but the answer
	// false.
	ErrNotFound error = StatusNotFound
	// ErrExists: the store, the key of a row of InsertMany, the transaction id or the folder is already there.
	ErrExists error = StatusExists
	// ErrConflict: another transaction changed what this one read. [DB.Update] runs it again.
	ErrConflict error = StatusConflict
	// ErrLocked: the database is open in another process, or in this one with other options.
	ErrLocked error = StatusLocked
	// ErrTimeout: the deadline has passed. An error that comes from the context also is its error.
	ErrTimeout error = StatusTimeout
	// ErrCancelled: the transaction or the long call was cancelled.
	ErrCancelled error = StatusCancelled
	// ErrCommitUnknown: the commit may or may not have happened: open the database anew and ask [DB.Outcome].
	ErrCommitUnknown error = StatusUnknown
	// ErrClosed: the database, transaction or cursor has been closed.
	ErrClosed error = StatusClosed
	// ErrForked: the handle was opened before a fork.
	ErrForked error = StatusForked
	// ErrReadOnly: writing is not allowed here.
	ErrReadOnly error = StatusReadOnly
	// ErrSchema: a key, a value or a declaration does not have the form of the store.
	ErrSchema error = StatusSchema
	// ErrLimit: a size or number is beyond its limit.
	ErrLimit error = StatusLimit
	// ErrNoSpace: the storage is full.
	ErrNoSpace error = StatusNoSpace
	// ErrNoMemory: there is no memory left.
	ErrNoMemory error = StatusNoMemory
	// ErrIO: the operating system reported an error, which [errors.Is] finds too, as a [syscall.Errno].
	ErrIO error = StatusIO
	// ErrCorrupt: stored bytes are damaged; see [DB.Verify].
	ErrCorrupt error = StatusCorrupt
	// ErrUnavailable: a server cannot be reached.
	ErrUnavailable error = StatusUnavailable
	// ErrUnsupported: this build, file system or version cannot do that.
	ErrUnsupported error = StatusUnsupported
	// ErrMisuse: the call breaks a rule of the interface.
	ErrMisuse error = StatusMisuse
	// ErrFailed: the database has stopped after an error: close it and open it again.
	ErrFailed error = StatusFailed
	// ErrWouldBlock: the answer is not in memory.
	ErrWouldBlock error = StatusWouldBlock
)

// String is the name of the status, such as "CONFLICT".
func (s Status) String() string {
	return C.GoString(C.sop_status_name(C.sop_status(s)))
}

// Error says what the status means and what to do.
func (s Status) Error() string {
	return "sop: " + s.String() + ": " + C.GoString(C.sop_status_text(C.sop_status(s)))
}

// Traits are what a program can act on, whatever the status.
func (s Status) Traits() Traits {
	return Traits(C.sop_status_traits(C.sop_status(s)))
}

// Traits say what can be done about an error.
type Traits uint32

// The traits of errors.
const (
	// TraitRetry: the same call may succeed later.
	TraitRetry Traits = C.SOP_TRAIT_RETRY
	// TraitAbort: roll the transaction back and run it again.
	TraitAbort Traits = C.SOP_TRAIT_ABORT
	// TraitMaybeCommitted: ask [DB.Outcome] before doing anything again.
	TraitMaybeCommitted Traits = C.SOP_TRAIT_MAYBE_COMMITTED
	// TraitFatal: close the database; opening it again recovers.
	TraitFatal Traits = C.SOP_TRAIT_FATAL
	// TraitMisuse: the program is wrong; repeating it cannot help.
	TraitMisuse Traits = C.SOP_TRAIT_MISUSE
)

// Has tells whether all of the traits are there.
func (t Traits) Has(traits Traits) bool { return t&traits == traits }

// String has the names of the traits, such as "RETRY|ABORT".
func (t Traits) String() string {
	var names []string
	for _, trait := range []struct {
		bit  Traits
		name string
	}{{TraitRetry, "RETRY"}, {TraitAbort, "ABORT"}, {TraitMaybeCommitted, "MAYBE_COMMITTED"}, {TraitFatal, "FATAL"}, {TraitMisuse, "MISUSE"}} {
		if t.Has(trait.bit) {
			names = append(names, trait.name)
		}
	}
	return strings.Join(names, "|")
}

// TraitsOf finds the traits of an error; 0 if it does not come from this package.
func TraitsOf(err error) Traits {
	var e *Error
	var s Status
	switch {
	case errors.As(err, &e):
		return e.Traits
	case errors.As(err, &s):
		return s.Traits()
	}
	return 0
}

// Error is what every failing call of this package returns, found by [errors.As]. [errors.Is] matches it with the Err...
// variables, with the error of the context that ended the call, and with the errno of the operating system.
type Error struct {
	Status  Status
	Traits  Traits
	Errno   syscall.Errno // of the operating system, or 0
	Store   string        // the store concerned, or ""
	File    string        // the file concerned, relative to the database, or ""
	Offset  int64         // place in the file or in the input, in bytes, or -1
	Message string        // one sentence: what, where, and what to do
	cause   error
}

// Error is the status, the store unless the message names it, and the message.
func (e *Error) Error() string {
	where := ""
	named := strconv.Quote(e.Store) // a short name without quotes is a part of many a word
	if e.Store != "" && !strings.Contains(e.Message, named) {
		where = "store " + named + ": "
	}
	return "sop: " + e.Status.String() + ": " + where + e.Message
}

// Is matches the Err... variables.
func (e *Error) Is(target error) bool {
	status, ok := target.(Status)
	return ok && status == e.Status
}

// Unwrap gives the error of a context or a codec, and the errno.
func (e *Error) Unwrap() []error {
	var causes []error
	if e.cause != nil {
		causes = append(causes, e.cause)
	}
	if e.Errno != 0 {
		causes = append(causes, e.Errno)
	}
	return causes
}

// newErr makes memory for the library to describe an error in; it has no pointers, and lives as long as its owner.
func newErr() *C.sop_error {
	return &C.sop_error{size: C.sizeof_sop_error, offset: -1}
}

// fromC copies what the library said.
func fromC(e *C.sop_error) *Error {
	return &Error{
		Status:  Status(e.status),
		Traits:  Traits(e.traits),
		Errno:   syscall.Errno(e.os_errno),
		Store:   C.GoString(&e.store[0]),
		File:    C.GoString(&e.file[0]),
		Offset:  int64(e.offset),
		Message: C.GoString(&e.message[0]),
	}
}

// check is fromC where a call may have succeeded.
func check(status C.sop_status, e *C.sop_error) error {
	if status == C.SOP_OK {
		return nil
	}
	return fromC(e)
}

// fault is an error that this package itself finds.
func fault(status Status, format string, args ...any) *Error {
	return &Error{Status: status, Traits: status.Traits(), Offset: -1, Message: fmt.Sprintf(format, args...)}
}

// because adds the error of a context to an error that comes from it.
func because(err error, ctx context.Context) error {
	e, ok := err.(*Error)
	if ok && e.cause == nil && ctx != nil && (e.Status == StatusCancelled || e.Status == StatusTimeout) {
		e.cause = context.Cause(ctx)
		// The library may know that its deadline has passed before its context does.
		if end, has := ctx.Deadline(); e.cause == nil && has && e.Status == StatusTimeout && !time.Now().Before(end) {
			e.cause = context.DeadlineExceeded
		}
	}
	return err
}
