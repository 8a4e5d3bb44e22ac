// Package sop is an embedded, transactional, ordered store: a program keeps named B-Trees, in a folder or in memory, and
// changes any number of them in one strictly serializable transaction, from any number of goroutines.
//
//	var Users = sop.StoreOf[string, User]("users", sop.JSON[User]())
//
//	db, err := sop.Open("data", &sop.Options{Create: true})
//	...
//	defer db.Close()
//	err = db.Update(ctx, func(tx *sop.Tx) error { // runs again if it conflicts
//		users := Users.In(tx)
//		ann, ok, err := users.Get("ann")
//		if err != nil || !ok {
//			return err
//		}
//		ann.Age++
//		return users.Put("ann", ann)
//	})
//	err = db.View(ctx, func(tx *sop.Tx) error {
//		for name, user := range Users.In(tx).Range("a", "n") {
//			fmt.Println(name, user.Age)
//		}
//		return nil // errors of the loop stick to tx, and View returns them
//	})
//
// # Transactions
//
// [DB.Update] and [DB.View] run a function in a transaction; [DB.Begin] gives one by hand. Transactions that only read never
// conflict and hold nobody up. Writers conflict only over what they share, and Update runs them again.
//
// # Stores, keys and values
//
// A [Store] is declared once and used with any database. Keys are Go values, of one field or a struct of several, which the
// library packs into bytes that sort as the values do; they are the same in every language. Values go through a [Codec]. What
// is read is a copy and belongs to the program. That a key is not there is an answer (ok is false), not an error.
//
// # Errors
//
// Every error is an [*Error] with a [Status], and [errors.Is] matches it with [ErrConflict] and the like. Its [Traits] tell
// what can be done about it.
//
// # Goroutines
//
// A [DB] and a [Store] are for any number of goroutines. A [Tx] and what comes from it are for one at a time, which may change;
// two at once are told so ([ErrMisuse]). Nothing that is used after its end harms the program: it gets [ErrClosed].
//
// # Building
//
// The package needs cgo and the installed library (`pkg-config sopdb`). With the build tag sop_static it links the static
// library that `cmake --build build/release --target sop_go_bundle` puts beside it, and the program needs no other file.
package sop
