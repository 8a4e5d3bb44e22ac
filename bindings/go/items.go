package sop

// #include "shim.h"
import "C"

import (
	"iter"
	"unsafe"
)

// Items are the items of a store in one transaction; they end with it.
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
	Version uint64 // the position that wrote it; 0: this transaction
	ID      uint64 // which one, in a store with duplicates; else 0
}

// Found is what [Items.GetMany] found for one key.
type Found[V any] struct {
	Value   V
	OK      bool
	Version uint64
}

// enter claims the transaction for a call with a key, and readies its memory.
func (i Items[K, V]) enter() (*shell, *storeHandle, error) {
	if i.tx == nil || i.store == nil {
		return nil, nil, fault(StatusMisuse, "these items belong to no transaction; use Store.In")
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

// ---- reading -----------------------------------------------------------------------------------------

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
	status := i.fetchRow(sh, h, 0, true)
	return i.yes(status, sh, C.SOP_NOT_FOUND)
}

// Item reads an item with its whole key and its version. id names one of several items with that key; 0: the oldest.
func (i Items[K, V]) Item(key K, id uint64) (item Item[K, V], ok bool, err error) {
	sh, h, err := i.enterKey(unsafe.Pointer(&key))
	if err != nil {
		return item, false, err
	}
	defer i.tx.leave()
	ok, err = i.yes(i.fetchRow(sh, h, id, false), sh, C.SOP_NOT_FOUND)
	if !ok {
		return item, false, err
	}
	sh.s.row.begin()
	sh.s.row.step()
	item, err = i.store.item(sh.s.row, false)
	return item, err == nil, err
}

// fetchRow brings one item into the row of the scratch, whose room grows until it fits.
func (i Items[K, V]) fetchRow(sh *shell, h *storeHandle, id uint64, keysOnly bool) C.sop_status {
	s := sh.s
	return s.intoRow(h.schema, func(b *batch) C.sop_status {
		return C.sopgo_fetch(cTxn(sh.txn), cStore(h.c), cSchema(h.schema.c), s.fieldsPtr(), C.uint32_t(len(s.fields)), s.heapPtr(), C.uint64_t(id), cInt(keysOnly), b.rowsPtr(), C.size_t(len(b.rows)*8), cFields(b.fields), cBytes(b.heap), s.out, s.err)
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
		own := append(make([]byte, 0, len(b.key)+len(b.val)), b.key...)
		own = append(own, b.val...)
		*(*[]byte)(unsafe.Pointer(&item.Key)) = own[:len(b.key):len(b.key)]
		*(*[]byte)(unsafe.Pointer(&item.Value)) = own[len(b.key):]
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

// GetMany reads many keys in few calls; what it found is in the order of the keys.
func (i Items[K, V]) GetMany(keys []K) ([]Found[V], error) {
	found := make([]Found[V], 0, len(keys))
	for len(keys) > 0 {
		part := keys[:min(len(keys), rowsPerCall)]
		keys = keys[len(part):]
		var err error
		if found, err = i.getPart(part, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

const (
	rowsPerCall  = 512
	bytesPerCall = 256 << 10
)

func (i Items[K, V]) getPart(keys []K, found []Found[V]) ([]Found[V], error) {
	sh, h, err := i.enter()
	if err != nil {
		return nil, err
	}
	defer i.tx.leave()
	s := sh.s
	for k := range keys {
		before := len(s.fields)
		if err := i.store.plan.putRow(s, unsafe.Pointer(&keys[k]), before, h.schema); err != nil {
			return nil, err
		}
	}
	calls.enter()
	status := C.sopgo_get_many(cTxn(sh.txn), cStore(h.c), cSchema(h.schema.c), s.fieldsPtr(), C.uint32_t(len(s.fields)/len(keys)), C.uint32_t(len(keys)), s.heapPtr(), C.size_t(len(s.heap)), s.out, s.err)
	calls.leave()
	b := batches.Get().(*batch)
	defer batches.Put(b)
	if s.out.owned != 0 {
		b.room(max(int(s.out.size), batchBytes), 1, 0)
		C.sopgo_copy(b.rowsPtr(), s.out)
		C.sopgo_release(s.out)
	}
	if status != C.SOP_OK {
		return nil, i.fail(sh)
	}
	for b.begin(); b.step(); {
		one := Found[V]{OK: !b.missing, Version: b.version}
		if one.OK {
			if one.Value, err = i.store.decode(b.val); err != nil {
				return nil, err
			}
		}
		found = append(found, one)
	}
	return found, nil
}

// putRow adds a key of a batch, all of which have as many fields: a Tuple may have to be filled up or refused.
func (p *keyPlan) putRow(s *scratch, key unsafe.Pointer, before int, schema *schemaHandle) error {
	if err := p.put(s, key, false); err != nil || !p.tuple {
		return err
	}
	if given := len(s.fields) - before; given != schema.sorts && given != schema.width {
		return fault(StatusSchema, "a key of a batch has %d fields; in a batch it has all %d sort fields, or these and all ride-along fields, %d", given, schema.sorts, schema.width)
	}
	if p.tuple && before > 0 && len(s.fields)%(len(s.fields)-before) != 0 {
		return fault(StatusSchema, "the keys of a batch have ride-along fields, or all have none")
	}
	return nil
}

// ---- changing ----------------------------------------------------------------------------------------

// change makes one change; the key is in the scratch.
func (i Items[K, V]) change(how C.int, sh *shell, h *storeHandle, id uint64, number int64, value []byte) C.sop_status {
	s := sh.s
	i.tx.changes++
	calls.enter()
	status := C.sopgo_change(cTxn(sh.txn), cStore(h.c), cSchema(h.schema.c), how, s.fieldsPtr(), C.uint32_t(len(s.fields)), s.heapPtr(), C.uint64_t(id), C.int64_t(number), cBytes(value), C.size_t(len(value)), s.out, s.err)
	calls.leave()
	return status
}

// encode gives the bytes of a value, which live until the next call.
func (s *Store[K, V]) encode(m *scratch, value V) ([]byte, error) {
	if s.bytes { // as they are, however large
		return *(*[]byte)(unsafe.Pointer(&value)), nil
	}
	encoded, err := s.codec.Append(m.enc[:0], value)
	if err != nil {
		return nil, encodeFailed(s.name, err)
	}
	m.enc = encoded
	return encoded, nil
}

// changeValue is a change with a key and a value; no is the answer that is not an error.
func (i Items[K, V]) changeValue(how C.int, key unsafe.Pointer, id uint64, value V, no C.sop_status) (bool, uint64, error) {
	sh, h, err := i.enterKey(key)
	if err != nil {
		return false, 0, err
	}
	encoded, err := i.store.encode(sh.s, value)
	var ok bool
	var item uint64
	if err == nil {
		ok, err = i.yes(i.change(how, sh, h, id, 0, encoded), sh, no)
		item = uint64(sh.s.out.item)
	}
	i.tx.leave()
	return ok, item, err
}

// changeKey is a change with a key only.
func (i Items[K, V]) changeKey(how C.int, key unsafe.Pointer, id uint64, number int64) (bool, error) {
	sh, h, err := i.enterKey(key)
	if err != nil {
		return false, err
	}
	ok, err := i.yes(i.change(how, sh, h, id, number, nil), sh, C.SOP_NOT_FOUND)
	i.tx.leave()
	return ok, err
}

// Put adds or replaces a value without looking: two puts never conflict. Not for stores with duplicates.
func (i Items[K, V]) Put(key K, value V) error {
	_, _, err := i.changeValue(C.SOPGO_PUT, unsafe.Pointer(&key), 0, value, C.SOP_OK)
	return err
}

// Insert adds an item if its key is not there; added is false if it is. Where there are duplicates it always adds, and
// [Items.InsertItem] tells which item it is.
func (i Items[K, V]) Insert(key K, value V) (added bool, err error) {
	added, _, err = i.changeValue(C.SOPGO_INSERT, unsafe.Pointer(&key), 0, value, C.SOP_EXISTS)
	return added, err
}

// InsertItem is [Items.Insert] that gives the id of the new item in a store with duplicates.
func (i Items[K, V]) InsertItem(key K, value V) (id uint64, added bool, err error) {
	added, id, err = i.changeValue(C.SOPGO_INSERT, unsafe.Pointer(&key), 0, value, C.SOP_EXISTS)
	return id, added, err
}

// Update replaces the value of a key, and its ride-along fields; found is false if it is not there.
func (i Items[K, V]) Update(key K, value V) (found bool, err error) {
	return i.UpdateItem(key, 0, value)
}

// UpdateItem replaces the value of one of several items with the same key; 0: the oldest.
func (i Items[K, V]) UpdateItem(key K, id uint64, value V) (found bool, err error) {
	found, _, err = i.changeValue(C.SOPGO_UPDATE, unsafe.Pointer(&key), id, value, C.SOP_NOT_FOUND)
	return found, err
}

// Remove removes a key; found is false if it is not there.
func (i Items[K, V]) Remove(key K) (found bool, err error) { return i.RemoveItem(key, 0) }

// RemoveItem removes one of several items with the same key; 0: the oldest.
func (i Items[K, V]) RemoveItem(key K, id uint64) (found bool, err error) {
	return i.changeKey(C.SOPGO_REMOVE, unsafe.Pointer(&key), id, 0)
}

// SetRide replaces the ride-along fields of a stored key with those of key; the value is not touched.
func (i Items[K, V]) SetRide(key K) (found bool, err error) { return i.SetRideItem(key, 0) }

// SetRideItem is [Items.SetRide] for one of several items with the same key; 0: the oldest.
func (i Items[K, V]) SetRideItem(key K, id uint64) (found bool, err error) {
	return i.changeKey(C.SOPGO_SET_RIDE, unsafe.Pointer(&key), id, 0)
}

// Add adds to a counter (see [Int64]); a missing one counts as 0. It reads nothing, so that additions never conflict.
func (i Items[K, V]) Add(key K, by int64) error {
	_, err := i.changeKey(C.SOPGO_ADD, unsafe.Pointer(&key), 0, by)
	return err
}

// Min lowers a counter to a number if it is higher or missing, without reading it.
func (i Items[K, V]) Min(key K, to int64) error {
	_, err := i.changeKey(C.SOPGO_MIN, unsafe.Pointer(&key), 0, to)
	return err
}

// Max raises a counter to a number if it is lower or missing, without reading it.
func (i Items[K, V]) Max(key K, to int64) error {
	_, err := i.changeKey(C.SOPGO_MAX, unsafe.Pointer(&key), 0, to)
	return err
}

// PutMany puts many items in few calls. It stops at the first that fails, and tells how many were done.
func (i Items[K, V]) PutMany(items iter.Seq2[K, V]) (done int, err error) {
	return i.changeMany(C.SOP_PUT, items)
}

// InsertMany inserts many items; a key that is there already is [ErrExists].
func (i Items[K, V]) InsertMany(items iter.Seq2[K, V]) (done int, err error) {
	return i.changeMany(C.SOP_INSERT, items)
}

// UpdateMany replaces many values; a key that is not there is [ErrNotFound].
func (i Items[K, V]) UpdateMany(items iter.Seq2[K, V]) (done int, err error) {
	return i.changeMany(C.SOP_UPDATE, items)
}

// RemoveMany removes many keys; one that is not there is [ErrNotFound].
func (i Items[K, V]) RemoveMany(keys iter.Seq[K]) (done int, err error) {
	var none V
	return i.changeMany(C.SOP_REMOVE, func(yield func(K, V) bool) {
		for key := range keys {
			if !yield(key, none) {
				return
			}
		}
	})
}

// many gathers rows for calls of many changes. The sequence that gives them may use the transaction itself, so they are kept
// in memory of their own, and the transaction is claimed by each call only.
type many struct {
	s    *scratch
	rows int
}

func (i Items[K, V]) changeMany(how C.int, items iter.Seq2[K, V]) (done int, err error) {
	m := many{s: scratches.Get().(*scratch)}
	defer scratches.Put(m.s)
	m.s.reset()
	for key, value := range items {
		if err = i.addRow(&m, unsafe.Pointer(&key), value, how != C.SOP_REMOVE); err != nil {
			break
		}
		if m.rows < rowsPerCall && len(m.s.heap) < bytesPerCall {
			continue
		}
		if err = i.flush(&m, how, &done); err != nil {
			return done, err
		}
	}
	if flushed := i.flush(&m, how, &done); flushed != nil {
		return done, flushed
	}
	return done, err
}

// addRow adds the fields of a key, and its value as one more.
func (i Items[K, V]) addRow(m *many, key unsafe.Pointer, value V, withValue bool) error {
	s := m.s
	before := len(s.fields)
	if i.tx == nil || i.store == nil {
		return fault(StatusMisuse, "these items belong to no transaction; use Store.In")
	}
	if i.store.plan == nil {
		return i.store.err
	}
	err := i.store.plan.put(s, key, false)
	if err == nil && m.rows > 0 && (len(s.fields)-before+1)*m.rows != before {
		err = fault(StatusSchema, "the keys of a batch have all the same number of fields")
	}
	if err == nil && withValue {
		at := len(s.heap)
		var heap []byte
		if heap, err = i.store.codec.Append(s.heap, value); err != nil {
			err = encodeFailed(i.store.name, err)
		} else {
			s.heap = heap
			s.fields = append(s.fields, field{typ: C.SOP_TYPE_BYTES, a: uint64(at), b: uint64(len(heap) - at)})
		}
	} else if err == nil {
		s.fields = append(s.fields, field{typ: C.SOP_TYPE_BYTES})
	}
	if err != nil {
		s.fields = s.fields[:before]
		return err
	}
	m.rows++
	return nil
}

// flush makes the changes that were gathered.
func (i Items[K, V]) flush(m *many, how C.int, done *int) error {
	if m.rows == 0 {
		return nil
	}
	sh, h, err := i.enter()
	if err != nil {
		return err
	}
	defer i.tx.leave()
	i.tx.changes++
	s := m.s
	calls.enter()
	status := C.sopgo_put_many(cTxn(sh.txn), cStore(h.c), cSchema(h.schema.c), how, s.fieldsPtr(), C.uint32_t(len(s.fields)/m.rows-1), C.uint32_t(m.rows), s.heapPtr(), C.size_t(len(s.heap)), s.out, s.err)
	calls.leave()
	*done += int(s.out.count)
	s.reset()
	m.rows = 0
	return i.tx.because(check(status, s.err))
}
