package sop_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	sop "github.com/sopdb/sop/bindings/go"
)

func TestItemsComeBackAsTheyWere(t *testing.T) {
	places(t, func(t *testing.T, db *sop.DB) {
		update(t, db, func(tx *sop.Tx) error {
			u := users.In(tx)
			ok(t, u.Put("ann", user{"Ann <&> é", 30}))
			added, err := u.Insert("bob", user{"Bob", 40})
			ok(t, err)
			equal(t, added, true)
			added, err = u.Insert("bob", user{"Bob", 41})
			ok(t, err)
			equal(t, added, false)
			there, err := u.Update("bob", user{"Bob", 42})
			ok(t, err)
			equal(t, there, true)
			there, err = u.Update("eve", user{})
			ok(t, err)
			equal(t, there, false)
			return nil
		})
		view(t, db, func(tx *sop.Tx) error {
			u := users.In(tx)
			equal(t, found[user](t)(u.Get("ann")), user{"Ann <&> é", 30})
			equal(t, found[user](t)(u.Get("bob")), user{"Bob", 42})
			_, there, err := u.Get("eve")
			ok(t, err)
			equal(t, there, false)
			for name, want := range map[string]bool{"ann": true, "eve": false} {
				there, err := u.Has(name)
				ok(t, err)
				equal(t, there, want)
			}
			item, there, err := u.Item("ann", 0)
			ok(t, err)
			equal(t, there, true)
			equal(t, item.Key, "ann")
			equal(t, item.Value.Age, 30)
			equal(t, item.Version > 0, true)
			_, there, err = u.Item("eve", 0)
			ok(t, err)
			equal(t, there, false)
			return nil
		})
		equal(t, found[user](t)(users.Get(db, "ann")).Age, 30)
		_, there, err := users.Get(db, "eve")
		ok(t, err)
		equal(t, there, false)
		update(t, db, func(tx *sop.Tx) error {
			for name, want := range map[string]bool{"ann": true, "eve": false} {
				there, err := users.In(tx).Remove(name)
				ok(t, err)
				equal(t, there, want)
			}
			return nil
		})
		count, err := users.ApproxCount(db)
		ok(t, err)
		equal(t, count, 1)
	})
}

// JSON is as other languages write it: compact, with nothing escaped that need not be.
func TestItemsJSONIsPlain(t *testing.T) {
	db := inMemory(t)
	plain := sop.StoreOf[string, []byte]("users", sop.Bytes)
	update(t, db, func(tx *sop.Tx) error { return users.In(tx).Put("ann", user{"<é&>", 1}) })
	equal(t, string(found[[]byte](t)(plain.Get(db, "ann"))), `{"name":"<é&>","age":1}`)
	update(t, db, func(tx *sop.Tx) error { return plain.In(tx).Put("ann", []byte("{")) })
	_, _, err := users.Get(db, "ann")
	equal(t, fails(t, err, sop.ErrSchema).Store, "users")
	fails(t, db.View(background, func(tx *sop.Tx) error {
		for range users.In(tx).All() {
			t.Error("a value that is no JSON was yielded")
		}
		return nil
	}), sop.ErrSchema)
	broken := sop.StoreOf[string, func()]("users", sop.JSON[func()]())
	fails(t, db.Update(background, func(tx *sop.Tx) error { return broken.In(tx).Put("x", func() {}) }), sop.ErrSchema)
}

func TestItemsOfAnySize(t *testing.T) {
	places(t, func(t *testing.T, db *sop.DB) {
		sizes := []int{0, 1, 1023, 1024, 1025, 4096, 70000, 3 << 20}
		value := func(size int) []byte { return bytes.Repeat([]byte{byte(size)}, size) }
		update(t, db, func(tx *sop.Tx) error {
			for _, size := range sizes {
				ok(t, numbers.In(tx).Put(int64(size), value(size)))
			}
			return nil
		})
		view(t, db, func(tx *sop.Tx) error {
			n := numbers.In(tx)
			for _, size := range sizes {
				equal(t, bytes.Equal(found[[]byte](t)(n.Get(int64(size))), value(size)), true)
				item, _, err := n.Item(int64(size), 0)
				ok(t, err)
				equal(t, bytes.Equal(item.Value, value(size)), true)
			}
			keys := []int64{}
			for size, bytes := range n.All() {
				equal(t, len(bytes), int(size))
				keys = append(keys, size)
			}
			equal(t, len(keys), len(sizes))
			cursor, err := n.Span().Cursor()
			ok(t, err)
			defer cursor.Close()
			for range sizes {
				equal(t, cursor.Next(), true)
				equal(t, bytes.Equal(cursor.Value(), value(int(cursor.Key()))), true)
			}
			equal(t, cursor.Seek(3<<20, sop.At), true)
			equal(t, len(cursor.Value()), 3<<20)
			return nil
		})
		equal(t, len(found[[]byte](t)(numbers.Get(db, 3<<20))), 3<<20)
		long := bytes.Repeat([]byte("k"), 65000)
		update(t, db, func(tx *sop.Tx) error { return raw.In(tx).Put(long, []byte("v")) })
		equal(t, string(found[[]byte](t)(raw.Get(db, long))), "v")
		fails(t, db.Update(background, func(tx *sop.Tx) error { return raw.In(tx).Put(make([]byte, 70000), nil) }), sop.ErrLimit)
	})
}

