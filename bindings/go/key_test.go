package sop_test

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"
	"time"

	sop "github.com/sopdb/sop/bindings/go"
)

type everyKind struct {
	B   bool
	I8  int8
	I16 int16
	I32 int32
	I64 int64
	I   int `sop:",desc"`
	U8  uint8
	U16 uint16
	U32 uint32
	U64 uint64
	U   uint
	F32 float32
	F64 float64
	S   string
	Y   []byte
	ID  sop.UUID
	T   time.Time
	P   *int32
	Q   *string `sop:"other,ride"`
}

func TestKeyEveryKindGoesBothWays(t *testing.T) {
	store := sop.StoreOf[everyKind, string]("s", sop.String)
	ok(t, store.Err())
	number, text := int32(-5), "text"
	for _, key := range []everyKind{
		{T: time.Unix(0, 0)},
		{true, -128, -32768, math.MinInt32, math.MinInt64, math.MinInt, 255, 65535, math.MaxUint32, math.MaxUint64, math.MaxUint,
			1.5, math.Inf(-1), "é\x00中", []byte{0, 255}, sop.UUID{1, 2, 15: 9}, time.UnixMicro(-62135596800000000), &number, &text},
	} {
		packed, err := store.PackKey(key)
		ok(t, err)
		again, err := store.UnpackKey(packed)
		ok(t, err)
		equal(t, again.B, key.B)
		equal(t, [6]int64{int64(again.I8), int64(again.I16), int64(again.I32), again.I64, int64(again.I)},
			[6]int64{int64(key.I8), int64(key.I16), int64(key.I32), key.I64, int64(key.I)})
		equal(t, [6]uint64{uint64(again.U8), uint64(again.U16), uint64(again.U32), again.U64, uint64(again.U)},
			[6]uint64{uint64(key.U8), uint64(key.U16), uint64(key.U32), key.U64, uint64(key.U)})
		equal(t, again.F32, key.F32)
		equal(t, again.F64, key.F64)
		equal(t, again.S, key.S)
		equal(t, again.ID, key.ID)
		equal(t, bytes.Equal(again.Y, key.Y), true)
		equal(t, again.T.Equal(key.T), true)
		equal(t, again.P == nil, key.P == nil)
		equal(t, again.Q == nil, key.Q == nil)
		if key.P != nil {
			equal(t, *again.P, *key.P)
			equal(t, *again.Q, *key.Q)
		}
		repacked, err := store.PackKey(again)
		ok(t, err)
		equal(t, bytes.Equal(packed, repacked), true)
	}
}

func TestKeySchemaOfStruct(t *testing.T) {
	equal(t, staff.Schema(), `{"v":1,"sort":[{"n":"region","t":"str"},{"n":"hired","t":"ts","desc":true},{"n":"emp_id","t":"int"}],`+
		`"ride":[{"n":"deleted","t":"bool","default":false},{"n":"note","t":"str"}]}`)
	equal(t, users.Schema(), `{"v":1,"sort":[{"n":"key","t":"str"}]}`)
	equal(t, raw.Schema(), "")
	type named struct {
		HTTPServer string
		UserID2    int
		X          int       `sop:"y"`
		Skipped    chan int  `sop:"-"`
		Size       uint64    `sop:",ride,default=18446744073709551615"`
		Label      string    `sop:",ride,default=a, b"`
		At         time.Time `sop:",ride"`
		ID         sop.UUID  `sop:",ride"`
		Ratio      float64   `sop:",ride,default=0.5"`
	}
	store := sop.StoreOf[named, string]("s", sop.String)
	ok(t, store.Err())
	equal(t, store.Schema(), `{"v":1,"sort":[{"n":"http_server","t":"str"},{"n":"user_id2","t":"int"},{"n":"y","t":"int"}],"ride":[`+
		`{"n":"size","t":"int","default":{"int":"18446744073709551615"}},{"n":"label","t":"str","default":"a, b"},`+
		`{"n":"at","t":"ts","default":"0001-01-01T00:00:00Z"},{"n":"id","t":"uuid","default":"00000000-0000-0000-0000-000000000000"},`+
		`{"n":"ratio","t":"float","default":0.5}]}`)
	_, err := store.PackKey(named{})
	ok(t, err)
}

