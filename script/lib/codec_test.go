package lib

import (
	"math"
	"reflect"
	"strings"
	"testing"
)

func TestValuesComeBackAsTheyWere(t *testing.T) {
	for _, v := range []any{
		"", "abc", "42", "s3:x", "a\x00\xff\n", 0.0, -1.5, 4930123456789.0, true, false,
		[]any{"a", 1.0, true, []any{}},
		map[string]any{},
		map[string]any{"b": 2.0, "a": map[string]any{"x": []any{"1"}}},
	} {
		text, err := encodeValue(v)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := decodeValue(text); err != nil || !reflect.DeepEqual(got, v) {
			t.Errorf("%#v became %q and %#v, %v", v, text, got, err)
		}
	}
	if _, err := encodeValue(math.NaN()); err == nil {
		t.Error("NaN was stored")
	}
}

func FuzzStoredValue(f *testing.F) {
	for _, seed := range []string{"12", "T", "s3:abc", "[n1;s1:x]", "{s1:as1:b}", "{T", "s-1:", "s99999999999999999999:", "Inf", strings.Repeat("[", 1000)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := decodeValue(text)
		if err != nil {
			return
		}
		again, err := encodeValue(v)
		if err != nil {
			return // Inf, NaN
		}
		if w, err := decodeValue(again); err != nil || !reflect.DeepEqual(v, w) {
			t.Fatalf("%q is %#v, then %q is %#v, %v", text, v, again, w, err)
		}
	})
}
