package sop

// #include "shim.h"
import "C"

import (
	"runtime"
	"unsafe"
)

// Cursor stands on an item of a span, or between two, and moves both ways. It remembers its key, not its place: whatever the
// transaction changes meanwhile, no item that stays is left out. It ends with its transaction.
//
//	cursor, err := Users.In(tx).Span().Cursor()
//	...
//	defer cursor.Close()
//	for cursor.Next() {
//		if cursor.Value().Age > 99 {
//			err := cursor.Remove()
//			...
//		}
//	}
//	return cursor.Err()
type Cursor[K, V any] struct {
	items Items[K, V]
	h     *cursorHandle
	sh    *schemaHandle
	m     *scratch
	item  Item[K, V]
	keys  bool
	err   error
}

type cursorHandle struct {
	c *C.sop_cursor
	_ alone
}

// Cursor opens a cursor over the span; it stands before the first item. The direction and limit of the span do not count.
func (p Span[K, V]) Cursor() (*Cursor[K, V], error) { return p.cursor(false) }

// KeyCursor opens a cursor that does not read values.
func (p Span[K, V]) KeyCursor() (*Cursor[K, V], error) { return p.cursor(true) }

func (p *Span[K, V]) cursor(keys bool) (*Cursor[K, V], error) {
	var flags C.uint32_t = C.SOP_CURSOR_COPIES // another goroutine may close the database at any time
	if keys {
		flags |= C.SOP_CURSOR_KEYS
	}
	c, h, err := p.open(flags)
	if err != nil {
		return nil, p.items.tx.because(err)
	}
	handle := &cursorHandle{c: c}
	runtime.SetFinalizer(handle, func(h *cursorHandle) { C.sop_cursor_free(h.c) })
	return &Cursor[K, V]{items: p.items, h: handle, sh: h.schema, m: newScratch(), keys: keys}, nil
}

// enter claims the transaction for a call.
func (c *Cursor[K, V]) enter() error {
	if c == nil {
		return noCursor()
	}
	if _, err := c.items.tx.enter(); err != nil {
		return err
	}
	if c.h == nil {
		c.items.tx.leave()
		return fault(StatusClosed, "the cursor is closed")
	}
	c.m.reset()
	return nil
}

func noCursor() error {
	return fault(StatusMisuse, "there is no cursor: it is nil; use what Span.Cursor returned without an error")
}

// failed keeps the error of a move.
func (c *Cursor[K, V]) failed(err error) bool {
	if c != nil {
		c.err = err
	}
	return false
}

// moved takes in what a move brought: an item, none, or an error.
func (c *Cursor[K, V]) moved(status C.sop_status) bool {
	var none Item[K, V]
	c.item = none
	switch status {
	case C.SOP_OK:
		c.m.row.begin()
		c.m.row.step()
		item, err := c.items.store.item(c.m.row, c.keys)
		if err != nil {
			c.err = err
			return false
		}
		c.item = item
		return true
	case C.SOP_NOT_FOUND:
		return false
	}
	c.err = c.items.tx.because(fromC(c.m.err))
	return false
}

func (c *Cursor[K, V]) move(how C.int) bool {
	if err := c.enter(); err != nil {
		return c.failed(err)
	}
	defer c.items.tx.leave()
	c.err = nil
	status := c.m.intoRow(c.sh, func(b *batch) C.sop_status {
		status := C.sopgo_cursor_move(cCursor(c.h.c), cSchema(c.sh.c), how, b.rowsPtr(), C.size_t(len(b.rows)*8), cFields(b.fields), cBytes(b.heap), c.m.out, c.m.err)
		how = C.SOPGO_HERE // should the row not fit
		return status
	})
	keep(c.h)
	return c.moved(status)
}

// First moves to the first item; false: there is none, or an error, which [Cursor.Err] tells.
func (c *Cursor[K, V]) First() bool { return c.move(C.SOPGO_FIRST) }

// Last moves to the last item.
func (c *Cursor[K, V]) Last() bool { return c.move(C.SOPGO_LAST) }

// Next moves to the next item; from the start, to the first.
func (c *Cursor[K, V]) Next() bool { return c.move(C.SOPGO_NEXT) }

// Prev moves to the previous item; from the start, to the last.
func (c *Cursor[K, V]) Prev() bool { return c.move(C.SOPGO_PREV) }

// Refresh reads the item that the cursor stands on as it is now; false: it was removed, or the cursor stands on none.
func (c *Cursor[K, V]) Refresh() bool { return c.move(C.SOPGO_HERE) }

