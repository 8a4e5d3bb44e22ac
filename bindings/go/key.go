package sop

// #include "shim.h"
import "C"

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unsafe"
)

// UUID is a key of 16 bytes, in the order of its text. Any other array of 16 bytes will do as well.
type UUID [16]byte

// String is the usual text of the UUID.
func (u UUID) String() string {
	text := hex.EncodeToString(u[:])
	return strings.Join([]string{text[:8], text[8:12], text[12:16], text[16:20], text[20:]}, "-")
}

// ParseUUID reads the usual text of a UUID.
func ParseUUID(text string) (UUID, error) {
	var id UUID
	digits := strings.ReplaceAll(text, "-", "")
	if len(text) != 36 || len(digits) != 32 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return id, fault(StatusSchema, "%q is no UUID, such as 123e4567-e89b-12d3-a456-426614174000", text)
	}
	if _, err := hex.Decode(id[:], []byte(digits)); err != nil {
		return id, fault(StatusSchema, "%q is no UUID: %v", text, err)
	}
	return id, nil
}

// Tuple is a key whose schema is known only when the program runs: the sort fields, then any of the ride-along fields. As
// values it takes nil, bool, all integers, floats, string, []byte, [UUID] or another [16]byte, and [time.Time]; it gives
// nil, bool, int64 (uint64 where the number is larger), float64, string, []byte, UUID and time.Time in UTC.
type Tuple []any

// The kinds of Go values that a field of a key may have.
type kind uint8

const (
	kindBool kind = iota
	kindInt8
	kindInt16
	kindInt32
	kindInt64
	kindUint8
	kindUint16
	kindUint32
	kindUint64
	kindFloat32
	kindFloat64
	kindString
	kindBytes
	kindUUID
	kindTime
)

// keyField is one field of a declared key.
type keyField struct {
	name     string
	kind     kind
	offset   uintptr
	elem     reflect.Type // what it points to, if it is a pointer: it may be null
	desc     bool
	ride     bool
	fallback string // JSON of the default of a ride-along field, or ""
}

// keyPlan is how the keys of one Go type travel.
type keyPlan struct {
	typ    reflect.Type
	fields []keyField // sort fields, then ride-along fields
	sorts  int
	tuple  bool   // a Tuple
	raw    bool   // bytes without a schema
	schema string // JSON, or "" where there is none
}

var (
	timeType  = reflect.TypeFor[time.Time]()
	tupleType = reflect.TypeFor[Tuple]()
)

var plans sync.Map // of reflect.Type: *keyPlan, or the error of a type that is no key

// planOf finds how keys of a type travel. schema: of Tuples; "": raw bytes.
func planOf(typ reflect.Type, schema string) (*keyPlan, error) {
	switch {
	case typ == tupleType:
		return &keyPlan{typ: typ, tuple: true, raw: schema == "", schema: schema}, nil
	case schema != "":
		return nil, fault(StatusSchema, "a schema of its own is for keys of the type sop.Tuple, not %v", typ)
	}
	if known, ok := plans.Load(typ); ok {
		if plan, ok := known.(*keyPlan); ok {
			return plan, nil
		}
		return nil, known.(error)
	}
	plan, err := makePlan(typ)
	if err != nil {
		plans.Store(typ, err)
		return nil, err
	}
	plans.Store(typ, plan)
	return plan, nil
}

func makePlan(typ reflect.Type) (*keyPlan, error) {
	plan := &keyPlan{typ: typ}
	if typ.Kind() == reflect.Slice && typ.Elem().Kind() == reflect.Uint8 {
		plan.raw = true
		plan.fields = []keyField{{name: "key", kind: kindBytes}}
		plan.sorts = 1
		return plan, nil
	}
	if what, ok := kindOf(typ); ok {
		plan.fields = []keyField{{name: "key", kind: what}}
		plan.sorts = 1
	} else if typ.Kind() == reflect.Struct {
		if err := plan.addStruct(typ); err != nil {
			return nil, err
		}
	} else {
		return nil, fault(StatusSchema, "%v is no type for keys; those are bool, integers, floats, string, []byte, [16]byte, time.Time, structs of these, and sop.Tuple", typ)
	}
	plan.schema = plan.text()
	return plan, nil
}

// kindOf tells which kind a type is.
func kindOf(typ reflect.Type) (kind, bool) {
	if typ == timeType {
		return kindTime, true
	}
	switch typ.Kind() {
	case reflect.Bool:
		return kindBool, true
	case reflect.Int8:
		return kindInt8, true
	case reflect.Int16:
		return kindInt16, true
	case reflect.Int32:
		return kindInt32, true
	case reflect.Int, reflect.Int64:
		return kindInt64, true
	case reflect.Uint8:
		return kindUint8, true
	case reflect.Uint16:
		return kindUint16, true
	case reflect.Uint32:
		return kindUint32, true
	case reflect.Uint, reflect.Uint64, reflect.Uintptr:
		return kindUint64, true
	case reflect.Float32:
		return kindFloat32, true
	case reflect.Float64:
		return kindFloat64, true
	case reflect.String:
		return kindString, true
	case reflect.Slice:
		return kindBytes, typ.Elem().Kind() == reflect.Uint8
	case reflect.Array:
		return kindUUID, typ.Len() == 16 && typ.Elem().Kind() == reflect.Uint8
	}
	return 0, false
}

