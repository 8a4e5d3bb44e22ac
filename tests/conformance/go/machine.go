// The machine of Go: every operation through what a program in Go would write. See ../README.md.
package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	sop "github.com/sopdb/sop/bindings/go"
)

var background = context.Background()

// collectedWithin is far beyond what collecting takes, since other programs may want the processors.
const collectedWithin = 60 * time.Second

type openCursor struct {
	cursor
	store   int
	reverse bool
}

// begun is how a transaction was begun, and whether it has committed.
type begun struct {
	mode      sop.Mode
	id        []byte // nil: the library made one
	committed bool
}

type machine struct {
	folder     string
	tables     []table
	dbs        map[int]*sop.DB
	places     map[int]string
	txns       map[int]*sop.Tx
	ids        map[int]sop.UUID
	begun      map[int]*begun
	savepoints map[int][]sop.Savepoint
	cursors    map[int]*openCursor
}

func main() {
	Run(&machine{tables: tables()}, os.Stdin, os.Stdout)
}

func (m *machine) ProgramBegin(folder string) {
	*m = machine{
		folder: folder, tables: m.tables, dbs: map[int]*sop.DB{}, places: map[int]string{}, txns: map[int]*sop.Tx{},
		ids: map[int]sop.UUID{}, begun: map[int]*begun{}, savepoints: map[int][]sop.Savepoint{}, cursors: map[int]*openCursor{},
	}
}

func (m *machine) ProgramEnd() {
	for _, db := range m.dbs {
		if err := db.Close(); err != nil {
			panic(err)
		}
	}
	m.ProgramBegin("")
}

var traitNames = []struct {
	trait sop.Traits
	name  string
}{
	{sop.TraitRetry, "RETRY"}, {sop.TraitAbort, "ABORT"}, {sop.TraitMaybeCommitted, "MAYBE_COMMITTED"},
	{sop.TraitFatal, "FATAL"}, {sop.TraitMisuse, "MISUSE"},
}

func (m *machine) Failure(err error) Failure {
	var e *sop.Error
	if !errors.As(err, &e) {
		panic(err)
	}
	failure := Failure{Status: e.Status.String()}
	for _, t := range traitNames {
		if e.Traits.Has(t.trait) {
			failure.Traits = append(failure.Traits, t.name)
		}
	}
	if e.Status == sop.StatusNotFound {
		failure.Store = e.Store
	}
	return failure
}

// answer turns "it is not there" into the status that the suite has for it.
func answer(ok bool, err error, status string) error {
	if err == nil && !ok {
		return Failure{Status: status}
	}
	return err
}

// ---- slots

func (m *machine) db(number int) (*sop.DB, error) {
	if db := m.dbs[number]; db != nil {
		return db, nil
	}
	return nil, ErrNoSlot
}

func (m *machine) tx(number int) (*sop.Tx, error) {
	if tx := m.txns[number]; tx != nil {
		return tx, nil
	}
	return nil, ErrNoSlot
}

func (m *machine) dropTxn(number int) {
	for cursor := 10 * number; cursor < 10*number+10; cursor++ {
		delete(m.cursors, cursor)
	}
	delete(m.txns, number)
	delete(m.savepoints, number)
	delete(m.ids, number)
	delete(m.begun, number)
}

func (m *machine) dropDB(number int) {
	for txn := 10 * number; txn < 10*number+10; txn++ {
		m.dropTxn(txn)
	}
	delete(m.dbs, number)
	delete(m.places, number)
}

// collect has the garbage collected until what was forgotten is seen to be gone.
func collect(gone func() bool) {
	deadline := time.Now().Add(collectedWithin)
	for try := 1; ; try++ {
		runtime.GC()
		if gone() {
			return
		}
		if time.Now().After(deadline) {
			panic("what was forgotten is still there")
		}
		time.Sleep(time.Duration(min(try, 100)) * 200 * time.Microsecond)
	}
}

// ---- databases

