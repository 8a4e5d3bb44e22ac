package main

import (
	"encoding/json"
	"errors"
	"iter"
	"time"

	sop "github.com/sopdb/sop/bindings/go"
)

// The keys of the suite, as a program in Go declares them.

type empKey struct {
	Region  string
	Hired   time.Time `sop:",desc"`
	EmpID   int64
	Deleted bool    `sop:",ride,default=false"`
	Note    *string `sop:",ride"`
}

type wideKey struct {
	Score float64 `sop:",desc"`
	Who   sop.UUID
	Tag   []byte
	Flag  bool `sop:",desc"`
}

type document struct {
	N int64  `json:"n"`
	S string `json:"s"`
}

func rawKey(key Key) []byte         { return key.Raw }
func fromRaw(key []byte) Key        { return Key{IsRaw: true, Raw: key} }
func textKey(key Key) string        { return key.Fields[0].(string) }
func fromText(key string) Key       { return Key{Fields: []any{key}} }
func tupleKey(key Key) sop.Tuple    { return key.Fields }
func fromTuple(key sop.Tuple) Key   { return Key{Fields: key} }
func same(value []byte) []byte      { return value }
func bytesOf(value document) []byte { return mustEncode(value) }

func empOf(key Key) empKey {
	f := key.Fields
	made := empKey{Region: f[0].(string), Hired: f[1].(time.Time), EmpID: f[2].(int64), Deleted: f[3].(bool)}
	if note, ok := f[4].(string); ok {
		made.Note = &note
	}
	return made
}

func fromEmp(key empKey) Key {
	var note any
	if key.Note != nil {
		note = *key.Note
	}
	return Key{Fields: []any{key.Region, key.Hired, key.EmpID, key.Deleted, note}}
}

func wideOf(key Key) wideKey {
	f := key.Fields
	return wideKey{f[0].(float64), sop.UUID(f[1].(UUID)), f[2].([]byte), f[3].(bool)}
}

func fromWide(key wideKey) Key {
	return Key{Fields: []any{key.Score, UUID(key.Who), key.Tag, key.Flag}}
}

func documentOf(text []byte) document {
	var made document
	if err := json.Unmarshal(text, &made); err != nil {
		panic(err)
	}
	return made
}

func mustEncode(value document) []byte {
	return must(sop.JSON[document]().Append(nil, value))
}

// table is a store of the suite, whatever its types are.
type table interface {
	sop.Declaration
	get(tx *sop.Tx, key Key, way int) ([]byte, bool, error)
	read(db *sop.DB, key Key) ([]byte, bool, error)
	item(tx *sop.Tx, key Key, id uint64) (row, bool, error)
	put(tx *sop.Tx, key Key, value []byte, way int) error
	insert(tx *sop.Tx, key Key, value []byte) (uint64, bool, error)
	update(tx *sop.Tx, key Key, id uint64, value []byte) (bool, error)
	remove(tx *sop.Tx, key Key, id uint64, way int) (bool, error)
	setRide(tx *sop.Tx, key Key, id uint64) (bool, error)
	add(tx *sop.Tx, how string, key Key, number int64) error
	getMany(tx *sop.Tx, keys []Key) ([][]byte, error)
	putMany(tx *sop.Tx, how int64, rows []Row) (int, error)
	count(tx *sop.Tx, within Range, remove bool) (uint64, error)
	approxCount(db *sop.DB) (uint64, error)
	scan(tx *sop.Tx, within Range, flags, limit int64, way int) ([]row, error)
	cursor(tx *sop.Tx, within Range, keysOnly bool) (cursor, error)
	duplicates() bool
}

// row is an item; value is nil where only keys were asked for.
type row struct {
	key     Key
	value   []byte
	id      uint64
	version uint64
}

// cursor is one over a table.
type cursor interface {
	First() bool
	Last() bool
	Next() bool
	Prev() bool
	Refresh() bool
	Err() error
	Remove() error
	Close() error
	seek(key Key, where int64) bool
	update(value []byte) error
	row() row
}