// Seek says where a cursor goes, relative to a key.
type Seek uint32

// The places that [Cursor.Seek] goes to.
const (
	AtOrAfter  Seek = C.SOP_SEEK_GE // the first item at or behind the key
	After      Seek = C.SOP_SEEK_GT // the first item behind the key and all its duplicates
	AtOrBefore Seek = C.SOP_SEEK_LE // the last item at or before the key
	Before     Seek = C.SOP_SEEK_LT // the last item before the key
	At         Seek = C.SOP_SEEK_EQ // the item of the key, the oldest of its duplicates, or nowhere
)

// Seek moves to a place relative to a key; false: there is no such item, and Next and Prev go on from that place.
func (c *Cursor[K, V]) Seek(key K, where Seek) bool {
	return c.seek(where, func(s *scratch) error {
		_, err := c.items.store.plan.putSorts(s, unsafe.Pointer(&key))
		return err
	})
}

// SeekFields is [Cursor.Seek] for the leading fields of a key; not for [At].
func (c *Cursor[K, V]) SeekFields(where Seek, fields ...any) bool {
	return c.seek(where, func(s *scratch) error { return putTuple(s, fields) })
}

func (c *Cursor[K, V]) seek(where Seek, put func(*scratch) error) bool {
	if err := c.enter(); err != nil {
		return c.failed(err)
	}
	defer c.items.tx.leave()
	if c.err = put(c.m); c.err != nil {
		return false
	}
	sought := false
	status := c.m.intoRow(c.sh, func(b *batch) C.sop_status {
		rows, size := b.rowsPtr(), C.size_t(len(b.rows)*8)
		if sought { // but the row did not fit
			return C.sopgo_cursor_move(cCursor(c.h.c), cSchema(c.sh.c), C.SOPGO_HERE, rows, size, cFields(b.fields), cBytes(b.heap), c.m.out, c.m.err)
		}
		sought = true
		return C.sopgo_cursor_seek(cCursor(c.h.c), cSchema(c.sh.c), C.int(where), c.m.fieldsPtr(), C.uint32_t(len(c.m.fields)), c.m.heapPtr(), rows, size, cFields(b.fields), cBytes(b.heap), c.m.out, c.m.err)
	})
	keep(c.h)
	return c.moved(status)
}

// Item is what the cursor moved to last.
func (c *Cursor[K, V]) Item() (item Item[K, V]) {
	if c != nil {
		item = c.item
	}
	return item
}

// Key of the item that the cursor moved to.
func (c *Cursor[K, V]) Key() K { return c.Item().Key }

// Value of the item that the cursor moved to.
func (c *Cursor[K, V]) Value() V { return c.Item().Value }

// Err is the error of the last move, if there was one.
func (c *Cursor[K, V]) Err() error {
	if c == nil {
		return noCursor()
	}
	return c.err
}

// Update replaces the value of the item that the cursor stands on; its key is kept. [ErrNotFound]: it was removed, or the
// cursor stands on none.
func (c *Cursor[K, V]) Update(value V) error {
	return c.change(func() (C.sop_status, error) {
		encoded, err := c.items.store.encode(c.m, value)
		if err != nil {
			return 0, err
		}
		return C.sopgo_cursor_update(cCursor(c.h.c), cBytes(encoded), C.size_t(len(encoded)), c.m.err), nil
	})
}

// Remove removes the item that the cursor stands on; Next and Prev go on from its place.
func (c *Cursor[K, V]) Remove() error {
	return c.change(func() (C.sop_status, error) { return C.sop_cursor_remove(c.h.c, c.m.err), nil })
}

func (c *Cursor[K, V]) change(f func() (C.sop_status, error)) error {
	if err := c.enter(); err != nil {
		return err
	}
	defer c.items.tx.leave()
	c.items.tx.changes++
	calls.enter()
	status, err := f()
	calls.leave()
	keep(c.h)
	if err != nil {
		return err
	}
	return c.items.tx.because(check(status, c.m.err))
}

// Close ends the use of the cursor. Closing again does nothing.
func (c *Cursor[K, V]) Close() error {
	if c == nil || c.items.tx == nil {
		return noCursor()
	}
	tx := c.items.tx
	if !tx.busy.CompareAndSwap(false, true) {
		return fault(StatusMisuse, "another goroutine is using the transaction of this cursor")
	}
	defer tx.leave()
	if c.h != nil {
		runtime.SetFinalizer(c.h, nil)
		C.sop_cursor_free(c.h.c)
		c.h = nil
	}
	return nil
}
