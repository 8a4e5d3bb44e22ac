package sop_test

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	sop "github.com/sopdb/sop/bindings/go"
)

type user struct {
	Name string `json:"name"`
	Age  int    `json:"age"`
}

type empKey struct {
	Region  string
	Hired   time.Time `sop:",desc"`
	EmpID   int64
	Deleted bool    `sop:"deleted,ride,default=false"`
	Note    *string `sop:",ride"`
}

var (
	users    = sop.StoreOf[string, user]("users", sop.JSON[user]())
	staff    = sop.StoreOf[empKey, string]("staff", sop.String)
	numbers  = sop.StoreOf[int64, []byte]("numbers", sop.Bytes)
	raw      = sop.StoreOf[[]byte, []byte]("raw", sop.Bytes)
	counters = sop.StoreOf[string, int64]("counters", sop.Int64)
	visits   = sop.StoreOf[string, string]("visits", sop.String, sop.Duplicates(), sop.NodeItems(4))
)

var background = context.Background()

// places opens one database of each kind for a test.
func places(t *testing.T, test func(t *testing.T, db *sop.DB)) {
	t.Helper()
	t.Run("inmemory", func(t *testing.T) { test(t, inMemory(t)) })
	t.Run("inredfs", func(t *testing.T) { test(t, inFolder(t, filepath.Join(t.TempDir(), "db"))) })
}

func inMemory(t testing.TB) *sop.DB {
	t.Helper()
	db, err := sop.Open("inmemory:", &sop.Options{NodeItems: 8})
	ok(t, err)
	t.Cleanup(func() { ok(t, db.Close()) })
	return db
}

func inFolder(t testing.TB, path string) *sop.DB {
	t.Helper()
	db, err := sop.OpenPath(path, &sop.Options{Create: true, Durability: sop.Written, CacheBytes: 8 << 20, NodeItems: 8})
	ok(t, err)
	t.Cleanup(func() { ok(t, db.Close()) })
	return db
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fails wants an error of a status.
func fails(t testing.TB, err, status error) *sop.Error {
	t.Helper()
	var e *sop.Error
	if !errors.Is(err, status) || !errors.As(err, &e) {
		t.Fatalf("got %v, want %v", err, status)
	}
	if e.Message == "" {
		t.Fatalf("%v has no message", e.Status)
	}
	return e
}

func equal[T comparable](t testing.TB, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("got %v, want %v", got, want)
	}
}

// found turns the answer of a read into the value, which must be there.
func found[V any](t testing.TB) func(value V, there bool, err error) V {
	return func(value V, there bool, err error) V {
		t.Helper()
		ok(t, err)
		if !there {
			t.Fatal("the key is not there")
		}
		return value
	}
}

func update(t testing.TB, db *sop.DB, body func(tx *sop.Tx) error, options ...sop.TxOption) {
	t.Helper()
	ok(t, db.Update(background, body, options...))
}

func view(t testing.TB, db *sop.DB, body func(tx *sop.Tx) error) {
	t.Helper()
	ok(t, db.View(background, body))
}

// letGo has the garbage collected until nobody has the database in the folder open.
func letGo(t *testing.T, path string) {
	t.Helper()
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
