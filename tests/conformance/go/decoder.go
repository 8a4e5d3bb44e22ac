// Made by generate.py from operations.json: reads programs, keeps the stacks, calls the machine, prints what it answers.

package main

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// ErrNoSlot is what a method returns where a slot is empty: the answer is NONE.
var ErrNoSlot = errors.New("the slot is empty")

// Failure is an answer that is no result: a status, the names of its traits in order, the store of NOT_FOUND (one that is not
// there) and CONFLICT, the packed key of CONFLICT. Methods may return one themselves, for answers that are no errors in this
// language: Failure{Status: "NOT_FOUND"}.
type Failure struct {
	Status string
	Traits []string
	Store  string
	Key    []byte
}

func (f Failure) Error() string {
	text := f.Status
	if len(f.Traits) > 0 {
		text += " " + strings.Join(f.Traits, "+")
	}
	if f.Store != "" {
		text += " store=" + f.Store
	}
	if f.Status == "CONFLICT" {
		text += " key=" + hex.EncodeToString(f.Key)
	}
	return text
}

// UUID is a field of that type.
type UUID [16]byte

// Key is a key: without a schema Raw, else Fields, each nil, bool, int64, uint64 (above the largest int64 only), float64, []byte,
// string, UUID or time.Time (UTC).
type Key struct {
	IsRaw  bool
	Raw    []byte
	Fields []any
}

// Range has bounds, each nil or a key of leading fields; with After it begins behind From, or behind Item of it unless that is
// 0; with Through it ends with To.
type Range struct {
	From, To, Prefix, Starts *Key // Starts: as Prefix, but the last field only begins so
	After, Through           bool
	Item                     uint64
}

// Row is a key and a value.
type Row struct {
	Key   Key
	Value []byte
}

// Call is what an instruction says besides its arguments.
type Call struct {
	Name     string
	Spelling int
}

// ---- tokens

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func parseHex(text string) []byte { return must(hex.DecodeString(text)) }

func parseInt(text string) int64 { return must(strconv.ParseInt(text, 10, 64)) }

func parseField(token string) any {
	text := token[1:]
	switch token[0] {
	case 'n':
		return nil
	case 't', 'f':
		return token[0] == 't'
	case 'i':
		if number, err := strconv.ParseInt(text, 10, 64); err == nil {
			return number
		}
		return must(strconv.ParseUint(text, 10, 64))
	case 'd':
		return math.Float64frombits(binary.BigEndian.Uint64(parseHex(text)))
	case 'b':
		return parseHex(text)
	case 's':
		return string(parseHex(text))
	case 'u':
		return UUID(parseHex(text))
	case 'm':
		return time.UnixMicro(parseInt(text)).UTC()
	}
	panic("no field: " + token)
}

func parseKey(token string) Key {
	if token[0] == 'x' || token[0] == 'r' {
		return Key{IsRaw: true, Raw: parseBytes(token)}
	}
	key := Key{}
	for _, field := range strings.Split(token, ",") {
		key.Fields = append(key.Fields, parseField(field))
	}
	return key
}

func parseKeys(token string) (keys []Key) {
	for _, key := range strings.Split(token, ";") {
		keys = append(keys, parseKey(key))
	}
	return keys
}

func parseBytes(token string) []byte {
	if token[0] == 'x' {
		return parseHex(token[1:])
	}
	count, char, _ := strings.Cut(token[1:], "*")
	return []byte(strings.Repeat(string(parseHex(char)), int(parseInt(count))))
}

func parseRows(token string) (rows []Row) {
	for _, row := range strings.Split(token, ";") {
		key, value, _ := strings.Cut(row, "=")
		rows = append(rows, Row{parseKey(key), parseBytes(value)})
	}
	return rows
}

func parseRange(token string) (made Range) {
	if token == "*" {
		return made
	}
	for _, part := range strings.Split(token, ";") {
		bound, item, ok := strings.Cut(part[1:], "@")
		key := parseKey(bound)
		if ok {
			made.Item = uint64(parseInt(item))
		}
		switch part[0] {
		case 'F', 'A':
			made.From, made.After = &key, part[0] == 'A'
		case 'T', 'U':
			made.To, made.Through = &key, part[0] == 'U'
		case 'S':
			made.Starts = &key
		default:
			made.Prefix = &key
		}
	}
	return made
}

