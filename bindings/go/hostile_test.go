package sop_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
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
	letGo(t, path)
}

// What the program keeps beside a handle in memory does not keep the handle: small objects without pointers share pieces of
// memory, whose finalizers wait for all of them.
func TestForgottenBesideWhatIsKept(t *testing.T) {
	var paths []string
	var kept []*uint64
	for range 8 {
		path := t.TempDir()
		paths = append(paths, path)
		_, err := sop.OpenPath(path, &sop.Options{Create: true, Durability: sop.Written})
		kept = append(kept, new(uint64), new(uint64))
		ok(t, err)
	}
	for _, path := range paths {
		eventually(t, "the database is closed", func() bool {
			peek, _, _ := sop.Peek(path)
			return !peek.IsOpen
		})
	}
	runtime.KeepAlive(kept)
}

// eventually has the garbage collected until something is so: nobody knows when finalizers have run.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !so(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it never came to be that " + what)
		}
		runtime.GC()
	}
}

// A context that lives long does not keep a transaction that was forgotten.
func TestForgottenUnderAContextThatLives(t *testing.T) {
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	db := inMemory(t)
	var id sop.UUID
	func() {
		tx, err := db.Begin(ctx, sop.ModeWrite)
		ok(t, err)
		ok(t, numbers.In(tx).Put(1, nil))
		id, err = tx.ID()
		ok(t, err)
	}()
	eventually(t, "the transaction is rolled back", func() bool {
		outcome, _, err := db.Outcome(id)
		ok(t, err)
		return outcome == sop.NotCommitted
	})
}

// What is nil or zero is told, and nothing panics.
func TestNothing(t *testing.T) {
	db := inMemory(t)
	body := func(*sop.Tx) error { return nil }
	var nobody *sop.DB
	for _, none := range []*sop.DB{nobody, {}} {
		second := func(_ any, err error) error { return err }
		_, _, err := none.Outcome(sop.UUID{})
		_, _, gotten := users.Get(none, "a")
		for _, err := range []error{
			none.Update(background, body), none.View(background, body), none.Close(), none.Sync(), none.Checkpoint(), none.GC(background, nil),
			none.LogEnable(slog.LevelInfo), none.LogTo(slog.Default(), slog.LevelInfo), err, gotten, second(none.Begin(background, sop.ModeWrite)),
			second(none.Backup(background, "x", nil)), second(none.Verify(background, nil, nil)), second(none.Stats()), second(none.Metrics()),
			second(none.Info()), second(none.LogNext(background)), second(users.ApproxCount(none)),
		} {
			told(t, err, "database")
		}
	}
	var ctx context.Context
	second := func(_ any, err error) error { return err }
	for _, err := range []error{
		db.Update(ctx, body), db.View(ctx, body), second(db.Begin(ctx, sop.ModeRead)), db.GC(ctx, nil), sop.Restore(ctx, "a", "b", nil),
		second(db.Backup(ctx, "x", nil)), second(db.Verify(ctx, nil, nil)), second(db.LogNext(ctx)),
	} {
		told(t, err, "context")
	}
	told(t, db.Update(background, nil), "function")
	told(t, db.View(background, nil), "function")
	told(t, db.Update(background, body, nil), "option 1")
	told(t, sop.StoreOf[string, string]("x", sop.String, nil).Err(), "option 1")
}

