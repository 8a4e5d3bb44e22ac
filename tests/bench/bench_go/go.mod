module github.com/sopdb/sop/tests/bench/bench_go

go 1.23

require (
	github.com/sopdb/sop/bindings/go v0.0.0
	go.etcd.io/bbolt v1.4.0
)

require golang.org/x/sys v0.29.0 // indirect

replace github.com/sopdb/sop/bindings/go => ../../../bindings/go
