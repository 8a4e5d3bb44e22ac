module github.com/sopdb/sop/examples/go

go 1.23

require github.com/sopdb/sop/bindings/go v0.0.0

replace github.com/sopdb/sop/bindings/go => ../../bindings/go
