package sop_test

import (
	"fmt"
	"iter"
	"math/rand"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	sop "github.com/sopdb/sop/bindings/go"
)

func keysOf[K any](keys iter.Seq[K]) string {
	var all []string
	for key := range keys {
		all = append(all, fmt.Sprint(key))
	}
	return strings.Join(all, " ")
}

func numbered(t *testing.T, db *sop.DB, count int64) {
	t.Helper()
	update(t, db, func(tx *sop.Tx) error {
		_, err := numbers.In(tx).PutMany(func(yield func(int64, []byte) bool) {
			for i := int64(0); i < count && yield(i, []byte(fmt.Sprint(i))); i++ {
			}
		})
		return err
	})
}

func TestSpanBoundsOfLeadingFields(t *testing.T) {
	type pair struct{ A, B int }
	pairs := sop.StoreOf[pair, []byte]("pairs", sop.Bytes)
	places(t, func(t *testing.T, db *sop.DB) {
		update(t, db, func(tx *sop.Tx) error {
			for _, key := range []pair{{1, 1}, {1, 2}, {2, 1}, {2, 2}, {3, 1}} {
				ok(t, pairs.In(tx).Put(key, nil))
			}
			all := pairs.In(tx).Span()
			equal(t, keysOf(all.AfterFields(2).Keys()), "{3 1}")
			equal(t, keysOf(all.AfterFields(3).Keys()), "")
			equal(t, keysOf(all.AfterFields().Keys()), "") // all begin so
			equal(t, keysOf(all.AfterFields(1).ThroughFields(2).Keys()), "{2 1} {2 2}")
			equal(t, keysOf(all.Prefix(2).AfterFields(2).Keys()), "")
			equal(t, keysOf(all.AfterFields(2, 1).Keys()), "{2 2} {3 1}")
			equal(t, keysOf(all.ThroughFields(2).Backward().Keys()), "{2 2} {2 1} {1 2} {1 1}")
			equal(t, keysOf(all.AfterFields(1, 1).ThroughFields(2, 1).Keys()), "{1 2} {2 1}")
			return nil
		})
	})
}

func TestSpanBounds(t *testing.T) {
	places(t, func(t *testing.T, db *sop.DB) {
		numbered(t, db, 10)
		view(t, db, func(tx *sop.Tx) error {
			n := numbers.In(tx)
			all := n.Span()
			for _, c := range []struct {
				span sop.Span[int64, []byte]
				want string
			}{
				{all, "0 1 2 3 4 5 6 7 8 9"},
				{all.From(7), "7 8 9"},
				{all.To(3), "0 1 2"},
				{all.From(3).To(6), "3 4 5"},
				{all.From(6).To(3), ""},
				{all.Through(3), "0 1 2 3"},
				{all.Through(3).To(3), "0 1 2"},
				{all.From(3).Through(5).Backward(), "5 4 3"},
				{all.After(7), "8 9"},
				{all.After(7).From(7), "7 8 9"},
				{all.From(3).To(6).Backward(), "5 4 3"},
				{all.Backward().Limit(3), "9 8 7"},
				{all.Limit(0), ""},
				{all.Limit(-1), ""},
				{all.Limit(99).From(8), "8 9"},
				{all.Backward().Backward().Limit(1), "0"},
				{all.FromFields(4).ToFields(int8(6)), "4 5"},
				{all.AfterFields(7), "8 9"},
				{all.AfterFields(), ""},
				{all.ThroughFields(3), "0 1 2 3"},
				{all.ThroughFields(3).ToFields(3), "0 1 2"},
				{all.Prefix(4), "4"},
				{all.Prefix(), "0 1 2 3 4 5 6 7 8 9"},
			} {
				equal(t, keysOf(c.span.Keys()), c.want)
				var pairs []string
				for key, value := range c.span.All() {
					equal(t, string(value), fmt.Sprint(key))
					pairs = append(pairs, fmt.Sprint(key))
				}
				equal(t, strings.Join(pairs, " "), c.want)
				var values []string
				for value := range c.span.Values() {
					values = append(values, string(value))
				}
				equal(t, strings.Join(values, " "), c.want)
				key, _, some, err := c.span.First()
				ok(t, err)
				equal(t, some, c.want != "")
				if some {
					equal(t, strings.HasPrefix(c.want, fmt.Sprint(key)), true)
				}
			}
			first, _, _, err := n.First()
			ok(t, err)
			last, _, _, err := n.Last()
			ok(t, err)
			equal(t, first, 0)
			equal(t, last, 9)
			count, err := all.From(3).To(6).Count()
			ok(t, err)
			equal(t, count, 3)
			count, err = n.Count()
			ok(t, err)
			equal(t, count, 10)
			for span, want := range map[int64]bool{5: false, 10: true} {
				empty, err := all.From(span).IsEmpty()
				ok(t, err)
				equal(t, empty, want)
			}
			equal(t, keysOf(n.Keys()), keysOf(all.Keys()))
			for key := range n.Range(2, 4) {
				equal(t, key == 2 || key == 3, true)
			}
			for key := range n.Prefix(5) {
				equal(t, key, 5)
			}
			return nil
		})
		update(t, db, func(tx *sop.Tx) error {
			removed, err := numbers.In(tx).RemoveRange(2, 5)
			ok(t, err)
			equal(t, removed, 3)
			equal(t, keysOf(numbers.In(tx).Keys()), "0 1 5 6 7 8 9")
			removed, err = numbers.In(tx).Span().From(5).Remove()
			ok(t, err)
			equal(t, removed, 5)
			return nil
		})
	})
}

