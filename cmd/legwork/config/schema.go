package config

import (
	"encoding/json"
	"reflect"
	"strconv"
	"time"
)

// object is one JSON object of the schema.
type object map[string]any

// Schema is the JSON Schema (draft 2020-12) of the file, for editors. It knows
// keys, types, values and bounds; what names what is left to Load.
func Schema() []byte {
	s := structSchema(reflect.TypeFor[Config](), reflect.ValueOf(Default()).Elem())
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "legwork.yaml"
	out, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic("config: schema: " + err.Error()) // it is made of strings and numbers
	}
	return append(out, '\n')
}

// structSchema describes a struct. defaults may be the zero Value.
func structSchema(t reflect.Type, defaults reflect.Value) object {
	known, later := fields(t)
	properties := object{}
	for _, key := range later {
		properties[key] = object{"const": "", "description": "Not supported yet by this version."}
	}
	for _, f := range known {
		var value reflect.Value
		if defaults.IsValid() {
			value = defaults.Field(f.index)
		}
		s := f.schema(value)
		s["description"] = f.doc
		properties[f.key] = s
	}
	for _, key := range idle(t) {
		properties[key] = object{"description": "Not used by this version."}
	}
	return object{"type": []string{"object", "null"}, "properties": properties, "additionalProperties": false}
}

func (f field) schema(value reflect.Value) object {
	s := f.shape(value)
	if !value.IsValid() || f.typ == reflect.TypeFor[Secret]() {
		return s
	}
	switch x := value.Interface().(type) {
	case time.Duration:
		s["default"] = short(x)
	case Seconds:
		s["default"] = time.Duration(x) / time.Second
	case Size:
		s["default"] = x.String()
	default:
		if k := f.typ.Kind(); k == reflect.String || k == reflect.Int || k == reflect.Bool {
			s["default"] = x
		}
	}
	return s
}

func (f field) shape(value reflect.Value) object {
	switch f.typ {
	case durationType:
		return orVariable(durationSchema())
	case secondsType:
		return orVariable(f.bounds(object{"type": "integer"}), durationSchema())
	case reflect.TypeFor[Size]():
		return orVariable(object{"type": "string", "pattern": `^[0-9]+(\.[0-9]+)?(KiB|MiB|GiB)$`})
	case reflect.TypeFor[TrunkTimer]():
		return object{"anyOf": []object{{"const": false}, structSchema(f.typ, reflect.Value{})}}
	case reflect.TypeFor[Target](), reflect.TypeFor[Profile]():
		return object{"anyOf": []object{{"type": "string"}, structSchema(f.typ, reflect.Value{})}}
	case reflect.TypeFor[Responses]():
		return responsesSchema()
	case reflect.TypeFor[Params]():
		return object{"type": []string{"object", "null"}}
	}
	switch f.typ.Kind() {
	case reflect.Pointer:
		return field{typ: f.typ.Elem()}.shape(reflect.Value{})
	case reflect.Struct:
		return structSchema(f.typ, value)
	case reflect.Map:
		return object{"type": []string{"object", "null"}, "additionalProperties": field{typ: f.typ.Elem()}.shape(reflect.Value{})}
	case reflect.Slice:
		return object{"type": []string{"array", "null"}, "items": field{typ: f.typ.Elem(), enum: f.enum}.shape(reflect.Value{})}
	case reflect.Bool:
		return orVariable(object{"type": "boolean"})
	case reflect.Int:
		return orVariable(f.bounds(object{"type": "integer"}))
	default:
		if len(f.enum) > 0 {
			return orVariable(object{"enum": f.enum})
		}
		return object{"type": "string"}
	}
}

func (f field) bounds(s object) object {
	if n, ok := bound(f.min); ok {
		s["minimum"] = n
	}
	if n, ok := bound(f.max); ok {
		s["maximum"] = n
	}
	return s
}

// bound is a number, or the seconds of a duration.
func bound(s string) (int, bool) {
	if d, err := time.ParseDuration(s); err == nil {
		return int(d / time.Second), true
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}

func durationSchema() object {
	return object{"type": "string", "pattern": `^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+$`}
}

// orVariable also takes a text with ${NAME}, whose value only Load can see.
func orVariable(forms ...object) object {
	return object{"anyOf": append(forms, object{"type": "string", "pattern": `\$\{`})}
}

func responsesSchema() object {
	code := orVariable(object{"type": "integer", "minimum": 300, "maximum": 699})
	return object{
		"type":          []string{"object", "null"},
		"propertyNames": object{"pattern": `^([3-6][0-9]{2}(-[3-6][0-9]{2})?|[3-6]xx|\*)$`},
		"additionalProperties": object{"anyOf": []object{
			code,
			{"const": false},
			{"type": "array", "prefixItems": []object{code, {"type": "string"}}, "minItems": 2, "maxItems": 2},
		}},
	}
}
