package sop

// #include "shim.h"
import "C"

import (
	"iter"
	"unicode/utf8"
	"unsafe"
)

// Span is a part of the items of a store: those between bounds, or with a prefix, from either end, at most so many. It is
// made by [Items.Span], and each method that narrows it gives a new one. Ranges are half-open.
//
// What is wrong with a bound is told by whatever uses the span.
type Span[K, V any] struct {
	items     Items[K, V]
	from, to  bound[K]
	prefix    []any
	has       C.uint32_t // SOP_RANGE_FROM and so on
	afterItem uint64
	backward  bool
	limit     int // below 0: none
	err       error
}

// bound is a key, or leading fields of one.
type bound[K any] struct {
	key    K
	fields []any // counts if it is not nil
}

// Span is all items of the store; its methods narrow it.
func (i Items[K, V]) Span() Span[K, V] { return Span[K, V]{items: i, limit: -1} }

// Range yields the items whose keys are from `from` to `to`, itself outside, as [Items.All] does.
func (i Items[K, V]) Range(from, to K) iter.Seq2[K, V] { return i.Span().From(from).To(to).All() }

// Prefix yields the items whose keys have these leading fields, as [Items.All] does.
func (i Items[K, V]) Prefix(fields ...any) iter.Seq2[K, V] { return i.Span().Prefix(fields...).All() }

// All yields all items in order. An error ends it and sticks to the transaction: see [Tx.Err].
func (i Items[K, V]) All() iter.Seq2[K, V] { return i.Span().All() }

// Keys yields all keys in order, without reading values.
func (i Items[K, V]) Keys() iter.Seq[K] { return i.Span().Keys() }

// Count counts all items, by one look-up: it conflicts with every insert and remove.
func (i Items[K, V]) Count() (uint64, error) { return i.Span().Count() }

// First is the item with the lowest key.
func (i Items[K, V]) First() (key K, value V, ok bool, err error) { return i.Span().First() }

// Last is the item with the highest key.
func (i Items[K, V]) Last() (key K, value V, ok bool, err error) { return i.Span().Last() }

// RemoveRange removes the keys from `from` to `to`, itself outside, and tells how many.
func (i Items[K, V]) RemoveRange(from, to K) (uint64, error) {
	return i.Span().From(from).To(to).Remove()
}

// From begins the span at a key.
func (p Span[K, V]) From(key K) Span[K, V] {
	p.from, p.has, p.afterItem = bound[K]{key: key}, p.has&^C.SOP_RANGE_AFTER|C.SOP_RANGE_FROM, 0
	return p
}

// After begins the span behind a key, and all its duplicates: where the page before ended.
func (p Span[K, V]) After(key K) Span[K, V] { return p.AfterItem(key, 0) }

// AfterItem begins the span behind one item of a key in a store with duplicates.
func (p Span[K, V]) AfterItem(key K, id uint64) Span[K, V] {
	p = p.From(key)
	p.has, p.afterItem = p.has|C.SOP_RANGE_AFTER, id
	return p
}

// To ends the span before a key.
func (p Span[K, V]) To(key K) Span[K, V] {
	p.to, p.has = bound[K]{key: key}, p.has&^C.SOP_RANGE_THROUGH|C.SOP_RANGE_TO
	return p
}

// Through ends the span behind a key and all its duplicates.
func (p Span[K, V]) Through(key K) Span[K, V] {
	p = p.To(key)
	p.has |= C.SOP_RANGE_THROUGH
	return p
}

// FromFields begins the span at the first key with these leading fields.
func (p Span[K, V]) FromFields(fields ...any) Span[K, V] {
	p.from, p.has, p.afterItem = bound[K]{fields: notNil(fields)}, p.has&^C.SOP_RANGE_AFTER|C.SOP_RANGE_FROM, 0
	return p
}

// AfterFields begins the span behind the last key with these leading fields.
func (p Span[K, V]) AfterFields(fields ...any) Span[K, V] {
	p = p.FromFields(fields...)
	p.has |= C.SOP_RANGE_AFTER
	return p
}

// ToFields ends the span before the first key with these leading fields.
func (p Span[K, V]) ToFields(fields ...any) Span[K, V] {
	p.to, p.has = bound[K]{fields: notNil(fields)}, p.has&^C.SOP_RANGE_THROUGH|C.SOP_RANGE_TO
	return p
}

