// What calls from Go cost, beside bbolt doing the same in the same run: ratios, which say more than times. Time is that of the
// processor, of all threads, and the best of all repetitions counts, since everything else on the machine only adds.
//
// usage: bench_go [-items N] [-dir FOLDER] [-repetitions N] [-json FILE] [-only NAMES]
package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"math/rand"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	sop "github.com/sopdb/sop/bindings/go"
	"go.etcd.io/bbolt"
)

var (
	items       = flag.Int("items", 200000, "records of 16 + 100 bytes")
	dir         = flag.String("dir", "", "folder for the databases; the default is a temporary one")
	repetitions = flag.Int("repetitions", 5, "of each measurement; the best counts")
	output      = flag.String("json", "", "file that receives the figures")
	only        = flag.String("only", "", "names of the rows to measure, separated by commas")
)

type compositeKey struct {
	Region string
	Number uint64 `sop:",desc"`
}

var (
	background = context.Background()
	records    = sop.StoreOf[[]byte, []byte]("records", sop.Bytes)
	composite  = sop.StoreOf[compositeKey, []byte]("composite", sop.Bytes)
	bucket     = []byte("records")
)

// bench has both databases with the same records, and the order in which keys are asked for.
type bench struct {
	bolt         *bbolt.DB
	db           *sop.DB
	keys, values [][]byte
	order        []int
}

// row is one comparison: nanoseconds of an operation.
type row struct {
	Name  string  `json:"name"`
	SOP   float64 `json:"sop_ns"`
	Peer  float64 `json:"bbolt_ns"`
	Ratio float64 `json:"ratio"`
}