// What was read belongs to the program: later calls do not change it.
func TestItemsAreCopies(t *testing.T) {
	db := inMemory(t)
	update(t, db, func(tx *sop.Tx) error {
		r := raw.In(tx)
		ok(t, r.Put([]byte("a"), []byte("first")))
		ok(t, r.Put([]byte("b"), []byte("other")))
		first := found[[]byte](t)(r.Get([]byte("a")))
		_ = found[[]byte](t)(r.Get([]byte("b")))
		equal(t, string(first), "first")
		var kept [][]byte
		for key, value := range r.All() {
			kept = append(kept, key, value)
		}
		for range r.All() {
		}
		equal(t, string(bytes.Join(kept, []byte(" "))), "a first b other")
		for i := range kept { // and what the program appends to one does not reach the next
			_ = append(kept[i], "xxxxxxxx"...)
		}
		equal(t, string(bytes.Join(kept, []byte(" "))), "a first b other")
		return nil
	})
}

// What has no bytes is empty, not nil, also where it comes first in a scan.
func TestNothingIsEmptyNotNil(t *testing.T) {
	db := inMemory(t)
	update(t, db, func(tx *sop.Tx) error {
		r := raw.In(tx)
		ok(t, r.Put(nil, nil))
		for key, value := range r.All() {
			equal(t, key == nil || value == nil, false)
		}
		return nil
	})
}

// A codec that keeps what it may not reads nonsense later, but no foreign memory.
type keeper struct{ kept [][]byte }

func (k *keeper) Append(dst []byte, value string) ([]byte, error) { return append(dst, value...), nil }
func (k *keeper) Decode(src []byte) (string, error) {
	k.kept = append(k.kept, src)
	return string(src), nil
}

func TestItemsCodecThatKeepsMemoryIsHarmless(t *testing.T) {
	db, err := sop.Open("inmemory:", nil)
	ok(t, err)
	codec := &keeper{}
	store := sop.StoreOf[string, string]("s", codec)
	update(t, db, func(tx *sop.Tx) error {
		s := store.In(tx)
		ok(t, s.Put("a", strings.Repeat("x", 5000)))
		_ = found[string](t)(s.Get("a"))
		for range s.All() {
		}
		return nil
	})
	_ = found[string](t)(store.Get(db, "a"))
	ok(t, db.Close())
	sum := 0
	for _, src := range codec.kept {
		for _, b := range src {
			sum += int(b)
		}
	}
	equal(t, len(codec.kept), 3)
}

func TestItemsRideAlong(t *testing.T) {
	places(t, func(t *testing.T, db *sop.DB) {
		hired, note := time.Unix(1500000000, 0), "left"
		key := empKey{"US", hired, 7, false, nil}
		update(t, db, func(tx *sop.Tx) error {
			s := staff.In(tx)
			ok(t, s.Put(key, "ann"))
			gone := key
			gone.Deleted, gone.Note = true, &note
			there, err := s.SetRide(gone)
			ok(t, err)
			equal(t, there, true)
			gone.EmpID = 8
			there, err = s.SetRide(gone)
			ok(t, err)
			equal(t, there, false)
			return nil
		})
		view(t, db, func(tx *sop.Tx) error {
			s := staff.In(tx)
			item, there, err := s.Item(key, 0) // ride-along fields do not name an item
			ok(t, err)
			equal(t, there, true)
			equal(t, item.Value, "ann")
			for k := range s.Span().Prefix("US").Keys() {
				equal(t, k.Deleted, true)
				equal(t, *k.Note, "left")
				equal(t, k.Hired.Equal(hired), true)
			}
			return nil
		})
		fails(t, db.Update(background, func(tx *sop.Tx) error {
			_, err := users.In(tx).SetRide("ann")
			return err
		}), sop.ErrNotFound)
	})
}

