package sop

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"context"
	"runtime"
	"runtime/cgo"
	"strconv"
	"strings"
	"unsafe"
)

// Progress is told how far a long call is, now and then, while that call waits: so many bytes of about so many, which may still
// grow; 0 of 0 while nothing is known. It may use the database, but not close it ([ErrMisuse]). It may be nil.
type Progress func(done, total uint64)

// report is what a call that calls back has on its Go side.
type report struct {
	ctx      context.Context
	db       *DB // that the call is on; nil for Restore
	progress Progress
	problem  func(Problem) error
	err      error // why it was stopped
	panicked any   // what the callback panicked with, to go on once the library is left
	exited   bool  // the callback ended its goroutine, as the tests of Go do
}

//export sopgoProgress
func sopgoProgress(handle C.uintptr_t, done, total C.uint64_t) (stop C.int) {
	r := cgo.Handle(handle).Value().(*report)
	return r.guard(func() error {
		if r.progress != nil {
			r.progress(uint64(done), uint64(total))
		}
		return nil
	})
}

//export sopgoProblem
func sopgoProblem(handle C.uintptr_t, problem *C.sop_problem) (stop C.int) {
	r := cgo.Handle(handle).Value().(*report)
	return r.guard(func() error {
		if r.problem == nil {
			return nil
		}
		return r.problem(Problem{
			Store:   string(viewOf(problem.store)),
			File:    string(viewOf(problem.file)),
			Offset:  int64(problem.offset),
			Kind:    C.GoString(problem.kind),
			Message: C.GoString(problem.message),
		})
	})
}

// guard runs a callback; 1 stops the call: it failed, it panicked, or the context has ended. It has a goroutine of its own, for
// neither a panic nor the end of a goroutine may unwind through the library.
func (r *report) guard(callback func() error) (stop C.int) {
	if r.err = r.ctx.Err(); r.err != nil {
		return 1
	}
	done, returned := make(chan struct{}), false
	go func() {
		defer close(done)
		defer func() {
			if !returned {
				r.panicked = recover()
				r.exited = r.panicked == nil
			}
		}()
		defer r.db.tell()()
		r.err = callback()
		returned = true
	}()
	<-done
	if !returned || r.err != nil {
		return 1
	}
	return 0
}

// tell notes, until the function that it returns is called, that a callback of this database runs in this goroutine.
func (db *DB) tell() (end func()) {
	if db == nil {
		return func() {}
	}
	number := routine()
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.telling == nil {
		db.telling = make(map[uint64]bool)
	}
	db.telling[number] = true
	return func() {
		db.mu.Lock()
		defer db.mu.Unlock()
		delete(db.telling, number)
	}
}

// isTelling tells whether this goroutine is a callback of a call on this database, which ends only after it.
func (db *DB) isTelling() bool {
	db.mu.RLock()
	defer db.mu.RUnlock()
	return len(db.telling) > 0 && db.telling[routine()]
}

// routine is the number of this goroutine, which Go tells in stacks only ("goroutine 7 [running]:"); 0 if it is not told.
func routine() uint64 {
	var room [64]byte
	words := strings.Fields(string(room[:runtime.Stack(room[:], false)]))
	if len(words) < 2 {
		return 0
	}
	number, _ := strconv.ParseUint(words[1], 10, 64)
	return number
}

// call makes a call that may call back.
func (r *report) call(f func(handle C.uintptr_t, e *C.sop_error) C.sop_status) error {
	if err := alive(r.ctx); err != nil {
		return err
	}
	handle := cgo.NewHandle(r)
	defer handle.Delete()
	e := newErr()
	longCalls.enter()
	status := f(C.uintptr_t(handle), e)
	longCalls.leave()
	if r.panicked != nil {
		panic(r.panicked)
	}
	if r.exited {
		runtime.Goexit()
	}
	err := check(status, e)
	if stopped, ok := err.(*Error); ok && stopped.Status == StatusCancelled && r.err != nil {
		stopped.cause = r.err
	}
	return err
}