func TestNoTransactionStoreOrSequence(t *testing.T) {
	db := inMemory(t)
	var tx *sop.Tx
	for range users.In(tx).All() {
		t.Error("there is nothing to go over")
	}
	for range users.In(tx).Span().Keys() {
		t.Error("there is nothing to go over")
	}
	told(t, tx.Err(), "transaction")
	told(t, tx.TakeErr(), "transaction")
	for _, err := range []error{tx.Commit(), tx.Rollback(), tx.Again(), tx.Close(), tx.Cancel(), tx.RollbackTo(0), tx.Create(users), users.In(tx).Put("a", user{})} {
		told(t, err, "transaction")
	}
	_, err := tx.Position()
	told(t, err, "transaction")
	_, _, _, err = users.In(tx).Last()
	told(t, err, "transaction")
	_, err = users.In(tx).PutMany(func(yield func(string, user) bool) { yield("a", user{}) })
	told(t, err, "transaction")

	var zero sop.Tx
	for range users.In(&zero).All() {
		t.Error("there is nothing to go over")
	}
	fails(t, zero.Err(), sop.ErrClosed)
	told(t, zero.Cancel(), "transaction")

	var cursor *sop.Cursor[string, user]
	equal(t, cursor.Next() || cursor.Seek("a", sop.At), false)
	told(t, cursor.Err(), "cursor")
	told(t, cursor.Update(user{}), "cursor")
	told(t, cursor.Close(), "cursor")
	equal(t, cursor.Key(), "")
	told(t, new(sop.Cursor[string, user]).Close(), "cursor")

	var none *sop.Store[string, string]
	update(t, db, func(tx *sop.Tx) error {
		told(t, tx.Create(nil), "store")
		told(t, tx.Drop(none), "store")
		told(t, none.In(tx).Put("a", "b"), "store")
		_, err := users.In(tx).PutMany(nil)
		told(t, err, "sequence")
		_, err = users.In(tx).RemoveMany(nil)
		told(t, err, "sequence")
		for range none.In(tx).All() {
			t.Error("there is nothing to go over")
		}
		told(t, tx.TakeErr(), "store")
		return nil
	})
	_, _, err = none.Get(db, "a")
	told(t, err, "store")
	_, err = none.PackKey("a")
	told(t, err, "store")
	_, err = none.UnpackKey(nil)
	told(t, err, "store")
}

// told wants an error that says what is missing.
func told(t *testing.T, err error, what string) {
	t.Helper()
	if e := fails(t, err, sop.ErrMisuse); !strings.Contains(e.Message, what) {
		t.Errorf("%q does not tell of the %s", e.Message, what)
	}
}

func TestItemsThatAreNotWaitedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	db, err := sop.OpenPath(path, &sop.Options{Create: true})
	ok(t, err)
	update(t, db, func(tx *sop.Tx) error {
		for i := range int64(3000) {
			ok(t, numbers.In(tx).Put(i, make([]byte, 100)))
		}
		return nil
	})
	ok(t, db.Checkpoint()) // else opening would bring in what it replays
	ok(t, db.Close())
	db, err = sop.OpenPath(path, nil)
	ok(t, err)
	view(t, db, func(tx *sop.Tx) error {
		items := numbers.In(tx)
		_, _, err := items.ItemNow(2500, 0)
		fails(t, err, sop.ErrWouldBlock)
		first, there, err := items.Item(2500, 0)
		equal(t, there, true)
		ok(t, err)
		now, there, err := items.ItemNow(2500, 0)
		ok(t, err)
		equal(t, there && now.Version == first.Version && now.Version > 0 && len(now.Value) == 100, true)
		return nil
	})
	ok(t, db.Close())
}

// Declarations that are made for each call leave one handle in the database.
func TestStoresDeclaredForEachCall(t *testing.T) {
	db := inMemory(t)
	for range 3 {
		for _, store := range []*sop.Store[int64, string]{
			sop.StoreOf[int64, string]("each", sop.String), sop.StoreOf[int64, string]("other", sop.String),
		} {
			update(t, db, func(tx *sop.Tx) error { return store.In(tx).Put(1, "x") })
		}
	}
	equal(t, db.Handles(), 2)
	bad := sop.StoreOf[int64, string]("each", nil)
	fails(t, db.View(background, func(tx *sop.Tx) error {
		_, _, err := bad.In(tx).Get(1)
		return err
	}), sop.ErrMisuse)
}

func TestMessagesNameTheStore(t *testing.T) {
	db := inMemory(t)
	absent := sop.StoreOf[string, string]("absent", sop.String)
	_, _, err := absent.Get(db, "a")
	e := fails(t, err, sop.ErrNotFound)
	equal(t, e.Store, "absent")
	equal(t, strings.Contains(e.Error(), `"absent"`), true)
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