func (m *machine) Open(c *Call, number int, place string, create int64) error {
	if db := m.dbs[number]; db != nil {
		if err := db.Close(); err != nil {
			panic(err)
		}
	}
	m.dropDB(number)
	options := &sop.Options{Create: create == 1, ReadOnly: create == 2, Durability: sop.Written, CacheBytes: 8 << 20}
	var err error
	var db *sop.DB
	switch {
	case place == "memory":
		db, err = sop.Open("inmemory:", options)
	case c.Spelling%2 == 0:
		db, err = sop.OpenPath(filepath.Join(m.folder, place), options)
	default:
		options.Create = false
		db, err = sop.Open(fmt.Sprintf("inredfs:%s?create=%t", filepath.Join(m.folder, place), create == 1), options)
	}
	if err == nil {
		m.dbs[number], m.places[number] = db, place
	}
	return err
}

func (m *machine) Close(c *Call, number int) error {
	db, err := m.db(number)
	if err != nil {
		return err
	}
	return db.Close()
}

func (m *machine) ForgetDB(c *Call, number int) error {
	if _, err := m.db(number); err != nil {
		return err
	}
	place := m.places[number]
	m.dropDB(number)
	for _, other := range m.places {
		if other == place {
			place = "memory" // open elsewhere: nobody sees whether this one is
		}
	}
	collect(func() bool {
		if place == "memory" {
			return true
		}
		peek, _, _ := sop.Peek(filepath.Join(m.folder, place))
		return !peek.IsOpen
	})
	return nil
}

func (m *machine) onDB(number int, call func(db *sop.DB) error) error {
	db, err := m.db(number)
	if err != nil {
		return err
	}
	return call(db)
}

func (m *machine) Sync(c *Call, number int) error       { return m.onDB(number, (*sop.DB).Sync) }
func (m *machine) Checkpoint(c *Call, number int) error { return m.onDB(number, (*sop.DB).Checkpoint) }

func (m *machine) GC(c *Call, number int) error {
	return m.onDB(number, func(db *sop.DB) error {
		if c.Spelling%2 == 0 {
			return db.GC(background, nil)
		}
		return db.GC(background, func(done, total uint64) {})
	})
}

func (m *machine) Verify(c *Call, number int) (problems int64, err error) {
	err = m.onDB(number, func(db *sop.DB) error {
		count, err := db.Verify(background, nil, nil)
		problems = int64(count)
		return err
	})
	return problems, err
}

func (m *machine) Backup(c *Call, number int, place string) error {
	return m.onDB(number, func(db *sop.DB) error {
		_, err := db.Backup(background, filepath.Join(m.folder, place), nil)
		return err
	})
}

func (m *machine) Restore(c *Call, source, place string) error {
	return sop.Restore(background, filepath.Join(m.folder, source), filepath.Join(m.folder, place), nil)
}

func (m *machine) Peek(c *Call, place string) (open int64, err error) {
	seen, _, err := sop.Peek(filepath.Join(m.folder, place))
	if seen.IsOpen {
		open = 1
	}
	if errors.Is(err, sop.ErrNotFound) { // there are no figures; whether it is open is known all the same
		err = nil
	}
	return open, err
}

func (m *machine) Info(c *Call, number int) (backend string, nodeBytes int64, err error) {
	err = m.onDB(number, func(db *sop.DB) error {
		info, err := db.Info()
		backend, nodeBytes = info.Backend, int64(info.NodeBytes)
		return err
	})
	return backend, nodeBytes, err
}

func (m *machine) Stats(c *Call, number int) (stores int64, err error) {
	err = m.onDB(number, func(db *sop.DB) error {
		if c.Spelling%2 == 0 {
			stats, err := db.Stats()
			stores = int64(stats.Stores)
			return err
		}
		text, err := db.Metrics()
		for _, line := range strings.Split(text, "\n") {
			if number, ok := strings.CutPrefix(line, "sop_stores "); ok {
				stores = must(strconv.ParseInt(number, 10, 64))
			}
		}
		return err
	})
	return stores, err
}