// typeName is what a schema calls a kind.
func (k kind) typeName() string {
	switch k {
	case kindBool:
		return "bool"
	case kindFloat32, kindFloat64:
		return "float"
	case kindString:
		return "str"
	case kindBytes:
		return "bytes"
	case kindUUID:
		return "uuid"
	case kindTime:
		return "ts"
	}
	return "int"
}

// addStruct reads the fields of a struct and their tags.
func (p *keyPlan) addStruct(typ reflect.Type) error {
	var sorts, rides []keyField
	for i := range typ.NumField() {
		declared := typ.Field(i)
		tag := declared.Tag.Get("sop")
		if tag == "-" {
			continue
		}
		if !declared.IsExported() {
			return fault(StatusSchema, "%v: the field %s is not exported; rename it, or leave it out with the tag `sop:\"-\"`", typ, declared.Name)
		}
		what := keyField{name: snakeCase(declared.Name), offset: declared.Offset}
		if err := what.readTag(tag, typ, declared.Name); err != nil {
			return err
		}
		held := declared.Type
		if held.Kind() == reflect.Pointer {
			held = held.Elem()
			what.elem = held
		}
		var ok bool
		if what.kind, ok = kindOf(held); !ok {
			return fault(StatusSchema, "%v: the field %s has the type %v, which no key can have", typ, declared.Name, declared.Type)
		}
		if err := what.quoteDefault(typ, declared.Name); err != nil {
			return err
		}
		if what.ride {
			rides = append(rides, what)
		} else {
			sorts = append(sorts, what)
		}
	}
	if len(sorts) == 0 {
		return fault(StatusSchema, "%v has no field to sort by", typ)
	}
	p.fields, p.sorts = append(sorts, rides...), len(sorts)
	if len(p.fields) > C.SOPGO_FIELDS_MAX {
		return fault(StatusSchema, "%v has %d fields; %d is the limit", typ, len(p.fields), C.SOPGO_FIELDS_MAX)
	}
	return nil
}

// readTag understands `sop:"name,desc"` and `sop:"name,ride,default=text"`; the text ends with the tag.
func (f *keyField) readTag(tag string, typ reflect.Type, field string) error {
	name, rest, _ := strings.Cut(tag, ",")
	if name != "" {
		f.name = name
	}
	for rest != "" {
		var word string
		if text, ok := strings.CutPrefix(rest, "default="); ok {
			f.fallback, rest = text, ""
			if !f.ride {
				return fault(StatusSchema, "%v: the field %s has a default, which only a ride-along field can have; write `ride,default=`", typ, field)
			}
			continue
		}
		word, rest, _ = strings.Cut(rest, ",")
		switch word {
		case "desc":
			f.desc = true
		case "ride":
			f.ride = true
		default:
			return fault(StatusSchema, "%v: the tag of the field %s has the word %q; it knows desc, ride and default=", typ, field, word)
		}
	}
	if f.desc && f.ride {
		return fault(StatusSchema, "%v: the field %s cannot be both desc and ride, since a ride-along field is not sorted by", typ, field)
	}
	return nil
}

// quoteDefault makes the default of the tag JSON: the zero value where nothing is said, as a struct would have it.
func (f *keyField) quoteDefault(typ reflect.Type, field string) error {
	if !f.ride || f.fallback == "" && f.elem != nil {
		return nil
	}
	if f.fallback == "" {
		switch f.kind.typeName() {
		case "bool":
			f.fallback = "false"
		case "int", "float":
			f.fallback = "0"
		case "uuid":
			f.fallback = `"` + UUID{}.String() + `"`
		case "ts":
			f.fallback = `"0001-01-01T00:00:00Z"`
		default:
			f.fallback = `""`
		}
		return nil
	}
	switch f.kind.typeName() {
	case "int":
		f.fallback = `{"int":"` + f.fallback + `"}`
	case "str", "bytes", "uuid", "ts":
		quoted, err := json.Marshal(f.fallback)
		if err != nil {
			return fault(StatusSchema, "%v: the default of the field %s: %v", typ, field, err)
		}
		f.fallback = string(quoted)
	}
	return nil
}

// text is the schema as JSON.
func (p *keyPlan) text() string {
	type member struct {
		Name    string          `json:"n"`
		Type    string          `json:"t"`
		Desc    bool            `json:"desc,omitempty"`
		Default json.RawMessage `json:"default,omitempty"`
	}
	var schema struct {
		Version int      `json:"v"`
		Sort    []member `json:"sort"`
		Ride    []member `json:"ride,omitempty"`
	}
	schema.Version = 1
	for _, f := range p.fields {
		m := member{Name: f.name, Type: f.kind.typeName(), Desc: f.desc}
		if f.fallback != "" {
			m.Default = json.RawMessage(f.fallback)
		}
		if f.ride {
			schema.Ride = append(schema.Ride, m)
		} else {
			schema.Sort = append(schema.Sort, m)
		}
	}
	text, err := json.Marshal(schema)
	if err != nil { // a default that is no JSON: let the library say so
		return `{"v":1,"sort":[` + err.Error()
	}
	return string(text)
}

// snakeCase turns EmpID into emp_id, and HTTPServer into http_server.
func snakeCase(name string) string {
	letters := []rune(name)
	var snake strings.Builder
	for i, letter := range letters {
		if unicode.IsUpper(letter) && i > 0 && letters[i-1] != '_' {
			afterLower := !unicode.IsUpper(letters[i-1])
			beforeLower := i+1 < len(letters) && unicode.IsLower(letters[i+1])
			if afterLower || beforeLower {
				snake.WriteByte('_')
			}
		}
		snake.WriteRune(unicode.ToLower(letter))
	}
	return snake.String()
}

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
