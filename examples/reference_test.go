package examples

import (
	"os"
	"strings"
	"testing"

	"legwork/script"
)

func TestTheReferenceIsWhatScriptsAreCheckedAgainst(t *testing.T) {
	src, err := os.ReadFile("../scripts/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, begun := strings.Cut(string(src), "<!-- reference:begin -->\n")
	got, _, ended := strings.Cut(rest, "<!-- reference:end -->")
	if !begun || !ended {
		t.Fatal("scripts/README.md has no place for the reference")
	}
	if want := script.Reference(); strings.TrimSpace(got) != strings.TrimSpace(want) {
		if os.Getenv("WRITE_REFERENCE") == "" {
			t.Fatal("the reference is not script.Reference(): run WRITE_REFERENCE=1 go test ./examples")
		}
		text := strings.Replace(string(src), "begin -->\n"+got, "begin -->\n\n"+strings.TrimSpace(want)+"\n\n", 1)
		if err := os.WriteFile("../scripts/README.md", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