func printField(field any) string {
	switch value := field.(type) {
	case nil:
		return "n"
	case bool:
		if value {
			return "t"
		}
		return "f"
	case int64, uint64:
		return fmt.Sprintf("i%d", value)
	case float64:
		return fmt.Sprintf("d%016x", math.Float64bits(value))
	case []byte:
		return "b" + hex.EncodeToString(value)
	case string:
		return "s" + hex.EncodeToString([]byte(value))
	case UUID:
		return "u" + hex.EncodeToString(value[:])
	case time.Time:
		return fmt.Sprintf("m%d", value.UnixMicro())
	}
	panic(fmt.Sprintf("no field: %v", field))
}

func printBytes(value []byte) string { return "x" + hex.EncodeToString(value) }

func printKey(key Key) string {
	if key.IsRaw {
		return printBytes(key.Raw)
	}
	fields := make([]string, len(key.Fields))
	for i, field := range key.Fields {
		fields[i] = printField(field)
	}
	return strings.Join(fields, ",")
}

// PrintRow prints a row of a scan; value nil: keys only; item nil: a store without duplicates.
func PrintRow(key Key, value []byte, item *uint64) string {
	text := printKey(key)
	if value != nil {
		text += "=" + printBytes(value)
	}
	if item != nil {
		text += fmt.Sprintf("#%d", *item)
	}
	return text
}

// ---- stacks

type decoder struct {
	machine Operations
	ints    []int64
	bytes   [][]byte
	tokens  []string
	out     strings.Builder
}

func (d *decoder) token() string {
	token := d.tokens[0]
	d.tokens = d.tokens[1:]
	return token
}

func (d *decoder) slot() int { return int(parseInt(d.token())) }

func (d *decoder) int() int64 {
	token := d.token()
	if token != "^" {
		return parseInt(token)
	}
	if len(d.ints) == 0 {
		return 0
	}
	last := d.ints[len(d.ints)-1]
	d.ints = d.ints[:len(d.ints)-1]
	return last
}

func (d *decoder) popBytes() []byte {
	if len(d.bytes) == 0 {
		return []byte{}
	}
	last := d.bytes[len(d.bytes)-1]
	d.bytes = d.bytes[:len(d.bytes)-1]
	return last
}

func (d *decoder) byteString() []byte {
	token := d.token()
	if token == "^" {
		return d.popBytes()
	}
	return parseBytes(token)
}

func (d *decoder) key() Key {
	token := d.token()
	if token == "^" {
		return Key{IsRaw: true, Raw: d.popBytes()}
	}
	return parseKey(token)
}

func (d *decoder) id() []byte {
	token := d.token()
	if token == "-" {
		return nil
	}
	return parseHex(token)
}

func (d *decoder) pushInt(value int64) {
	d.ints = append(d.ints, value)
	fmt.Fprintf(&d.out, " %d", value)
}

func (d *decoder) pushBytes(value []byte) {
	d.bytes = append(d.bytes, append([]byte{}, value...))
	d.out.WriteString(" " + printBytes(value))
}

func (d *decoder) print(text string) { d.out.WriteString(" " + text) }

// ---- running

type threads [4]chan func()

// run hands the task to that thread and waits for it; a panic there is one here.
func (t *threads) run(number int, task func()) {
	if t[number] == nil {
		tasks := make(chan func())
		t[number] = tasks
		go func() {
			runtime.LockOSThread()
			for task := range tasks {
				task()
			}
		}()
	}
	done := make(chan any)
	t[number] <- func() {
		defer func() { done <- recover() }()
		task()
	}
	if panicked := <-done; panicked != nil {
		panic(panicked)
	}
}

func (d *decoder) perform(t *threads, line string) string {
	tokens := strings.Split(line, " ")
	call := &Call{Name: tokens[2], Spelling: int(parseInt(tokens[1]))}
	d.tokens = tokens[3:]
	d.out.Reset()
	d.out.WriteString("OK")
	var err error
	t.run(int(parseInt(tokens[0])), func() { err = d.dispatch(call) })
	if err == nil {
		return d.out.String()
	}
	if errors.Is(err, ErrNoSlot) {
		return "NONE"
	}
	var failure Failure
	if !errors.As(err, &failure) {
		failure = d.machine.Failure(err)
	}
	return failure.Error()
}

