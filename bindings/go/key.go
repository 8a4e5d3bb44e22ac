package sop

// #include "shim.h"
import "C"

import (
	"encoding/hex"
	"encoding/json"
	"reflect"
	"strings"
	"sync"
	"time"
	"unicode"
)

// UUID is a key of 16 bytes, in the order of its text. Any other array of 16 bytes will do as well.
type UUID [16]byte

// String is the usual text of the UUID.
func (u UUID) String() string {
	text := hex.EncodeToString(u[:])
	return strings.Join([]string{text[:8], text[8:12], text[12:16], text[16:20], text[20:]}, "-")
}

// MarshalText gives the usual text, so that a UUID in a JSON value is what other languages write.
func (u UUID) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalText reads the usual text, as [ParseUUID] does.
func (u *UUID) UnmarshalText(text []byte) error {
	id, err := ParseUUID(string(text))
	if err == nil {
		*u = id
	}
	return err
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
