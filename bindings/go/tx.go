package sop

// #include "shim.h"
import "C"

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"
	"unsafe"
)

// Mode says what a transaction may do and what is promised about its reads.
type Mode uint32

// The modes of transactions.
const (
	// ModeWrite reads and writes; strictly serializable.
	ModeWrite Mode = C.SOP_WRITE
	// ModeRead only reads; strictly serializable at its begin, never a conflict.
	ModeRead Mode = C.SOP_READ
	// ModeSnapshot is ModeRead without the freshness check of clusters.
	ModeSnapshot Mode = C.SOP_SNAPSHOT
	// ModeNoCheck reads and writes; its reads are not validated.
	ModeNoCheck Mode = C.SOP_NOCHECK

	modes = 4
)

// Tx is a transaction. It is used by one goroutine at a time: a call that finds another one running returns [ErrMisuse]. What
// is got from it, [Items], [Span] and [Cursor], ends with it.
type Tx struct {
	db       *DB
	mode     Mode
	pooled   bool // its shell can be used again
	byHand   bool
	busy     atomic.Bool
	sh       *shell // nil once it has ended for good
	err      error  // the first failure of an iteration
	changes  uint64 // counts what it changed, for iterations under way
	position uint64
	// committed tells that it has, whatever becomes of its context later.
	committed bool
	started   time.Time
	ends      time.Time // the deadline, if it is known
	earlier   int       // attempts before the transaction of the library was begun anew
	options   txOptions
	ctx       context.Context
	canceled  *canceller // own, or one that the context has
	own       canceller
	lastDecl  *declaration // the store that was used last
	last      *storeHandle
}

// ---- calls -----------------------------------------------------------------------------------------

// enter claims the transaction for one call.
func (tx *Tx) enter() (*shell, error) {
	if tx == nil {
		return nil, noTx()
	}
	if !tx.busy.CompareAndSwap(false, true) {
		return nil, fault(StatusMisuse, "another goroutine is using this transaction; use it from one at a time")
	}
	if tx.sh == nil {
		tx.busy.Store(false)
		return nil, fault(StatusClosed, "the transaction has ended; begin a new one")
	}
	return tx.sh, nil
}

func noTx() error {
	return fault(StatusMisuse, "there is no transaction: it is nil; use what Update, View or Begin gave")
}

func (tx *Tx) leave() {
	tx.busy.Store(false)
	keep(tx)
}

// stick keeps the first error that an iteration cannot return.
func (tx *Tx) stick(err error) {
	if tx != nil && tx.err == nil { // one that is nil has an error anyway
		tx.err = tx.because(err)
	}
}

// Err is the first error that an iteration over a range met, if any: [DB.Update], [DB.View] and [Tx.Commit] return it, and do
// not commit. A transaction that is nil, over whose items a loop finds nothing, has one: [ErrMisuse].
func (tx *Tx) Err() error {
	if tx == nil {
		return noTx()
	}
	return tx.err
}

// TakeErr is [Tx.Err] that lets the transaction go on as if the error had not been.
func (tx *Tx) TakeErr() error {
	err := tx.Err()
	if tx != nil {
		tx.err = nil
	}
	return err
}

// call is a call of the library that nothing but the transaction takes part in.
func (tx *Tx) call(f func(sh *shell) C.sop_status) error {
	sh, err := tx.enter()
	if err != nil {
		return err
	}
	defer tx.leave()
	calls.enter()
	defer calls.leave()
	return tx.because(check(f(sh), sh.s.err))
}

// ---- ending ----------------------------------------------------------------------------------------

// run runs a body until it has committed or cannot.
func (tx *Tx) run(body func(*Tx) error) error {
	if body == nil {
		return fault(StatusMisuse, "the function that works in the transaction is nil")
	}
	for {
		err := body(tx)
		if err == nil {
			err = tx.commit()
		}
		if err == nil || tx.started.IsZero() || !TraitsOf(err).Has(TraitAbort) {
			return err
		}
		if err := tx.again(err); err != nil {
			return err
		}
	}
}

func (tx *Tx) commit() error {
	if tx.err != nil {
		return tx.err
	}
	if !tx.committed && tx.ctx.Err() != nil { // who watches it is another goroutine, and may be late
		return ended(tx.ctx, "the transaction was not committed")
	}
	sh, err := tx.enter()
	if err != nil {
		return err
	}
	defer tx.leave()
	calls.enter()
	status := C.sopgo_commit(cTxn(sh.txn), sh.s.out, sh.s.err)
	calls.leave()
	if status != C.SOP_OK {
		return fromC(sh.s.err)
	}
	tx.committed, tx.position = true, uint64(sh.s.out.position)
	if !tx.byHand {
		tx.finish()
	}
	return nil
}