// typed is a table of certain types.
type typed[K, V any] struct {
	*sop.Store[K, V]
	toKey     func(Key) K
	fromKey   func(K) Key
	toValue   func([]byte) V
	fromValue func(V) []byte
	twice     bool
	sorts     int
}

func tables() []table {
	declared := make([]table, len(Declarations))
	for i, d := range Declarations {
		options := []sop.StoreOption{sop.NodeItems(4)}
		if d.Duplicates {
			options = append(options, sop.Duplicates())
		}
		switch d.Name {
		case "str":
			declared[i] = typed[string, []byte]{sop.StoreOf[string](d.Name, sop.Bytes, options...), textKey, fromText, same, same, d.Duplicates, 1}
		case "int": // beyond 64 bits with a sign: no integer of Go holds them all
			options = append(options, sop.Schema(d.Schema))
			declared[i] = typed[sop.Tuple, []byte]{sop.StoreOf[sop.Tuple](d.Name, sop.Bytes, options...), tupleKey, fromTuple, same, same, d.Duplicates, 1}
		case "emp", "empdup":
			declared[i] = typed[empKey, []byte]{sop.StoreOf[empKey](d.Name, sop.Bytes, options...), empOf, fromEmp, same, same, d.Duplicates, 3}
		case "doc":
			declared[i] = typed[string, document]{sop.StoreOf[string](d.Name, sop.JSON[document](), options...), textKey, fromText, documentOf, bytesOf, d.Duplicates, 1}
		case "wide":
			declared[i] = typed[wideKey, []byte]{sop.StoreOf[wideKey](d.Name, sop.Bytes, options...), wideOf, fromWide, same, same, d.Duplicates, 4}
		default:
			declared[i] = typed[[]byte, []byte]{sop.StoreOf[[]byte](d.Name, sop.Bytes, options...), rawKey, fromRaw, same, same, d.Duplicates, 1}
		}
	}
	return declared
}

func (t typed[K, V]) duplicates() bool { return t.twice }

func (t typed[K, V]) found(value V, ok bool, err error) ([]byte, bool, error) {
	if err != nil || !ok {
		return nil, false, err
	}
	return t.fromValue(value), true, nil
}

func (t typed[K, V]) get(tx *sop.Tx, key Key, way int) ([]byte, bool, error) {
	items, k := t.In(tx), t.toKey(key)
	switch way % 4 {
	case 1:
		found, err := items.GetMany([]K{k})
		if err != nil {
			return nil, false, err
		}
		return t.found(found[0].Value, found[0].OK, nil)
	case 2:
		item, ok, err := items.Item(k, 0)
		return t.found(item.Value, ok, err)
	case 3:
		cursor, err := items.Span().Cursor()
		if err != nil {
			return nil, false, err
		}
		defer cursor.Close()
		ok := cursor.Seek(k, sop.At)
		return t.found(cursor.Value(), ok, cursor.Err())
	}
	return t.found(items.Get(k))
}

func (t typed[K, V]) read(db *sop.DB, key Key) ([]byte, bool, error) {
	return t.found(t.Get(db, t.toKey(key)))
}

func (t typed[K, V]) rowOf(item sop.Item[K, V]) row {
	return row{t.fromKey(item.Key), t.fromValue(item.Value), item.ID, item.Version}
}

func (t typed[K, V]) item(tx *sop.Tx, key Key, id uint64) (row, bool, error) {
	item, ok, err := t.In(tx).ItemNow(t.toKey(key), id)
	if errors.Is(err, sop.ErrWouldBlock) {
		item, ok, err = t.In(tx).Item(t.toKey(key), id)
	}
	if err != nil || !ok {
		return row{}, false, err
	}
	return t.rowOf(item), true, nil
}

func (t typed[K, V]) put(tx *sop.Tx, key Key, value []byte, way int) error {
	if way%2 == 0 {
		return t.In(tx).Put(t.toKey(key), t.toValue(value))
	}
	_, err := t.In(tx).PutMany(t.pairs([]Row{{key, value}}))
	return err
}

