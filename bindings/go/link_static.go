//go:build sop_static

package sop

// The static library that lies in the folder bundled/, put there by `cmake --build build/release --target sop_go_bundle`:
// a program then needs neither libsopdb nor libjansson where it runs.

// #cgo CFLAGS: -I${SRCDIR}/bundled/include
// #cgo LDFLAGS: ${SRCDIR}/bundled/lib/libsopdb.a ${SRCDIR}/bundled/lib/libjansson.a -pthread
import "C"
