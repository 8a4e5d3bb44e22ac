package sop

// #include "shim.h"
import "C"

import (
	"math"
	"reflect"
	"strconv"
	"time"
	"unsafe"
)

// ---- from Go values to fields ----------------------------------------------------------------------

// put adds the fields of the key that `key` points to: all of them, or only the sort fields.
func (p *keyPlan) put(s *scratch, key unsafe.Pointer, sortsOnly bool) error {
	if p.tuple {
		return putTuple(s, *(*Tuple)(key))
	}
	fields := p.fields
	if sortsOnly {
		fields = fields[:p.sorts]
	}
	for i := range fields {
		f := &fields[i]
		at := unsafe.Add(key, f.offset)
		if f.elem != nil {
			if at = *(*unsafe.Pointer)(at); at == nil {
				s.number(C.SOP_TYPE_NULL, 0)
				continue
			}
		}
		if err := f.put(s, at); err != nil {
			return err
		}
	}
	return nil
}

// putSorts adds the sort fields of a bound, and says how many those are.
func (p *keyPlan) putSorts(s *scratch, key unsafe.Pointer) (int, error) {
	before := len(s.fields)
	err := p.put(s, key, true)
	return len(s.fields) - before, err
}

func (f *keyField) put(s *scratch, at unsafe.Pointer) error {
	switch f.kind {
	case kindBool:
		s.bool(*(*bool)(at))
	case kindInt8:
		s.number(C.SOP_TYPE_INT, uint64(*(*int8)(at)))
	case kindInt16:
		s.number(C.SOP_TYPE_INT, uint64(*(*int16)(at)))
	case kindInt32:
		s.number(C.SOP_TYPE_INT, uint64(*(*int32)(at)))
	case kindInt64:
		s.number(C.SOP_TYPE_INT, uint64(*(*int64)(at)))
	case kindUint8:
		s.number(C.SOP_TYPE_UINT, uint64(*(*uint8)(at)))
	case kindUint16:
		s.number(C.SOP_TYPE_UINT, uint64(*(*uint16)(at)))
	case kindUint32:
		s.number(C.SOP_TYPE_UINT, uint64(*(*uint32)(at)))
	case kindUint64:
		s.number(C.SOP_TYPE_UINT, *(*uint64)(at))
	case kindFloat32:
		s.float(float64(*(*float32)(at)))
	case kindFloat64:
		s.float(*(*float64)(at))
	case kindString:
		s.string(*(*string)(at))
	case kindBytes:
		s.bytes(*(*[]byte)(at))
	case kindUUID:
		s.uuid((*[16]byte)(at))
	case kindTime:
		return s.time(*(*time.Time)(at))
	}
	return nil
}

// The times that microseconds in 64 bits can hold, in seconds.
const secondsMax = math.MaxInt64/1000000 - 1

func (s *scratch) time(t time.Time) error {
	if t.Nanosecond()%1000 != 0 {
		return fault(StatusSchema, "the time %s is finer than a microsecond, which keys cannot hold; use Truncate(time.Microsecond)", t.Format(time.RFC3339Nano))
	}
	if seconds := t.Unix(); seconds > secondsMax || seconds < -secondsMax {
		return fault(StatusSchema, "the time %v is outside of what keys can hold, 290,000 years around 1970", t)
	}
	s.number(C.SOP_TYPE_TS, uint64(t.UnixMicro()))
	return nil
}

// putTuple adds values of any type that a key may have.
func putTuple(s *scratch, values []any) error {
	for i, value := range values {
		if err := s.any(value); err != nil {
			return fault(StatusSchema, "value %d of the key: %s", i+1, err.Message)
		}
	}
	return nil
}

// any adds one value of any type that a key may have.
func (s *scratch) any(value any) *Error {
	switch v := value.(type) {
	case nil:
		s.number(C.SOP_TYPE_NULL, 0)
	case string:
		s.string(v)
	case int:
		s.number(C.SOP_TYPE_INT, uint64(v))
	case int64:
		s.number(C.SOP_TYPE_INT, uint64(v))
	case uint64:
		s.number(C.SOP_TYPE_UINT, v)
	case bool:
		s.bool(v)
	case float64:
		s.float(v)
	case []byte:
		s.bytes(v)
	case UUID:
		s.uuid((*[16]byte)(&v))
	case time.Time:
		if err := s.time(v); err != nil {
			return err.(*Error)
		}
	default:
		return s.reflected(reflect.ValueOf(value))
	}
	return nil
}

// reflected adds a value of a type that has one of those of `any` below it.
func (s *scratch) reflected(value reflect.Value) *Error {
	if value.Kind() == reflect.Pointer {
		if value.IsNil() {
			s.number(C.SOP_TYPE_NULL, 0)
			return nil
		}
		if value.Elem().Kind() == reflect.Pointer { // or one that points to itself would have no end
			return fault(StatusSchema, "the type %v is none that a key can have", value.Type())
		}
		return s.any(value.Elem().Interface())
	}
	what, ok := kindOf(value.Type())
	switch {
	case !ok:
		return fault(StatusSchema, "the type %v is none that a key can have", value.Type())
	case value.CanInt():
		s.number(C.SOP_TYPE_INT, uint64(value.Int()))
	case value.CanUint():
		s.number(C.SOP_TYPE_UINT, value.Uint())
	case value.CanFloat():
		s.float(value.Float())
	case what == kindBool:
		s.bool(value.Bool())
	case what == kindString:
		s.string(value.String())
	case what == kindUUID:
		var id [16]byte
		reflect.Copy(reflect.ValueOf(id[:]), value)
		s.uuid(&id)
	default:
		s.bytes(value.Bytes())
	}
	return nil
}