// GC gives space back to the file system: it writes a checkpoint, rewrites data files that are mostly dead, and removes what
// nothing needs. It happens by itself as space is needed. The end of the context stops it.
func (db *DB) GC(ctx context.Context, progress Progress) error {
	if err := db.opened(); err != nil {
		return err
	}
	defer keep(db)
	r := &report{ctx: ctx, db: db, progress: progress}
	return r.call(func(handle C.uintptr_t, e *C.sop_error) C.sop_status {
		return C.sopgo_gc(db.h.c, handle, e)
	})
}

// Backup copies the database, consistent as of one position, which it returns, into a folder that is missing or empty, while
// others go on. The copy is checked and on stable storage when it returns. The end of the context stops it.
func (db *DB) Backup(ctx context.Context, path string, progress Progress) (position uint64, err error) {
	if err := db.opened(); err != nil {
		return 0, err
	}
	defer keep(db)
	c, err := cString(path)
	if err != nil {
		return 0, err
	}
	defer C.free(unsafe.Pointer(c))
	r := &report{ctx: ctx, db: db, progress: progress}
	var at C.uint64_t
	err = r.call(func(handle C.uintptr_t, e *C.sop_error) C.sop_status {
		return C.sopgo_backup(db.h.c, c, handle, &at, e)
	})
	return uint64(at), err
}

// Restore makes a database in a folder that is missing or empty from the copy that [DB.Backup] made. The copy stays as it
// is, and must not be open meanwhile. The end of the context stops it.
func Restore(ctx context.Context, backupPath, path string, progress Progress) error {
	from, err := cString(backupPath)
	if err != nil {
		return err
	}
	defer C.free(unsafe.Pointer(from))
	to, err := cString(path)
	if err != nil {
		return err
	}
	defer C.free(unsafe.Pointer(to))
	r := &report{ctx: ctx, progress: progress}
	return r.call(func(handle C.uintptr_t, e *C.sop_error) C.sop_status {
		return C.sopgo_restore(from, to, handle, e)
	})
}

// Problem is something wrong that [DB.Verify] found.
type Problem struct {
	Store   string // its name, or ""
	File    string // relative to the database, or ""
	Offset  int64  // in bytes, or -1
	Kind    string // one word, such as "order" or "count"; "leak" and "unknown" are files that nothing needs, and no damage
	Message string
}

// Verify checks the database as of its newest position, while others go on. found is called for each problem, while
// it waits; an error from it stops the check, and so does the end of the context. found and progress may be nil. problems is
// how many there were; the error is [ErrCorrupt] if something is damaged.
func (db *DB) Verify(ctx context.Context, found func(Problem) error, progress Progress) (problems uint64, err error) {
	if err := db.opened(); err != nil {
		return 0, err
	}
	defer keep(db)
	r := &report{ctx: ctx, db: db, problem: found, progress: progress}
	var count C.uint64_t
	err = r.call(func(handle C.uintptr_t, e *C.sop_error) C.sop_status {
		return C.sopgo_verify(db.h.c, handle, &count, e)
	})
	return uint64(count), err
}

// Sync puts everything that has committed on stable storage, whatever the durability of the commits was.
func (db *DB) Sync() error {
	if err := db.opened(); err != nil {
		return err
	}
	e := newErr()
	longCalls.enter()
	defer longCalls.leave()
	defer keep(db)
	return check(C.sop_sync(db.h.c, e), e)
}

// Checkpoint writes what has changed into the data files, so that opening after a crash has next to no log to read. It
// happens by itself in the background.
func (db *DB) Checkpoint() error {
	if err := db.opened(); err != nil {
		return err
	}
	e := newErr()
	longCalls.enter()
	defer longCalls.leave()
	defer keep(db)
	return check(C.sop_checkpoint(db.h.c, e), e)
}