// A declaration may append ride-along fields; older items have their defaults.
func TestItemsRideAlongFieldsAreAppended(t *testing.T) {
	type before struct {
		ID   int64
		Gone bool `sop:",ride"`
	}
	type after struct {
		ID   int64
		Gone bool    `sop:",ride"`
		Size uint32  `sop:",ride,default=7"`
		Note *string `sop:",ride"`
	}
	old := sop.StoreOf[before, string]("s", sop.String)
	grown := sop.StoreOf[after, string]("s", sop.String)
	places(t, func(t *testing.T, db *sop.DB) {
		update(t, db, func(tx *sop.Tx) error { return old.In(tx).Put(before{1, true}, "one") })
		check := func(tx *sop.Tx) error {
			item, there, err := grown.In(tx).Item(after{ID: 1}, 0)
			ok(t, err)
			equal(t, there, true)
			equal(t, item.Key, after{1, true, 7, nil})
			for key := range grown.In(tx).Keys() {
				equal(t, key, after{1, true, 7, nil})
			}
			return nil
		}
		view(t, db, check)
		update(t, db, check)
		fails(t, db.View(background, func(tx *sop.Tx) error {
			_, _, err := old.In(tx).Get(before{ID: 1})
			return err
		}), sop.ErrSchema)
	})
}

func TestItemsDuplicates(t *testing.T) {
	places(t, func(t *testing.T, db *sop.DB) {
		var ids []uint64
		update(t, db, func(tx *sop.Tx) error {
			v := visits.In(tx)
			for i := range 10 {
				id, added, err := v.InsertItem("ann", fmt.Sprint(i))
				ok(t, err)
				equal(t, added, true)
				ids = append(ids, id)
			}
			equal(t, slices.IsSorted(ids), true)
			fails(t, v.Put("ann", ""), sop.ErrMisuse)
			there, err := v.UpdateItem("ann", ids[3], "three")
			ok(t, err)
			equal(t, there, true)
			there, err = v.RemoveItem("ann", ids[4])
			ok(t, err)
			equal(t, there, true)
			there, err = v.Remove("ann") // the oldest
			ok(t, err)
			equal(t, there, true)
			return nil
		})
		view(t, db, func(tx *sop.Tx) error {
			var values []string
			for item := range visits.In(tx).Span().Items() {
				equal(t, slices.Contains(ids, item.ID), true)
				values = append(values, item.Value)
			}
			equal(t, strings.Join(values, " "), "1 2 three 5 6 7 8 9")
			values = nil
			for _, value := range visits.In(tx).Span().AfterItem("ann", ids[6]).All() {
				values = append(values, value)
			}
			equal(t, strings.Join(values, " "), "7 8 9")
			item, there, err := visits.In(tx).Item("ann", ids[5])
			ok(t, err)
			equal(t, there, true)
			equal(t, item.Value, "5")
			return nil
		})
	})
}

func TestItemsCounters(t *testing.T) {
	places(t, func(t *testing.T, db *sop.DB) {
		update(t, db, func(tx *sop.Tx) error {
			c := counters.In(tx)
			ok(t, c.Add("a", 5))
			ok(t, c.Add("a", -7))
			ok(t, c.Min("low", 3))
			ok(t, c.Min("low", 9))
			ok(t, c.Max("high", 3))
			ok(t, c.Max("high", 9))
			return c.Put("set", math.MinInt64)
		})
		for name, want := range map[string]int64{"a": -2, "low": 3, "high": 9, "set": math.MinInt64} {
			equal(t, found[int64](t)(counters.Get(db, name)), want)
		}
		texts := sop.StoreOf[string, int]("texts", sop.JSON[int]())
		for _, change := range []func(sop.Items[string, int], string, int64) error{
			sop.Items[string, int].Add, sop.Items[string, int].Min, sop.Items[string, int].Max,
		} {
			fails(t, db.Update(background, func(tx *sop.Tx) error { return change(texts.In(tx), "new", 1) }), sop.ErrSchema)
		}
		wrong := sop.StoreOf[string, string]("counters", sop.String)
		fails(t, db.Update(background, func(tx *sop.Tx) error {
			ok(t, wrong.In(tx).Put("text", "text"))
			return counters.In(tx).Add("text", 1)
		}), sop.ErrSchema)
		update(t, db, func(tx *sop.Tx) error { return wrong.In(tx).Put("text", "text") })
		_, _, err := counters.Get(db, "text")
		fails(t, err, sop.ErrSchema)
	})
}