// Run runs the programs that in has.
func Run(machine Operations, in io.Reader, out io.Writer) {
	reader, writer := bufio.NewReader(in), bufio.NewWriter(out)
	d, t, number := &decoder{machine: machine}, &threads{}, 0
	for {
		line, err := reader.ReadString('\n')
		line = strings.TrimSuffix(line, "\n")
		switch {
		case err != nil && line == "":
			return
		case strings.HasPrefix(line, "program "):
			words := strings.SplitN(line, " ", 3)
			d, number = &decoder{machine: machine}, 0
			machine.ProgramBegin(words[2])
			fmt.Fprintf(writer, "program %s\n", words[1])
		case line == "end":
			machine.ProgramEnd()
			fmt.Fprintln(writer, "end")
			if writer.Flush() != nil {
				return
			}
		default:
			number++
			fmt.Fprintf(writer, "%d %s\n", number, d.perform(t, line))
		}
	}
}

// Operations is a machine: a method for each operation. The first two are called around each program, Failure tells what
// an error of the library is, and panics on any other.
type Operations interface {
	ProgramBegin(folder string)
	ProgramEnd()
	Failure(err error) Failure
	Open(c *Call, db int, place string, create int64) (err error)
	Close(c *Call, db int) (err error)
	ForgetDB(c *Call, db int) (err error)
	Begin(c *Call, txn int, mode int64, id []byte) (err error)
	Renew(c *Call, txn int) (err error)
	Again(c *Call, txn int) (err error)
	Commit(c *Call, txn int) (err error)
	Rollback(c *Call, txn int) (err error)
	End(c *Call, txn int) (err error)
	ForgetTxn(c *Call, txn int) (err error)
	Cancel(c *Call, txn int) (err error)
	Outcome(c *Call, txn int) (outcome string, err error)
	OutcomeOf(c *Call, db int, id []byte) (outcome string, position int64, err error)
	OwnID(c *Call, txn int) (id string, err error)
	Attempts(c *Call, txn int) (attempts int64, err error)
	Conflict(c *Call, txn int) (known int64, err error)
	Position(c *Call, txn int) (position int64, err error)
	Run(c *Call, db int, store int, key Key, by int64, rivals int64, id []byte, retry int64) (value int64, attempts int64, err error)
	Sync(c *Call, db int) (err error)
	Checkpoint(c *Call, db int) (err error)
	GC(c *Call, db int) (err error)
	Verify(c *Call, db int) (problems int64, err error)
	Backup(c *Call, db int, place string) (err error)
	Restore(c *Call, source string, place string) (err error)
	Info(c *Call, db int) (backend string, nodeBytes int64, err error)
	Stats(c *Call, db int) (stores int64, err error)
	Peek(c *Call, place string) (open int64, err error)
	Log(c *Call, db int, level int64) (messages int64, err error)
	About(c *Call, feature string) (version string, has int64, err error)
	Create(c *Call, txn int, store int) (err error)
	Drop(c *Call, txn int, store int) (err error)
	Rename(c *Call, txn int, store int, to string) (err error)
	List(c *Call, txn int) (names string, err error)
	Describe(c *Call, txn int, store int) (duplicates int64, nodeItems int64, schema string, err error)
	Get(c *Call, txn int, store int, key Key) (value []byte, err error)
	Read(c *Call, db int, store int, key Key) (value []byte, err error)
	Fetch(c *Call, txn int, store int, key Key, item int64) (keyOut Key, value []byte, itemOut int64, err error)
	Version(c *Call, txn int, store int, key Key, item int64) (version int64, err error)
	Put(c *Call, txn int, store int, key Key, value []byte) (err error)
	Insert(c *Call, txn int, store int, key Key, value []byte) (item int64, err error)
	Update(c *Call, txn int, store int, key Key, item int64, value []byte) (err error)
	Remove(c *Call, txn int, store int, key Key, item int64) (err error)
	SetRide(c *Call, txn int, store int, key Key, item int64) (err error)
	Add(c *Call, txn int, store int, key Key, by int64) (err error)
	Min(c *Call, txn int, store int, key Key, to int64) (err error)
	Max(c *Call, txn int, store int, key Key, to int64) (err error)
	RemoveRange(c *Call, txn int, store int, within Range) (removed int64, err error)
	Count(c *Call, txn int, store int, within Range) (count int64, err error)
	ApproxCount(c *Call, db int, store int) (count int64, err error)
	GetMany(c *Call, txn int, store int, keys []Key) (values string, err error)
	PutMany(c *Call, txn int, store int, how int64, rows []Row) (done int64, status string, err error)
	Scan(c *Call, txn int, store int, within Range, flags int64, limit int64) (rows string, err error)
	Savepoint(c *Call, txn int) (err error)
	RollbackTo(c *Call, txn int, index int64) (err error)
	CursorOpen(c *Call, cursor int, store int, within Range, flags int64) (err error)
	CursorFirst(c *Call, cursor int) (key Key, value []byte, item int64, err error)
	CursorLast(c *Call, cursor int) (key Key, value []byte, item int64, err error)
	CursorNext(c *Call, cursor int) (key Key, value []byte, item int64, err error)
	CursorPrev(c *Call, cursor int) (key Key, value []byte, item int64, err error)
	CursorSeek(c *Call, cursor int, store int, key Key, where int64) (keyOut Key, value []byte, item int64, err error)
	CursorEntry(c *Call, cursor int) (key Key, value []byte, item int64, err error)
	CursorUpdate(c *Call, cursor int, store int, value []byte) (err error)
	CursorRemove(c *Call, cursor int) (err error)
	CursorFetch(c *Call, cursor int, rowsMax int64) (rows string, err error)
	CursorClose(c *Call, cursor int) (err error)
	CursorForget(c *Call, cursor int) (err error)
}

