package sop

// #include "shim.h"
import "C"

import (
	"math"
	"runtime"
	"sync"
	"unsafe"
)

// field is one field of a key; laid out as sopgo_field of shim.h.
type field struct {
	typ      uint32
	reserved uint32
	a, b     uint64
}

var _ [unsafe.Sizeof(C.sopgo_field{})]byte = [unsafe.Sizeof(field{})]byte{}

// scratch is the memory that calls into the library work with: inputs, outputs and the error. It is reused from call to
// call, so that none of them allocates, and holds no pointers but its own.
type scratch struct {
	fields []field
	heap   []byte // bytes of the fields
	enc    []byte // encoded value
	val    []byte // value read
	out    *C.sopgo_out
	err    *C.sop_error
	row    *batch // one row, for what reads whole items
}

const (
	valueRoomBytes = 1024    // of a new scratch, for a value
	keptBytesMax   = 1 << 20 // larger buffers are not kept for the next call
)

func newScratch() *scratch {
	return &scratch{
		fields: make([]field, 0, 8),
		heap:   make([]byte, 0, 128),
		val:    make([]byte, valueRoomBytes),
		out:    new(C.sopgo_out),
		err:    newErr(),
	}
}

// scratches are those of calls outside of transactions.
var scratches = sync.Pool{New: func() any { return newScratch() }}

// reset makes room for the next key, and lets go of what was large.
func (s *scratch) reset() {
	s.fields = s.fields[:0]
	s.heap = s.heap[:0]
	if cap(s.heap) > keptBytesMax || cap(s.fields) > keptBytesMax/int(unsafe.Sizeof(field{})) {
		s.fields, s.heap = make([]field, 0, 8), make([]byte, 0, 128)
	}
	if cap(s.enc) > keptBytesMax {
		s.enc = nil
	}
	if len(s.val) > keptBytesMax {
		s.val = make([]byte, valueRoomBytes)
	}
}

func (s *scratch) number(typ uint32, number uint64) {
	s.fields = append(s.fields, field{typ: typ, a: number})
}

func (s *scratch) bool(b bool) {
	var number uint64
	if b {
		number = 1
	}
	s.number(C.SOP_TYPE_BOOL, number)
}

func (s *scratch) float(f float64) { s.number(C.SOP_TYPE_FLOAT, math.Float64bits(f)) }

func (s *scratch) uuid(id *[16]byte) {
	halves := (*[2]uint64)(unsafe.Pointer(new([2]uint64)))
	copy((*[16]byte)(unsafe.Pointer(halves))[:], id[:])
	s.fields = append(s.fields, field{typ: C.SOP_TYPE_UUID, a: halves[0], b: halves[1]})
}

func (s *scratch) string(text string) {
	at := len(s.heap)
	s.heap = append(s.heap, text...)
	s.fields = append(s.fields, field{typ: C.SOP_TYPE_STR, a: uint64(at), b: uint64(len(text))})
}

func (s *scratch) bytes(data []byte) {
	at := len(s.heap)
	s.heap = append(s.heap, data...)
	s.fields = append(s.fields, field{typ: C.SOP_TYPE_BYTES, a: uint64(at), b: uint64(len(data))})
}

// The pointers that calls take.
func (s *scratch) fieldsPtr() *C.sopgo_field { return cFields(s.fields) }
func (s *scratch) heapPtr() *C.char          { return cBytes(s.heap) }

func cFields(fields []field) *C.sopgo_field {
	return (*C.sopgo_field)(unsafe.Pointer(unsafe.SliceData(fields)))
}

func cBytes(data []byte) *C.char {
	return (*C.char)(unsafe.Pointer(unsafe.SliceData(data)))
}

func cSchema(schema *C.sop_schema) C.sopgo_handle {
	return C.sopgo_handle(uintptr(unsafe.Pointer(schema)))
}
func cStore(store *C.sop_store) C.sopgo_handle { return C.sopgo_handle(uintptr(unsafe.Pointer(store))) }
func cTxn(txn *C.sop_txn) C.sopgo_handle       { return C.sopgo_handle(uintptr(unsafe.Pointer(txn))) }
func cCursor(cursor *C.sop_cursor) C.sopgo_handle {
	return C.sopgo_handle(uintptr(unsafe.Pointer(cursor)))
}

