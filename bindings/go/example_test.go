package sop_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	sop "github.com/sopdb/sop/bindings/go"
)

// Declared once, as variables of the package.
var (
	exampleUsers = sop.StoreOf[string, user]("users", sop.JSON[user]())
	exampleHits  = sop.StoreOf[string, int64]("hits", sop.Int64)
)

func Example() {
	ctx := context.Background()
	db, err := sop.Open("inmemory:", nil) // or a folder, with &sop.Options{Create: true}
	if err != nil {
		panic(err)
	}
	defer db.Close()
	err = db.Update(ctx, func(tx *sop.Tx) error { // runs again if it conflicts
		users := exampleUsers.In(tx)
		for _, name := range []string{"ann", "bob", "eve"} {
			if err := users.Put(name, user{name, 30}); err != nil {
				return err
			}
		}
		return exampleHits.In(tx).Add("users", 3)
	})
	if err != nil {
		panic(err)
	}
	err = db.View(ctx, func(tx *sop.Tx) error {
		for name, u := range exampleUsers.In(tx).Range("a", "c") {
			fmt.Println(name, u.Age)
		}
		return nil // an error of the loop sticks to tx, and View returns it
	})
	fmt.Println(err)
	hits, ok, err := exampleHits.Get(db, "users") // a transaction of its own
	fmt.Println(hits, ok, err)
	// Output:
	// ann 30
	// bob 30
	// <nil>
	// 3 true <nil>
}

func ExampleStore() {
	type empKey struct {
		Region  string
		Hired   time.Time `sop:",desc"` // newest first
		EmpID   int64
		Deleted bool `sop:"deleted,ride,default=false"` // with the key, never compared
	}
	staff := sop.StoreOf[empKey, string]("staff", sop.String)
	fmt.Println(staff.Schema())
	// Output:
	// {"v":1,"sort":[{"n":"region","t":"str"},{"n":"hired","t":"ts","desc":true},{"n":"emp_id","t":"int"}],"ride":[{"n":"deleted","t":"bool","default":false}]}
}

func ExampleSpan() {
	db, err := sop.Open("inmemory:", nil)
	if err != nil {
		panic(err)
	}
	defer db.Close()
	err = db.Update(context.Background(), func(tx *sop.Tx) error {
		users := exampleUsers.In(tx)
		for i, name := range []string{"ann", "anna", "bob", "eve"} {
			if err := users.Put(name, user{name, 20 + i}); err != nil {
				return err
			}
		}
		for name := range users.Span().StartsWith("an").Keys() { // no value is read
			fmt.Println(name)
		}
		for name, u := range users.Span().From("b").Backward().Limit(1).All() {
			fmt.Println(name, u.Age)
		}
		removed, err := users.Span().To("b").Remove()
		fmt.Println(removed)
		return err
	})
	fmt.Println(err)
	// Output:
	// ann
	// anna
	// eve 23
	// 2
	// <nil>
}

func ExampleSpan_pages() {
	db, err := sop.Open("inmemory:", nil)
	if err != nil {
		panic(err)
	}
	defer db.Close()
	err = db.Update(context.Background(), func(tx *sop.Tx) error {
		users := exampleUsers.In(tx)
		for i := range 5 {
			name := fmt.Sprint("page", i)
			if err := users.Put(name, user{name, i}); err != nil {
				return err
			}
		}
		var last string
		list := users.Span().StartsWith("page").Limit(2)
		for name := range list.Keys() {
			last = name
		}
		for name := range list.After(last).Keys() { // the next page
			last = name
			fmt.Println(name)
		}
		for name := range list.To(last).Backward().Keys() { // and back, the nearest first
			fmt.Println(name)
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// page2
	// page3
	// page2
	// page1
	// <nil>
}

func ExampleError() {
	db, err := sop.Open("inmemory:", nil)
	if err != nil {
		panic(err)
	}
	defer db.Close()
	_, _, err = exampleUsers.Get(db, "ann")
	var e *sop.Error
	fmt.Println(errors.Is(err, sop.ErrNotFound), errors.As(err, &e) && e.Store == "users")
	// Output:
	// true true
}
