package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAMergedValueIsFoundWhereItIsWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "legwork.yaml")
	const text = "trunks:\n  a: &a\n    params: {country: DE}\n  b:\n    <<: *a\n    match: [x.example]\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	line, col, ok := locate(file, yamlPath("trunks", "b", "params", "country"))
	if !ok || line != 3 || col != 23 {
		t.Errorf("found at %d:%d, %v", line, col, ok)
	}
}