func (m *machine) About(c *Call, feature string) (version string, has int64, err error) {
	if sop.HasFeature(feature) {
		has = 1
	}
	return sop.Version(), has, nil
}

var marker = sop.StoreOf[[]byte]("marker", sop.Bytes)

// logLevels are those of the suite, by number; nothing is above the first.
var logLevels = []slog.Level{slog.LevelError + 1, slog.LevelError, slog.LevelWarn, slog.LevelInfo, slog.LevelDebug}

// messageWithin is far beyond what a message takes.
const messageWithin = 60 * time.Second

// storeMessages counts messages about stores; it waits for `wanted` of them.
func storeMessages(db *sop.DB, wanted int64) (count int64, err error) {
	for {
		within := messageWithin
		if count >= wanted {
			within = time.Millisecond
		}
		ctx, cancel := context.WithTimeout(background, within)
		message, err := db.LogNext(ctx)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			return count, nil
		}
		if err != nil {
			return count, err
		}
		if strings.HasPrefix(message.Text, "store ") {
			count++
		}
	}
}

// Log has a store come and go, which are two messages of the level info.
func (m *machine) Log(c *Call, number int, level int64) (messages int64, err error) {
	err = m.onDB(number, func(db *sop.DB) error {
		if err := db.LogEnable(logLevels[level]); err != nil {
			return err
		}
		err := db.Update(background, func(tx *sop.Tx) error { return tx.Create(marker) })
		if err == nil {
			err = db.Update(background, func(tx *sop.Tx) error { return tx.Drop(marker) })
		}
		if err == nil {
			wanted := int64(0)
			if level >= 3 {
				wanted = 2
			}
			messages, err = storeMessages(db, wanted)
		}
		if err := db.LogEnable(logLevels[0]); err != nil {
			panic(err)
		}
		return err
	})
	return messages, err
}

// ---- transactions

func (m *machine) Begin(c *Call, number int, mode int64, id []byte) error {
	if tx := m.txns[number]; tx != nil {
		if err := tx.Close(); err != nil {
			panic(err)
		}
	}
	delete(m.txns, number) // its cursors stay, and are closed
	delete(m.savepoints, number)
	db, err := m.db(number / 10)
	if err != nil {
		return err
	}
	return m.beginIn(db, number, sop.Mode(mode), id)
}

func withID(id []byte) (options []sop.TxOption) {
	if id != nil {
		options = append(options, sop.WithID(sop.UUID(id)))
	}
	return options
}

func (m *machine) beginIn(db *sop.DB, number int, mode sop.Mode, id []byte) error {
	tx, err := db.Begin(background, mode, withID(id)...)
	if err != nil {
		return err
	}
	m.txns[number], m.begun[number] = tx, &begun{mode: mode, id: id}
	m.ids[number], err = tx.ID()
	return err
}

// Renew rolls back what is open and begins anew, as a program does that has no pool of transactions.
func (m *machine) Renew(c *Call, number int) error {
	tx, err := m.tx(number)
	if err != nil {
		return err
	}
	was := m.begun[number]
	if err := tx.Rollback(); err != nil && !(was.committed && errors.Is(err, sop.ErrMisuse)) {
		return err
	}
	delete(m.txns, number)
	delete(m.savepoints, number)
	if err := tx.Close(); err != nil {
		panic(err)
	}
	if was.committed {
		was.id = nil
	}
	return m.beginIn(m.dbs[number/10], number, was.mode, was.id)
}

func (m *machine) Again(c *Call, number int) error {
	return m.onTx(number, func(tx *sop.Tx) error {
		err := tx.Again()
		if err == nil {
			delete(m.savepoints, number)
			m.ids[number], err = tx.ID()
		}
		return err
	})
}

func (m *machine) OwnID(c *Call, number int) (text string, err error) {
	err = m.onTx(number, func(tx *sop.Tx) error {
		id, err := tx.ID()
		text = "-"
		if bytes.Equal(id[:], m.begun[number].id) {
			text = hex.EncodeToString(id[:])
		}
		return err
	})
	return text, err
}

