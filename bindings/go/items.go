package sop

// #include "shim.h"
import "C"

import (
	"unsafe"
)

// Items are the items of a store in one transaction; they end with it.
//
// Whatever a call does, it may return [ErrClosed] (the transaction or the database has ended), [ErrTimeout] and [ErrCancelled]
// (it ends now), [ErrMisuse] (two goroutines at once), [ErrSchema] (a key, a value or the declaration does not fit the store),
// and, where it reads, [ErrNotFound] (there is no such store), [ErrIO], [ErrCorrupt] and [ErrNoMemory]; where it changes
// something, [ErrReadOnly] and [ErrLimit] (a key beyond 64 KiB, a value beyond 1 GiB, a transaction beyond
// [Options.TransactionBytesMax]). [Error] says what and where. A conflict is told by the commit.
type Items[K, V any] struct {
	store *Store[K, V]
	tx    *Tx
}

// In gives the items of the store in a transaction. It does nothing yet; what is wrong is told by the calls that follow.
func (s *Store[K, V]) In(tx *Tx) Items[K, V] { return Items[K, V]{s, tx} }

// Item is one item with all that is known about it.
type Item[K, V any] struct {
	Key     K // as stored, with its ride-along fields
	Value   V
	Version uint64 // the position that wrote it; 0: this transaction, or only keys were asked for
	ID      uint64 // which one, in a store with duplicates; else 0
}

// Found is what [Items.GetMany] found for one key.
type Found[V any] struct {
	Value   V
	OK      bool   // the key is there
	Version uint64 // the position that wrote it; 0: this transaction
}

// missing tells who has items of no transaction or no store.
func (i Items[K, V]) missing() error {
	if i.tx == nil {
		return fault(StatusMisuse, "these items belong to no transaction: it is nil; use Store.In with what Update, View or Begin gave")
	}
	if i.store == nil {
		return noStore()
	}
	return nil
}

// enter claims the transaction for a call with a key, and readies its memory.
func (i Items[K, V]) enter() (*shell, *storeHandle, error) {
	if err := i.missing(); err != nil {
		return nil, nil, err
	}
	sh, err := i.tx.enter()
	if err != nil {
		return nil, nil, err
	}
	h, err := i.tx.handle(&i.store.declaration)
	if err != nil {
		i.tx.leave()
		return nil, nil, err
	}
	sh.s.reset()
	return sh, h, nil
}

// enterKey is enter, with the fields of a key ready to be passed.
func (i Items[K, V]) enterKey(key unsafe.Pointer) (*shell, *storeHandle, error) {
	sh, h, err := i.enter()
	if err != nil {
		return nil, nil, err
	}
	if err := i.store.plan.put(sh.s, key, false); err != nil {
		i.tx.leave()
		return nil, nil, err
	}
	return sh, h, nil
}

// fail describes what a call answered.
func (i Items[K, V]) fail(sh *shell) error { return i.tx.because(fromC(sh.s.err)) }

// absent tells whether a call answered that there is no such item, rather than no such store.
func (s *scratch) absent(status C.sop_status) bool {
	return status == C.SOP_NOT_FOUND && s.err.store[0] == 0
}

// yes turns an answer into found, or not, or an error.
func (i Items[K, V]) yes(status C.sop_status, sh *shell, no C.sop_status) (bool, error) {
	switch {
	case status == C.SOP_OK:
		return true, nil
	case status == no && sh.s.err.store[0] == 0 || status == no && no == C.SOP_EXISTS:
		return false, nil
	}
	return false, i.fail(sh)
}

// Get reads the value of a key; ok is false if it is not there. In a store with duplicates it is that of the oldest item.
func (i Items[K, V]) Get(key K) (value V, ok bool, err error) {
	sh, h, err := i.enterKey(unsafe.Pointer(&key))
	if err != nil {
		return value, false, err
	}
	s := sh.s
	calls.enter()
	status := C.sopgo_get(0, cTxn(sh.txn), cStore(h.c), cSchema(h.schema.c), s.fieldsPtr(), C.uint32_t(len(s.fields)), s.heapPtr(), cBytes(s.val), C.size_t(len(s.val)), s.out, s.err)
	calls.leave()
	value, ok, err = i.store.got(s, status)
	i.tx.leave()
	return value, ok, i.tx.because(err)
}

// got decodes the value that a call left.
func (s *Store[K, V]) got(m *scratch, status C.sop_status) (value V, ok bool, err error) {
	switch {
	case status == C.SOP_OK:
		value, err = s.decode(m.value())
		return value, err == nil, err
	case m.absent(status):
		return value, false, nil
	}
	return value, false, fromC(m.err)
}

func (s *Store[K, V]) decode(src []byte) (V, error) {
	value, err := s.codec.Decode(src)
	if err != nil {
		err = decodeFailed(s.name, err)
	}
	return value, err
}

