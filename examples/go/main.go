// Reads what sopctl imported, adds to it, and works with it. examples/go/run runs it.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	sop "github.com/sopdb/sop/bindings/go"
)

// Hire is a key: by region, the newest first. Left rides along: in the key, never compared.
type Hire struct {
	Region string
	Hired  time.Time `sop:",desc"`
	Left   bool      `sop:",ride,default=false"`
}

// Employee is a value, kept as JSON.
type Employee struct {
	Name string `json:"name"`
	Pay  int    `json:"pay"`
}

// Stores are declared once. What the database has must agree, or the first use says what does not.
var (
	Staff  = sop.StoreOf[Hire, Employee]("staff", sop.JSON[Employee]())
	Visits = sop.StoreOf[string, int64]("visits", sop.Int64)
)

func main() {
	if err := run(context.Background(), os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, folder string) (err error) {
	db, err := sop.Open(folder, &sop.Options{Create: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	hired := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	if err := hire(ctx, db, Hire{Region: "US", Hired: hired}, Employee{"zoë", 4700}); err != nil {
		return err
	}
	if err := raise(ctx, db, "US", 10); err != nil {
		return err
	}
	if err := printStaff(ctx, db, "US"); err != nil {
		return err
	}
	if err := visit(ctx, db, "ann", "bob", "ann"); err != nil {
		return err
	}
	visits, _, err := Visits.Get(db, "ann") // the quickest way to read one: a transaction of its own
	fmt.Println("visits of ann:", visits)
	return err
}

// hire is one transaction: all of it happens, or nothing. After a conflict it runs again by itself.
func hire(ctx context.Context, db *sop.DB, key Hire, employee Employee) error {
	return db.Update(ctx, func(tx *sop.Tx) error {
		added, err := Staff.In(tx).Insert(key, employee)
		if err == nil && !added {
			err = fmt.Errorf("somebody was hired in %s at %v already", key.Region, key.Hired)
		}
		return err
	})
}

// raise changes what it goes over.
func raise(ctx context.Context, db *sop.DB, region string, percent int) error {
	sum := 0
	err := db.Update(ctx, func(tx *sop.Tx) error {
		sum = 0 // it may run more than once
		staff := Staff.In(tx)
		for key, employee := range staff.Prefix(region) {
			employee.Pay += employee.Pay * percent / 100
			if err := staff.Put(key, employee); err != nil {
				return err
			}
			sum += employee.Pay
		}
		return nil // an error of the loop sticks to tx, and Update returns it
	})
	fmt.Printf("raised in the %s: %d\n", region, sum)
	return err
}

// printStaff reads one state, and hinders nobody. Who has left is told by the keys alone: no value is read for it.
func printStaff(ctx context.Context, db *sop.DB, region string) error {
	return db.View(ctx, func(tx *sop.Tx) error {
		left := 0
		for key := range Staff.In(tx).Span().Prefix(region).Keys() {
			if key.Left {
				left++
			}
		}
		fmt.Println("have left:", left)
		for key, employee := range Staff.In(tx).Prefix(region) {
			fmt.Println(key.Hired.Format(time.RFC3339), employee.Name, employee.Pay)
		}
		return nil
	})
}

// visit adds to counters without reading them, so that these never conflict.
func visit(ctx context.Context, db *sop.DB, names ...string) error {
	return db.Update(ctx, func(tx *sop.Tx) error {
		for _, name := range names {
			if err := Visits.In(tx).Add(name, 1); err != nil {
				return err
			}
		}
		return nil
	})
}