func (d *decoder) dispatch(c *Call) error {
	switch c.Name {
	case "open":
		a0 := d.slot()
		a1 := d.token()
		a2 := d.int()
		return d.machine.Open(c, a0, a1, a2)
	case "close":
		a0 := d.slot()
		return d.machine.Close(c, a0)
	case "forget_db":
		a0 := d.slot()
		return d.machine.ForgetDB(c, a0)
	case "begin":
		a0 := d.slot()
		a1 := d.int()
		a2 := d.id()
		return d.machine.Begin(c, a0, a1, a2)
	case "renew":
		a0 := d.slot()
		return d.machine.Renew(c, a0)
	case "again":
		a0 := d.slot()
		return d.machine.Again(c, a0)
	case "commit":
		a0 := d.slot()
		return d.machine.Commit(c, a0)
	case "rollback":
		a0 := d.slot()
		return d.machine.Rollback(c, a0)
	case "end":
		a0 := d.slot()
		return d.machine.End(c, a0)
	case "forget_txn":
		a0 := d.slot()
		return d.machine.ForgetTxn(c, a0)
	case "cancel":
		a0 := d.slot()
		return d.machine.Cancel(c, a0)
	case "outcome":
		a0 := d.slot()
		r0, err := d.machine.Outcome(c, a0)
		if err != nil {
			return err
		}
		d.print(r0)
		return nil
	case "outcome_of":
		a0 := d.slot()
		a1 := d.id()
		r0, r1, err := d.machine.OutcomeOf(c, a0, a1)
		if err != nil {
			return err
		}
		d.print(r0)
		d.print(strconv.FormatInt(r1, 10))
		return nil
	case "own_id":
		a0 := d.slot()
		r0, err := d.machine.OwnID(c, a0)
		if err != nil {
			return err
		}
		d.print(r0)
		return nil
	case "attempts":
		a0 := d.slot()
		r0, err := d.machine.Attempts(c, a0)
		if err != nil {
			return err
		}
		d.pushInt(r0)
		return nil
	case "conflict":
		a0 := d.slot()
		r0, err := d.machine.Conflict(c, a0)
		if err != nil {
			return err
		}
		d.pushInt(r0)
		return nil
	case "position":
		a0 := d.slot()
		r0, err := d.machine.Position(c, a0)
		if err != nil {
			return err
		}
		d.print(strconv.FormatInt(r0, 10))
		return nil
	case "run":
		a0 := d.slot()
		a1 := d.slot()
		a2 := d.key()
		a3 := d.int()
		a4 := d.int()
		a5 := d.id()
		a6 := d.int()
		r0, r1, err := d.machine.Run(c, a0, a1, a2, a3, a4, a5, a6)
		if err != nil {
			return err
		}
		d.pushInt(r0)
		d.pushInt(r1)
		return nil
	case "sync":
		a0 := d.slot()
		return d.machine.Sync(c, a0)
	case "checkpoint":
		a0 := d.slot()
		return d.machine.Checkpoint(c, a0)
	case "gc":
		a0 := d.slot()
		return d.machine.GC(c, a0)
	case "verify":
		a0 := d.slot()
		r0, err := d.machine.Verify(c, a0)
		if err != nil {
			return err
		}
		d.pushInt(r0)
		return nil
	case "backup":
		a0 := d.slot()
		a1 := d.token()
		return d.machine.Backup(c, a0, a1)
	case "restore":
		a0 := d.token()
		a1 := d.token()
		return d.machine.Restore(c, a0, a1)
	case "info":
		a0 := d.slot()
		r0, r1, err := d.machine.Info(c, a0)
		if err != nil {
			return err
		}
		d.print(r0)
		d.pushInt(r1)
		return nil
	case "stats":
		a0 := d.slot()
		r0, err := d.machine.Stats(c, a0)
		if err != nil {
			return err
		}
		d.pushInt(r0)
		return nil
	case "peek":
		a0 := d.token()
		r0, err := d.machine.Peek(c, a0)
		if err != nil {
			return err
		}
		d.print(strconv.FormatInt(r0, 10))
		return nil
	case "log":
		a0 := d.slot()
		a1 := d.int()
		r0, err := d.machine.Log(c, a0, a1)
		if err != nil {
			return err
		}
		d.pushInt(r0)
		return nil
	case "about":
		a0 := d.token()
		r0, r1, err := d.machine.About(c, a0)
		if err != nil {
			return err
		}
		d.print(r0)
		d.pushInt(r1)
		return nil
	case "create":
		a0 := d.slot()
		a1 := d.slot()
		return d.machine.Create(c, a0, a1)
	case "drop":
		a0 := d.slot()
		a1 := d.slot()
		return d.machine.Drop(c, a0, a1)
	case "rename":
		a0 := d.slot()
		a1 := d.slot()
		a2 := d.token()
		return d.machine.Rename(c, a0, a1, a2)
	case "list":
		a0 := d.slot()
		r0, err := d.machine.List(c, a0)
		if err != nil {
			return err
		}
		d.print(r0)
		return nil
	case "describe":
		a0 := d.slot()
		a1 := d.slot()
		r0, r1, r2, err := d.machine.Describe(c, a0, a1)
		if err != nil {
			return err
		}
		d.pushInt(r0)
		d.pushInt(r1)
		d.print(r2)
		return nil
	case "get":
		a0 := d.slot()
		a1 := d.slot()
		a2 := d.key()
		r0, err := d.machine.Get(c, a0, a1, a2)
		if err != nil {
			return err
		}
		d.pushBytes(r0)
		return nil
	case "read":
		a0 := d.slot()
		a1 := d.slot()
		a2 := d.key()
		r0, err := d.machine.Read(c, a0, a1, a2)
		if err != nil {
			return err
		}
		d.pushBytes(r0)
		return nil
	case "fetch":
		a0 := d.slot()
		a1 := d.slot()
		a2 := d.key()
		a3 := d.int()
		r0, r1, r2, err := d.machine.Fetch(c, a0, a1, a2, a3)
		if err != nil {
			return err
		}
		d.print(printKey(r0))
		d.pushBytes(r1)
		d.pushInt(r2)
		return nil
	case "version":
		a0 := d.slot()
		a1 := d.slot()
		a2 := d.key()
		a3 := d.int()
		r0, err := d.machine.Version(c, a0, a1, a2, a3)
		if err != nil {
			return err
		}
		d.print(strconv.FormatInt(r0, 10))
		return nil
	case "put":
		a0 := d.slot()
		a1 := d.slot()
		a2 := d.key()
		a3 := d.byteString()
		return d.machine.Put(c, a0, a1, a2, a3)
	case "insert":
		a0 := d.slot()
		a1 := d.slot()
		a2 := d.key()
		a3 := d.byteString()
		r0, err := d.machine.Insert(c, a0, a1, a2, a3)
		if err != nil {
			return err
		}
		d.pushInt(r0)
		return nil
	case "update":
		a0 := d.slot()
		a1 := d.slot()
		a2 := d.key()
		a3 := d.int()
		a4 := d.byteString()
		return d.machine.Update(c, a0, a1, a2, a3, a4)
	case "remove":
		a0 := d.slot()
		a1 := d.slot()
		a2 := d.key()
		a3 := d.int()
		return d.machine.Remove(c, a0, a1, a2, a3)
	case "set_ride":
		a0 := d.slot()
		a1 := d.slot()
		a2 := d.key()
		a3 := d.int()
		return d.machine.SetRide(c, a0, a1, a2, a3)
	case "add":
		a0 := d.slot()
		a1 := d.slot()
		a2 := d.key()
		a3 := d.int()
		return d.machine.Add(c, a0, a1, a2, a3)
	case "min":
		a0 := d.slot()
		a1 := d.slot()
		a2 := d.key()
		a3 := d.int()
		return d.machine.Min(c, a0, a1, a2, a3)
	case "max":
		a0 := d.slot()
		a1 := d.slot()
		a2 := d.key()
		a3 := d.int()
		return d.machine.Max(c, a0, a1, a2, a3)
	case "remove_range":
		a0 := d.slot()
		a1 := d.slot()
		a2 := parseRange(d.token())
		r0, err := d.machine.RemoveRange(c, a0, a1, a2)
		if err != nil {
			return err
		}
		d.pushInt(r0)
		return nil
	case "count":
		a0 := d.slot()
		a1 := d.slot()
		a2 := parseRange(d.token())
		r0, err := d.machine.Count(c, a0, a1, a2)
		if err != nil {
			return err
		}
		d.pushInt(r0)
		return nil
	case "approx_count":
		a0 := d.slot()
		a1 := d.slot()
		r0, err := d.machine.ApproxCount(c, a0, a1)
		if err != nil {
			return err
		}
		d.pushInt(r0)
		return nil
	case "get_many":
		a0 := d.slot()
		a1 := d.slot()
		a2 := parseKeys(d.token())
		r0, err := d.machine.GetMany(c, a0, a1, a2)
		if err != nil {
			return err
		}
		d.print(r0)
		return nil
	case "put_many":
		a0 := d.slot()
		a1 := d.slot()
		a2 := d.int()
		a3 := parseRows(d.token())
		r0, r1, err := d.machine.PutMany(c, a0, a1, a2, a3)
		if err != nil {
			return err
		}
		d.pushInt(r0)
		d.print(r1)
		return nil
	case "scan":
		a0 := d.slot()
		a1 := d.slot()
		a2 := parseRange(d.token())
		a3 := d.int()
		a4 := d.int()
		r0, err := d.machine.Scan(c, a0, a1, a2, a3, a4)
		if err != nil {
			return err
		}
		d.print(r0)
		return nil
	case "savepoint":
		a0 := d.slot()
		return d.machine.Savepoint(c, a0)
	case "rollback_to":
		a0 := d.slot()
		a1 := d.int()
		return d.machine.RollbackTo(c, a0, a1)
	case "cursor_open":
		a0 := d.slot()
		a1 := d.slot()
		a2 := parseRange(d.token())
		a3 := d.int()
		return d.machine.CursorOpen(c, a0, a1, a2, a3)
	case "cursor_first":
		a0 := d.slot()
		r0, r1, r2, err := d.machine.CursorFirst(c, a0)
		if err != nil {
			return err
		}
		d.print(printKey(r0))
		d.pushBytes(r1)
		d.pushInt(r2)
		return nil
	case "cursor_last":
		a0 := d.slot()
		r0, r1, r2, err := d.machine.CursorLast(c, a0)
		if err != nil {
			return err
		}
		d.print(printKey(r0))
		d.pushBytes(r1)
		d.pushInt(r2)
		return nil
	case "cursor_next":
		a0 := d.slot()
		r0, r1, r2, err := d.machine.CursorNext(c, a0)
		if err != nil {
			return err
		}
		d.print(printKey(r0))
		d.pushBytes(r1)
		d.pushInt(r2)
		return nil
	case "cursor_prev":
		a0 := d.slot()
		r0, r1, r2, err := d.machine.CursorPrev(c, a0)
		if err != nil {
			return err
		}
		d.print(printKey(r0))
		d.pushBytes(r1)
		d.pushInt(r2)
		return nil
	case "cursor_seek":
		a0 := d.slot()
		a1 := d.slot()
		a2 := d.key()
		a3 := d.int()
		r0, r1, r2, err := d.machine.CursorSeek(c, a0, a1, a2, a3)
		if err != nil {
			return err
		}
		d.print(printKey(r0))
		d.pushBytes(r1)
		d.pushInt(r2)
		return nil
	case "cursor_entry":
		a0 := d.slot()
		r0, r1, r2, err := d.machine.CursorEntry(c, a0)
		if err != nil {
			return err
		}
		d.print(printKey(r0))
		d.pushBytes(r1)
		d.pushInt(r2)
		return nil
	case "cursor_update":
		a0 := d.slot()
		a1 := d.slot()
		a2 := d.byteString()
		return d.machine.CursorUpdate(c, a0, a1, a2)
	case "cursor_remove":
		a0 := d.slot()
		return d.machine.CursorRemove(c, a0)
	case "cursor_fetch":
		a0 := d.slot()
		a1 := d.int()
		r0, err := d.machine.CursorFetch(c, a0, a1)
		if err != nil {
			return err
		}
		d.print(r0)
		return nil
	case "cursor_close":
		a0 := d.slot()
		return d.machine.CursorClose(c, a0)
	case "cursor_forget":
		a0 := d.slot()
		return d.machine.CursorForget(c, a0)
	}
	panic("no operation: " + c.Name)
}

