package config

import (
	"fmt"
	"regexp"
	"slices"
)

// conform says why v is not what s, a JSON Schema, describes; empty when it is.
// It knows the words that Schema uses, and fails on any other.
func conform(s map[string]any, v any, at string) string {
	for word, arg := range s {
		var fault string
		switch word {
		case "$schema", "title", "description", "default":
		case "type":
			fault = conformType(arg, v)
		case "enum":
			if !slices.Contains(arg.([]any), v) {
				fault = fmt.Sprintf("%v is none of %v", v, arg)
			}
		case "const":
			if v != arg {
				fault = fmt.Sprintf("%v is not %v", v, arg)
			}
		case "pattern":
			if text, ok := v.(string); ok && !regexp.MustCompile(arg.(string)).MatchString(text) {
				fault = fmt.Sprintf("%q does not match %v", text, arg)
			}
		case "minimum", "maximum":
			if n, ok := numeral(v); ok && (word == "minimum" && n < arg.(float64) || word == "maximum" && n > arg.(float64)) {
				fault = fmt.Sprintf("%v beyond %s %v", v, word, arg)
			}
		case "anyOf":
			fault = conformAny(arg.([]any), v, at)
		case "properties", "additionalProperties", "propertyNames":
			if m, ok := v.(map[string]any); ok && word == "additionalProperties" {
				fault = conformKeys(s, m, at)
			}
		case "items", "prefixItems", "minItems", "maxItems":
			if list, ok := v.([]any); ok && (word == "items" || word == "prefixItems") {
				fault = conformItems(s, list, at)
			}
		default:
			fault = "the schema uses " + word
		}
		if fault != "" {
			return at + ": " + fault
		}
	}
	return ""
}

func conformType(want, v any) string {
	got := "null"
	switch v.(type) {
	case map[string]any:
		got = "object"
	case []any:
		got = "array"
	case string:
		got = "string"
	case bool:
		got = "boolean"
	case nil:
	default:
		got = "integer"
	}
	if list, ok := want.([]any); ok && slices.Contains(list, any(got)) || want == got {
		return ""
	}
	return fmt.Sprintf("want %v, got %s", want, got)
}

func conformAny(choices []any, v any, at string) string {
	var faults []string
	for _, c := range choices {
		fault := conform(c.(map[string]any), v, at)
		if fault == "" {
			return ""
		}
		faults = append(faults, fault)
	}
	return fmt.Sprintf("none of %q", faults)
}

func conformKeys(s, m map[string]any, at string) string {
	properties, _ := s["properties"].(map[string]any)
	names, _ := s["propertyNames"].(map[string]any)
	for key, v := range m {
		inner, ok := properties[key].(map[string]any)
		if !ok {
			inner, ok = s["additionalProperties"].(map[string]any)
		}
		if !ok && s["additionalProperties"] == false {
			return fmt.Sprintf("key %q", key)
		}
		if fault := conform(names, key, at); fault != "" {
			return fault
		}
		if fault := conform(inner, v, at+"."+key); fault != "" {
			return fault
		}
	}
	return ""
}

func conformItems(s map[string]any, list []any, at string) string {
	prefix, _ := s["prefixItems"].([]any)
	items, _ := s["items"].(map[string]any)
	if prefix != nil && len(list) != len(prefix) {
		return fmt.Sprintf("%d elements", len(list))
	}
	for i, v := range list {
		inner := items
		if i < len(prefix) {
			inner = prefix[i].(map[string]any)
		}
		if fault := conform(inner, v, fmt.Sprintf("%s[%d]", at, i)); fault != "" {
			return fault
		}
	}
	return ""
}

func numeral(v any) (float64, bool) {
	switch n := v.(type) {
	case uint64:
		return float64(n), true
	case int64:
		return float64(n), true
	}
	return 0, false
}
