package config

import "reflect"

// RestartNeeded names the keys that differ between two configurations and take
// effect only when the process starts. What else differs takes effect by
// reload.
func RestartNeeded(before, after *Config) []string {
	return changed(reflect.ValueOf(before).Elem(), reflect.ValueOf(after).Elem(), "")
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