func (t typed[K, V]) insert(tx *sop.Tx, key Key, value []byte) (uint64, bool, error) {
	return t.In(tx).InsertItem(t.toKey(key), t.toValue(value))
}

func (t typed[K, V]) update(tx *sop.Tx, key Key, id uint64, value []byte) (bool, error) {
	return t.In(tx).UpdateItem(t.toKey(key), id, t.toValue(value))
}

func (t typed[K, V]) remove(tx *sop.Tx, key Key, id uint64, way int) (bool, error) {
	if id == 0 && way%2 == 0 {
		return t.In(tx).Remove(t.toKey(key))
	}
	return t.In(tx).RemoveItem(t.toKey(key), id)
}

func (t typed[K, V]) setRide(tx *sop.Tx, key Key, id uint64) (bool, error) {
	return t.In(tx).SetRideItem(t.toKey(key), id)
}

func (t typed[K, V]) add(tx *sop.Tx, how string, key Key, number int64) error {
	items := t.In(tx)
	switch how {
	case "min":
		return items.Min(t.toKey(key), number)
	case "max":
		return items.Max(t.toKey(key), number)
	}
	return items.Add(t.toKey(key), number)
}

func (t typed[K, V]) getMany(tx *sop.Tx, keys []Key) ([][]byte, error) {
	wanted := make([]K, len(keys))
	for i, key := range keys {
		wanted[i] = t.toKey(key)
	}
	found, err := t.In(tx).GetMany(wanted)
	if err != nil {
		return nil, err
	}
	values := make([][]byte, len(found))
	for i, one := range found {
		if one.OK {
			values[i] = append([]byte{}, t.fromValue(one.Value)...)
		}
	}
	return values, nil
}

func (t typed[K, V]) pairs(rows []Row) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for _, row := range rows {
			if !yield(t.toKey(row.Key), t.toValue(row.Value)) {
				return
			}
		}
	}
}

func (t typed[K, V]) putMany(tx *sop.Tx, how int64, rows []Row) (int, error) {
	items := t.In(tx)
	switch how {
	case 1:
		return items.InsertMany(t.pairs(rows))
	case 2:
		return items.UpdateMany(t.pairs(rows))
	case 3:
		return items.RemoveMany(func(yield func(K) bool) {
			for _, row := range rows {
				if !yield(t.toKey(row.Key)) {
					return
				}
			}
		})
	}
	return items.PutMany(t.pairs(rows))
}

// span is a range of the suite. Where a bound is a whole key it is given as one, every other time.
func (t typed[K, V]) span(tx *sop.Tx, within Range, way int) sop.Span[K, V] {
	span := t.In(tx).Span()
	if within.Starts != nil {
		return span.StartsWith(fieldsOf(*within.Starts)...)
	}
	if within.Prefix != nil {
		return span.Prefix(fieldsOf(*within.Prefix)...)
	}
	if within.After {
		span = t.after(span, within, way)
	} else if within.From != nil {
		if k, ok := t.whole(*within.From, way); ok {
			span = span.From(k)
		} else {
			span = span.FromFields(fieldsOf(*within.From)...)
		}
	}
	if within.Through {
		if k, ok := t.whole(*within.To, way); ok {
			span = span.Through(k)
		} else {
			span = span.ThroughFields(fieldsOf(*within.To)...)
		}
	} else if within.To != nil {
		if k, ok := t.whole(*within.To, way); ok {
			span = span.To(k)
		} else {
			span = span.ToFields(fieldsOf(*within.To)...)
		}
	}
	return span
}

func (t typed[K, V]) after(span sop.Span[K, V], within Range, way int) sop.Span[K, V] {
	if within.Item != 0 {
		way = 1 // which names a whole key
	}
	k, ok := t.whole(*within.From, way)
	switch {
	case !ok:
		return span.AfterFields(fieldsOf(*within.From)...)
	case within.Item != 0:
		return span.AfterItem(k, within.Item)
	}
	return span.After(k)
}