// ThroughFields ends the span behind the last key with these leading fields.
func (p Span[K, V]) ThroughFields(fields ...any) Span[K, V] {
	p = p.ToFields(fields...)
	p.has |= C.SOP_RANGE_THROUGH
	return p
}

// Prefix narrows the span to keys with these leading fields, or, where keys are bytes, that begin with the bytes given. Bounds
// narrow it further: [Span.After] to the next page of a list, [Span.To] and [Span.Backward] to the one before.
func (p Span[K, V]) Prefix(fields ...any) Span[K, V] {
	p.prefix, p.has = fields, p.has|C.SOP_RANGE_PREFIX
	return p
}

// StartsWith narrows the span to keys with these leading fields, the last of which is a text that the field begins with:
// Users.In(tx).Span().StartsWith("an") has "an" and "ann". That field must be ascending, else it is [ErrSchema].
func (p Span[K, V]) StartsWith(fields ...any) Span[K, V] {
	last := len(fields) - 1
	if last < 0 {
		p.err = fault(StatusSchema, "StartsWith takes a text last, and was given nothing; without it a span has all keys")
		return p
	}
	if fields[last] == "" {
		return p.Prefix(fields[:last]...)
	}
	if p.descends(last) {
		p.err = fault(StatusSchema, "StartsWith takes texts of an ascending field last; field %d is descending, so use AfterFields and ThroughFields", last+1)
		return p
	}
	text, ok := fields[last].(string)
	if !ok {
		p.err = fault(StatusSchema, "StartsWith takes a text last; this is %v", fields[last])
		return p
	}
	p = p.FromFields(fields...)
	behind, ok := afterText(text)
	switch {
	case ok:
		return p.ToFields(append(append([]any{}, fields[:last]...), behind)...)
	case last > 0:
		return p.ThroughFields(fields[:last]...)
	}
	return p // no text is behind U+10FFFF
}

// descends tells whether a sort field of the keys is descending.
func (p *Span[K, V]) descends(field int) bool {
	if p.items.store == nil {
		return false
	}
	schema, err := p.items.store.parsed()
	return err == nil && field < schema.sorts && schema.c != nil && C.sop_schema_field_descending(schema.c, C.size_t(field)) != 0
}

// afterText is the first text behind all that begin with `text`, in the order of code points; false: there is none.
func afterText(text string) (string, bool) {
	for text != "" {
		last, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
		switch {
		case last == 0xD7FF:
			return text + "\uE000", true
		case last < utf8.MaxRune:
			return text + string(last+1), true
		}
	}
	return "", false
}

// Backward goes from the end of the span to its start.
func (p Span[K, V]) Backward() Span[K, V] {
	p.backward = !p.backward
	return p
}

// Limit ends the span after so many items, whichever end it begins at. It counts for what goes over items, not for
// [Span.Count] and [Span.Remove].
func (p Span[K, V]) Limit(items int) Span[K, V] {
	p.limit = max(items, 0)
	return p
}

func notNil(fields []any) []any {
	if fields == nil {
		return []any{}
	}
	return fields
}

// put adds the fields of the bounds.
func (p *Span[K, V]) put(s *scratch) (r C.sopgo_range, err error) {
	r.flags, r.after_item = p.has, C.uint64_t(p.afterItem)
	if p.err != nil {
		return r, p.err
	}
	if p.has&C.SOP_RANGE_FROM != 0 {
		if r.from_count, err = putBound(p.items.store.plan, s, &p.from); err != nil {
			return r, err
		}
	}
	if p.has&C.SOP_RANGE_TO != 0 {
		if r.to_count, err = putBound(p.items.store.plan, s, &p.to); err != nil {
			return r, err
		}
	}
	if p.has&C.SOP_RANGE_PREFIX != 0 {
		if err = putTuple(s, p.prefix); err != nil {
			return r, err
		}
		r.prefix_count = C.uint32_t(len(p.prefix))
	}
	return r, nil
}