// value is what a call left in the room for it, or beside it where it was larger.
func (s *scratch) value() []byte {
	size := int(s.out.size)
	if s.out.owned == 0 {
		return s.val[:size]
	}
	s.val = takeOwned(s.out, s.val)
	return s.val[:size]
}

// takeOwned copies what a call left in memory of the library, into `into` if it is large enough, and frees that.
func takeOwned(out *C.sopgo_out, into []byte) []byte {
	size := int(out.size)
	if cap(into) < size {
		into = make([]byte, size)
	}
	into = into[:cap(into)]
	C.sopgo_copy(cBytes(into), out)
	C.sopgo_release(out)
	return into
}

// batch is memory for rows, as sop_cursor_fetch packs them, with the fields of their keys. It stands on one of its rows.
type batch struct {
	rows    []uint64
	fields  []field
	heap    []byte
	count   int // rows in it
	index   int // of the row it stands on
	at      int // where that row begins
	next    int // where the one behind it begins
	width   int // fields of a key
	key     []byte
	val     []byte
	missing bool // there is no value
	item    uint64
	version uint64
	piece   []byte // memory that copies of rows are cut from
}

const (
	pieceBytes = 1024
	pieceMax   = 256 // larger copies have memory of their own
	batchBytes = 64 << 10
	rowBytes   = 2 << 10
)

var batches = sync.Pool{New: func() any { return new(batch) }}

// room makes the batch empty, with room for `bytes` of rows whose keys have `width` fields.
func (b *batch) room(bytes, rows, width int) {
	if len(b.rows)*8 < bytes {
		b.rows = make([]uint64, (bytes+7)/8)
	}
	if width > 0 {
		if len(b.fields) < rows*width {
			b.fields = make([]field, rows*width)
		}
		if len(b.heap) < len(b.rows)*8 {
			b.heap = make([]byte, len(b.rows)*8)
		}
	}
	b.width, b.count, b.index = width, 0, 0
}

func (b *batch) bytes() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(b.rows))), len(b.rows)*8)
}

func (b *batch) rowsPtr() *C.char { return (*C.char)(unsafe.Pointer(unsafe.SliceData(b.rows))) }

// begin reads the head of a batch that a call has filled; step then goes to the first row.
func (b *batch) begin() {
	b.count, b.index, b.next = int(uint32(b.rows[0])), -1, 8
}

// step goes to the next row.
func (b *batch) step() bool {
	if b.index+1 >= b.count {
		return false
	}
	b.index++
	b.at = b.next
	b.read()
	return true
}

// read takes the row at b.at apart.
func (b *batch) read() {
	const (
		withItem    = C.SOP_ROWS_ITEM
		withVersion = C.SOP_ROWS_VERSION
	)
	word := b.at / 8
	flags := b.rows[0] >> 32
	keySize, valueSize := int(uint32(b.rows[word])), uint32(b.rows[word]>>32)
	word++
	b.item, b.version = 0, 0
	if flags&withItem != 0 {
		b.item = b.rows[word]
		word++
	}
	if flags&withVersion != 0 {
		b.version = b.rows[word]
		word++
	}
	b.missing = valueSize == C.SOP_ROWS_ABSENT
	if b.missing {
		valueSize = 0
	}
	at := word * 8
	bytes := b.bytes()
	b.key = bytes[at : at+keySize]
	at += keySize
	b.val = bytes[at : at+int(valueSize)]
	b.next = (at + int(valueSize) + 7) &^ 7
}

// own copies the row: key and value belong to the program. Small ones share a piece of memory with a few others, which one that is
// kept for long keeps too.
func (b *batch) own() (key, value []byte) {
	size := len(b.key) + len(b.val)
	var room []byte
	if size > pieceMax {
		room = make([]byte, 0, size)
	} else {
		if b.piece == nil || cap(b.piece)-len(b.piece) < size { // also for rows of no bytes: they are empty, not nil
			b.piece = make([]byte, 0, pieceBytes)
		}
		used := len(b.piece)
		b.piece = b.piece[:used+size]
		room = b.piece[used : used : used+size]
	}
	room = append(append(room, b.key...), b.val...)
	return room[:len(b.key):len(b.key)], room[len(b.key):]
}

// keyFields are those of the row it stands on; a raw key is one field of bytes.
func (b *batch) keyFields() []field {
	return b.fields[b.index*b.width : (b.index+1)*b.width]
}

// keep fences: what precedes it in the program has its arguments alive until here.
func keep(owner any) { runtime.KeepAlive(owner) }
