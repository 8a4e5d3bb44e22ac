package sop_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	sop "github.com/sopdb/sop/bindings/go"
)

func TestUpdateUndoesWhatFails(t *testing.T) {
	places(t, func(t *testing.T, db *sop.DB) {
		update(t, db, func(tx *sop.Tx) error { return users.In(tx).Put("ann", user{"Ann", 1}) })
		own := errors.New("own")
		equal(t, db.Update(background, func(tx *sop.Tx) error {
			ok(t, users.In(tx).Put("ann", user{"Ann", 2}))
			return own
		}), own)
		func() {
			defer func() { equal(t, recover() == any("own panic"), true) }()
			_ = db.Update(background, func(tx *sop.Tx) error {
				ok(t, users.In(tx).Put("ann", user{"Ann", 3}))
				panic("own panic")
			})
		}()
		done := make(chan bool)
		go func() {
			defer close(done)
			_ = db.Update(background, func(tx *sop.Tx) error {
				ok(t, users.In(tx).Put("ann", user{"Ann", 4}))
				runtime.Goexit()
				return nil
			})
		}()
		<-done
		equal(t, found[user](t)(users.Get(db, "ann")).Age, 1)
		stats, err := db.Stats()
		ok(t, err)
		equal(t, stats.TransactionsOpen, 0)
	})
}

type panicking struct{}

func (panicking) Append([]byte, string) ([]byte, error) { panic("codec") }
func (panicking) Decode([]byte) (string, error)         { panic("codec") }

func TestCodecThatPanicsLeavesNothingBehind(t *testing.T) {
	db := inMemory(t)
	good := sop.StoreOf[string, string]("s", sop.String)
	bad := sop.StoreOf[string, string]("s", panicking{})
	update(t, db, func(tx *sop.Tx) error { return good.In(tx).Put("a", "b") })
	for _, body := range []func(tx *sop.Tx){
		func(tx *sop.Tx) { _ = bad.In(tx).Put("a", "c") },
		func(tx *sop.Tx) { _, _, _ = bad.In(tx).Get("a") },
		func(tx *sop.Tx) {
			for range bad.In(tx).All() {
			}
		},
		func(tx *sop.Tx) { _, _ = bad.In(tx).PutMany(oneRow("a", "c")) },
	} {
		func() {
			defer func() { equal(t, recover() == any("codec"), true) }()
			_ = db.Update(background, func(tx *sop.Tx) error {
				ok(t, good.In(tx).Put("a", "c"))
				body(tx)
				return nil
			})
		}()
		equal(t, found[string](t)(good.Get(db, "a")), "b")
	}
	stats, err := db.Stats()
	ok(t, err)
	equal(t, stats.TransactionsOpen, 0)
}

func TestUpdateRunsAgainOnConflict(t *testing.T) {
	places(t, func(t *testing.T, db *sop.DB) {
		update(t, db, func(tx *sop.Tx) error { return users.In(tx).Put("ann", user{"Ann", 1}) })
		attempts := 0
		update(t, db, func(tx *sop.Tx) error {
			attempts++
			count, err := tx.Attempts()
			ok(t, err)
			equal(t, count, attempts)
			ann := found[user](t)(users.In(tx).Get("ann"))
			if attempts < 4 {
				update(t, db, func(tx *sop.Tx) error { return users.In(tx).Put("ann", user{"Ann", 10 * attempts}) })
			}
			if attempts > 1 {
				store, key, there, err := tx.Conflict()
				ok(t, err)
				equal(t, there, true)
				equal(t, store, "users")
				name, err := users.UnpackKey(key)
				ok(t, err)
				equal(t, name, "ann")
			}
			ann.Age++
			return users.In(tx).Put("ann", ann)
		})
		equal(t, attempts, 4)
		equal(t, found[user](t)(users.Get(db, "ann")).Age, 31)
		attempts = 0
		update(t, db, func(tx *sop.Tx) error { // a body may say so itself
			if attempts++; attempts < 3 {
				return fmt.Errorf("wrapped: %w", sop.ErrConflict)
			}
			return nil
		})
		equal(t, attempts, 3)
	})
}