func putBound[K any](plan *keyPlan, s *scratch, b *bound[K]) (C.uint32_t, error) {
	if b.fields != nil {
		return C.uint32_t(len(b.fields)), putTuple(s, b.fields)
	}
	count, err := plan.putSorts(s, unsafe.Pointer(&b.key))
	return C.uint32_t(count), err
}

// ---- going over it -----------------------------------------------------------------------------------

// All yields the items in order. The body of the loop may change the store: each item that is there is met at most once, and
// none that stays is left out. An error ends the loop and sticks to the transaction, which then does not commit: see [Tx.Err].
func (p Span[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		p.each(false, func(item Item[K, V]) bool { return yield(item.Key, item.Value) })
	}
}

// Keys yields the keys in order, with their ride-along fields; no value is read, and changes of values are no conflict.
func (p Span[K, V]) Keys() iter.Seq[K] {
	return func(yield func(K) bool) {
		p.each(true, func(item Item[K, V]) bool { return yield(item.Key) })
	}
}

// Values yields the values in the order of their keys.
func (p Span[K, V]) Values() iter.Seq[V] {
	return func(yield func(V) bool) {
		p.each(false, func(item Item[K, V]) bool { return yield(item.Value) })
	}
}

// Items yields the items in order, with all that is known about them.
func (p Span[K, V]) Items() iter.Seq[Item[K, V]] {
	return func(yield func(Item[K, V]) bool) { p.each(false, yield) }
}

func (p *Span[K, V]) each(keysOnly bool, visit func(Item[K, V]) bool) {
	if p.limit == 0 {
		return
	}
	s, err := p.scan(keysOnly)
	if err != nil {
		p.items.tx.stick(err)
		return
	}
	defer s.close()
	for left := p.limit; left != 0 && s.next(left); left-- {
		item, err := p.items.store.item(s.b, keysOnly)
		if err != nil {
			p.items.tx.stick(err)
			return
		}
		if !visit(item) {
			return
		}
	}
	if s.err != nil {
		p.items.tx.stick(s.err)
	}
}

// First is the first item of the span, in its direction.
func (p Span[K, V]) First() (key K, value V, ok bool, err error) {
	if err := p.items.missing(); err != nil {
		return key, value, false, err
	}
	if p.limit == 0 {
		return key, value, false, nil
	}
	s, err := p.scan(false)
	if err != nil {
		return key, value, false, p.items.tx.because(err)
	}
	defer s.close()
	if !s.next(1) {
		return key, value, false, p.items.tx.because(s.err)
	}
	item, err := p.items.store.item(s.b, false)
	return item.Key, item.Value, err == nil, err
}

// Last is the last item of the span, in its direction.
func (p Span[K, V]) Last() (key K, value V, ok bool, err error) { return p.Backward().First() }

// IsEmpty tells whether there is no item, by looking at one key.
func (p Span[K, V]) IsEmpty() (bool, error) {
	s, err := p.scan(true)
	if err != nil {
		return false, p.items.tx.because(err)
	}
	defer s.close()
	some := s.next(1)
	return !some, p.items.tx.because(s.err)
}

// Count counts the items between the bounds. It conflicts with whatever adds to them or takes from them.
func (p Span[K, V]) Count() (uint64, error) { return p.count(false) }

// Remove removes the items between the bounds, and tells how many those were.
func (p Span[K, V]) Remove() (uint64, error) { return p.count(true) }

func (p *Span[K, V]) count(remove bool) (uint64, error) {
	sh, h, err := p.items.enter()
	if err != nil {
		return 0, err
	}
	defer p.items.tx.leave()
	s := sh.s
	r, err := p.put(s)
	if err != nil {
		return 0, err
	}
	if remove {
		p.items.tx.changes++
	}
	calls.enter()
	status := C.sopgo_range_count(cTxn(sh.txn), cStore(h.c), cSchema(h.schema.c), &r, s.fieldsPtr(), s.heapPtr(), cInt(remove), s.out, s.err)
	calls.leave()
	if status != C.SOP_OK {
		return 0, p.items.fail(sh)
	}
	return uint64(s.out.count), nil
}

// ---- batches -----------------------------------------------------------------------------------------

