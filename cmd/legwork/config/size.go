package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// Size is a number of bytes, written with its unit: 64MiB, 1GiB.
type Size int64

var sizeUnits = []struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

// Bounds of a size.
const (
	minSize = 1 << 20
	maxSize = 1 << 40
)

func (s Size) String() string {
	for _, u := range sizeUnits {
		if n := int64(s); n%u.bytes == 0 && n > 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

func (s *Size) decode(r *reader, n ast.Node, key string) bool {
	text, ok := r.figure(n, key, "a size")
	if !ok {
		return false
	}
	for _, u := range sizeUnits {
		number, has := strings.CutSuffix(text, u.name)
		if !has {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil {
			break
		}
		if v *= float64(u.bytes); !(v >= minSize && v <= maxSize) {
			r.problem(n, fmt.Sprintf("%s: %s is out of range", key, text), "from 1MiB to 1024GiB")
			return false
		}
		*s = Size(v)
		return true
	}
	r.problem(n, fmt.Sprintf("%s: %q is not a size", key, text), "write a number and its unit, such as 64MiB or 1GiB")
	return false
}

// decisions checks the log of decisions.
func (r *reader) decisions(c *Replay) {
	if _, written := r.at[&c.Path]; !written || c.Path == "" {
		return
	}
	dir := filepath.Dir(c.Path)
	if s, err := os.Stat(dir); err != nil || !s.IsDir() {
		r.refuse(&c.Path, fmt.Sprintf("replay.path: there is no folder %s", dir), "make it")
		return
	}
	if s, err := os.Stat(c.Path); err == nil && !s.IsDir() {
		r.refuse(&c.Path, fmt.Sprintf("replay.path: %s is no folder", c.Path), "name another; it is made")
	}
}
