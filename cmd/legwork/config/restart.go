package config

import (
	"reflect"
	"slices"
)

// RestartNeeded names the keys that differ between two configurations and take
// effect only when the process starts. What else differs takes effect by
// reload.
func RestartNeeded(before, after *Config) []string {
	a, b := *before, *after
	a.Listen, b.Listen = withoutACL(a.Listen), withoutACL(b.Listen)
	return changed(reflect.ValueOf(a), reflect.ValueOf(b), "")
}

// withoutACL leaves out what of a listener may change while it listens.
func withoutACL(list []Listener) []Listener {
	list = slices.Clone(list)
	for i := range list {
		list[i].ACL = ACL{}
	}
	return list
}

func changed(a, b reflect.Value, path string) []string {
	var names []string
	known, _ := fields(a.Type())
	for _, f := range known {
		x, y := a.Field(f.index), b.Field(f.index)
		name := join(path, f.key)
		switch {
		case f.restart && !reflect.DeepEqual(x.Interface(), y.Interface()):
			names = append(names, name)
		case !f.restart && x.Kind() == reflect.Struct:
			names = append(names, changed(x, y, name)...)
		}
	}
	return names
}