// scan goes over a span in batches, which begin small and grow: who looks at the first items only does not read many.
type scan struct {
	tx       *Tx
	schema   *schemaHandle
	cursor   *C.sop_cursor
	b        *batch
	m        *scratch
	rows     int // of the next batch
	backward bool
	changes  uint64 // of the transaction when the batch was read
	err      error
}

const (
	firstRows = 8
	growth    = 4
)

func (p *Span[K, V]) open(flags C.uint32_t) (*C.sop_cursor, *storeHandle, error) {
	sh, h, err := p.items.enter()
	if err != nil {
		return nil, nil, err
	}
	defer p.items.tx.leave()
	s := sh.s
	r, err := p.put(s)
	if err != nil {
		return nil, nil, err
	}
	var cursor *C.sop_cursor
	calls.enter()
	status := C.sopgo_cursor_open(cTxn(sh.txn), cStore(h.c), cSchema(h.schema.c), &r, s.fieldsPtr(), s.heapPtr(), flags, &cursor, s.err)
	calls.leave()
	if status != C.SOP_OK {
		return nil, nil, fromC(s.err)
	}
	return cursor, h, nil
}

func (p *Span[K, V]) scan(keysOnly bool) (*scan, error) {
	var flags C.uint32_t = C.SOP_CURSOR_COPIES // as in Cursor
	if p.backward {
		flags |= C.SOP_CURSOR_REVERSE
	}
	if keysOnly {
		flags |= C.SOP_CURSOR_KEYS
	}
	cursor, h, err := p.open(flags)
	if err != nil {
		return nil, err
	}
	b := batches.Get().(*batch)
	b.room(batchBytes, rowsPerCall, h.schema.widthToUnpack())
	return &scan{
		tx: p.items.tx, schema: h.schema, cursor: cursor, b: b, m: scratches.Get().(*scratch),
		rows: firstRows, backward: p.backward,
	}, nil
}

// close needs no claim of the transaction: nobody else has the cursor.
func (s *scan) close() {
	C.sop_cursor_free(s.cursor)
	batches.Put(s.b)
	scratches.Put(s.m)
}

// next goes to the next row; at most `left` will be asked for.
func (s *scan) next(left int) bool {
	if s.err != nil {
		return false
	}
	if s.changes == s.tx.changes && s.b.step() {
		return true
	}
	if s.changes != s.tx.changes && s.b.count > 0 {
		if s.err = s.comeBack(); s.err != nil {
			return false
		}
		s.rows = 1
	}
	return s.fetch(left) && s.b.step()
}

// comeBack puts the cursor on the row that was seen last, since what follows may have changed.
func (s *scan) comeBack() error {
	if _, err := s.tx.enter(); err != nil {
		return err
	}
	defer s.tx.leave()
	calls.enter()
	status := C.sopgo_cursor_return(cCursor(s.cursor), cSchema(s.schema.c), cBytes(s.b.key), C.size_t(len(s.b.key)), C.uint64_t(s.b.item), cInt(s.backward), s.m.err)
	calls.leave()
	return check(status, s.m.err)
}

// fetch reads the next batch.
func (s *scan) fetch(left int) bool {
	if _, err := s.tx.enter(); err != nil {
		s.err = err
		return false
	}
	defer s.tx.leave()
	s.changes = s.tx.changes
	rows := min(s.rows, rowsPerCall)
	if left > 0 {
		rows = min(rows, left)
	}
	s.rows = rows * growth
	s.b.count, s.b.index = 0, 0
	for {
		s.m.out.size = 0
		calls.enter()
		status := C.sopgo_cursor_fetch(cCursor(s.cursor), cSchema(s.schema.c), s.b.rowsPtr(), C.size_t(len(s.b.rows)*8), C.uint32_t(rows), C.SOP_ROWS_ITEM|C.SOP_ROWS_VERSION, cFields(s.b.fields), cBytes(s.b.heap), s.m.out, s.m.err)
		calls.leave()
		switch {
		case status == C.SOP_OK:
			s.b.begin()
			return true
		case status == C.SOP_NOT_FOUND:
			return false
		case status == C.SOP_LIMIT && int(s.m.out.size) > len(s.b.rows)*8:
			s.b.room(int(s.m.out.size), rowsPerCall, s.schema.widthToUnpack())
		default:
			s.err = fromC(s.m.err)
			return false
		}
	}
}
