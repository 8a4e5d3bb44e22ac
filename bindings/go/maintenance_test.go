package sop_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	sop "github.com/sopdb/sop/bindings/go"
)

func TestOpenMakesNothingUnlessAsked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	_, err := sop.Open(path, nil)
	fails(t, err, sop.ErrNotFound)
	db, err := sop.Open("inredfs:"+path+"?create=true&durability=written", nil)
	ok(t, err)
	info, err := db.Info()
	ok(t, err)
	equal(t, info.Backend, "inredfs")
	equal(t, info.Durability, sop.Written)
	equal(t, info.Path, path)
	equal(t, info.UUID != sop.UUID{}, true)
	_, err = sop.Open(path, nil) // with other options
	fails(t, err, sop.ErrLocked)
	same, err := sop.Open(path, &sop.Options{Durability: sop.Written})
	ok(t, err)
	numbered(t, db, 3)
	equal(t, string(found[[]byte](t)(numbers.Get(same, 2))), "2")
	ok(t, db.Close())
	equal(t, string(found[[]byte](t)(numbers.Get(same, 1))), "1")
	ok(t, same.Close())
	again, err := sop.OpenPath(path, nil)
	ok(t, err)
	equal(t, string(found[[]byte](t)(numbers.Get(again, 0))), "0")
	ok(t, again.Close())
	reader, err := sop.OpenPath(path, &sop.Options{ReadOnly: true})
	ok(t, err)
	defer reader.Close()
	equal(t, string(found[[]byte](t)(numbers.Get(reader, 0))), "0")
	fails(t, reader.Update(background, func(tx *sop.Tx) error { return numbers.In(tx).Put(0, nil) }), sop.ErrReadOnly)
	for _, wrong := range []struct {
		url     string
		options *sop.Options
		status  error
	}{
		{"inmemory:?nonsense=1", nil, sop.ErrMisuse},
		{"inmemory:", &sop.Options{More: map[string]string{"nonsense": "1"}}, sop.ErrMisuse},
		{"inmemory:", &sop.Options{More: map[string]string{"node_items": "x\x00"}}, sop.ErrMisuse},
		{"inmemory:", &sop.Options{NodeItems: 1}, sop.ErrLimit},
		{"inmemory:", &sop.Options{Durability: 9}, sop.ErrMisuse},
		{"in\x00memory:", nil, sop.ErrMisuse},
		{"inredcfs:x", nil, sop.ErrUnsupported},
	} {
		_, err := sop.Open(wrong.url, wrong.options)
		fails(t, err, wrong.status)
	}
	here, err := os.Getwd()
	ok(t, err)
	ok(t, os.Chdir(t.TempDir()))
	defer func() { ok(t, os.Chdir(here)) }()
	odd, err := sop.OpenPath("inmemory:", &sop.Options{Create: true})
	ok(t, err)
	ok(t, odd.Close())
	_, err = os.Stat("inmemory:")
	ok(t, err)
}

func TestOptionsArriveInTheLibrary(t *testing.T) {
	db, err := sop.Open("inmemory:", &sop.Options{
		NodeBytes: 8192, NodeItems: 10, InlineValueBytes: 2048, TransactionBytesMax: 1 << 20, SnapshotBytesMax: 2 << 20,
		Deadline: 1500 * time.Microsecond, RegistryBuckets: 300, FlushInterval: time.Second, CacheBytes: 8 << 20, LogBytesMax: 8 << 20,
	})
	ok(t, err)
	defer db.Close()
	info, err := db.Info()
	ok(t, err)
	equal(t, info.NodeBytes, 8192)
	equal(t, info.NodeItems, 10)
	equal(t, info.InlineValueBytes, 2048)
	equal(t, info.TransactionBytesMax, 1<<20)
	equal(t, info.SnapshotBytesMax, 2<<20)
	equal(t, info.Deadline, 2*time.Millisecond)
	fails(t, db.Update(background, func(tx *sop.Tx) error {
		time.Sleep(5 * time.Millisecond)
		return users.In(tx).Put("ann", user{})
	}), sop.ErrTimeout)
	equal(t, sop.Version() != "", true)
	equal(t, sop.HasFeature("inmemory"), true)
	equal(t, sop.HasFeature("nonsense"), false)
	equal(t, sop.HasFeature("\x00"), false)
}

