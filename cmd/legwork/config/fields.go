package config

import (
	"reflect"
	"strings"
)

// field is one key of a struct, as its tags describe it.
type field struct {
	index   int
	key     string
	doc     string
	enum    []string
	later   []string
	min     string
	max     string
	restart bool
	typ     reflect.Type
}

// fields are the keys of a struct in the order of the file, and the keys that
// only a coming version knows.
func fields(t reflect.Type) (known []field, later []string) {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Name == "_" {
			later = strings.Fields(f.Tag.Get("later"))
			continue
		}
		if f.Tag.Get("yaml") == "-" {
			continue
		}
		known = append(known, field{
			index:   i,
			key:     f.Tag.Get("yaml"),
			doc:     f.Tag.Get("doc"),
			enum:    strings.Fields(f.Tag.Get("enum")),
			later:   strings.Fields(f.Tag.Get("later")),
			min:     f.Tag.Get("min"),
			max:     f.Tag.Get("max"),
			restart: f.Tag.Get("restart") == "yes",
			typ:     f.Type,
		})
	}
	return known, later
}

// idle are the keys that only values of a coming version need: they may stand
// beside those of this one.
func idle(t reflect.Type) []string {
	if f, ok := t.FieldByName("_"); ok {
		return strings.Fields(f.Tag.Get("idle"))
	}
	return nil
}

func keys(known []field) []string {
	names := make([]string, len(known))
	for i, f := range known {
		names[i] = f.key
	}
	return names
}