func TestItemsMany(t *testing.T) {
	places(t, func(t *testing.T, db *sop.DB) {
		const count = 3000
		value := func(i int64) []byte { return bytes.Repeat([]byte{byte(i)}, int(i%700)) }
		all := func(from, to int64) func(func(int64, []byte) bool) {
			return func(yield func(int64, []byte) bool) {
				for i := from; i < to && yield(i, value(i)); i++ {
				}
			}
		}
		update(t, db, func(tx *sop.Tx) error {
			n := numbers.In(tx)
			done, err := n.PutMany(all(0, count))
			ok(t, err)
			equal(t, done, count)
			done, err = n.InsertMany(all(count, count+10))
			ok(t, err)
			equal(t, done, 10)
			done, err = n.InsertMany(all(count+9, count+20))
			fails(t, err, sop.ErrExists)
			equal(t, done, 0)
			done, err = n.UpdateMany(all(count+5, count+20))
			fails(t, err, sop.ErrNotFound)
			equal(t, done, 5)
			done, err = n.RemoveMany(func(yield func(int64) bool) {
				for i := int64(count); i < count+11 && yield(i); i++ {
				}
			})
			fails(t, err, sop.ErrNotFound)
			equal(t, done, 10)
			return nil
		})
		view(t, db, func(tx *sop.Tx) error {
			keys := make([]int64, 0, count+1)
			for i := range int64(count + 1) {
				keys = append(keys, count-i)
			}
			values, err := numbers.In(tx).GetMany(keys)
			ok(t, err)
			equal(t, len(values), count+1)
			for i, got := range values {
				equal(t, got.OK, i > 0)
				if got.OK {
					equal(t, bytes.Equal(got.Value, value(keys[i])), true)
					equal(t, got.Version > 0, true)
				}
			}
			none, err := numbers.In(tx).GetMany(nil)
			ok(t, err)
			equal(t, len(none), 0)
			return nil
		})
	})
}

// The sequence of a batch may use the transaction itself.
func TestItemsManyFromAnotherStore(t *testing.T) {
	db := inMemory(t)
	update(t, db, func(tx *sop.Tx) error {
		_, err := counters.In(tx).PutMany(maps.All(map[string]int64{"a": 1, "b": 2, "c": 3}))
		ok(t, err)
		done, err := users.In(tx).PutMany(func(yield func(string, user) bool) {
			for name, count := range counters.In(tx).All() {
				if !yield(name, user{name, int(count)}) {
					return
				}
			}
		})
		equal(t, done, 3)
		return err
	})
	equal(t, found[user](t)(users.Get(db, "c")).Age, 3)
}

func TestItemsBatchesOfTuples(t *testing.T) {
	db := inMemory(t)
	tuples := sop.StoreOf[sop.Tuple, string]("t", sop.String, sop.Schema(`{"v":1,"sort":[{"n":"a","t":"int"}],"ride":[{"n":"b","t":"int","default":5}]}`))
	update(t, db, func(tx *sop.Tx) error {
		s := tuples.In(tx)
		_, err := s.PutMany(func(yield func(sop.Tuple, string) bool) { _ = yield(sop.Tuple{1}, "x") && yield(sop.Tuple{2}, "y") })
		ok(t, err)
		_, err = s.PutMany(func(yield func(sop.Tuple, string) bool) { _ = yield(sop.Tuple{1}, "x") && yield(sop.Tuple{2, 3}, "y") })
		fails(t, err, sop.ErrSchema)
		_, err = s.GetMany([]sop.Tuple{{1}, {1, 2}})
		fails(t, err, sop.ErrSchema)
		_, err = s.GetMany([]sop.Tuple{{}, {}})
		fails(t, err, sop.ErrSchema)
		values, err := s.GetMany([]sop.Tuple{{3}, {2}})
		ok(t, err)
		equal(t, values[0].OK, false)
		equal(t, values[1].Value, "y")
		for key := range s.Keys() {
			equal(t, key[1].(int64), 5)
		}
		_, _, err = s.Get(sop.Tuple{})
		fails(t, err, sop.ErrSchema)
		_, _, err = s.Get(nil)
		fails(t, err, sop.ErrSchema)
		return nil
	})
	bare := sop.StoreOf[sop.Tuple, string]("bare", sop.String)
	update(t, db, func(tx *sop.Tx) error {
		s := bare.In(tx)
		ok(t, s.Put(sop.Tuple{[]byte("k")}, "v"))
		fails(t, s.Put(sop.Tuple{"k"}, "v"), sop.ErrSchema)
		for key, value := range s.All() {
			equal(t, string(key[0].([]byte))+value, "kv")
		}
		return nil
	})
}

