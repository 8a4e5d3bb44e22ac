# The languages beside C. Each has a file in this folder that builds it (bindings/) and registers its tests; the last one
# compares them all (tests/conformance).
foreach(part Python Go Java Conformance)
	include(Sop${part} OPTIONAL)
endforeach()