func TestUpdateGivesUpAfterItsTime(t *testing.T) {
	db, err := sop.Open("inmemory:", &sop.Options{RetryFor: 20 * time.Millisecond})
	ok(t, err)
	defer db.Close()
	attempts := 0
	fails(t, db.Update(background, func(tx *sop.Tx) error {
		attempts++
		time.Sleep(time.Millisecond)
		return sop.ErrConflict
	}), sop.ErrTimeout)
	equal(t, attempts > 1, true)
	err = db.Update(background, func(tx *sop.Tx) error {
		time.Sleep(30 * time.Millisecond)
		return sop.ErrConflict
	})
	equal(t, errors.Is(err, sop.ErrConflict), true) // what it was all about
	attempts = 0
	fails(t, db.Update(background, func(tx *sop.Tx) error { // what the transaction says goes first
		attempts++
		return sop.ErrConflict
	}, sop.WithRetryFor(0)), sop.ErrTimeout)
	equal(t, attempts, 1)
	began := time.Now()
	fails(t, db.Update(background, func(tx *sop.Tx) error {
		time.Sleep(time.Millisecond)
		return sop.ErrConflict
	}, sop.WithRetryFor(100*time.Millisecond)), sop.ErrTimeout)
	equal(t, time.Since(began) >= 100*time.Millisecond, true)
}

// A body that always says that it conflicts is run again with pauses, and ends with its context and its deadline.
func TestUpdateBacksOffAlsoWhenItsBodySaysSo(t *testing.T) {
	const manyPauses = 400 // they take more than a second, so that who spins makes more attempts in the time that there is
	places(t, func(t *testing.T, db *sop.DB) {
		again := func(ctx context.Context, options ...sop.TxOption) (int, error) {
			attempts := 0
			return attempts, db.Update(ctx, func(tx *sop.Tx) error {
				attempts++
				count, err := tx.Attempts()
				ok(t, err)
				equal(t, count, attempts)
				equal(t, attempts < manyPauses, true)
				return sop.ErrConflict
			}, options...)
		}
		ctx, cancel := context.WithTimeout(background, 60*time.Millisecond)
		defer cancel()
		_, err := again(ctx)
		fails(t, err, sop.ErrTimeout)
		equal(t, errors.Is(err, context.DeadlineExceeded), true)
		_, err = again(background, sop.WithDeadline(60*time.Millisecond))
		fails(t, err, sop.ErrTimeout)
		ctx, cancel = context.WithCancel(background)
		time.AfterFunc(30*time.Millisecond, cancel)
		_, err = again(ctx)
		fails(t, err, sop.ErrCancelled)
		equal(t, errors.Is(err, context.Canceled), true)
	})
}

func TestUpdateKeepsItsIDWhenItsBodyWantsToRunAgain(t *testing.T) {
	places(t, func(t *testing.T, db *sop.DB) {
		id, attempts := sop.UUID{1, 2, 3}, 0
		ok(t, db.Update(background, func(tx *sop.Tx) error {
			given, err := tx.ID()
			ok(t, err)
			equal(t, given, id)
			ok(t, users.In(tx).Put("ann", user{"Ann", attempts}))
			if attempts++; attempts < 3 {
				return sop.ErrConflict
			}
			return nil
		}, sop.WithID(id)))
		outcome, _, err := db.Outcome(id)
		ok(t, err)
		equal(t, outcome, sop.Committed)
		equal(t, found[user](t)(users.Get(db, "ann")).Age, 2)
	})
}

func TestUpdatesOfManyGoroutinesAddUp(t *testing.T) {
	places(t, func(t *testing.T, db *sop.DB) {
		const goroutines, each = 8, 25
		var group sync.WaitGroup
		for range goroutines {
			group.Add(1)
			go func() {
				defer group.Done()
				for range each {
					if err := db.Update(background, func(tx *sop.Tx) error {
						v, _, err := counters.In(tx).Get("sum")
						if err != nil && !errors.Is(err, sop.ErrNotFound) {
							return err
						}
						return counters.In(tx).Put("sum", v+1)
					}); err != nil {
						t.Error(err)
					}
				}
			}()
		}
		group.Wait()
		equal(t, found[int64](t)(counters.Get(db, "sum")), goroutines*each)
	})
}

// More goroutines wait in the library than the operating system should have threads.
func TestManyGoroutinesAtOnce(t *testing.T) {
	db := inFolder(t, t.TempDir())
	update(t, db, func(tx *sop.Tx) error { return counters.In(tx).Put("sum", 0) })
	var group sync.WaitGroup
	goroutines := 3000
	if testing.Short() {
		goroutines = 600
	}
	for range goroutines {
		group.Add(1)
		go func() {
			defer group.Done()
			if err := db.Update(background, func(tx *sop.Tx) error { return counters.In(tx).Add("sum", 1) }, sop.WithDurability(sop.Flushed)); err != nil {
				t.Error(err)
			}
		}()
	}
	group.Wait()
	equal(t, found[int64](t)(counters.Get(db, "sum")), int64(goroutines))
}

