package sop

// #include "shim.h"
import "C"

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"
)

// TxOption is how one transaction differs from others.
type TxOption func(*txOptions)

type txOptions struct {
	c        C.sop_txn_options
	retryFor *time.Duration
	mode     Mode
	bare     bool // nothing but the mode was said
}

// WithDurability sets the durability of one commit.
func WithDurability(d Durability) TxOption {
	return func(o *txOptions) { o.c.durability, o.bare = C.uint32_t(d), false }
}

// WithID gives a transaction an id of the program's, for [DB.Outcome]. [ErrExists] says that it has committed or is open.
func WithID(id UUID) TxOption {
	return func(o *txOptions) {
		for i, b := range id {
			o.c.id[i] = C.uint8_t(b)
		}
		o.bare = false
	}
}

// WithDeadline ends a transaction with [ErrTimeout] after a time, if the context does not do so earlier. A time below 0 has
// passed already; 0 is the deadline of [Options].
func WithDeadline(d time.Duration) TxOption {
	if d < 0 {
		d = time.Nanosecond // rounded up to the shortest there is
	}
	return func(o *txOptions) { o.c.deadline_ms, o.bare = C.int64_t(milliseconds(d)), false }
}

// WithRetryFor is how long after its beginning [DB.Update] runs this transaction again if it conflicts, instead of
// [Options.RetryFor]; with 0 it is not run again.
func WithRetryFor(d time.Duration) TxOption {
	return func(o *txOptions) { o.retryFor = &d }
}

// WithMode changes the mode, such as to [ModeNoCheck] in [DB.Update].
func WithMode(mode Mode) TxOption {
	return func(o *txOptions) { o.mode = mode }
}

// shell is a transaction of the library and the memory that its calls work with. Shells of transactions that have ended are
// used again.
type shell struct {
	txn     *C.sop_txn
	s       *scratch
	watched *canceller // what a context that can end has of this transaction
}

func newShell(txn *C.sop_txn) *shell {
	sh := &shell{txn: txn, s: newScratch()}
	runtime.SetFinalizer(sh, func(sh *shell) {
		go func() {
			if sh.watched != nil {
				sh.watched.end()
			}
			C.sop_txn_free(sh.txn)
		}()
	})
	return sh
}

// release frees a shell that nobody else has.
func (sh *shell) release() {
	runtime.SetFinalizer(sh, nil)
	C.sop_txn_free(sh.txn)
	sh.txn = nil
}

// canceller carries the end of a context, or [Tx.Cancel], into a transaction as long as that is open. A context that can end
// has it until then, so nothing refers from it to a [Tx], which could not be collected when it is forgotten.
type canceller struct {
	mu   sync.Mutex
	txn  *C.sop_txn // nil once it has ended
	hit  bool
	stop func() bool // nil: the context has no end
}

func (c *canceller) watch(ctx context.Context, txn *C.sop_txn) {
	c.txn = txn
	if ctx.Done() == nil {
		return
	}
	c.stop = context.AfterFunc(ctx, func() {
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) { // the transaction has that deadline itself
			_ = c.cancel() // it may have ended: so much the better
		}
	})
}

func (c *canceller) cancel() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.txn == nil {
		return fault(StatusClosed, "the transaction has ended; there is nothing to cancel")
	}
	c.hit = true
	e := newErr()
	return check(C.sop_txn_cancel(c.txn, e), e)
}

// move goes on with another transaction, and tells whether it was cancelled before.
func (c *canceller) move(txn *C.sop_txn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.txn = txn
	return c.hit
}

// end lets go of the transaction, and tells whether it was cancelled.
func (c *canceller) end() bool {
	if c.stop != nil {
		c.stop()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.txn = nil
	return c.hit
}

func (db *DB) begin(ctx context.Context, mode Mode, options []TxOption) (*Tx, error) {
	if err := db.opened(); err != nil {
		return nil, err
	}
	if err := alive(ctx); err != nil {
		return nil, err
	}
	o := txOptions{mode: mode, bare: true}
	for i, option := range options {
		if option == nil {
			return nil, fault(StatusMisuse, "option %d of the transaction is nil; leave it out", i+1)
		}
		option(&o)
	}
	if o.mode >= modes {
		return nil, fault(StatusMisuse, "%d is no mode of transactions", o.mode)
	}
	if deadline, ok := ctx.Deadline(); ok {
		left := max(milliseconds(time.Until(deadline)), 1)
		if o.c.deadline_ms == 0 || left < int64(o.c.deadline_ms) {
			o.c.deadline_ms = C.int64_t(left)
		}
		o.bare = false
	}
	sh, err := db.beginShell(&o)
	if err != nil {
		return nil, err
	}
	tx := &Tx{db: db, mode: o.mode, pooled: o.bare, sh: sh, ctx: ctx, options: o}
	if o.mode == ModeWrite || o.mode == ModeNoCheck {
		tx.started = time.Now()
		if left := time.Duration(o.c.deadline_ms) * time.Millisecond; left > 0 {
			tx.ends = tx.started.Add(left)
		} else if db.deadline > 0 {
			tx.ends = tx.started.Add(db.deadline)
		}
	}
	tx.canceled = &tx.own
	if ctx.Done() != nil {
		tx.canceled = new(canceller)
		sh.watched = tx.canceled
	}
	tx.canceled.watch(ctx, sh.txn)
	return tx, nil
}

// alive is the error of a context that is over, or that there is none.
func alive(ctx context.Context) error {
	if ctx == nil {
		return fault(StatusMisuse, "the context is nil; pass context.Background() if there is none")
	}
	if ctx.Err() != nil {
		return ended(ctx, "nothing was begun")
	}
	return nil
}

// ended is the error of a context that is over, and what has come of it.
func ended(ctx context.Context, so string) error {
	status := StatusCancelled
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		status = StatusTimeout
	}
	return because(fault(status, "the context has ended, so %s: %v", so, context.Cause(ctx)), ctx)
}

func (db *DB) beginShell(o *txOptions) (*shell, error) {
	if o.bare {
		if sh := db.takeShell(o.mode); sh != nil {
			status := C.sop_txn_renew(sh.txn, sh.s.err)
			if status == C.SOP_OK {
				return sh, nil
			}
			err := fromC(sh.s.err)
			sh.release()
			return nil, err
		}
	}
	o.c.struct_size, o.c.mode = C.sizeof_sop_txn_options, C.uint32_t(o.mode)
	var txn *C.sop_txn
	e := newErr()
	status := C.sop_begin(db.h.c, &o.c, &txn, e)
	keep(db)
	if status != C.SOP_OK {
		return nil, fromC(e)
	}
	return newShell(txn), nil
}

func (db *DB) takeShell(mode Mode) *shell {
	db.mu.Lock()
	defer db.mu.Unlock()
	free := db.free[mode]
	if len(free) == 0 {
		return nil
	}
	sh := free[len(free)-1]
	free[len(free)-1] = nil // or a transaction that is forgotten would never be collected
	db.free[mode] = free[:len(free)-1]
	return sh
}

func (db *DB) giveShell(mode Mode, sh *shell) {
	db.mu.Lock()
	if len(db.free[mode]) < freeShellsMax {
		db.free[mode] = append(db.free[mode], sh)
		sh = nil
	}
	db.mu.Unlock()
	if sh != nil {
		sh.release()
	}
}