func (m *machine) Attempts(c *Call, number int) (attempts int64, err error) {
	err = m.onTx(number, func(tx *sop.Tx) error {
		count, err := tx.Attempts()
		attempts = int64(count)
		return err
	})
	return attempts, err
}

func (m *machine) Conflict(c *Call, number int) (known int64, err error) {
	err = m.onTx(number, func(tx *sop.Tx) error {
		_, _, ok, err := tx.Conflict()
		if ok {
			known = 1
		}
		return err
	})
	return known, err
}

func (m *machine) onTx(number int, call func(tx *sop.Tx) error) error {
	tx, err := m.tx(number)
	if err != nil {
		return err
	}
	return call(tx)
}

// Commit tells with a conflict what it was about.
func (m *machine) Commit(c *Call, number int) error {
	return m.onTx(number, func(tx *sop.Tx) error {
		err := tx.Commit()
		if errors.Is(err, sop.ErrConflict) {
			failure := m.Failure(err)
			var ok bool
			failure.Store, failure.Key, ok, err = tx.Conflict()
			if err != nil || !ok {
				panic(fmt.Sprint("a conflict that tells nothing: ", err))
			}
			return failure
		}
		m.begun[number].committed = m.begun[number].committed || err == nil
		return err
	})
}

func (m *machine) Rollback(c *Call, number int) error { return m.onTx(number, (*sop.Tx).Rollback) }
func (m *machine) End(c *Call, number int) error      { return m.onTx(number, (*sop.Tx).Close) }
func (m *machine) Cancel(c *Call, number int) error   { return m.onTx(number, (*sop.Tx).Cancel) }

func (m *machine) ForgetTxn(c *Call, number int) error {
	if _, err := m.tx(number); err != nil {
		return err
	}
	db, id := m.dbs[number/10], m.ids[number]
	m.dropTxn(number)
	collect(func() bool { // an open one is rolled back
		outcome, _, err := db.Outcome(id)
		return err != nil || outcome != sop.Pending
	})
	return nil
}

func (m *machine) Outcome(c *Call, number int) (string, error) {
	db, err := m.db(number / 10)
	if err != nil {
		return "", err
	}
	if _, err := m.tx(number); err != nil {
		return "", err
	}
	outcome, _, err := db.Outcome(m.ids[number])
	return nameOfOutcome(outcome), err
}

func nameOfOutcome(outcome sop.Outcome) string {
	return strings.ToUpper(strings.ReplaceAll(outcome.String(), " ", "_"))
}

func (m *machine) OutcomeOf(c *Call, number int, id []byte) (string, int64, error) {
	db, err := m.db(number)
	if err != nil {
		return "", 0, err
	}
	outcome, position, err := db.Outcome(sop.UUID(id))
	return nameOfOutcome(outcome), int64(position), err
}

func (m *machine) Position(c *Call, number int) (position int64, err error) {
	err = m.onTx(number, func(tx *sop.Tx) error {
		at, err := tx.Position()
		position = int64(at)
		return err
	})
	return position, err
}

func (m *machine) Run(c *Call, number, store int, key Key, by, rivals int64, id []byte, retry int64) (value, attempts int64, err error) {
	db, err := m.db(number)
	if err != nil {
		return 0, 0, err
	}
	t := m.tables[store]
	body := func(tx *sop.Tx) error {
		count, err := tx.Attempts()
		if err != nil {
			return err
		}
		attempts = int64(count)
		data, _, err := t.get(tx, key, 0)
		if err != nil {
			return err
		}
		value = 0
		if len(data) == 8 {
			value = int64(binary.LittleEndian.Uint64(data))
		}
		if attempts <= rivals {
			if err := db.Update(background, func(rival *sop.Tx) error { return t.put(rival, key, number64(value+1000), 0) }); err != nil {
				return err
			}
		}
		value += by
		return t.put(tx, key, number64(value), 0)
	}
	if c.Spelling%2 == 0 || retry >= 0 {
		err = db.Update(background, body, withRetry(retry, withID(id))...)
	} else {
		err = updateByHand(db, body, withID(id)...)
	}
	return value, attempts, err
}

