package sop_test

import (
	"errors"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	sop "github.com/sopdb/sop/bindings/go"
)

// What the header says about statuses is all here, with the same numbers, names and traits.
func TestErrorStatusTable(t *testing.T) {
	header, err := os.ReadFile("../../include/sop/error.h")
	ok(t, err)
	rows := regexp.MustCompile(`X\((\w+), (-?\d+), ([\w |]+),`).FindAllStringSubmatch(string(header), -1)
	if len(rows) < 22 {
		t.Fatalf("only %d statuses in the header", len(rows))
	}
	errs := map[sop.Status]error{}
	for _, err := range []error{
		sop.ErrNotFound, sop.ErrExists, sop.ErrConflict, sop.ErrLocked, sop.ErrTimeout, sop.ErrCancelled, sop.ErrCommitUnknown,
		sop.ErrClosed, sop.ErrForked, sop.ErrReadOnly, sop.ErrSchema, sop.ErrLimit, sop.ErrNoSpace, sop.ErrNoMemory, sop.ErrIO,
		sop.ErrCorrupt, sop.ErrUnavailable, sop.ErrUnsupported, sop.ErrMisuse, sop.ErrFailed, sop.ErrWouldBlock,
	} {
		errs[err.(sop.Status)] = err
	}
	for _, row := range rows {
		number, err := strconv.Atoi(row[2])
		ok(t, err)
		status := sop.Status(number)
		equal(t, status.String(), row[1])
		var names []string
		for _, trait := range strings.Split(row[3], "|") {
			if name := strings.TrimPrefix(strings.TrimSpace(trait), "SOP_TRAIT_"); name != "0u" {
				names = append(names, name)
			}
		}
		equal(t, status.Traits().String(), strings.Join(names, "|"))
		if number == 0 {
			continue
		}
		if errs[status] == nil {
			t.Errorf("%s has no Err variable", row[1])
		}
		if !errors.Is(&sop.Error{Status: status}, errs[status]) {
			t.Errorf("errors.Is does not find %s", row[1])
		}
	}
	equal(t, len(errs), len(rows)-1)
}

func TestErrorNamesTheStoreThoughItsNameIsAPartOfTheMessage(t *testing.T) {
	db := inMemory(t)
	_, _, err := sop.StoreOf[string, string]("store", sop.String).Get(db, "a")
	equal(t, strings.Contains(fails(t, err, sop.ErrNotFound).Error(), `"store"`), true)
}

func TestErrorTellsWhatAndWhere(t *testing.T) {
	db := inMemory(t)
	err := db.View(background, func(tx *sop.Tx) error {
		_, _, err := users.In(tx).Get("ann")
		return err
	})
	e := fails(t, err, sop.ErrNotFound)
	equal(t, e.Store, "users")
	equal(t, e.Offset, -1)
	if errors.Is(err, sop.ErrExists) || sop.TraitsOf(err) != 0 {
		t.Fatalf("%v is something else as well", err)
	}
	equal(t, sop.TraitsOf(errors.New("other")), 0)
	equal(t, sop.TraitsOf(sop.ErrConflict), sop.TraitRetry|sop.TraitAbort)
}