func main() {
	flag.Parse()
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	folder := *dir
	if folder == "" {
		var err error
		if folder, err = os.MkdirTemp("", "bench_go"); err != nil {
			return err
		}
		defer os.RemoveAll(folder)
	}
	b, err := open(folder)
	if err != nil {
		return err
	}
	defer b.db.Close()
	defer b.bolt.Close()
	if err := b.check(); err != nil {
		return err
	}
	fmt.Printf("%-18s %10s %10s %7s\n", "row", "sop ns", "bbolt ns", "ratio")
	var rows []row
	for _, one := range b.rows() {
		if *only != "" && !slices.Contains(strings.Split(*only, ","), one.name) {
			continue
		}
		made := one.measure()
		fmt.Printf("%-18s %10.0f %10.0f %7.2f\n", made.Name, made.SOP, made.Peer, made.Ratio)
		rows = append(rows, made)
	}
	if err := b.check(); err != nil {
		return err
	}
	if *output == "" {
		return nil
	}
	text, err := json.MarshalIndent(map[string]any{"language": "go", "peer": "bbolt", "rows": rows}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(*output, append(text, '\n'), 0o644)
}

// open makes both databases and fills them.
func open(folder string) (*bench, error) {
	b := &bench{}
	random := rand.New(rand.NewSource(1))
	for i := range *items {
		b.keys = append(b.keys, binary.BigEndian.AppendUint64([]byte("user0000"), uint64(i)))
		b.values = append(b.values, valueOf(i))
		b.order = append(b.order, i)
	}
	random.Shuffle(len(b.order), func(i, j int) { b.order[i], b.order[j] = b.order[j], b.order[i] })
	var err error
	if b.bolt, err = bbolt.Open(filepath.Join(folder, "bolt"), 0o600, &bbolt.Options{NoSync: true}); err != nil {
		return nil, err
	}
	if b.db, err = sop.OpenPath(filepath.Join(folder, "sop"), &sop.Options{Create: true, Durability: sop.Buffered}); err != nil {
		return nil, err
	}
	err = b.bolt.Update(func(tx *bbolt.Tx) error {
		made, err := tx.CreateBucket(bucket)
		for i := 0; i < len(b.keys) && err == nil; i++ {
			err = made.Put(b.keys[i], b.values[i])
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return b, b.db.Update(background, func(tx *sop.Tx) error {
		if _, err := records.In(tx).PutMany(func(yield func([]byte, []byte) bool) {
			for i := 0; i < len(b.keys) && yield(b.keys[i], b.values[i]); i++ {
			}
		}); err != nil {
			return err
		}
		_, err := composite.In(tx).PutMany(func(yield func(compositeKey, []byte) bool) {
			for i := 0; i < len(b.keys) && yield(b.composite(i), b.values[i]); i++ {
			}
		})
		return err
	})
}

// valueOf is what record i holds.
func valueOf(i int) []byte {
	return bytes.Repeat(binary.BigEndian.AppendUint32(nil, uint32(i)), 25)
}

// check compares all that both databases hold with what was written, in every way in which the rows read.
func (b *bench) check() error {
	err := b.bolt.View(func(tx *bbolt.Tx) error {
		for i, key := range b.keys {
			if err := expect("bbolt", i, tx.Bucket(bucket).Get(key)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return b.db.View(background, func(tx *sop.Tx) error {
		store, pairs := records.In(tx), composite.In(tx)
		found, err := store.GetMany(b.keys)
		if err != nil {
			return err
		}
		for i, key := range b.keys {
			one, _, err := store.Get(key)
			if err != nil {
				return err
			}
			pair, _, err := pairs.Get(b.composite(i))
			if err != nil {
				return err
			}
			if err := errors.Join(expect("Get", i, one), expect("Get", i, pair), expect("GetMany", i, found[i].Value)); err != nil {
				return err
			}
		}
		at := 0
		for key, value := range store.Span().All() {
			if at == len(b.keys) || !bytes.Equal(key, b.keys[at]) {
				return fmt.Errorf("WRONG: a scan has another key than the next behind %d", at)
			}
			if err := expect("a scan", at, value); err != nil {
				return err
			}
			at++
		}
		if at != len(b.keys) {
			return fmt.Errorf("WRONG: a scan ends behind %d of %d", at, len(b.keys))
		}
		return tx.Err()
	})
}

func expect(who string, i int, value []byte) error {
	if !bytes.Equal(value, valueOf(i)) {
		return fmt.Errorf("WRONG: %s has another value of record %d", who, i)
	}
	return nil
}

func (b *bench) composite(i int) compositeKey { return compositeKey{"region", uint64(i)} }

// comparison is a row to be measured: each side does n operations.
type comparison struct {
	name      string
	sop, bolt func(n int) error
}

// measure takes both sides in turn, so that what disturbs the machine disturbs both.
func (c comparison) measure() row {
	var ours, theirs []float64
	for range *repetitions {
		ours = append(ours, nanoseconds(c.sop))
		theirs = append(theirs, nanoseconds(c.bolt))
	}
	r := row{Name: c.name, SOP: slices.Min(ours), Peer: slices.Min(theirs)}
	r.Ratio = r.SOP / r.Peer
	return r
}

// nanoseconds of the processor that an operation takes, of so many that they take a while.
func nanoseconds(side func(n int) error) float64 {
	const enough = 100 * time.Millisecond
	for n := 1000; ; n *= 3 {
		runtime.GC()
		begin := processorTime()
		if err := side(n); err != nil {
			log.Fatal(err)
		}
		if took := processorTime() - begin; took > enough {
			return float64(took.Nanoseconds()) / float64(n)
		}
	}
}

func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		log.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func (b *bench) rows() []comparison {
	return []comparison{
		{"get_hot", b.hot(b.sopGet), b.hot(b.boltGet)},
		{"get_hot_copy", b.hot(b.sopGet), b.hot(b.boltGetCopy)},
		{"get_hot_composite", b.hot(b.sopComposite), b.hot(b.boltGetCopy)},
		{"get_hot_many", b.hot(b.sopGetMany), b.hot(b.boltGetCopy)},
		{"view_get_hot", b.hot(b.sopViewGet), b.hot(b.boltViewGet)},
		{"store_get_hot", b.hot(b.sopRead), b.hot(b.boltViewGet)},
		{"get", b.sopGet, b.boltGet},
		{"get_copy", b.sopGet, b.boltGetCopy},
		{"get_composite", b.sopComposite, b.boltGetCopy},
		{"get_many", b.sopGetMany, b.boltGetCopy},
		{"scan", b.sopScan, b.boltScan},
		{"scan_keys", b.sopKeys, b.boltScan},
		{"put", b.sopPut, b.boltPut},
		{"put_many", b.sopPutMany, b.boltPut},
	}
}

// at is the i-th key that is asked for.
func (b *bench) at(i int) []byte { return b.keys[b.order[i%len(b.order)]] }

// value is what its record holds, and is overwritten with.
func (b *bench) value(i int) []byte { return b.values[b.order[i%len(b.order)]] }

const hotKeys = 2000

// hot asks for few keys only, which the caches of the processor hold.
func (b *bench) hot(side func(n int) error) func(n int) error {
	return func(n int) error {
		all := b.order
		defer func() { b.order = all }()
		b.order = all[:min(hotKeys, len(all))]
		return side(n)
	}
}

var sink int // so that nothing is optimised away

func (b *bench) sopGet(n int) error {
	return b.db.View(background, func(tx *sop.Tx) error {
		store := records.In(tx)
		for i := range n {
			value, _, err := store.Get(b.at(i))
			if err != nil {
				return err
			}
			sink += len(value)
		}
		return nil
	})
}

func (b *bench) boltGet(n int) error {
	return b.bolt.View(func(tx *bbolt.Tx) error {
		made := tx.Bucket(bucket)
		for i := range n {
			sink += len(made.Get(b.at(i)))
		}
		return nil
	})
}

// boltGetCopy copies the value, as who keeps it must.
func (b *bench) boltGetCopy(n int) error {
	return b.bolt.View(func(tx *bbolt.Tx) error {
		made := tx.Bucket(bucket)
		for i := range n {
			sink += len(append([]byte(nil), made.Get(b.at(i))...))
		}
		return nil
	})
}

func (b *bench) sopComposite(n int) error {
	return b.db.View(background, func(tx *sop.Tx) error {
		store := composite.In(tx)
		for i := range n {
			value, _, err := store.Get(b.composite(b.order[i%len(b.order)]))
			if err != nil {
				return err
			}
			sink += len(value)
		}
		return nil
	})
}

func (b *bench) sopGetMany(n int) error {
	const batch = 512
	return b.db.View(background, func(tx *sop.Tx) error {
		store := records.In(tx)
		keys := make([][]byte, 0, batch)
		for i := range n {
			keys = append(keys, b.at(i))
			if len(keys) < batch && i+1 < n {
				continue
			}
			found, err := store.GetMany(keys)
			if err != nil {
				return err
			}
			sink += len(found)
			keys = keys[:0]
		}
		return nil
	})
}

func (b *bench) sopViewGet(n int) error {
	for i := range n {
		err := b.db.View(background, func(tx *sop.Tx) error {
			value, _, err := records.In(tx).Get(b.at(i))
			sink += len(value)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) sopRead(n int) error {
	for i := range n {
		value, _, err := records.Get(b.db, b.at(i))
		if err != nil {
			return err
		}
		sink += len(value)
	}
	return nil
}

func (b *bench) boltViewGet(n int) error {
	for i := range n {
		err := b.bolt.View(func(tx *bbolt.Tx) error {
			sink += len(append([]byte(nil), tx.Bucket(bucket).Get(b.at(i))...))
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) sopScan(n int) error {
	return b.db.View(background, func(tx *sop.Tx) error {
		for n > 0 {
			for key, value := range records.In(tx).Span().Limit(n).All() {
				sink += len(key) + len(value)
				n--
			}
		}
		return nil
	})
}

func (b *bench) sopKeys(n int) error {
	return b.db.View(background, func(tx *sop.Tx) error {
		for n > 0 {
			for key := range records.In(tx).Span().Limit(n).Keys() {
				sink += len(key)
				n--
			}
		}
		return nil
	})
}

func (b *bench) boltScan(n int) error {
	return b.bolt.View(func(tx *bbolt.Tx) error {
		cursor := tx.Bucket(bucket).Cursor()
		for n > 0 {
			for key, value := cursor.First(); key != nil && n > 0; key, value = cursor.Next() {
				sink += len(append([]byte(nil), key...)) + len(append([]byte(nil), value...))
				n--
			}
		}
		return nil
	})
}

func (b *bench) sopPut(n int) error {
	return b.parts(n, func(from, to int) error {
		return b.db.Update(background, func(tx *sop.Tx) error {
			store := records.In(tx)
			for i := from; i < to; i++ {
				if err := store.Put(b.at(i), b.value(i)); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

func (b *bench) sopPutMany(n int) error {
	return b.parts(n, func(from, to int) error {
		return b.db.Update(background, func(tx *sop.Tx) error {
			_, err := records.In(tx).PutMany(func(yield func([]byte, []byte) bool) {
				for i := from; i < to && yield(b.at(i), b.value(i)); i++ {
				}
			})
			return err
		})
	})
}

func (b *bench) boltPut(n int) error {
	return b.parts(n, func(from, to int) error {
		return b.bolt.Update(func(tx *bbolt.Tx) error {
			made := tx.Bucket(bucket)
			for i := from; i < to; i++ {
				if err := made.Put(b.at(i), b.value(i)); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// parts calls write for transactions of a thousand records.
func (b *bench) parts(n int, write func(from, to int) error) error {
	const size = 1000
	for from := 0; from < n; from += size {
		if err := write(from, min(from+size, n)); err != nil {
			return err
		}
	}
	return nil
}
