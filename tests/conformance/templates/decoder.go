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

#TABLE#