func TestBackupAndRestore(t *testing.T) {
	folder := t.TempDir()
	db := inFolder(t, filepath.Join(folder, "db"))
	numbered(t, db, 5000)
	told := 0
	position, err := db.Backup(background, filepath.Join(folder, "copy"), func(done, total uint64) { told++ })
	ok(t, err)
	equal(t, position > 0, true)
	equal(t, told > 0, true)
	_, err = db.Backup(background, filepath.Join(folder, "copy"), nil)
	fails(t, err, sop.ErrExists)
	ok(t, sop.Restore(background, filepath.Join(folder, "copy"), filepath.Join(folder, "again"), func(done, total uint64) {}))
	again := inFolder(t, filepath.Join(folder, "again"))
	equal(t, string(found[[]byte](t)(numbers.Get(again, 4999))), "4999")
	problems, err := again.Verify(background, func(p sop.Problem) error { t.Error(p); return nil }, nil)
	ok(t, err)
	equal(t, problems, 0)
	fails(t, sop.Restore(background, filepath.Join(folder, "nothing"), filepath.Join(folder, "x"), nil), sop.ErrNotFound)
	_, err = inMemory(t).Backup(background, filepath.Join(folder, "memory"), nil)
	fails(t, err, sop.ErrUnsupported)
	_, err = db.Backup(background, "a\x00b", nil)
	fails(t, err, sop.ErrMisuse)
	fails(t, sop.Restore(background, "\x00", "", nil), sop.ErrMisuse)
}

func TestLongCallsEndWithTheirContext(t *testing.T) {
	folder := t.TempDir()
	db := inFolder(t, filepath.Join(folder, "db"))
	numbered(t, db, 5000)
	ctx, cancel := context.WithCancel(background)
	_, err := db.Backup(ctx, filepath.Join(folder, "copy"), func(done, total uint64) { cancel() })
	fails(t, err, sop.ErrCancelled)
	equal(t, errors.Is(err, context.Canceled), true)
	fails(t, db.GC(ctx, nil), sop.ErrCancelled)
	_, err = db.Verify(ctx, nil, nil)
	fails(t, err, sop.ErrCancelled)
	fails(t, sop.Restore(ctx, folder, folder, nil), sop.ErrCancelled)
	// A panic in a callback arrives, and leaves the database in order.
	func() {
		defer func() { equal(t, recover() == any("own panic"), true) }()
		_, _ = db.Backup(background, filepath.Join(folder, "other"), func(done, total uint64) { panic("own panic") })
	}()
	// So does the end of the goroutine.
	ended := make(chan bool)
	go func() {
		defer close(ended)
		_, _ = db.Backup(background, filepath.Join(folder, "third"), func(done, total uint64) { runtime.Goexit() })
		t.Error("it went on")
	}()
	<-ended
	ok(t, db.Checkpoint())
	ok(t, db.Sync())
	ok(t, db.GC(background, func(done, total uint64) {
		_ = found[[]byte](t)(numbers.Get(db, 1)) // a callback may use the database
	}))
}

func TestVerifyTellsOfDamage(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "db")
	db := inFolder(t, folder)
	numbered(t, db, 5000)
	ok(t, db.Checkpoint())
	ok(t, os.WriteFile(filepath.Join(folder, "stranger"), []byte("x"), 0o600))
	var kinds []string
	problems, err := db.Verify(background, func(p sop.Problem) error {
		kinds = append(kinds, p.Kind+" "+p.File)
		equal(t, p.Message != "", true)
		return nil
	}, func(done, total uint64) {})
	ok(t, err)
	equal(t, problems, 1)
	equal(t, strings.Join(kinds, ","), "unknown stranger")
	own := errors.New("own")
	_, err = db.Verify(background, func(sop.Problem) error { return own }, nil)
	fails(t, err, sop.ErrCancelled)
	equal(t, errors.Is(err, own), true)
}

