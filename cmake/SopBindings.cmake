# The languages beside C. Each has a file in this folder that builds it (bindings/) and registers its tests; the last one
# compares them all (tests/conformance).
set(SOP_LANGUAGES Python Go Java Conformance CACHE STRING "Which of them are built")
foreach(part IN LISTS SOP_LANGUAGES)
	include(Sop${part} OPTIONAL)
endforeach()