// retryFor is how long the transaction is run again; false: until its deadline.
func (tx *Tx) retryFor() (time.Duration, bool) {
	switch {
	case tx.options.retryFor != nil:
		return *tx.options.retryFor, true
	case tx.db.retryFor > 0:
		return tx.db.retryFor, true
	}
	return retryForDefault, tx.ends.IsZero()
}

// again waits, and begins anew after a conflict; `conflict` is what the attempt ended with.
func (tx *Tx) again(conflict error) error {
	if limit, ok := tx.retryFor(); ok && time.Since(tx.started) >= limit {
		err := fault(StatusTimeout, "the transaction conflicts, and is not run again after %v (RetryFor); the last time: %v", limit, conflict)
		err.cause = conflict
		return err
	}
	sh, err := tx.enter()
	if err != nil {
		return err
	}
	defer tx.leave()
	tx.err = nil
	tx.changes++
	calls.enter()
	status := C.sop_txn_again(sh.txn, sh.s.err)
	calls.leave()
	if status == C.SOP_MISUSE { // nothing failed in it: the conflict is the body's own
		return tx.anew(sh)
	}
	return check(status, sh.s.err)
}

const (
	firstPause     = 20 * time.Microsecond
	pauseDoublings = 8 // to about 5 ms
)

// anew begins anew a transaction in which nothing failed, since its body says that it conflicts. It waits as the library does
// after a conflict, and the next attempt has what is left of the deadline, and the same id. REQUIRES: the transaction is claimed.
func (tx *Tx) anew(sh *shell) error {
	var attempts C.uint32_t
	if status := C.sop_txn_attempts(sh.txn, &attempts, sh.s.err); status != C.SOP_OK {
		return fromC(sh.s.err)
	}
	tx.earlier += int(attempts)
	if status := C.sop_rollback(sh.txn, sh.s.err); status != C.SOP_OK {
		return fromC(sh.s.err)
	}
	if err := tx.pause(); err != nil {
		return err
	}
	if tx.options.bare && tx.ends.IsZero() {
		if status := C.sop_txn_renew(sh.txn, sh.s.err); status != C.SOP_OK {
			return fromC(sh.s.err)
		}
		return tx.moved(sh)
	}
	o := tx.options
	if o.bare = false; !tx.ends.IsZero() {
		o.c.deadline_ms = C.int64_t(max(milliseconds(time.Until(tx.ends)), 1))
	}
	next, err := tx.db.beginShell(&o)
	if err != nil {
		return err
	}
	next.watched, sh.watched = sh.watched, nil
	tx.sh, tx.pooled = next, false
	err = tx.moved(next)
	sh.release()
	return err
}

// moved has what cancels the transaction cancel its new attempt, unless that has happened already.
func (tx *Tx) moved(sh *shell) error {
	if tx.canceled.move(sh.txn) {
		return fault(StatusCancelled, "the transaction was cancelled")
	}
	return nil
}

// pause waits before another attempt: between half and all of a time that doubles each time.
func (tx *Tx) pause() error {
	most := firstPause << min(tx.earlier, pauseDoublings)
	wait := most/2 + rand.N(most/2+1)
	if !tx.ends.IsZero() {
		left := time.Until(tx.ends)
		if left <= 0 {
			return tx.because(fault(StatusTimeout, "the deadline of the transaction has passed after %d attempts", tx.earlier))
		}
		wait = min(wait, left)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-tx.ctx.Done():
		return ended(tx.ctx, "the transaction was not run again")
	}
	return nil
}

// finish gives the shell of a transaction that has ended back. REQUIRES: the transaction is claimed.
func (tx *Tx) finish() {
	sh := tx.sh
	tx.sh = nil
	sh.watched = nil
	if tx.canceled.end() || !tx.pooled {
		sh.release()
		return
	}
	tx.db.giveShell(tx.mode, sh)
}

// drop rolls the transaction back if it is open, and gives its shell back unless another goroutine is using it.
func (tx *Tx) drop() {
	sh, err := tx.enter()
	if err != nil {
		if tx.busy.Load() { // that goroutine, or a panic in the middle of a call, keeps the shell; the collector frees it
			tx.abandon()
		}
		return
	}
	defer tx.leave()
	C.sop_rollback(sh.txn, nil)
	tx.finish()
}

// abandon rolls back while another goroutine is in a call, which returns [ErrClosed] or the like.
func (tx *Tx) abandon() {
	tx.canceled.end()
	if sh := tx.sh; sh != nil {
		C.sop_rollback(sh.txn, nil)
		keep(sh)
	}
}

func (tx *Tx) onlyByHand(what string) error {
	if tx == nil {
		return noTx()
	}
	if tx.byHand {
		return nil
	}
	return fault(StatusMisuse, "%s is for transactions of Begin; Update and View end theirs themselves, by what their function returns", what)
}

