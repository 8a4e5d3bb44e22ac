package sop

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"reflect"
	"strconv"
	"testing"
	"time"
	"unsafe"
)

// vector is a line of tests/data/keys-v1.jsonl.
type vector struct {
	Schema []struct {
		Type string `json:"t"`
		Desc bool   `json:"desc"`
	} `json:"schema"`
	Values []json.RawMessage `json:"values"`
	Hex    string            `json:"hex"`
}

// native gives a value as a Go program would have it.
func native(typ string, raw json.RawMessage) (any, error) {
	if string(raw) == "null" {
		return nil, nil
	}
	var tagged struct {
		Int *string `json:"$int"`
		F64 *string `json:"$f64"`
		Hex *string `json:"$hex"`
	}
	if raw[0] == '{' {
		if err := json.Unmarshal(raw, &tagged); err != nil {
			return nil, err
		}
	}
	switch {
	case tagged.Hex != nil:
		return hex.DecodeString(*tagged.Hex)
	case tagged.F64 != nil:
		bits, err := hex.DecodeString(*tagged.F64)
		return math.Float64frombits(binary.BigEndian.Uint64(bits)), err
	case tagged.Int != nil && typ == "ts":
		micro, err := strconv.ParseInt(*tagged.Int, 10, 64)
		return time.UnixMicro(micro).UTC(), err
	case tagged.Int != nil:
		if number, err := strconv.ParseInt(*tagged.Int, 10, 64); err == nil {
			return number, nil
		}
		return strconv.ParseUint(*tagged.Int, 10, 64)
	case typ == "bool":
		return string(raw) == "true", nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return nil, err
	}
	if typ == "uuid" {
		return ParseUUID(text)
	}
	return text, nil
}

// All key vectors, packed and unpacked as a Tuple, and as a struct whose fields have the Go types of the values.
func TestKeyVectors(t *testing.T) {
	file, err := os.Open("../../tests/data/keys-v1.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	count := 0
	for ; lines.Scan(); count++ {
		var v vector
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		if err := v.check(); err != nil {
			t.Errorf("vector %d: %v", count+1, err)
		}
	}
	if count < 300 {
		t.Errorf("only %d vectors", count)
	}
}

func (v *vector) check() error {
	want, err := hex.DecodeString(v.Hex)
	if err != nil {
		return err
	}
	values := make(Tuple, len(v.Values))
	for i := range values {
		if values[i], err = native(v.Schema[i].Type, v.Values[i]); err != nil {
			return err
		}
	}
	plan, err := makePlan(v.structType(values))
	if err != nil {
		return err
	}
	tuples := StoreOf[Tuple, string]("s", String, Schema(plan.schema))
	packed, err := tuples.PackKey(values)
	if err != nil || !bytes.Equal(packed, want) {
		return fmt.Errorf("as a tuple: %x, want %x (%v)", packed, want, err)
	}
	back, err := tuples.UnpackKey(want)
	if err != nil || !reflect.DeepEqual(normal(values), back) {
		return fmt.Errorf("unpacked as a tuple: %#v, want %#v (%v)", back, values, err)
	}
	return v.checkStruct(tuples, plan, values, want)
}

// normal is what unpacking gives: there is but one zero.
func normal(values Tuple) Tuple {
	same := append(Tuple{}, values...)
	for i, value := range same {
		if f, ok := value.(float64); ok && f == 0 {
			same[i] = 0.0
		}
	}
	return same
}

// structType is a struct with a pointer for each field, since any may be null.
func (v *vector) structType(values Tuple) reflect.Type {
	types := map[string]reflect.Type{"bool": reflect.TypeFor[bool](), "int": reflect.TypeFor[int64](), "float": reflect.TypeFor[float64](),
		"bytes": reflect.TypeFor[[]byte](), "str": reflect.TypeFor[string](), "uuid": reflect.TypeFor[UUID](), "ts": reflect.TypeFor[time.Time]()}
	fields := make([]reflect.StructField, len(v.Schema))
	for i, f := range v.Schema {
		typ := types[f.Type]
		if _, large := values[i].(uint64); large {
			typ = reflect.TypeFor[uint64]()
		}
		fields[i] = reflect.StructField{Name: fmt.Sprintf("F%d", i), Type: reflect.PointerTo(typ)}
		if f.Desc {
			fields[i].Tag = `sop:",desc"`
		}
	}
	return reflect.StructOf(fields)
}

func (v *vector) checkStruct(store *Store[Tuple, string], plan *keyPlan, values Tuple, want []byte) error {
	key := reflect.New(plan.typ)
	for i, value := range values {
		if value != nil {
			held := reflect.New(plan.typ.Field(i).Type.Elem())
			held.Elem().Set(reflect.ValueOf(value))
			key.Elem().Field(i).Set(held)
		}
	}
	packed, err := store.pack(func(s *scratch) error { return plan.put(s, key.UnsafePointer(), false) }, 0)
	if err != nil || !bytes.Equal(packed, want) {
		return fmt.Errorf("as a struct: %x, want %x (%v)", packed, want, err)
	}
	tuple, err := store.UnpackKey(want)
	if err != nil {
		return err
	}
	s := newScratch()
	if err := putTuple(s, tuple); err != nil {
		return err
	}
	back := reflect.New(plan.typ)
	if err := plan.get(s.fields, s.heap, unsafe.Pointer(back.Pointer())); err != nil {
		return err
	}
	again, err := store.pack(func(s *scratch) error { return plan.put(s, back.UnsafePointer(), false) }, 0)
	if err != nil || !bytes.Equal(again, want) {
		return fmt.Errorf("through a struct: %x, want %x (%v)", again, want, err)
	}
	return nil
}