func withRetry(seconds int64, options []sop.TxOption) []sop.TxOption {
	if seconds < 0 {
		return options
	}
	return append(options, sop.WithRetryFor(time.Duration(seconds)*time.Second))
}

func number64(value int64) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(value)) }

// updateByHand is what Update does, as a program may write it.
func updateByHand(db *sop.DB, body func(tx *sop.Tx) error, options ...sop.TxOption) error {
	tx, err := db.Begin(background, sop.ModeWrite, options...)
	if err != nil {
		return err
	}
	defer tx.Close()
	for {
		err := body(tx)
		if err == nil {
			err = tx.Commit()
		}
		if err == nil || !sop.TraitsOf(err).Has(sop.TraitAbort) {
			return err
		}
		if err := tx.Again(); err != nil {
			return err
		}
	}
}

func (m *machine) Savepoint(c *Call, number int) error {
	return m.onTx(number, func(tx *sop.Tx) error {
		savepoint, err := tx.Savepoint()
		if err == nil {
			m.savepoints[number] = append(m.savepoints[number], savepoint)
		}
		return err
	})
}

func (m *machine) RollbackTo(c *Call, number int, index int64) error {
	return m.onTx(number, func(tx *sop.Tx) error {
		count := int64(len(m.savepoints[number]))
		if count == 0 {
			return ErrNoSlot
		}
		return tx.RollbackTo(m.savepoints[number][(index%count+count)%count])
	})
}

// ---- stores

func (m *machine) Create(c *Call, number, store int) error {
	return m.onTx(number, func(tx *sop.Tx) error { return tx.Create(m.tables[store]) })
}

func (m *machine) Drop(c *Call, number, store int) error {
	return m.onTx(number, func(tx *sop.Tx) error { return tx.Drop(m.tables[store]) })
}

func (m *machine) Rename(c *Call, number, store int, to string) error {
	return m.onTx(number, func(tx *sop.Tx) error { return tx.Rename(m.tables[store], to) })
}

func (m *machine) List(c *Call, number int) (string, error) {
	var names []string
	err := m.onTx(number, func(tx *sop.Tx) (err error) {
		names, err = tx.Stores()
		return err
	})
	return orNone(strings.Join(names, ",")), err
}