func TestContextCancelsTransaction(t *testing.T) {
	db := inMemory(t)
	ctx, cancel := context.WithCancelCause(background)
	why := errors.New("why")
	err := db.Update(ctx, func(tx *sop.Tx) error {
		ok(t, users.In(tx).Put("ann", user{}))
		cancel(why)
		var err error
		for err == nil { // the context is watched by another goroutine
			err = users.In(tx).Put("ann", user{})
		}
		fails(t, err, sop.ErrCancelled)
		return err
	})
	fails(t, err, sop.ErrCancelled)
	equal(t, errors.Is(err, why), true)
	fails(t, db.Update(ctx, func(*sop.Tx) error { t.Error("ran"); return nil }), sop.ErrCancelled)
	equal(t, storeNames(t, db), "")
	// The same handle again, which must not remember.
	update(t, db, func(tx *sop.Tx) error { return users.In(tx).Put("ann", user{}) })
}

// However late the goroutine is that watches the context.
func TestNothingCommitsAfterItsContextHasEnded(t *testing.T) {
	db := inMemory(t)
	for i := range 200 {
		ctx, cancel := context.WithCancel(background)
		err := db.Update(ctx, func(tx *sop.Tx) error {
			err := numbers.In(tx).Put(int64(i), nil)
			cancel()
			return err
		})
		fails(t, err, sop.ErrCancelled)
		equal(t, errors.Is(err, context.Canceled), true)
	}
	equal(t, storeNames(t, db), "")
	ctx, cancel := context.WithCancel(background)
	tx, err := db.Begin(ctx, sop.ModeWrite)
	ok(t, err)
	ok(t, numbers.In(tx).Put(1, nil))
	ok(t, tx.Commit())
	cancel()
	ok(t, tx.Commit()) // it has committed
	ok(t, tx.Close())
	equal(t, storeNames(t, db), "numbers")
}

func TestViewDoesNotWrite(t *testing.T) {
	db := inMemory(t)
	for _, mode := range []sop.Mode{sop.ModeWrite, sop.ModeNoCheck} {
		fails(t, db.View(background, func(*sop.Tx) error { t.Error("ran"); return nil }, sop.WithMode(mode)), sop.ErrMisuse)
	}
	ok(t, db.View(background, func(*sop.Tx) error { return nil }, sop.WithMode(sop.ModeSnapshot)))
}

func TestContextDeadlineIsThatOfTheTransaction(t *testing.T) {
	db := inMemory(t)
	ctx, cancel := context.WithTimeout(background, 20*time.Millisecond)
	defer cancel()
	err := db.Update(ctx, func(tx *sop.Tx) error {
		for {
			if err := users.In(tx).Put("ann", user{}); err != nil {
				return err
			}
			time.Sleep(time.Millisecond)
		}
	})
	fails(t, err, sop.ErrTimeout)
	<-ctx.Done()
	fails(t, db.View(ctx, func(*sop.Tx) error { return nil }), sop.ErrTimeout)
	equal(t, errors.Is(db.View(ctx, nil), context.DeadlineExceeded), true)
	err = db.Update(background, func(tx *sop.Tx) error {
		time.Sleep(5 * time.Millisecond)
		return users.In(tx).Put("ann", user{})
	}, sop.WithDeadline(time.Millisecond))
	fails(t, err, sop.ErrTimeout)
}

func TestCancelFromAnotherGoroutine(t *testing.T) {
	db := inMemory(t)
	numbered(t, db, 1000)
	fails(t, db.Update(background, func(tx *sop.Tx) error {
		done := make(chan bool)
		go func() {
			defer close(done)
			if err := tx.Cancel(); err != nil {
				t.Error(err)
			}
		}()
		<-done
		_, _, err := numbers.In(tx).Get(1)
		return err
	}), sop.ErrCancelled)
	for range 50 {
		tx, err := db.Begin(background, sop.ModeRead)
		ok(t, err)
		go func() { _ = tx.Cancel() }() // before or after its end
		for range numbers.In(tx).All() {
		}
		ok(t, tx.Close())
		fails(t, tx.Cancel(), sop.ErrClosed)
	}
}