func TestSpanOfCompositeKeys(t *testing.T) {
	db := inMemory(t)
	at := func(year int) time.Time { return time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC) }
	update(t, db, func(tx *sop.Tx) error {
		for _, key := range []empKey{{Region: "US", Hired: at(2020), EmpID: 1}, {Region: "US", Hired: at(2022), EmpID: 2}, {Region: "US", Hired: at(2022), EmpID: 3},
			{Region: "DE", Hired: at(2021), EmpID: 4}, {Region: "USA", Hired: at(2021), EmpID: 5}} {
			ok(t, staff.In(tx).Put(key, ""))
		}
		return nil
	})
	view(t, db, func(tx *sop.Tx) error {
		ids := func(span sop.Span[empKey, string]) string {
			var all []string
			for key := range span.Keys() {
				all = append(all, fmt.Sprint(key.EmpID))
			}
			return strings.Join(all, " ")
		}
		all := staff.In(tx).Span()
		equal(t, ids(all), "4 2 3 1 5")
		equal(t, ids(all.Prefix("US")), "2 3 1")
		equal(t, ids(all.Prefix("US").Backward()), "1 3 2")
		equal(t, ids(all.Prefix("US", at(2022))), "2 3")
		equal(t, ids(all.Prefix("US").After(empKey{Region: "US", Hired: at(2022), EmpID: 2})), "3 1")
		equal(t, ids(all.FromFields("US").ToFields("USA")), "2 3 1")
		equal(t, ids(all.From(empKey{Region: "US", Hired: at(2022), EmpID: 3})), "3 1 5")
		equal(t, ids(all.StartsWith("US")), "2 3 1 5")
		fails(t, db.View(background, func(tx *sop.Tx) error {
			for range staff.In(tx).Prefix("US", "2022") {
			}
			return nil
		}), sop.ErrSchema)
		equal(t, ids(all.Prefix("US").To(empKey{Region: "US", Hired: at(2022), EmpID: 3})), "2")
		equal(t, ids(all.Prefix("US").ToFields("USA").FromFields("DE").Backward()), "1 3 2")
		equal(t, ids(all.Prefix("US").To(empKey{})), "")
		return nil
	})
}

func TestSpanStartsWith(t *testing.T) {
	db := inMemory(t)
	names := []string{"", "a", "an", "ann", "ao", "b", "\ud7ff", "\ud7ffx", "\ue000", "\U0010ffff", "\U0010ffffx"}
	update(t, db, func(tx *sop.Tx) error {
		for _, name := range names {
			ok(t, users.In(tx).Put(name, user{}))
		}
		return nil
	})
	view(t, db, func(tx *sop.Tx) error {
		for _, text := range append(names, "x") {
			var want []string
			for _, name := range names {
				if strings.HasPrefix(name, text) {
					want = append(want, name)
				}
			}
			sort.Strings(want)
			span := users.In(tx).Span().StartsWith(text)
			equal(t, strings.Join(slices.Collect(span.Keys()), "|"), strings.Join(want, "|"))
		}
		for _, wrong := range [][]any{{1}, {}} {
			_, err := users.In(tx).Span().StartsWith(wrong...).Count()
			fails(t, err, sop.ErrSchema)
		}
		return nil
	})
}

func TestSpanStartsWithFieldsOfACompositeKey(t *testing.T) {
	type key struct {
		Region, Name string
		Note         string `sop:",desc"`
	}
	notes := sop.StoreOf[key, string]("notes", sop.String)
	update(t, inMemory(t), func(tx *sop.Tx) error {
		for _, k := range []key{{"EU", "ann", "x"}, {"US", "an", "y"}, {"US", "ann", "x"}, {"US", "bob", "x"}, {"US", "\U0010ffff!", "x"}, {"V", "ann", "x"}} {
			ok(t, notes.In(tx).Put(k, ""))
		}
		span := notes.In(tx).Span()
		equal(t, fmt.Sprint(slices.Collect(span.StartsWith("US", "an").Keys())), "[{US an y} {US ann x}]")
		equal(t, fmt.Sprint(slices.Collect(span.StartsWith("U").Backward().Limit(2).Keys())), "[{US \U0010ffff! x} {US bob x}]")
		equal(t, fmt.Sprint(slices.Collect(span.StartsWith("US", "\U0010ffff").Keys())), "[{US \U0010ffff! x}]") // no text is behind
		_, err := span.StartsWith("US", "ann", "x").Count()
		fails(t, err, sop.ErrSchema)
		return nil
	})
}