// Declaration is a store of the table; Schema is empty for raw keys.
type Declaration struct {
	Name, Schema     string
	Duplicates, JSON bool
}

// Declarations are the stores, by number.
var Declarations = []Declaration{
	{"raw", "", false, false},
	{"rawdup", "", true, false},
	{"str", "{\"v\":1,\"sort\":[{\"n\":\"key\",\"t\":\"str\"}]}", false, false},
	{"int", "{\"v\":1,\"sort\":[{\"n\":\"key\",\"t\":\"int\"}]}", false, false},
	{"emp", "{\"v\":1,\"sort\":[{\"n\":\"region\",\"t\":\"str\"},{\"n\":\"hired\",\"t\":\"ts\",\"desc\":true},{\"n\":\"emp_id\",\"t\":\"int\"}],\"ride\":[{\"n\":\"deleted\",\"t\":\"bool\",\"default\":false},{\"n\":\"note\",\"t\":\"str\"}]}", false, false},
	{"empdup", "{\"v\":1,\"sort\":[{\"n\":\"region\",\"t\":\"str\"},{\"n\":\"hired\",\"t\":\"ts\",\"desc\":true},{\"n\":\"emp_id\",\"t\":\"int\"}],\"ride\":[{\"n\":\"deleted\",\"t\":\"bool\",\"default\":false},{\"n\":\"note\",\"t\":\"str\"}]}", true, false},
	{"doc", "{\"v\":1,\"sort\":[{\"n\":\"key\",\"t\":\"str\"}]}", false, true},
	{"wide", "{\"v\":1,\"sort\":[{\"n\":\"score\",\"t\":\"float\",\"desc\":true},{\"n\":\"who\",\"t\":\"uuid\"},{\"n\":\"tag\",\"t\":\"bytes\"},{\"n\":\"flag\",\"t\":\"bool\",\"desc\":true}]}", false, false},
	{"other", "", false, false},
}
