package sop_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What the documents show in Go is a part of what is compiled and run: the example, and those of the package.
func TestDocsShowWhatRuns(t *testing.T) {
	var sources strings.Builder
	for _, path := range []string{"../../examples/go/main.go", "example_test.go"} {
		text, err := os.ReadFile(path)
		ok(t, err)
		sources.Write(text)
	}
	blocks := regexp.MustCompile("(?ms)^```go\n(.*?)^```$")
	shown := 0
	for _, path := range []string{"../../README.md", "../../docs/go.md"} {
		text, err := os.ReadFile(path)
		ok(t, err)
		for _, block := range blocks.FindAllStringSubmatch(string(text), -1) {
			shown++
			if !strings.Contains(sources.String(), block[1]) {
				t.Errorf("%s: this is no part of the examples:\n%s", filepath.Base(path), block[1])
			}
		}
	}
	if shown < 6 {
		t.Errorf("only %d blocks", shown)
	}
}