// ---- from fields to Go values ----------------------------------------------------------------------

// get fills the key that `key` points to from the fields of a stored one.
func (p *keyPlan) get(fields []field, heap []byte, key unsafe.Pointer) error {
	if p.tuple {
		*(*Tuple)(key) = tupleOf(fields, heap)
		return nil
	}
	for i := range p.fields {
		f := &p.fields[i]
		at := unsafe.Add(key, f.offset)
		if f.elem != nil {
			if fields[i].typ == C.SOP_TYPE_NULL {
				continue
			}
			held := reflect.New(f.elem)
			*(*unsafe.Pointer)(at) = held.UnsafePointer()
			at = held.UnsafePointer()
		}
		if err := f.get(fields[i], heap, at); err != nil {
			return err
		}
	}
	return nil
}

// getRaw fills a key of bytes.
func (p *keyPlan) getRaw(bytes []byte, key unsafe.Pointer) {
	own := append(make([]byte, 0, len(bytes)), bytes...)
	if p.tuple {
		*(*Tuple)(key) = Tuple{own}
		return
	}
	*(*[]byte)(key) = own
}

func (f *keyField) get(from field, heap []byte, at unsafe.Pointer) error {
	switch from.typ {
	case C.SOP_TYPE_NULL:
		return fault(StatusSchema, "the field %s of a stored key is null, which its Go type cannot hold; declare it as a pointer", f.name)
	case C.SOP_TYPE_INT, C.SOP_TYPE_UINT:
		return f.getNumber(from, at)
	}
	switch f.kind {
	case kindBool:
		*(*bool)(at) = from.a != 0
	case kindFloat32:
		*(*float32)(at) = float32(math.Float64frombits(from.a))
	case kindFloat64:
		*(*float64)(at) = math.Float64frombits(from.a)
	case kindString:
		*(*string)(at) = string(heap[from.a : from.a+from.b])
	case kindBytes:
		*(*[]byte)(at) = append(make([]byte, 0, from.b), heap[from.a:from.a+from.b]...)
	case kindUUID:
		*(*[16]byte)(at) = from.uuid()
	case kindTime:
		*(*time.Time)(at) = from.time()
	}
	return nil
}

// decimal is a stored integer as text.
func (f field) decimal() string {
	if f.typ == C.SOP_TYPE_UINT {
		return strconv.FormatUint(f.a, 10)
	}
	return strconv.FormatInt(int64(f.a), 10)
}

// getNumber narrows a stored integer to the Go type of the field.
func (f *keyField) getNumber(from field, at unsafe.Pointer) error {
	signed, fits := int64(from.a), from.typ == C.SOP_TYPE_INT
	var low, high int64 = math.MinInt64, math.MaxInt64
	switch f.kind {
	case kindInt8:
		low, high = math.MinInt8, math.MaxInt8
	case kindInt16:
		low, high = math.MinInt16, math.MaxInt16
	case kindInt32:
		low, high = math.MinInt32, math.MaxInt32
	case kindUint8:
		low, high = 0, math.MaxUint8
	case kindUint16:
		low, high = 0, math.MaxUint16
	case kindUint32:
		low, high = 0, math.MaxUint32
	case kindUint64:
		low, fits = 0, true
		if from.typ == C.SOP_TYPE_UINT {
			signed = 0
		}
	}
	if !fits || signed < low || signed > high {
		return fault(StatusSchema, "the field %s of a stored key holds %s, which its Go type cannot", f.name, from.decimal())
	}
	switch f.kind {
	case kindInt8, kindUint8:
		*(*uint8)(at) = uint8(from.a)
	case kindInt16, kindUint16:
		*(*uint16)(at) = uint16(from.a)
	case kindInt32, kindUint32:
		*(*uint32)(at) = uint32(from.a)
	default:
		*(*uint64)(at) = from.a
	}
	return nil
}

func (f field) uuid() [16]byte {
	halves := [2]uint64{f.a, f.b}
	return *(*[16]byte)(unsafe.Pointer(&halves))
}

func (f field) time() time.Time { return time.UnixMicro(int64(f.a)).UTC() }

func tupleOf(fields []field, heap []byte) Tuple {
	tuple := make(Tuple, len(fields))
	for i, f := range fields {
		switch f.typ {
		case C.SOP_TYPE_BOOL:
			tuple[i] = f.a != 0
		case C.SOP_TYPE_INT:
			tuple[i] = int64(f.a)
		case C.SOP_TYPE_UINT:
			tuple[i] = f.a
		case C.SOP_TYPE_FLOAT:
			tuple[i] = math.Float64frombits(f.a)
		case C.SOP_TYPE_STR:
			tuple[i] = string(heap[f.a : f.a+f.b])
		case C.SOP_TYPE_BYTES:
			tuple[i] = append(make([]byte, 0, f.b), heap[f.a:f.a+f.b]...)
		case C.SOP_TYPE_UUID:
			tuple[i] = UUID(f.uuid())
		case C.SOP_TYPE_TS:
			tuple[i] = f.time()
		}
	}
	return tuple
}
