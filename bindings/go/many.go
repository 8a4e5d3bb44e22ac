package sop

// #include "shim.h"
import "C"

import (
	"iter"
	"unsafe"
)

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
		if err := i.store.plan.putRow(s, unsafe.Pointer(&keys[k]), k, h.schema); err != nil {
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

// putRow adds a key of a batch, behind `rows` others, all of which have as many fields: a Tuple may have to be refused.
func (p *keyPlan) putRow(s *scratch, key unsafe.Pointer, rows int, schema *schemaHandle) error {
	before := len(s.fields)
	if err := p.put(s, key, false); err != nil || !p.tuple {
		return err
	}
	given := len(s.fields) - before
	if given != schema.sorts && given != schema.width {
		return fault(StatusSchema, "a key of a batch has %d fields; in a batch it has all %d sort fields, or these and all ride-along fields, %d", given, schema.sorts, schema.width)
	}
	if given*rows != before {
		return fault(StatusSchema, "the keys of a batch have ride-along fields, or all have none")
	}
	return nil
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
	if keys == nil {
		return i.changeMany(C.SOP_REMOVE, nil)
	}
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
	if items == nil {
		return 0, fault(StatusMisuse, "the sequence of items is nil; maps.All and slices.Values make one")
	}
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
	if err := i.missing(); err != nil {
		return err
	}
	if i.store.err != nil {
		return i.store.err
	}
	err := i.store.plan.put(s, key, false)
	if err == nil && m.rows > 0 && (len(s.fields)-before+1)*m.rows != before {
		err = fault(StatusSchema, "the keys of a batch have all the same number of fields")
	}
	if err == nil && withValue {
		var encoded []byte // not in the heap at once: a codec that does not append would take the keys away
		if encoded, err = i.store.encode(s, value); err == nil {
			s.bytes(encoded)
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
