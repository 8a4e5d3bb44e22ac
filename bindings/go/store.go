package sop

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"reflect"
	"runtime"
	"strings"
	"sync"
	"unsafe"
)

// Store declares a store: its name, what its keys are, how its values are encoded. Declare it once, as a variable of the
// package, and use it with any number of databases; in each it is checked against what is there when it is first used.
//
// Keys are of type bool, any integer, float32, float64, string, [16]byte, [time.Time], or a struct of these, whose fields
// are compared one after the other; pointers to these in a struct may be nil, which sorts first. Keys of []byte are compared
// as they are. The tag of a field gives its name in the schema (else EmpID becomes emp_id), and says more:
//
//	type EmpKey struct {
//		Region  string
//		Hired   time.Time `sop:",desc"`           // newest first
//		EmpID   int64
//		Deleted bool      `sop:"deleted,ride,default=false"` // stored with the key, never compared
//	}
//
// Ride-along fields (ride) go with the key without being part of it: scans over keys see them without reading values, and
// [Items.SetRide] changes them alone.
//
// The first put, insert or addition through a declaration creates the store if it is not there, in the same transaction.
// Reading from, or removing in, a store that is not there is [ErrNotFound].
type Store[K, V any] struct {
	declaration
	codec Codec[V]
	bytes bool // the codec is [Bytes]: values go as they are
	json  bool // the codec is that of [JSON]
}

// declaration is a store without the types of its keys and values.
type declaration struct {
	name  string
	plan  *keyPlan // nil if there is an err
	err   error
	parse func() (*schemaHandle, error)
	same  identity
	storeOptions
}

type storeOptions struct {
	duplicates bool
	nodeItems  int
	schema     string
}

// identity is all that the library tells declarations apart by, however often they are made.
type identity struct {
	name, schema string
	duplicates   bool
	nodeItems    int
}

// StoreOption is how one store differs from others.
type StoreOption func(*storeOptions)

// Duplicates makes a store that keeps equal keys, in order of insertion; each item has an id.
func Duplicates() StoreOption { return func(o *storeOptions) { o.duplicates = true } }

// NodeItems sets how many items a node of the store has, 4 to 20000, rather than as many as fit.
func NodeItems(items int) StoreOption { return func(o *storeOptions) { o.nodeItems = items } }

// Schema gives keys of type [Tuple] their schema, as JSON. Without it a Tuple is one []byte.
func Schema(json string) StoreOption { return func(o *storeOptions) { o.schema = json } }

// StoreOf declares a store. What is wrong with a declaration is told by the calls that use it, and by [Store.Err].
func StoreOf[K, V any](name string, codec Codec[V], options ...StoreOption) *Store[K, V] {
	s := &Store[K, V]{declaration: declaration{name: name}, codec: codec}
	var missing error
	for i, option := range options {
		if option == nil {
			missing = fault(StatusMisuse, "option %d of the store %q is nil; leave it out", i+1, name)
			continue
		}
		option(&s.storeOptions)
	}
	_, s.bytes = any(codec).(bytesCodec)
	_, s.json = any(codec).(jsonCodec[V])
	s.plan, s.err = planOf(reflect.TypeFor[K](), s.schema)
	if codec == nil {
		missing = fault(StatusMisuse, "the store %q is declared without a codec", name)
	}
	if s.err == nil {
		s.err = missing
	}
	s.same = identity{name, s.declaration.Schema(), s.duplicates, s.nodeItems}
	s.parse = sync.OnceValues(func() (*schemaHandle, error) { return parseSchema(s.plan.schema) })
	return s
}

// Declaration is any [Store], whatever its keys and values are.
type Declaration interface {
	// Name of the store.
	Name() string
	// Schema of its keys as JSON, or "" if they are bytes.
	Schema() string
	declared() *declaration
}

// Name of the store.
func (d *declaration) Name() string { return d.name }

// Schema of its keys as JSON, or "" if they are bytes.
func (d *declaration) Schema() string {
	if d.plan == nil {
		return ""
	}
	return d.plan.schema
}

// Err tells what is wrong with the declaration, or nil.
func (d *declaration) Err() error { return d.err }

func (d *declaration) declared() *declaration { return d }

func noStore() error {
	return fault(StatusMisuse, "there is no store: the declaration is nil; use what StoreOf returned")
}

// declarationOf looks whether there is a store behind the interface.
func declarationOf(store Declaration) (*declaration, error) {
	if v := reflect.ValueOf(store); store == nil || v.Kind() == reflect.Pointer && v.IsNil() {
		return nil, noStore()
	}
	return store.declared(), nil
}

// parsed is the schema of the library, which no database has a part in.
func (d *declaration) parsed() (*schemaHandle, error) {
	if d.err != nil {
		return nil, d.err
	}
	if d.parse == nil {
		return nil, fault(StatusMisuse, "the store is not declared; use StoreOf")
	}
	return d.parse()
}