func TestStatsMetricsPeek(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "db")
	_, _, err := sop.Peek(folder)
	fails(t, err, sop.ErrNotFound)
	db := inFolder(t, folder)
	numbered(t, db, 100)
	stats, err := db.Stats()
	ok(t, err)
	equal(t, stats.Commits, 1)
	equal(t, stats.Stores, 1)
	equal(t, stats.Durability, sop.Written)
	equal(t, stats.Failed, false)
	equal(t, stats.CacheBytes, 8<<20)
	text, err := db.Metrics()
	ok(t, err)
	equal(t, strings.Contains(text, "# EOF"), true)
	peek, _, err := sop.Peek(folder)
	ok(t, err)
	equal(t, peek.IsOpen, true)
	equal(t, peek.Process, uint64(os.Getpid()))
	info, err := db.Info()
	ok(t, err)
	equal(t, peek.UUID, info.UUID)
	_, _, err = sop.Peek("\x00")
	fails(t, err, sop.ErrMisuse)
}

// locked is a writer for several goroutines.
type locked struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// conflict makes one, of which the library leaves a message.
func conflict(t *testing.T, db *sop.DB) {
	t.Helper()
	attempts := 0
	update(t, db, func(tx *sop.Tx) error {
		n := numbers.In(tx)
		if _, _, err := n.Get(1); err != nil && !errors.Is(err, sop.ErrNotFound) {
			return err
		}
		if attempts++; attempts == 1 {
			update(t, db, func(tx *sop.Tx) error { return numbers.In(tx).Put(1, nil) })
		}
		return n.Put(2, nil)
	})
	equal(t, attempts, 2)
}

func TestLogGoesToSlog(t *testing.T) {
	var out locked
	logger := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	db, err := sop.Open("inmemory:", &sop.Options{Logger: logger, LogLevel: slog.LevelDebug})
	ok(t, err)
	conflict(t, db)
	for deadline := time.Now().Add(20 * time.Second); out.String() == "" && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	equal(t, strings.Contains(out.String(), "level="), true)
	ok(t, db.Close())
}

func TestLogIsPulled(t *testing.T) {
	db := inMemory(t)
	long, done := context.WithTimeout(background, 20*time.Second)
	defer done()
	ok(t, db.LogEnable(slog.LevelDebug))
	conflict(t, db)
	message, err := db.LogNext(long)
	ok(t, err)
	equal(t, message.Text != "", true)
	equal(t, time.Since(message.Time) < time.Hour, true)
	ok(t, db.LogEnable(slog.LevelError+1))
	conflict(t, db)
	short, cancel := context.WithTimeout(background, time.Millisecond)
	defer cancel()
	for err = nil; err == nil; {
		_, err = db.LogNext(short)
	}
	fails(t, err, sop.ErrTimeout)
	ok(t, db.Close())
	_, err = db.LogNext(long)
	fails(t, err, sop.ErrClosed)
}

// Each of them would wait for itself.
func TestCloseInACallback(t *testing.T) {
	db := inFolder(t, filepath.Join(t.TempDir(), "db"))
	other := inMemory(t)
	calls := map[string]func(progress sop.Progress) error{
		"GC": func(progress sop.Progress) error { return db.GC(background, progress) },
		"Backup": func(progress sop.Progress) error {
			_, err := db.Backup(background, filepath.Join(t.TempDir(), "copy"), progress)
			return err
		},
		"Verify": func(progress sop.Progress) error { _, err := db.Verify(background, nil, progress); return err },
	}
	for name, call := range calls {
		told := 0
		ended := make(chan error, 1)
		go func() {
			ended <- call(func(uint64, uint64) {
				told++
				if err := db.Close(); !errors.Is(err, sop.ErrMisuse) {
					t.Errorf("%s: closing in its callback: %v", name, err)
				}
			})
		}()
		select {
		case err := <-ended:
			ok(t, err)
		case <-time.After(60 * time.Second):
			t.Fatalf("%s and a Close in its callback wait for each other", name)
		}
		equal(t, told > 0, true)
	}
	_, err := db.Verify(background, nil, func(uint64, uint64) { ok(t, other.Close()) }) // another database may be
	ok(t, err)
	ok(t, db.Close()) // and so may this one, afterwards
}