func TestKeyBadDeclarationsAreTold(t *testing.T) {
	type unexported struct{ hidden int }
	_ = unexported{}.hidden
	type unknownWord struct {
		A int `sop:",descending"`
	}
	type rideOnly struct {
		A int `sop:",ride"`
	}
	type both struct {
		A int `sop:",desc,ride"`
	}
	type noRide struct {
		A int `sop:",default=1"`
	}
	type deep struct{ A []string }
	db := inMemory(t)
	for _, store := range []interface {
		sop.Declaration
		Err() error
	}{
		sop.StoreOf[unexported, string]("s", sop.String), sop.StoreOf[unknownWord, string]("s", sop.String),
		sop.StoreOf[rideOnly, string]("s", sop.String), sop.StoreOf[both, string]("s", sop.String),
		sop.StoreOf[noRide, string]("s", sop.String), sop.StoreOf[deep, string]("s", sop.String),
		sop.StoreOf[map[string]int, string]("s", sop.String), sop.StoreOf[complex128, string]("s", sop.String),
		sop.StoreOf[string, string]("s", sop.String, sop.Schema(`{"v":1}`)),
	} {
		fails(t, store.Err(), sop.ErrSchema)
		fails(t, db.Update(background, func(tx *sop.Tx) error { return tx.Create(store) }), sop.ErrSchema)
	}
	bad := sop.StoreOf[rideOnly, string]("s", sop.String)
	fails(t, db.Update(background, func(tx *sop.Tx) error { return bad.In(tx).Put(rideOnly{}, "") }), sop.ErrSchema)
	fails(t, db.Update(background, func(tx *sop.Tx) error {
		_, err := bad.In(tx).PutMany(func(yield func(rideOnly, string) bool) { yield(rideOnly{}, "") })
		return err
	}), sop.ErrSchema)
	_, err := bad.PackKey(rideOnly{})
	fails(t, err, sop.ErrSchema)
	twice := sop.StoreOf[struct {
		A int `sop:"x"`
		B int `sop:"x"`
	}, string]("s", sop.String)
	_, err = twice.PackKey(struct {
		A int `sop:"x"`
		B int `sop:"x"`
	}{})
	fails(t, err, sop.ErrSchema)
	none := sop.StoreOf[string, string]("s", nil)
	fails(t, none.Err(), sop.ErrMisuse)
	fails(t, db.Update(background, func(tx *sop.Tx) error { return none.In(tx).Put("", "") }), sop.ErrMisuse)
	_, err = none.In(nil).PutMany(oneRow("", ""))
	fails(t, err, sop.ErrMisuse)
	fails(t, db.Update(background, func(tx *sop.Tx) error {
		_, err := none.In(tx).PutMany(oneRow("", ""))
		return err
	}), sop.ErrMisuse)
	tuple := sop.StoreOf[sop.Tuple, string]("s", sop.String, sop.Schema("{"))
	_, err = tuple.PackKey(sop.Tuple{1})
	fails(t, err, sop.ErrSchema)
}

func TestKeyTimesFinerThanMicrosecondsAreRefused(t *testing.T) {
	store := sop.StoreOf[time.Time, string]("s", sop.String)
	_, err := store.PackKey(time.Unix(1, 1))
	fails(t, err, sop.ErrSchema)
	_, err = store.PackKey(time.Unix(math.MaxInt64/2, 0))
	fails(t, err, sop.ErrSchema)
	_, err = store.PackKey(time.Unix(1, 1000))
	ok(t, err)
	nan := sop.StoreOf[float64, string]("s", sop.String)
	_, err = nan.PackKey(math.NaN())
	fails(t, err, sop.ErrSchema)
}