func TestBeginByHand(t *testing.T) {
	places(t, func(t *testing.T, db *sop.DB) {
		tx, err := db.Begin(background, sop.ModeWrite, sop.WithID(sop.UUID{9: 7}))
		ok(t, err)
		defer tx.Close()
		id, err := tx.ID()
		ok(t, err)
		equal(t, id, sop.UUID{9: 7})
		_, err = db.Begin(background, sop.ModeWrite, sop.WithID(id))
		fails(t, err, sop.ErrExists)
		outcome, _, err := db.Outcome(id)
		ok(t, err)
		equal(t, outcome.String(), "pending")
		ok(t, users.In(tx).Put("ann", user{"Ann", 1}))
		ok(t, tx.Commit())
		ok(t, tx.Commit())
		fails(t, tx.Rollback(), sop.ErrMisuse)
		_, _, err = users.In(tx).Get("ann")
		fails(t, err, sop.ErrMisuse)
		position, err := tx.Position()
		ok(t, err)
		outcome, at, err := db.Outcome(id)
		ok(t, err)
		equal(t, outcome, sop.Committed)
		equal(t, at, position)
		ok(t, tx.Close())
		ok(t, tx.Close())
		_, _, err = users.In(tx).Get("ann")
		fails(t, err, sop.ErrClosed)
		fails(t, tx.Commit(), sop.ErrClosed)

		tx, err = db.Begin(background, sop.ModeWrite)
		ok(t, err)
		ok(t, users.In(tx).Put("bob", user{}))
		ok(t, tx.Rollback())
		ok(t, tx.Rollback())
		fails(t, tx.Commit(), sop.ErrMisuse)
		fails(t, tx.Again(), sop.ErrMisuse)
		ok(t, tx.Close())
		_, there, err := users.Get(db, "bob")
		ok(t, err)
		equal(t, there, false)
		_, err = db.Begin(background, sop.Mode(17))
		fails(t, err, sop.ErrMisuse)
	})
}

func TestAgainByHand(t *testing.T) {
	db := inMemory(t)
	update(t, db, func(tx *sop.Tx) error { return users.In(tx).Put("ann", user{"Ann", 1}) })
	tx, err := db.Begin(background, sop.ModeWrite)
	ok(t, err)
	defer tx.Close()
	for attempt := 1; ; attempt++ {
		ann := found[user](t)(users.In(tx).Get("ann"))
		if attempt < 3 {
			update(t, db, func(tx *sop.Tx) error { return users.In(tx).Put("ann", user{"Ann", 5}) })
		}
		ok(t, users.In(tx).Put("ann", user{"Ann", ann.Age + 1}))
		err := tx.Commit()
		if err == nil {
			equal(t, attempt, 3)
			break
		}
		equal(t, sop.TraitsOf(fails(t, err, sop.ErrConflict)).Has(sop.TraitAbort), true)
		ok(t, tx.Again())
	}
	equal(t, found[user](t)(users.Get(db, "ann")).Age, 6)
}

func TestUpdateEndsItsTransactionItself(t *testing.T) {
	db := inMemory(t)
	var kept *sop.Tx
	var id sop.UUID
	update(t, db, func(tx *sop.Tx) error {
		kept = tx
		for _, err := range []error{tx.Commit(), tx.Rollback(), tx.Again(), tx.Close()} {
			fails(t, err, sop.ErrMisuse)
		}
		var err error
		id, err = tx.ID()
		ok(t, err)
		return users.In(tx).Put("ann", user{})
	})
	position, err := kept.Position() // known when it is over
	ok(t, err)
	_, at, err := db.Outcome(id)
	ok(t, err)
	equal(t, position, at)
	update(t, db, func(tx *sop.Tx) error { // has the handle of the one before
		_, _, err := users.In(kept).Get("ann")
		fails(t, err, sop.ErrClosed)
		_, err = kept.ID()
		fails(t, err, sop.ErrClosed)
		for range users.In(kept).All() {
			t.Error("an item")
		}
		fails(t, kept.Err(), sop.ErrClosed)
		fails(t, kept.Cancel(), sop.ErrClosed)
		return users.In(tx).Put("bob", user{})
	})
}