// The body of a loop changes the store at random, also around the place where the loop is: what is met is what a cursor that
// goes key by key over a sorted map meets.
func TestSpanChangedWhileItIsGoneOver(t *testing.T) {
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewSource(seed))
	places(t, func(t *testing.T, db *sop.DB) {
		for round := range 30 {
			update(t, db, func(tx *sop.Tx) error {
				_, err := numbers.In(tx).Span().Remove()
				if round == 0 {
					fails(t, err, sop.ErrNotFound)
				}
				return changedWhile(t, tx, random, round%2 == 1)
			})
		}
	})
}

func changedWhile(t *testing.T, tx *sop.Tx, random *rand.Rand, backward bool) error {
	const keys = 300
	n, model := numbers.In(tx), map[int64]string{}
	put := func(key int64) {
		value := fmt.Sprint(random.Int31())
		ok(t, n.Put(key, []byte(value)))
		model[key] = value
	}
	remove := func(key int64) {
		there, err := n.Remove(key)
		ok(t, err)
		_, had := model[key]
		equal(t, there, had)
		delete(model, key)
	}
	for range keys / 2 {
		put(random.Int63n(keys))
	}
	span, step, at := n.Span(), int64(1), int64(-1)
	if backward {
		span, step, at = span.Backward(), -1, keys
	}
	next := func() (int64, bool) {
		for key := at + step; key >= 0 && key < keys; key += step {
			if _, there := model[key]; there {
				return key, true
			}
		}
		return 0, false
	}
	for key, value := range span.All() {
		want, there := next()
		equal(t, there, true)
		equal(t, key, want)
		equal(t, string(value), model[key])
		at = key
		if random.Intn(3) > 0 {
			continue
		}
		for range random.Intn(4) {
			near := min(max(key+random.Int63n(7)-3, 0), keys-1)
			if random.Intn(2) == 0 {
				put(near)
			} else {
				remove(near)
			}
		}
	}
	_, there := next()
	equal(t, there, false)
	return nil
}

func TestSpanOfDuplicatesChangedWhileItIsGoneOver(t *testing.T) {
	places(t, func(t *testing.T, db *sop.DB) {
		for _, backward := range []bool{false, true} {
			for victim := range 12 {
				update(t, db, func(tx *sop.Tx) error { return duplicatesChanged(t, tx, backward, victim) })
			}
		}
	})
}

// duplicatesChanged removes one item when the loop is at the seventh of twelve, wherever that one is.
func duplicatesChanged(t *testing.T, tx *sop.Tx, backward bool, victim int) error {
	v := visits.In(tx)
	if _, err := v.Span().Remove(); err != nil {
		fails(t, err, sop.ErrNotFound)
	}
	var ids []uint64
	for i := range 12 {
		id, _, err := v.InsertItem("abc"[i/4:i/4+1], "")
		ok(t, err)
		ids = append(ids, id)
	}
	order, span := ids, v.Span()
	if backward {
		order, span = slices.Clone(ids), span.Backward()
		slices.Reverse(order)
	}
	var seen []uint64
	for item := range span.Items() {
		seen = append(seen, item.ID)
		if len(seen) == 7 {
			gone := slices.Index(ids, order[victim])
			there, err := v.RemoveItem("abc"[gone/4:gone/4+1], order[victim])
			ok(t, err)
			equal(t, there, true)
		}
	}
	want := slices.Clone(order)
	if victim >= 7 {
		want = slices.Delete(want, victim, victim+1)
	}
	equal(t, fmt.Sprint(seen), fmt.Sprint(want))
	return nil
}

func TestSpanEndsWithTheLoop(t *testing.T) {
	db := inMemory(t)
	numbered(t, db, 2000)
	view(t, db, func(tx *sop.Tx) error {
		for range 100 {
			seen := 0
			for range numbers.In(tx).All() {
				if seen++; seen == 50 {
					break
				}
			}
		}
		next, stop := iter.Pull2(numbers.In(tx).All())
		defer stop()
		for i := range int64(1000) {
			key, _, there := next()
			equal(t, there, true)
			equal(t, key, i)
			_ = found[[]byte](t)(numbers.In(tx).Get(i)) // between two steps of another loop
		}
		return nil
	})
}

