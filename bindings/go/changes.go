package sop

// #include "shim.h"
import "C"

import (
	"unsafe"
)

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
	if cap(encoded) > cap(m.enc) { // room for the next; this may be memory of the program's, which a codec gave that does not append
		m.enc = make([]byte, 0, cap(encoded))
	}
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
// In a store of [JSON] it is [ErrSchema], as are Min and Max: the key may be new, and 8 bytes are no JSON.
func (i Items[K, V]) Add(key K, by int64) error {
	return i.count(C.SOPGO_ADD, unsafe.Pointer(&key), by)
}

func (i Items[K, V]) count(how C.int, key unsafe.Pointer, number int64) error {
	if i.store != nil && i.store.json {
		return fault(StatusSchema, "Add, Min and Max are for stores of Int64; the values of %q are JSON", i.store.name)
	}
	_, err := i.changeKey(how, key, 0, number)
	return err
}

// Min lowers a counter to a number if it is higher or missing, without reading it.
func (i Items[K, V]) Min(key K, to int64) error {
	return i.count(C.SOPGO_MIN, unsafe.Pointer(&key), to)
}

// Max raises a counter to a number if it is lower or missing, without reading it.
func (i Items[K, V]) Max(key K, to int64) error {
	return i.count(C.SOPGO_MAX, unsafe.Pointer(&key), to)
}