func orNone(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func (m *machine) Describe(c *Call, number, store int) (duplicates, nodeItems int64, schema string, err error) {
	err = m.onTx(number, func(tx *sop.Tx) error {
		info, err := tx.Describe(m.tables[store])
		if info.Duplicates {
			duplicates = 1
		}
		nodeItems, schema = int64(info.NodeItems), orNone(info.Schema)
		return err
	})
	return duplicates, nodeItems, schema, err
}

// ---- items

func (m *machine) Get(c *Call, number, store int, key Key) (value []byte, err error) {
	err = m.onTx(number, func(tx *sop.Tx) error {
		var ok bool
		value, ok, err = m.tables[store].get(tx, key, c.Spelling)
		return answer(ok, err, "NOT_FOUND")
	})
	return value, err
}

func (m *machine) Read(c *Call, number, store int, key Key) (value []byte, err error) {
	err = m.onDB(number, func(db *sop.DB) error {
		var ok bool
		value, ok, err = m.tables[store].read(db, key)
		return answer(ok, err, "NOT_FOUND")
	})
	return value, err
}

func (m *machine) Fetch(c *Call, number, store int, key Key, item int64) (Key, []byte, int64, error) {
	var found row
	err := m.onTx(number, func(tx *sop.Tx) (err error) {
		var ok bool
		found, ok, err = m.tables[store].item(tx, key, uint64(item))
		return answer(ok, err, "NOT_FOUND")
	})
	return found.key, found.value, int64(found.id), err
}

func (m *machine) Version(c *Call, number, store int, key Key, item int64) (int64, error) {
	var found row
	err := m.onTx(number, func(tx *sop.Tx) (err error) {
		var ok bool
		found, ok, err = m.tables[store].item(tx, key, uint64(item))
		return answer(ok, err, "NOT_FOUND")
	})
	return int64(found.version), err
}

func (m *machine) Put(c *Call, number, store int, key Key, value []byte) error {
	return m.onTx(number, func(tx *sop.Tx) error { return m.tables[store].put(tx, key, value, c.Spelling) })
}

func (m *machine) Insert(c *Call, number, store int, key Key, value []byte) (item int64, err error) {
	err = m.onTx(number, func(tx *sop.Tx) error {
		id, added, err := m.tables[store].insert(tx, key, value)
		item = int64(id)
		return answer(added, err, "EXISTS")
	})
	return item, err
}

func (m *machine) Update(c *Call, number, store int, key Key, item int64, value []byte) error {
	return m.onTx(number, func(tx *sop.Tx) error {
		found, err := m.tables[store].update(tx, key, uint64(item), value)
		return answer(found, err, "NOT_FOUND")
	})
}

func (m *machine) Remove(c *Call, number, store int, key Key, item int64) error {
	return m.onTx(number, func(tx *sop.Tx) error {
		found, err := m.tables[store].remove(tx, key, uint64(item), c.Spelling)
		return answer(found, err, "NOT_FOUND")
	})
}

func (m *machine) SetRide(c *Call, number, store int, key Key, item int64) error {
	return m.onTx(number, func(tx *sop.Tx) error {
		found, err := m.tables[store].setRide(tx, key, uint64(item))
		return answer(found, err, "NOT_FOUND")
	})
}

func (m *machine) Add(c *Call, number, store int, key Key, by int64) error {
	return m.onTx(number, func(tx *sop.Tx) error { return m.tables[store].add(tx, c.Name, key, by) })
}

func (m *machine) Min(c *Call, number, store int, key Key, to int64) error {
	return m.Add(c, number, store, key, to)
}

func (m *machine) Max(c *Call, number, store int, key Key, to int64) error {
	return m.Add(c, number, store, key, to)
}

func (m *machine) GetMany(c *Call, number, store int, keys []Key) (string, error) {
	var texts []string
	err := m.onTx(number, func(tx *sop.Tx) error {
		values, err := m.tables[store].getMany(tx, keys)
		for _, value := range values {
			if value == nil {
				texts = append(texts, "-")
			} else {
				texts = append(texts, printBytes(value))
			}
		}
		return err
	})
	return strings.Join(texts, " "), err
}

func (m *machine) PutMany(c *Call, number, store int, how int64, rows []Row) (done int64, status string, err error) {
	status = "OK"
	err = m.onTx(number, func(tx *sop.Tx) error {
		count, err := m.tables[store].putMany(tx, how, rows)
		done = int64(count)
		if absent(err) || errors.Is(err, sop.ErrExists) {
			status = m.Failure(err).Status
			return nil
		}
		return err
	})
	return done, status, err
}

// ---- ranges

func (m *machine) RemoveRange(c *Call, number, store int, within Range) (int64, error) {
	return m.count(number, store, within, true)
}

func (m *machine) Count(c *Call, number, store int, within Range) (int64, error) {
	return m.count(number, store, within, false)
}

func (m *machine) count(number, store int, within Range, remove bool) (int64, error) {
	var count uint64
	err := m.onTx(number, func(tx *sop.Tx) (err error) {
		count, err = m.tables[store].count(tx, within, remove)
		return err
	})
	return int64(count), err
}

func (m *machine) ApproxCount(c *Call, number, store int) (int64, error) {
	var count uint64
	err := m.onDB(number, func(db *sop.DB) (err error) {
		count, err = m.tables[store].approxCount(db)
		return err
	})
	return int64(count), err
}

func (m *machine) Scan(c *Call, number, store int, within Range, flags, limit int64) (text string, err error) {
	err = m.onTx(number, func(tx *sop.Tx) error {
		rows, err := m.tables[store].scan(tx, within, flags, limit, c.Spelling)
		text = printRows(rows, m.tables[store].duplicates())
		return err
	})
	return text, err
}

func printRows(rows []row, withItems bool) string {
	texts := []string{strconv.Itoa(len(rows))}
	for _, r := range rows {
		var item *uint64
		if withItems {
			item = &r.id
		}
		texts = append(texts, PrintRow(r.key, r.value, item))
	}
	return strings.Join(texts, " ")
}

// ---- cursors

func (m *machine) CursorOpen(c *Call, number, store int, within Range, flags int64) error {
	if old := m.cursors[number]; old != nil {
		if err := old.Close(); err != nil {
			panic(err)
		}
		delete(m.cursors, number)
	}
	return m.onTx(number/10, func(tx *sop.Tx) error {
		opened, err := m.tables[store].cursor(tx, within, flags&2 != 0)
		if err == nil {
			m.cursors[number] = &openCursor{opened, store, flags&1 != 0}
		}
		return err
	})
}

func (m *machine) cursor(number int) (*openCursor, error) {
	if c := m.cursors[number]; c != nil {
		return c, nil
	}
	return nil, ErrNoSlot
}

func (m *machine) move(number int, how func(*openCursor) bool) (Key, []byte, int64, error) {
	c, err := m.cursor(number)
	if err != nil {
		return Key{}, nil, 0, err
	}
	if !how(c) {
		return Key{}, nil, 0, answer(false, c.Err(), "NOT_FOUND")
	}
	r := c.row()
	return r.key, r.value, int64(r.id), nil
}

func (m *machine) CursorFirst(c *Call, number int) (Key, []byte, int64, error) {
	return m.move(number, func(c *openCursor) bool { return c.First() })
}

func (m *machine) CursorLast(c *Call, number int) (Key, []byte, int64, error) {
	return m.move(number, func(c *openCursor) bool { return c.Last() })
}

func (m *machine) CursorNext(c *Call, number int) (Key, []byte, int64, error) {
	return m.move(number, func(c *openCursor) bool { return c.Next() })
}

func (m *machine) CursorPrev(c *Call, number int) (Key, []byte, int64, error) {
	return m.move(number, func(c *openCursor) bool { return c.Prev() })
}

func (m *machine) CursorEntry(c *Call, number int) (Key, []byte, int64, error) {
	return m.move(number, func(c *openCursor) bool { return c.Refresh() })
}

func (m *machine) CursorSeek(c *Call, number, store int, key Key, where int64) (Key, []byte, int64, error) {
	if opened := m.cursors[number]; opened != nil && opened.store != store {
		return Key{}, nil, 0, ErrNoSlot
	}
	return m.move(number, func(c *openCursor) bool { return c.seek(key, where) })
}

func (m *machine) CursorUpdate(c *Call, number, store int, value []byte) error {
	opened, err := m.cursor(number)
	if err != nil || opened.store != store {
		return ErrNoSlot
	}
	return opened.update(value)
}

func (m *machine) CursorRemove(c *Call, number int) error {
	opened, err := m.cursor(number)
	if err != nil {
		return err
	}
	return opened.Remove()
}

func (m *machine) CursorFetch(c *Call, number int, rowsMax int64) (string, error) {
	opened, err := m.cursor(number)
	if err != nil {
		return "", err
	}
	move := opened.Next
	if opened.reverse {
		move = opened.Prev
	}
	var rows []row
	for int64(len(rows)) < rowsMax && move() {
		rows = append(rows, opened.row())
	}
	if opened.Err() != nil || len(rows) == 0 {
		return "", answer(false, opened.Err(), "NOT_FOUND")
	}
	return printRows(rows, m.tables[opened.store].duplicates()), nil
}

func (m *machine) CursorClose(c *Call, number int) error {
	opened, err := m.cursor(number)
	if err != nil {
		return err
	}
	return opened.Close()
}

func (m *machine) CursorForget(c *Call, number int) error {
	if _, err := m.cursor(number); err != nil {
		return err
	}
	delete(m.cursors, number)
	runtime.GC()
	return nil
}