func (t typed[K, V]) whole(bound Key, way int) (key K, ok bool) {
	if way%2 == 0 || !bound.IsRaw && len(bound.Fields) != t.sorts {
		return key, false
	}
	if t.sorts == 3 { // ride-along fields do not count
		bound.Fields = append(append([]any{}, bound.Fields...), false, nil)
	}
	return t.toKey(bound), true
}

func fieldsOf(key Key) []any {
	if key.IsRaw {
		return []any{key.Raw}
	}
	fields := append([]any{}, key.Fields...)
	for i, f := range fields {
		if id, ok := f.(UUID); ok {
			fields[i] = sop.UUID(id)
		}
	}
	return fields
}

func (t typed[K, V]) count(tx *sop.Tx, within Range, remove bool) (uint64, error) {
	span := t.span(tx, within, 1)
	if remove {
		return span.Remove()
	}
	return span.Count()
}

func (t typed[K, V]) approxCount(db *sop.DB) (uint64, error) { return t.ApproxCount(db) }

func (t typed[K, V]) scan(tx *sop.Tx, within Range, flags, limit int64, way int) (rows []row, err error) {
	span := t.span(tx, within, way)
	if flags&1 != 0 {
		span = span.Backward()
	}
	if limit > 0 {
		span = span.Limit(int(limit))
	}
	switch {
	case flags&2 == 0 && (t.twice || way%3 == 1):
		for item := range span.Items() {
			rows = append(rows, t.rowOf(item))
		}
	case flags&2 == 0:
		for key, value := range span.All() {
			rows = append(rows, row{key: t.fromKey(key), value: t.fromValue(value)})
		}
	case t.twice:
		return t.scanKeys(span, flags, limit)
	default:
		for key := range span.Keys() {
			rows = append(rows, row{key: t.fromKey(key)})
		}
	}
	return rows, tx.TakeErr()
}

// scanKeys brings the ids of duplicates too, which keys alone do not have.
func (t typed[K, V]) scanKeys(span sop.Span[K, V], flags, limit int64) (rows []row, err error) {
	cursor, err := span.KeyCursor()
	if err != nil {
		return nil, err
	}
	defer cursor.Close()
	move := cursor.Next
	if flags&1 != 0 {
		move = cursor.Prev
	}
	for (limit == 0 || int64(len(rows)) < limit) && move() {
		item := cursor.Item()
		rows = append(rows, row{key: t.fromKey(item.Key), id: item.ID})
	}
	return rows, cursor.Err()
}

// typedCursor is a cursor of certain types.
type typedCursor[K, V any] struct {
	*sop.Cursor[K, V]
	t        typed[K, V]
	keysOnly bool
}

func (t typed[K, V]) cursor(tx *sop.Tx, within Range, keysOnly bool) (cursor, error) {
	span := t.span(tx, within, 0)
	open := span.Cursor
	if keysOnly {
		open = span.KeyCursor
	}
	opened, err := open()
	if err != nil {
		return nil, err
	}
	return &typedCursor[K, V]{opened, t, keysOnly}, nil
}

func (c *typedCursor[K, V]) seek(key Key, where int64) bool {
	if where == int64(sop.At) {
		return c.Seek(c.t.toKey(key), sop.At)
	}
	return c.SeekFields(sop.Seek(where), fieldsOf(key)...)
}

func (c *typedCursor[K, V]) update(value []byte) error { return c.Update(c.t.toValue(value)) }

func (c *typedCursor[K, V]) row() row {
	if c.keysOnly {
		return row{key: c.t.fromKey(c.Key()), id: c.Item().ID}
	}
	return c.t.rowOf(c.Item())
}

// absent tells whether an error says that there is no such item, rather than no such store.
func absent(err error) bool {
	var e *sop.Error
	return errors.As(err, &e) && e.Status == sop.StatusNotFound && e.Store == ""
}
