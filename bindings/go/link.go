//go:build !sop_static

package sop

// The installed library, shared or static, as pkg-config knows it.

// #cgo pkg-config: sopdb
import "C"