// Commit makes the changes visible and durable, all at once, or not at all. A transaction that has committed answers nil
// again.
func (tx *Tx) Commit() error {
	if err := tx.onlyByHand("Commit"); err != nil {
		return err
	}
	return tx.because(tx.commit())
}

// Rollback undoes everything. Rolling back again does nothing; after a commit it is [ErrMisuse].
func (tx *Tx) Rollback() error {
	if err := tx.onlyByHand("Rollback"); err != nil {
		return err
	}
	return tx.call(func(sh *shell) C.sop_status { return C.sop_rollback(sh.txn, sh.s.err) })
}

// Again is the loop of [DB.Update] by hand: after a call failed with [TraitAbort] it rolls back, waits a moment and begins the
// transaction anew. nil says: run the body again.
func (tx *Tx) Again() error {
	if err := tx.onlyByHand("Again"); err != nil {
		return err
	}
	tx.err = nil
	tx.changes++
	return tx.call(func(sh *shell) C.sop_status { return C.sop_txn_again(sh.txn, sh.s.err) })
}

// Close rolls the transaction back if it is open, and ends its use. Closing again does nothing.
func (tx *Tx) Close() error {
	if err := tx.onlyByHand("Close"); err != nil {
		return err
	}
	tx.drop()
	return nil
}

// Cancel makes running and later calls of the transaction, and its commit, return [ErrCancelled]. It may be called from any
// goroutine.
func (tx *Tx) Cancel() error {
	if tx == nil || tx.canceled == nil {
		return noTx()
	}
	return tx.canceled.cancel()
}

// ---- what is known about it ----------------------------------------------------------------------------

// ID names the transaction, for [DB.Outcome].
func (tx *Tx) ID() (UUID, error) {
	var id UUID
	err := tx.call(func(sh *shell) C.sop_status {
		return C.sop_txn_id(sh.txn, (*C.uint8_t)(&id[0]), sh.s.err)
	})
	return id, err
}

// Position is that of the commit, once it has changed something and committed: unique and ascending in the order in which
// transactions took effect. Before, it is the position that the transaction reads at.
func (tx *Tx) Position() (uint64, error) {
	if tx != nil && tx.position != 0 && !tx.byHand {
		return tx.position, nil
	}
	var position C.uint64_t
	err := tx.call(func(sh *shell) C.sop_status { return C.sop_txn_position(sh.txn, &position, sh.s.err) })
	return uint64(position), err
}

// Attempts is how often the body has been begun: 1 the first time.
func (tx *Tx) Attempts() (int, error) {
	var attempts C.uint32_t
	err := tx.call(func(sh *shell) C.sop_status { return C.sop_txn_attempts(sh.txn, &attempts, sh.s.err) })
	if tx != nil {
		attempts += C.uint32_t(tx.earlier)
	}
	return int(attempts), err
}

// Conflict tells what the last conflict was about: a store, and the bytes of a key, which [Store.UnpackKey] reads; they are
// empty where the store itself or its count had changed. ok is false if there was none.
func (tx *Tx) Conflict() (store string, key []byte, ok bool, err error) {
	err = tx.call(func(sh *shell) C.sop_status {
		var name, bytes C.sop_bytes
		status := C.sop_txn_conflict(sh.txn, &name, &bytes, sh.s.err)
		if status == C.SOP_NOT_FOUND {
			return C.SOP_OK
		}
		if status == C.SOP_OK {
			store, key, ok = string(viewOf(name)), append([]byte{}, viewOf(bytes)...), true
		}
		return status
	})
	return store, key, ok, err
}

// viewOf is memory of the library, to be copied at once.
func viewOf(bytes C.sop_bytes) []byte {
	return unsafe.Slice((*byte)(bytes.data), int(bytes.size))
}

// Savepoint is a place in the changes of a transaction.
type Savepoint uint64

// Savepoint marks a place in the changes to which [Tx.RollbackTo] returns.
func (tx *Tx) Savepoint() (Savepoint, error) {
	var savepoint C.uint64_t
	err := tx.call(func(sh *shell) C.sop_status { return C.sop_savepoint(sh.txn, &savepoint, sh.s.err) })
	return Savepoint(savepoint), err
}

// RollbackTo undoes the changes since a savepoint, which stays.
func (tx *Tx) RollbackTo(savepoint Savepoint) error {
	return tx.call(func(sh *shell) C.sop_status {
		tx.changes++
		return C.sop_rollback_to(sh.txn, C.uint64_t(savepoint), sh.s.err)
	})
}

// because adds the error of the context of a transaction, if there is one.
func (tx *Tx) because(err error) error {
	if err == nil || tx == nil {
		return err
	}
	return because(err, tx.ctx)
}