// storeHandle is a declaration on one database.
type storeHandle struct {
	c      *C.sop_store
	schema *schemaHandle
}

// schemaHandle is a schema of the library; c is nil for raw bytes.
type schemaHandle struct {
	c     *C.sop_schema
	width int // fields of a key
	sorts int
}

func parseSchema(json string) (*schemaHandle, error) {
	h := &schemaHandle{width: 1, sorts: 1}
	if json == "" {
		return h, nil
	}
	e := newErr()
	status := withBytes(json, func(text C.sop_bytes) C.sop_status { return C.sop_schema_parse(text, &h.c, e) })
	if status != C.SOP_OK {
		return nil, fromC(e)
	}
	h.sorts = int(C.sop_schema_sort_count(h.c))
	h.width = h.sorts + int(C.sop_schema_ride_count(h.c))
	runtime.SetFinalizer(h, func(h *schemaHandle) { C.sop_schema_free(h.c) })
	return h, nil
}

// handle finds or makes the handle of a declaration on this database.
func (db *DB) handle(d *declaration) (*storeHandle, error) {
	if err := db.opened(); err != nil {
		return nil, err
	}
	if d.err != nil { // who is like it may have been declared well
		return nil, d.err
	}
	db.mu.RLock()
	h := db.stores[d.same]
	db.mu.RUnlock()
	if h != nil {
		return h, nil
	}
	schema, err := d.parsed()
	if err != nil {
		return nil, err
	}
	h, err = db.openStore(d, schema)
	if err != nil {
		return nil, err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if other := db.stores[d.same]; other != nil {
		return other, nil
	}
	db.stores[d.same] = h
	return h, nil
}

func (db *DB) openStore(d *declaration, parsed *schemaHandle) (*storeHandle, error) {
	h := &storeHandle{schema: parsed}
	options := C.sop_store_options{struct_size: C.sizeof_sop_store_options, schema: parsed.c, node_items: C.uint32_t(d.nodeItems)}
	if d.duplicates {
		options.duplicates = 1
	}
	if d.nodeItems < 0 {
		return nil, fault(StatusLimit, "the store %q has %d items in a node; 4 to 20000 are possible", d.name, d.nodeItems)
	}
	e := newErr()
	status := withBytes(d.name, func(bytes C.sop_bytes) C.sop_status {
		return C.sop_store_open(db.h.c, bytes, &options, &h.c, e)
	})
	keep(db)
	keep(parsed)
	if status != C.SOP_OK {
		return nil, fromC(e)
	}
	runtime.SetFinalizer(h, func(h *storeHandle) { C.sop_store_free(h.c) })
	return h, nil
}

// handle finds the handle of a declaration; that which was used last is at hand. REQUIRES: the transaction is claimed, or
// nobody else has it.
func (tx *Tx) handle(d *declaration) (*storeHandle, error) {
	if tx.lastDecl == d {
		return tx.last, nil
	}
	h, err := tx.db.handle(d)
	if err == nil {
		tx.lastDecl, tx.last = d, h
	}
	return h, err
}

// ---- stores as such --------------------------------------------------------------------------------

// Create creates a store as declared. [ErrExists] says that it is there; the transaction goes on.
func (tx *Tx) Create(store Declaration) error {
	return tx.onStore(store, func(sh *shell, h *storeHandle) C.sop_status {
		return C.sop_store_create(sh.txn, h.c, sh.s.err)
	})
}

// Drop drops a store with all its items.
func (tx *Tx) Drop(store Declaration) error {
	return tx.onStore(store, func(sh *shell, h *storeHandle) C.sop_status {
		tx.changes++
		return C.sop_store_drop(sh.txn, h.c, sh.s.err)
	})
}

// Rename renames a store; the declaration keeps its old name.
func (tx *Tx) Rename(store Declaration, to string) error {
	return tx.onStore(store, func(sh *shell, h *storeHandle) C.sop_status {
		tx.changes++
		return withBytes(to, func(bytes C.sop_bytes) C.sop_status {
			return C.sop_store_rename(sh.txn, h.c, bytes, sh.s.err)
		})
	})
}

// Stores lists the names of all stores, in the order of their bytes.
func (tx *Tx) Stores() ([]string, error) {
	var names []string
	err := tx.call(func(sh *shell) C.sop_status {
		var list C.sop_buf
		status := C.sop_store_list(sh.txn, &list, nil, sh.s.err)
		if status == C.SOP_OK && list.size > 0 {
			text := C.GoStringN((*C.char)(list.data), C.int(list.size))
			names = strings.Split(strings.TrimSuffix(text, "\x00"), "\x00")
		}
		C.sop_buf_free(&list)
		return status
	})
	return names, err
}

// StoreInfo tells how a store is kept.
type StoreInfo struct {
	ID         uint64 // number of the store, never used again
	Duplicates bool
	NodeItems  int    // 0: by bytes
	Schema     string // canonical JSON, or "" if keys are bytes
}

// Describe tells how a store is kept.
func (tx *Tx) Describe(store Declaration) (StoreInfo, error) {
	var info StoreInfo
	err := tx.onStore(store, func(sh *shell, h *storeHandle) C.sop_status {
		return describe(sh, h.c, &info)
	})
	return info, err
}

// DescribeByName tells how a store is kept of which only the name is known.
func (tx *Tx) DescribeByName(name string) (StoreInfo, error) {
	var info StoreInfo
	err := tx.call(func(sh *shell) C.sop_status {
		var store *C.sop_store
		status := withBytes(name, func(bytes C.sop_bytes) C.sop_status {
			return C.sop_store_open(tx.db.h.c, bytes, nil, &store, sh.s.err)
		})
		if status == C.SOP_OK {
			status = describe(sh, store, &info)
			C.sop_store_free(store)
		}
		return status
	})
	return info, err
}

func describe(sh *shell, store *C.sop_store, info *StoreInfo) C.sop_status {
	about := C.sop_store_info{struct_size: C.sizeof_sop_store_info}
	var schema C.sop_buf
	status := C.sop_store_describe(sh.txn, store, &about, &schema, sh.s.err)
	if status == C.SOP_OK {
		*info = StoreInfo{
			ID:         uint64(about.id),
			Duplicates: about.duplicates != 0,
			NodeItems:  int(about.node_items),
			Schema:     C.GoStringN((*C.char)(schema.data), C.int(schema.size)),
		}
	}
	C.sop_buf_free(&schema)
	return status
}

func (tx *Tx) onStore(store Declaration, f func(sh *shell, h *storeHandle) C.sop_status) error {
	d, err := declarationOf(store)
	if err != nil {
		return err
	}
	sh, err := tx.enter()
	if err != nil {
		return err
	}
	defer tx.leave()
	h, err := tx.handle(d)
	if err != nil {
		return err
	}
	calls.enter()
	defer calls.leave()
	status := f(sh, h)
	keep(h)
	return tx.because(check(status, sh.s.err))
}

// withBytes hands text to a call. A copy lies in memory of the library's side, since structs may not hold pointers of Go.
func withBytes(text string, f func(C.sop_bytes) C.sop_status) C.sop_status {
	c := C.CString(text)
	defer C.free(unsafe.Pointer(c))
	return f(C.sop_bytes{data: unsafe.Pointer(c), size: C.size_t(len(text))})
}

// ---- keys by themselves ----------------------------------------------------------------------------

// PackKey gives the bytes of a key, which compare as keys do.
func (s *Store[K, V]) PackKey(key K) ([]byte, error) {
	return s.pack(func(m *scratch) error { return s.plan.put(m, unsafe.Pointer(&key), false) }, 0)
}

// PackPrefix gives the bytes with which all keys begin that have these leading fields.
func (s *Store[K, V]) PackPrefix(fields ...any) ([]byte, error) {
	return s.pack(func(m *scratch) error { return putTuple(m, fields) }, 1)
}

func (s *Store[K, V]) pack(put func(*scratch) error, prefix C.int) ([]byte, error) {
	if s == nil {
		return nil, noStore()
	}
	schema, err := s.parsed()
	if err != nil {
		return nil, err
	}
	m := scratches.Get().(*scratch)
	defer scratches.Put(m)
	m.reset()
	if err := put(m); err != nil {
		return nil, err
	}
	for room := make([]byte, 256); ; room = make([]byte, m.out.size) {
		m.out.size = 0
		status := C.sopgo_pack(cSchema(schema.c), m.fieldsPtr(), C.uint32_t(len(m.fields)), m.heapPtr(), prefix, cBytes(room), C.size_t(len(room)), m.out, m.err)
		keep(schema)
		if status == C.SOP_LIMIT && int(m.out.size) > len(room) {
			continue
		}
		if status != C.SOP_OK {
			return nil, fromC(m.err)
		}
		return room[:m.out.size], nil
	}
}

// UnpackKey reads the bytes of a key.
func (s *Store[K, V]) UnpackKey(bytes []byte) (K, error) {
	var key K
	if s == nil {
		return key, noStore()
	}
	schema, err := s.parsed()
	if err != nil {
		return key, err
	}
	if s.plan.raw {
		s.plan.getRaw(bytes, unsafe.Pointer(&key))
		return key, nil
	}
	m := scratches.Get().(*scratch)
	defer scratches.Put(m)
	fields, heap := make([]field, C.SOPGO_FIELDS_MAX), make([]byte, len(bytes)+1)
	status := C.sopgo_unpack(cSchema(schema.c), cBytes(bytes), C.size_t(len(bytes)), cFields(fields), cBytes(heap), m.out, m.err)
	keep(schema)
	if status != C.SOP_OK {
		return key, fromC(m.err)
	}
	err = s.plan.get(fields[:schema.width], heap, unsafe.Pointer(&key))
	return key, err
}