func TestKeyStoredNumbersThatDoNotFitAreTold(t *testing.T) {
	wide := sop.StoreOf[int64, string]("n", sop.String)
	narrow := sop.StoreOf[int8, string]("n", sop.String)
	unsigned := sop.StoreOf[uint64, string]("n", sop.String)
	for _, number := range []int64{-129, 128, math.MaxInt64} {
		packed, err := wide.PackKey(number)
		ok(t, err)
		_, err = narrow.UnpackKey(packed)
		fails(t, err, sop.ErrSchema)
	}
	packed, err := wide.PackKey(-1)
	ok(t, err)
	_, err = unsigned.UnpackKey(packed)
	fails(t, err, sop.ErrSchema)
	packed, err = unsigned.PackKey(math.MaxUint64)
	ok(t, err)
	_, err = wide.UnpackKey(packed)
	fails(t, err, sop.ErrSchema)
	small, err := narrow.PackKey(-128)
	ok(t, err)
	back, err := narrow.UnpackKey(small)
	ok(t, err)
	equal(t, back, -128)
	null, err := sop.StoreOf[sop.Tuple, string]("n", sop.String, sop.Schema(wide.Schema())).PackKey(sop.Tuple{nil})
	ok(t, err)
	_, err = wide.UnpackKey(null)
	fails(t, err, sop.ErrSchema)
}

func TestKeyTuplesTakeAllTypes(t *testing.T) {
	type myText string
	type myID [16]byte
	type myBytes []byte
	store := sop.StoreOf[sop.Tuple, string]("s", sop.String, sop.Schema(
		`{"v":1,"sort":[{"n":"a","t":"str"},{"n":"b","t":"uuid"},{"n":"c","t":"int"},{"n":"d","t":"float"},{"n":"e","t":"bytes"},{"n":"f","t":"bool"},{"n":"g","t":"ts"}]}`))
	type myBool bool
	number := int16(7)
	packed, err := store.PackKey(sop.Tuple{myText("x"), myID{1}, &number, float32(2), myBytes("y"), myBool(true), time.Unix(3, 0)})
	ok(t, err)
	same, err := store.PackKey(sop.Tuple{"x", sop.UUID{1}, uint8(7), 2.0, []byte("y"), true, time.Unix(3, 0).In(time.FixedZone("east", 3600))})
	ok(t, err)
	equal(t, bytes.Equal(packed, same), true)
	_, err = store.PackKey(sop.Tuple{make(chan int)})
	fails(t, err, sop.ErrSchema)
	_, err = store.PackKey(sop.Tuple{"x"})
	fails(t, err, sop.ErrSchema)
	_, err = store.UnpackKey([]byte("no key"))
	fails(t, err, sop.ErrSchema)
	prefix, err := store.PackPrefix("x")
	ok(t, err)
	equal(t, bytes.HasPrefix(packed, prefix), true)
	null, err := store.PackKey(sop.Tuple{nil, nil, (*int)(nil), nil, nil, nil, nil})
	ok(t, err)
	equal(t, bytes.Equal(null, make([]byte, 7)), true)
	long, err := store.PackKey(sop.Tuple{string(make([]byte, 5000)), nil, nil, nil, nil, nil, nil})
	ok(t, err)
	equal(t, len(long), 10009)
	_, err = store.PackKey(sop.Tuple{string(make([]byte, 70000)), nil, nil, nil, nil, nil, nil})
	fails(t, err, sop.ErrLimit)
}

func TestKeyUUIDText(t *testing.T) {
	id, err := sop.ParseUUID("123e4567-e89b-12d3-a456-426614174000")
	ok(t, err)
	equal(t, id.String(), "123e4567-e89b-12d3-a456-426614174000")
	for _, text := range []string{"", "123e4567e89b12d3a456426614174000", "123e4567-e89b-12d3-a456-42661417400x", "123e4567-e89b-12d3-a456-4266141740000"} {
		_, err := sop.ParseUUID(text)
		fails(t, err, sop.ErrSchema)
	}
	type order struct {
		ID sop.UUID            `json:"id"`
		Of map[sop.UUID]string `json:"of"`
	}
	given := order{id, map[sop.UUID]string{id: "ann"}}
	packed, err := json.Marshal(given)
	ok(t, err)
	equal(t, string(packed), `{"id":"123e4567-e89b-12d3-a456-426614174000","of":{"123e4567-e89b-12d3-a456-426614174000":"ann"}}`)
	var read order
	ok(t, json.Unmarshal(packed, &read))
	equal(t, read.ID, id)
	equal(t, read.Of[id], "ann")
	fails(t, json.Unmarshal([]byte(`{"id":"ann"}`), &read), sop.ErrSchema)
}