func TestCursorsAndLoopsEndWithTheirTransaction(t *testing.T) {
	db := inMemory(t)
	numbered(t, db, 100)
	var cursor *sop.Cursor[int64, []byte]
	view(t, db, func(tx *sop.Tx) (err error) {
		cursor, err = numbers.In(tx).Span().Cursor()
		ok(t, err)
		equal(t, cursor.Next(), true)
		return err
	})
	view(t, db, func(tx *sop.Tx) error {
		equal(t, cursor.Next(), false)
		fails(t, cursor.Err(), sop.ErrClosed)
		fails(t, cursor.Remove(), sop.ErrClosed)
		return nil
	})
	ok(t, cursor.Close())
	tx, err := db.Begin(background, sop.ModeWrite)
	ok(t, err)
	for key := range numbers.In(tx).Keys() {
		if key == 3 {
			ok(t, tx.Close())
		}
		equal(t, key < 20, true)
	}
	fails(t, tx.Err(), sop.ErrClosed)
}

func TestSavepoints(t *testing.T) {
	places(t, func(t *testing.T, db *sop.DB) {
		update(t, db, func(tx *sop.Tx) error {
			u := users.In(tx)
			ok(t, u.Put("a", user{}))
			first, err := tx.Savepoint()
			ok(t, err)
			ok(t, u.Put("b", user{}))
			second, err := tx.Savepoint()
			ok(t, err)
			ok(t, u.Put("c", user{}))
			ok(t, tx.RollbackTo(second))
			equal(t, keysOf(u.Keys()), "a b")
			ok(t, tx.RollbackTo(first))
			equal(t, keysOf(u.Keys()), "a")
			fails(t, tx.RollbackTo(second), sop.ErrMisuse)
			return nil
		})
	})
}

func TestOneGoroutineAtATime(t *testing.T) {
	db := inMemory(t)
	numbered(t, db, 2000)
	var told, done atomic.Int64
	err := db.Update(background, func(tx *sop.Tx) error {
		var group sync.WaitGroup
		for range 4 {
			group.Add(1)
			go func() {
				defer group.Done()
				for i := range int64(300) {
					err := numbers.In(tx).Put(i, nil)
					if err == nil {
						_, err = numbers.In(tx).Span().Limit(20).Count()
					}
					switch {
					case err == nil:
						done.Add(1)
					case errors.Is(err, sop.ErrMisuse) && strings.Contains(err.Error(), "goroutine"):
						told.Add(1)
					default:
						t.Error(err)
					}
				}
			}()
		}
		group.Wait()
		return nil
	})
	ok(t, err)
	equal(t, told.Load()+done.Load(), 1200)
}

// Goroutines that outlive the function of Update meet the end of its transaction, and nothing worse.
func TestGoroutinesThatOutliveTheirTransaction(t *testing.T) {
	db := inMemory(t)
	numbered(t, db, 1000)
	var group sync.WaitGroup
	for range 30 {
		_ = db.Update(background, func(tx *sop.Tx) error {
			group.Add(2)
			go func() {
				defer group.Done()
				for range 50 {
					_, _, _ = numbers.In(tx).Get(1)
				}
			}()
			go func() {
				defer group.Done()
				for range 3 {
					_, _ = numbers.In(tx).Count()
				}
			}()
			return nil
		})
	}
	group.Wait()
	view(t, db, func(tx *sop.Tx) error {
		equal(t, string(found[[]byte](t)(numbers.In(tx).Get(1))), "1")
		return nil
	})
}