func TestItemsFirstWriteCreatesTheStore(t *testing.T) {
	places(t, func(t *testing.T, db *sop.DB) {
		absent := func(tx *sop.Tx) map[string]error {
			u := users.In(tx)
			errs := map[string]error{}
			_, _, errs["get"] = u.Get("a")
			_, errs["update"] = u.Update("a", user{})
			_, errs["remove"] = u.Remove("a")
			_, errs["many"] = u.GetMany([]string{"a"})
			_, errs["update many"] = u.UpdateMany(maps.All(map[string]user{"a": {}}))
			_, errs["count"] = u.Count()
			_, errs["cursor"] = u.Span().Cursor()
			_, _, _, errs["first"] = u.First()
			_, errs["describe"] = tx.Describe(users)
			return errs
		}
		fails(t, db.View(background, func(tx *sop.Tx) error { return users.In(tx).Put("a", user{}) }), sop.ErrReadOnly)
		update(t, db, func(tx *sop.Tx) error {
			for what, err := range absent(tx) {
				if e := fails(t, err, sop.ErrNotFound); e.Store != "users" {
					t.Errorf("%s: the error does not name the store: %v", what, err)
				}
			}
			return nil
		})
		for _, write := range []func(tx *sop.Tx) error{
			func(tx *sop.Tx) error { return users.In(tx).Put("a", user{}) },
			func(tx *sop.Tx) error { _, err := numbers.In(tx).Insert(1, nil); return err },
			func(tx *sop.Tx) error { return counters.In(tx).Add("a", 1) },
			func(tx *sop.Tx) error { _, err := raw.In(tx).PutMany(oneRow([]byte("a"), []byte("b"))); return err },
		} {
			undo := errors.New("undo")
			before := storeNames(t, db)
			equal(t, errors.Is(db.Update(background, func(tx *sop.Tx) error {
				ok(t, write(tx))
				return undo
			}), undo), true)
			equal(t, storeNames(t, db), before) // it belonged to the transaction
			update(t, db, write)
		}
		equal(t, storeNames(t, db), "counters numbers raw users")
	})
}

func oneRow[K, V any](key K, value V) func(func(K, V) bool) {
	return func(yield func(K, V) bool) { yield(key, value) }
}

func storeNames(t *testing.T, db *sop.DB) string {
	t.Helper()
	var names []string
	view(t, db, func(tx *sop.Tx) (err error) {
		names, err = tx.Stores()
		return err
	})
	return strings.Join(names, " ")
}

func TestStoresAreCreatedDroppedRenamedDescribed(t *testing.T) {
	places(t, func(t *testing.T, db *sop.DB) {
		equal(t, storeNames(t, db), "")
		update(t, db, func(tx *sop.Tx) error {
			ok(t, tx.Create(users))
			fails(t, tx.Create(users), sop.ErrExists)
			ok(t, tx.Create(visits))
			return tx.Create(staff)
		})
		view(t, db, func(tx *sop.Tx) error {
			info, err := tx.Describe(visits)
			ok(t, err)
			equal(t, info.Duplicates, true)
			equal(t, info.NodeItems, 4)
			equal(t, info.Schema, visits.Schema())
			info, err = tx.DescribeByName("staff")
			ok(t, err)
			equal(t, info.Schema, strings.Replace(staff.Schema(), `,"default":null`, "", 1))
			_, err = tx.DescribeByName("nobody")
			fails(t, err, sop.ErrNotFound)
			_, err = tx.DescribeByName("")
			fails(t, err, sop.ErrMisuse)
			fails(t, tx.Create(raw), sop.ErrReadOnly)
			return nil
		})
		update(t, db, func(tx *sop.Tx) error {
			ok(t, tx.Rename(users, "people"))
			fails(t, tx.Rename(users, "other"), sop.ErrNotFound)
			fails(t, tx.Rename(visits, "people"), sop.ErrExists)
			return tx.Drop(visits)
		})
		equal(t, storeNames(t, db), "people staff")
		other := sop.StoreOf[int64, user]("people", sop.JSON[user]())
		_, _, err := other.Get(db, 1)
		fails(t, err, sop.ErrSchema)
		fails(t, db.Update(background, func(tx *sop.Tx) error {
			return sop.StoreOf[string, user](strings.Repeat("n", 300), sop.JSON[user]()).In(tx).Put("", user{})
		}), sop.ErrLimit)
		fails(t, db.Update(background, func(tx *sop.Tx) error {
			return tx.Create(sop.StoreOf[string, string]("n", sop.String, sop.NodeItems(-1)))
		}), sop.ErrLimit)
	})
}