// A loop reads no more than it yields, by far: who looks at the first items does not conflict over the others.
func TestSpanReadsWhatItYields(t *testing.T) {
	db := inMemory(t)
	numbered(t, db, 1000)
	attempts := 0
	update(t, db, func(tx *sop.Tx) error {
		attempts++
		for range numbers.In(tx).Span().Limit(5).All() {
		}
		if attempts == 1 {
			update(t, db, func(tx *sop.Tx) error { return numbers.In(tx).Put(5, nil) })
		}
		return numbers.In(tx).Put(2000, nil)
	})
	equal(t, attempts, 1)
}

func TestSpanErrorsStickToTheTransaction(t *testing.T) {
	db := inMemory(t)
	err := db.Update(background, func(tx *sop.Tx) error {
		ok(t, numbers.In(tx).Put(1, nil))
		for range users.In(tx).All() { // there is no such store
			t.Error("an item")
		}
		fails(t, tx.TakeErr(), sop.ErrNotFound)
		ok(t, tx.Err())
		for range users.In(tx).Keys() {
		}
		fails(t, tx.Err(), sop.ErrNotFound)
		return nil
	})
	fails(t, err, sop.ErrNotFound)
	equal(t, storeNames(t, db), "")
	tx, err := db.Begin(background, sop.ModeWrite)
	ok(t, err)
	defer tx.Close()
	for range users.In(tx).Keys() {
	}
	fails(t, tx.Commit(), sop.ErrNotFound)
	var nothing sop.Items[string, user]
	for range nothing.All() {
	}
	_, err = nothing.Count()
	fails(t, err, sop.ErrMisuse)
	_, _, _, err = nothing.First()
	fails(t, err, sop.ErrMisuse)
	_, err = nothing.Span().IsEmpty()
	fails(t, err, sop.ErrMisuse)
	_, err = nothing.Span().Cursor()
	fails(t, err, sop.ErrMisuse)
	_, err = nothing.PutMany(oneRow("", user{}))
	fails(t, err, sop.ErrMisuse)
	fails(t, nothing.Put("", user{}), sop.ErrMisuse)
}

func TestCursorMovesBothWays(t *testing.T) {
	places(t, func(t *testing.T, db *sop.DB) {
		numbered(t, db, 10)
		update(t, db, func(tx *sop.Tx) error {
			c, err := numbers.In(tx).Span().From(2).To(8).Cursor()
			ok(t, err)
			defer c.Close()
			at := func(moved bool, want int64) {
				t.Helper()
				ok(t, c.Err())
				equal(t, moved, want >= 0)
				if moved {
					equal(t, c.Key(), want)
					equal(t, string(c.Value()), fmt.Sprint(want))
				}
			}
			at(c.Refresh(), -1)
			at(c.Next(), 2)
			at(c.Next(), 3)
			at(c.Prev(), 2)
			at(c.Prev(), -1)
			at(c.Next(), 2)
			at(c.Last(), 7)
			at(c.Next(), -1)
			at(c.Prev(), 7)
			at(c.First(), 2)
			at(c.Seek(5, sop.AtOrAfter), 5)
			at(c.Seek(5, sop.After), 6)
			at(c.Seek(5, sop.AtOrBefore), 5)
			at(c.Seek(5, sop.Before), 4)
			at(c.Seek(5, sop.At), 5)
			at(c.Seek(9, sop.At), -1)
			at(c.SeekFields(sop.AtOrAfter, 4), 4)
			ok(t, c.Update([]byte("four")))
			at(c.Prev(), 3)
			equal(t, c.Next(), true)
			equal(t, string(c.Value()), "four")
			ok(t, c.Remove())
			at(c.Refresh(), -1)
			fails(t, c.Remove(), sop.ErrNotFound)
			fails(t, c.Update(nil), sop.ErrNotFound)
			at(c.Next(), 5)
			equal(t, c.SeekFields(sop.AtOrAfter, "text"), false)
			fails(t, c.Err(), sop.ErrSchema)
			at(c.Next(), 6)
			ok(t, c.Close())
			ok(t, c.Close())
			equal(t, c.Next(), false)
			fails(t, c.Err(), sop.ErrClosed)
			fails(t, c.Remove(), sop.ErrClosed)
			return nil
		})
		view(t, db, func(tx *sop.Tx) error {
			c, err := numbers.In(tx).Span().KeyCursor()
			ok(t, err)
			defer c.Close()
			equal(t, c.Next(), true)
			equal(t, c.Item().Version, 0) // it changes with the value, which is not read
			equal(t, len(c.Value()), 0)
			fails(t, c.Remove(), sop.ErrReadOnly)
			return nil
		})
	})
}
