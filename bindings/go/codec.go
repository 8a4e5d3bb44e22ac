package sop

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"sync"
)

// Codec turns values of a program into bytes and back. It must be safe for use by many goroutines. [JSON], [Bytes], [String]
// and [Int64] are those that come with the package.
type Codec[V any] interface {
	// Append appends the bytes of a value to dst and returns the extended slice, as the built-in append does.
	Append(dst []byte, value V) ([]byte, error)
	// Decode makes a value of the bytes in src, which are overwritten later: it must not keep src, nor change it.
	Decode(src []byte) (V, error)
}

// Bytes is the codec of values that are bytes. Every value that is read is a copy.
var Bytes Codec[[]byte] = bytesCodec{}

// String is the codec of values that are text: their UTF-8, or whatever bytes they have.
var String Codec[string] = stringCodec{}

// Int64 is the codec of counters: 8 bytes, as [Items.Add], [Items.Min] and [Items.Max] change them.
var Int64 Codec[int64] = int64Codec{}

// JSON makes the codec of values that are kept as JSON: compact UTF-8, which the other languages and sopctl read.
func JSON[V any]() Codec[V] { return jsonCodec[V]{} }

type bytesCodec struct{}

func (bytesCodec) Append(dst []byte, value []byte) ([]byte, error) { return append(dst, value...), nil }

func (bytesCodec) Decode(src []byte) ([]byte, error) {
	value := make([]byte, len(src))
	copy(value, src)
	return value, nil
}

type stringCodec struct{}

func (stringCodec) Append(dst []byte, value string) ([]byte, error) {
	return append(dst, value...), nil
}
func (stringCodec) Decode(src []byte) (string, error) { return string(src), nil }

type int64Codec struct{}

func (int64Codec) Append(dst []byte, value int64) ([]byte, error) {
	return binary.LittleEndian.AppendUint64(dst, uint64(value)), nil
}

func (int64Codec) Decode(src []byte) (int64, error) {
	if len(src) != 8 {
		return 0, fault(StatusSchema, "a counter has 8 bytes; this value has %d", len(src))
	}
	return int64(binary.LittleEndian.Uint64(src)), nil
}

// jsonWriter is an encoder with its buffer, which are made once and used again.
type jsonWriter struct {
	buffer  bytes.Buffer
	encoder *json.Encoder
}

var jsonWriters = sync.Pool{New: func() any {
	w := new(jsonWriter)
	w.encoder = json.NewEncoder(&w.buffer)
	w.encoder.SetEscapeHTML(false)
	return w
}}

type jsonCodec[V any] struct{}

func (jsonCodec[V]) Append(dst []byte, value V) ([]byte, error) {
	w := jsonWriters.Get().(*jsonWriter)
	w.buffer.Reset()
	if err := w.encoder.Encode(value); err != nil { // an encoder that failed is not used again
		return dst, err
	}
	text := w.buffer.Bytes()
	dst = append(dst, text[:len(text)-1]...) // without the line feed
	if cap(text) <= keptBytesMax {
		jsonWriters.Put(w)
	}
	return dst, nil
}

func (jsonCodec[V]) Decode(src []byte) (V, error) {
	var value V
	err := json.Unmarshal(src, &value)
	return value, err
}

// encodeFailed and decodeFailed say whose codec it was.
func encodeFailed(store string, err error) error {
	e := fault(StatusSchema, "the value for the store %q could not be encoded: %v", store, err)
	e.Store, e.cause = store, err
	return e
}

func decodeFailed(store string, err error) error {
	e := fault(StatusSchema, "a value of the store %q could not be decoded: %v", store, err)
	e.Store, e.cause = store, err
	return e
}
