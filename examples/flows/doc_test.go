package flows

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

func TestTheTableListsEveryFlow(t *testing.T) {
	src, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	listed := regexp.MustCompile(`(?m) (Test\w+)$`).FindAllStringSubmatch(string(src), -1)
	var want, got []string
	for _, m := range listed {
		got = append(got, m[1])
	}
	files, err := filepath.Glob("rfc*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(src), -1) {
			want = append(want, m[1])
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the table of doc.go lists\n%v, the tests are\n%v", got, want)
	}
}
