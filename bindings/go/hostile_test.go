package sop_test

import (
	"context"
	"log/slog"
	"os"
	"runtime"
	"testing"
	"time"

	sop "github.com/sopdb/sop/bindings/go"
)

// ownSlice is a codec that does not append, as one that only calls a Marshal would be.
type ownSlice struct{}

func (ownSlice) Append(_ []byte, value string) ([]byte, error) { return []byte(value), nil }
func (ownSlice) Decode(src []byte) (string, error)             { return string(src), nil }

// lent is a codec that gives away the memory of the value itself.
type lent struct{}

func (lent) Append(_ []byte, value []byte) ([]byte, error) { return value, nil }
func (lent) Decode(src []byte) ([]byte, error)             { return append([]byte{}, src...), nil }

func TestCodecsThatDoNotAppend(t *testing.T) {
	db := inMemory(t)
	fresh := sop.StoreOf[string, string]("fresh", ownSlice{})
	given := sop.StoreOf[string, []byte]("given", lent{})
	update(t, db, func(tx *sop.Tx) error {
		done, err := fresh.In(tx).PutMany(func(yield func(string, string) bool) {
			_ = yield("a long key", "") && yield("another one", "x") && yield("third", "the value")
		})
		ok(t, err)
		equal(t, done, 3)
		first, second := []byte("first"), []byte("other")
		ok(t, given.In(tx).Put("1", first))
		ok(t, given.In(tx).Put("2", second))
		equal(t, string(first), "first")
		return nil
	})
	view(t, db, func(tx *sop.Tx) error {
		seen := ""
		for key, value := range fresh.In(tx).All() {
			seen += key + "=" + value + ";"
		}
		equal(t, seen, "a long key=;another one=x;third=the value;")
		return nil
	})
}

// The keys that a call asks for are never others than those given, however these mix.
func TestGetManyOfUnevenTuples(t *testing.T) {
	db := inMemory(t)
	tuples := sop.StoreOf[sop.Tuple, string]("t", sop.String, sop.Schema(`{"v":1,"sort":[{"n":"a","t":"int"}],"ride":[{"n":"b","t":"int","default":5}]}`))
	update(t, db, func(tx *sop.Tx) error {
		s := tuples.In(tx)
		ok(t, s.Put(sop.Tuple{1}, "one"))
		ok(t, s.Put(sop.Tuple{2}, "two"))
		for _, keys := range [][]sop.Tuple{{{1, 2}, {3}}, {{1}, {1, 2}}, {{1, 2}, {3}, {4}}, {{1}, {2}, {1, 2}}} {
			_, err := s.GetMany(keys)
			fails(t, err, sop.ErrSchema)
		}
		return nil
	})
}

// pointer points to its like.
type pointer *pointer

func TestPointersInTuplesGoOneStep(t *testing.T) {
	tuples := sop.StoreOf[sop.Tuple, string]("t", sop.String, sop.Schema(`{"v":1,"sort":[{"n":"a","t":"int"}]}`))
	one := 1
	_, err := tuples.PackKey(sop.Tuple{&one})
	ok(t, err)
	var loop pointer
	loop = &loop
	_, err = tuples.PackKey(sop.Tuple{loop})
	fails(t, err, sop.ErrSchema)
}

func TestDeadlineThatHasPassed(t *testing.T) {
	db := inMemory(t)
	err := db.Update(background, func(tx *sop.Tx) error {
		time.Sleep(5 * time.Millisecond)
		return numbers.In(tx).Put(1, nil)
	}, sop.WithDeadline(-time.Second))
	fails(t, err, sop.ErrTimeout)
}

// A database that logs is found by the garbage collector as any other.
func TestForgottenDatabaseWithLogger(t *testing.T) {
	path := t.TempDir()
	func() {
		_, err := sop.OpenPath(path, &sop.Options{Create: true, Durability: sop.Written, Logger: slog.Default(), LogLevel: slog.LevelError})
		ok(t, err)
	}()
	for range 500 { // nobody knows when finalizers have run
		runtime.GC()
		time.Sleep(2 * time.Millisecond)
		db, err := sop.OpenPath(path, &sop.Options{Durability: sop.Flushed})
		if err == nil { // with other options, so it was not open
			ok(t, db.Close())
			return
		}
		fails(t, err, sop.ErrLocked)
	}
	t.Error("the database is still open")
}

// panicky is a handler of messages that panics.
type panicky struct {
	slog.Handler
	met chan struct{}
}

func (p panicky) Handle(context.Context, slog.Record) error {
	select {
	case p.met <- struct{}{}:
	default:
	}
	panic("of the logger")
}

func TestLoggersThatPanic(t *testing.T) {
	met := make(chan struct{}, 1)
	logger := slog.New(panicky{slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}), met})
	db, err := sop.OpenPath(t.TempDir(), &sop.Options{Create: true, Logger: logger, LogLevel: slog.LevelDebug})
	ok(t, err)
	conflict(t, db) // which is told
	select {
	case <-met:
	case <-time.After(20 * time.Second):
		t.Error("no message came")
	}
	fails(t, db.LogTo(nil, slog.LevelDebug), sop.ErrMisuse)
	ok(t, db.Close())
}

func TestStoresThatNobodyDeclared(t *testing.T) {
	db := inMemory(t)
	var none sop.Store[string, string]
	update(t, db, func(tx *sop.Tx) error {
		fails(t, none.In(tx).Put("a", "b"), sop.ErrMisuse)
		fails(t, tx.Create(&none), sop.ErrMisuse)
		_, _, err := none.Get(db, "a")
		fails(t, err, sop.ErrMisuse)
		return counters.In(tx).Add("a", 1) // the transaction is not held
	})
}
