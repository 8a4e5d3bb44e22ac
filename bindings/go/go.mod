module github.com/sopdb/sop/bindings/go

go 1.23