func TestUseAfterCloseIsTold(t *testing.T) {
	places(t, func(t *testing.T, db *sop.DB) {
		numbered(t, db, 100)
		tx, err := db.Begin(background, sop.ModeWrite)
		ok(t, err)
		cursor, err := numbers.In(tx).Span().Cursor()
		ok(t, err)
		ok(t, db.Close())
		ok(t, db.Close())
		_, _, err = numbers.In(tx).Get(1)
		fails(t, err, sop.ErrClosed)
		fails(t, tx.Commit(), sop.ErrClosed)
		equal(t, cursor.Next(), false)
		fails(t, cursor.Err(), sop.ErrClosed)
		ok(t, cursor.Close())
		ok(t, tx.Close())
		_, _, err = numbers.Get(db, 1)
		fails(t, err, sop.ErrClosed)
		_, err = numbers.ApproxCount(db)
		fails(t, err, sop.ErrClosed)
		fails(t, db.Update(background, func(*sop.Tx) error { return nil }), sop.ErrClosed)
		fails(t, db.View(background, func(*sop.Tx) error { return nil }), sop.ErrClosed)
		_, err = db.Stats()
		fails(t, err, sop.ErrClosed)
		_, err = db.Info()
		fails(t, err, sop.ErrClosed)
		_, err = db.Metrics()
		fails(t, err, sop.ErrClosed)
		_, err = db.Verify(background, nil, nil)
		fails(t, err, sop.ErrClosed)
		_, err = db.Backup(background, t.TempDir(), nil)
		fails(t, err, sop.ErrClosed)
		_, _, err = db.Outcome(sop.UUID{})
		fails(t, err, sop.ErrClosed)
		for _, err := range []error{db.Sync(), db.Checkpoint(), db.GC(background, nil), db.LogEnable(0)} {
			fails(t, err, sop.ErrClosed)
		}
		_, err = db.LogNext(background)
		fails(t, err, sop.ErrClosed)
	})
}

func TestCloseWhileOthersWork(t *testing.T) {
	for range 5 {
		db, err := sop.Open("inmemory:", nil)
		ok(t, err)
		numbered(t, db, 200)
		var group sync.WaitGroup
		for g := range 4 {
			group.Add(1)
			go func() {
				defer group.Done()
				for {
					err := db.Update(background, func(tx *sop.Tx) error {
						for range numbers.In(tx).All() {
						}
						cursor, err := numbers.In(tx).Span().Cursor()
						if err != nil {
							return err
						}
						defer cursor.Close()
						for cursor.Next() {
						}
						return numbers.In(tx).Put(int64(g), nil)
					})
					if err != nil {
						if !errors.Is(err, sop.ErrClosed) {
							t.Error(err)
						}
						return
					}
				}
			}()
		}
		time.Sleep(time.Millisecond)
		ok(t, db.Close())
		group.Wait()
	}
}

// What is forgotten is found by the collector: databases, transactions, cursors, in any order.
func TestWhatIsForgottenIsCollected(t *testing.T) {
	path := t.TempDir()
	for range 3 {
		func() {
			db, err := sop.OpenPath(path, &sop.Options{Create: true, Durability: sop.Written})
			ok(t, err)
			tx, err := db.Begin(background, sop.ModeWrite)
			ok(t, err)
			ok(t, numbers.In(tx).Put(1, nil))
			cursor, err := numbers.In(tx).Span().Cursor()
			ok(t, err)
			equal(t, cursor.Next(), true)
		}()
	}
	letGo(t, path)
}

// The same for a transaction alone, which is rolled back then, whether its handle is new or was used before.
func TestForgottenTransactionsAreRolledBack(t *testing.T) {
	db := inMemory(t)
	for range 3 {
		numbered(t, db, 10)
		var id sop.UUID
		func() {
			tx, err := db.Begin(background, sop.ModeWrite)
			ok(t, err)
			id, err = tx.ID()
			ok(t, err)
		}()
		outcome := sop.Pending
		for try := 0; outcome == sop.Pending && try < 2000; try++ {
			runtime.GC()
			time.Sleep(time.Millisecond)
			var err error
			outcome, _, err = db.Outcome(id)
			ok(t, err)
		}
		equal(t, outcome, sop.NotCommitted)
	}
}

func TestShellsAreUsedAgain(t *testing.T) {
	db := inMemory(t)
	update(t, db, func(tx *sop.Tx) error { return numbers.In(tx).Put(1, []byte("x")) })
	body := func(tx *sop.Tx) error {
		_, _, err := numbers.In(tx).Get(1)
		return err
	}
	if allocations := testing.AllocsPerRun(100, func() { view(t, db, body) }); allocations > 8 {
		t.Errorf("%v allocations for a view", allocations)
	}
	view(t, db, func(tx *sop.Tx) error {
		items := numbers.In(tx)
		if allocations := testing.AllocsPerRun(100, func() { _, _, _ = items.Get(1) }); allocations > 1 {
			t.Errorf("%v allocations for a get, of which the value is one", allocations)
		}
		return nil
	})
	update(t, db, func(tx *sop.Tx) error {
		items, value := numbers.In(tx), []byte("value")
		if allocations := testing.AllocsPerRun(100, func() { _ = items.Put(1, value) }); allocations > 0 {
			t.Errorf("%v allocations for a put", allocations)
		}
		return nil
	})
}