// Get reads the value of a key in a transaction of its own, which is the quickest way to read one. ok is false if the key is
// not there.
func (s *Store[K, V]) Get(db *DB, key K) (value V, ok bool, err error) {
	if s == nil {
		return value, false, noStore()
	}
	h, err := db.handle(&s.declaration)
	if err != nil {
		return value, false, err
	}
	m := scratches.Get().(*scratch)
	m.reset()
	if err = s.plan.put(m, unsafe.Pointer(&key), false); err == nil {
		calls.enter()
		status := C.sopgo_get(C.sopgo_handle(uintptr(unsafe.Pointer(db.h.c))), 0, cStore(h.c), cSchema(h.schema.c), m.fieldsPtr(), C.uint32_t(len(m.fields)), m.heapPtr(), cBytes(m.val), C.size_t(len(m.val)), m.out, m.err)
		calls.leave()
		value, ok, err = s.got(m, status)
		keep(db)
		keep(h)
	}
	scratches.Put(m)
	return value, ok, err
}

// ApproxCount is the newest committed number of items: no transaction, no promise.
func (s *Store[K, V]) ApproxCount(db *DB) (uint64, error) {
	if s == nil {
		return 0, noStore()
	}
	h, err := db.handle(&s.declaration)
	if err != nil {
		return 0, err
	}
	e := newErr()
	var count C.uint64_t
	status := C.sop_approx_count(db.h.c, h.c, &count, e)
	keep(db)
	keep(h)
	return uint64(count), check(status, e)
}

// Has tells whether a key is there, without reading its value.
func (i Items[K, V]) Has(key K) (bool, error) {
	sh, h, err := i.enterKey(unsafe.Pointer(&key))
	if err != nil {
		return false, err
	}
	defer i.tx.leave()
	status := i.fetchRow(sh, h, 0, 0, true)
	return i.yes(status, sh, C.SOP_NOT_FOUND)
}

// Item reads an item with its whole key and its version. id names one of several items with that key; 0: the oldest.
func (i Items[K, V]) Item(key K, id uint64) (item Item[K, V], ok bool, err error) {
	return i.fetch(key, id, 0)
}

// ItemNow is [Items.Item] that does not wait for the disk: [ErrWouldBlock] says that what it needs is not in memory, where Item
// brings it; the transaction goes on. (The oldest item of a key in a store with duplicates may be read all the same.)
func (i Items[K, V]) ItemNow(key K, id uint64) (item Item[K, V], ok bool, err error) {
	return i.fetch(key, id, C.SOP_NOWAIT)
}

func (i Items[K, V]) fetch(key K, id uint64, flags C.uint32_t) (item Item[K, V], ok bool, err error) {
	sh, h, err := i.enterKey(unsafe.Pointer(&key))
	if err != nil {
		return item, false, err
	}
	defer i.tx.leave()
	ok, err = i.yes(i.fetchRow(sh, h, id, flags, false), sh, C.SOP_NOT_FOUND)
	if !ok {
		return item, false, err
	}
	sh.s.row.begin()
	sh.s.row.step()
	item, err = i.store.item(sh.s.row, false)
	return item, err == nil, err
}

// fetchRow brings one item into the row of the scratch, whose room grows until it fits.
func (i Items[K, V]) fetchRow(sh *shell, h *storeHandle, id uint64, flags C.uint32_t, keysOnly bool) C.sop_status {
	s := sh.s
	return s.intoRow(h.schema, func(b *batch) C.sop_status {
		return C.sopgo_fetch(cTxn(sh.txn), cStore(h.c), cSchema(h.schema.c), s.fieldsPtr(), C.uint32_t(len(s.fields)), s.heapPtr(), C.uint64_t(id), flags, cInt(keysOnly), b.rowsPtr(), C.size_t(len(b.rows)*8), cFields(b.fields), cBytes(b.heap), s.out, s.err)
	})
}

// intoRow makes a call that brings one row, again with more room if that did not fit.
func (s *scratch) intoRow(schema *schemaHandle, call func(b *batch) C.sop_status) C.sop_status {
	if s.row == nil {
		s.row = new(batch)
	}
	s.row.room(rowBytes, 1, schema.widthToUnpack())
	for {
		s.out.size = 0
		calls.enter()
		status := call(s.row)
		calls.leave()
		if status != C.SOP_LIMIT || int(s.out.size) <= len(s.row.rows)*8 {
			return status
		}
		s.row.room(int(s.out.size), 1, schema.widthToUnpack())
	}
}

func (h *schemaHandle) widthToUnpack() int {
	if h.c == nil {
		return 0
	}
	return h.width
}

func cInt(b bool) C.int {
	if b {
		return 1
	}
	return 0
}

// item decodes the row that a batch stands on.
func (s *Store[K, V]) item(b *batch, keysOnly bool) (item Item[K, V], err error) {
	item.Version, item.ID = b.version, b.item
	if s.bytes && s.plan.raw && !s.plan.tuple && !keysOnly { // both in one piece of memory
		*(*[]byte)(unsafe.Pointer(&item.Key)), *(*[]byte)(unsafe.Pointer(&item.Value)) = b.own()
		return item, nil
	}
	if item.Key, err = s.key(b); err == nil && !keysOnly {
		item.Value, err = s.decode(b.val)
	}
	return item, err
}

func (s *Store[K, V]) key(b *batch) (key K, err error) {
	if s.plan.raw {
		s.plan.getRaw(b.key, unsafe.Pointer(&key))
		return key, nil
	}
	err = s.plan.get(b.keyFields(), b.heap, unsafe.Pointer(&key))
	return key, err
}
