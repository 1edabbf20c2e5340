package canned

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"legwork/script/lib"
)

// live fails: nothing is there.
func live(context.Context) (lib.Answer, error) { return lib.Answer{}, errors.New("went live") }

func stubs(t *testing.T, text string) *Stubs {
	t.Helper()
	list, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	s := New(JSON)
	if err := s.Add(list...); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTheMostSpecificStubAnswers(t *testing.T) {
	s := stubs(t, `[
		{"redis": "cache *", "answer": "any"},
		{"redis": "cache get *", "answer": "get"},
		{"redis": "cache get k", "answer": "k"},
		{"redis": "*get*z", "answer": "z"},
		{"sql": "routes select * where n = $1", "rows": [{"a": "any"}]},
		{"sql": "routes select * where n = $1", "values": ["1"], "rows": [{"a": "one"}]},
		{"sql": "routes SELECT 1", "values": [], "rows": []},
		{"dns": "a Host.example", "answer": ["192.0.2.1"]}
	]`)
	for _, c := range []struct {
		q    lib.Question
		want any
	}{
		{lib.Question{Kind: "redis", Key: "cache get k"}, "k"},
		{lib.Question{Kind: "redis", Key: "cache get kk"}, "get"},
		{lib.Question{Kind: "redis", Key: "cache get kz"}, "get"},
		{lib.Question{Kind: "redis", Key: "cache del k"}, "any"},
		{lib.Question{Kind: "redis", Key: "other get z"}, "z"},
		{lib.Question{Kind: "sql", Key: "routes SELECT trunk WHERE n = $1", Values: []any{"1"}}, []any{map[string]any{"a": "one"}}},
		{lib.Question{Kind: "sql", Key: "routes SELECT trunk WHERE n = $1", Values: []any{"2"}}, []any{map[string]any{"a": "any"}}},
		{lib.Question{Kind: "sql", Key: "routes select 1"}, []any{}},
		{lib.Question{Kind: "dns", Key: "a host.EXAMPLE"}, []any{"192.0.2.1"}},
	} {
		got, err := s.Look(t.Context(), &c.q, live)
		if err != nil || !reflect.DeepEqual(got.Value, c.want) {
			t.Errorf("%v: %v, %v; want %v", c.q, got.Value, err, c.want)
		}
	}
	for _, q := range []lib.Question{{Kind: "redis", Key: "other get k"}, {Kind: "sql", Key: "routes select 1", Values: []any{nil}}, {Kind: "dns", Key: "a b"}} {
		if got, err := s.Look(t.Context(), &q, live); err == nil || !strings.Contains(err.Error(), "no stub answers") {
			t.Errorf("%v: %v, %v", q, got, err)
		}
	}
	if n := len(s.Unanswered()); n != 3 {
		t.Errorf("%d without an answer", n)
	}
}

func TestWildcardsStandForAnything(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"*", "", true},
		{"*", "x", true},
		{"", "", true},
		{"", "x", false},
		{"a*", "a", true},
		{"a*a", "a", false},
		{"a*a", "aa", true},
		{"a*b*c", "axbxc", true},
		{"a*b*c", "axc", false},
		{"*b*", "abc", true},
		{"a**c", "abc", true},
		{"ab", "abc", false},
		{"*bc", "abcbc", true},
	} {
		if matches(c.pattern, c.text) != c.want {
			t.Errorf("%q %q", c.pattern, c.text)
		}
	}
}

func TestAnHTTPStubIsAResponse(t *testing.T) {
	s := stubs(t, `{"http": "GET http://a.example/*", "answer": {"status": 404, "json": {"a": [1, null]}}}`)
	r, err := http.NewRequest(http.MethodGet, "http://a.example/x?n=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 404 || string(body) != `{"a":[1,null]}` {
		t.Errorf("%v %s, %v", res, body, err)
	}
}

func TestWhatIsRecordedAnswersAgain(t *testing.T) {
	looks := []struct {
		q   lib.Question
		a   lib.Answer
		err error
	}{
		{lib.Question{Kind: "http", Key: "GET http://a.example/n?x=1&y=2"}, lib.Answer{Status: 200, Body: []byte(`{"trunk":"<a>"}`)}, nil},
		{lib.Question{Kind: "http", Key: "GET http://a.example/text"}, lib.Answer{Status: 404, Body: []byte("no\xff")}, nil},
		{lib.Question{Kind: "http", Key: "GET http://a.example/down"}, lib.Answer{}, lib.Refusal("refused")},
		{lib.Question{Kind: "redis", Key: "cache get k"}, lib.Answer{Value: "v\x00\xfe"}, nil},
		{lib.Question{Kind: "redis", Key: "cache get nothing"}, lib.Answer{}, nil},
		{lib.Question{Kind: "redis", Key: "cache hgetall h"}, lib.Answer{Value: map[string]any{"a": "1", "b": nil}}, nil},
		{lib.Question{Kind: "sql", Key: "routes select $1", Values: []any{"a", 1.5, nil, true}}, lib.Answer{Value: []any{map[string]any{"n": 2.0}}}, nil},
		{lib.Question{Kind: "sql", Key: "routes delete from x"}, lib.Answer{Value: 3.0}, nil},
		{lib.Question{Kind: "dns", Key: "a none.example"}, lib.Answer{Value: []any{}}, nil},
	}
	var file bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		var r Recorder
		for _, one := range looks {
			if _, err := r.Look(t.Context(), &one.q, func(context.Context) (lib.Answer, error) {
				time.Sleep(20 * time.Millisecond)
				return one.a, one.err
			}); !errors.Is(err, one.err) {
				t.Error(err)
			}
		}
		if _, err := r.WriteTo(&file); err != nil {
			t.Fatal(err)
		}
	})
	if n := strings.Count(file.String(), `"after":"20ms"`); n != len(looks) {
		t.Errorf("%d times in\n%s", n, &file)
	}
	synctest.Test(t, func(t *testing.T) {
		s := stubs(t, file.String())
		for _, one := range looks {
			began := time.Now()
			got, err := s.answer(t.Context(), &one.q)
			if !errors.Is(err, one.err) || one.err == nil && !reflect.DeepEqual(got, one.a) || time.Since(began) != 20*time.Millisecond {
				t.Errorf("%v: %+v, %v", one.q, got, err)
			}
		}
	})
}

func TestAnAbandonedLookupLeavesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stubs(t, `{"redis": "*", "after": 60}`)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if _, err := s.Look(ctx, &lib.Question{Kind: "redis", Key: "x"}, live); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Error(err, time.Since(began))
		}
	})
}

func TestABrokenFileNamesItsLine(t *testing.T) {
	for text, want := range map[string]string{
		"[\n{\"redis\": \"a\"},\n\n{\"redi\": \"b\"}]": `line 4: unknown key "redi", did you mean "redis"?`,
		"[\n{\"redis\":\"a get b\"}\n":                 "line 3: the list is not closed by a ]",
		"[{\"redis\":\"a get b\"}]\n{}":                "line 2: there is something behind the stubs",
		"{\"redis\":\"a get b\"}\n]":                   "line 2: there is something behind the stubs",
		"[1]":                                          `line 1: a stub is an object like {"http": ..., "answer": ...}, not a number`,
		"[\n{\"redis\": \"a\"\n":                       `line 2: unexpected EOF`,
		`{"redis": 1}`:                                 `line 1: "redis" must be a text like "cache get key"`,
		`{"sql": "a", "values": "x"}`:                  `line 1: "values" is the list of the values of a SQL statement`,
		`{"http": "a", "rows": []}`:                    `line 1: "rows" are for sql`,
		`{"redis": "a", "answer": {"$base64": "%"}}`:   `line 1: $base64: illegal base64`,
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n got %v\nwant %s", text, err, want)
		}
	}
}

func FuzzAnyFileIsReadOrRefused(f *testing.F) {
	f.Add([]byte(`[{"http": "GET x", "answer": {"json": {}}}, {"sql": "a", "rows": [{}]}]`))
	f.Add([]byte(`{"redis": "*a*", "answer": {"$base64": "AA=="}, "after": "1s"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := Parse(text)
		if err != nil {
			return
		}
		s := New(Lua)
		if err := s.Add(list...); err != nil {
			t.Fatal(err)
		}
		for _, one := range list {
			q := lib.Question{Kind: one.Kind, Key: one.Key, Values: one.When}
			if _, ok := s.find(&q); !ok {
				t.Errorf("%+v does not answer its own key", one)
			}
			for _, style := range []Style{JSON, Lua} {
				_ = example(&q, style)
			}
		}
	})
}

func TestNoPasswordThatWasLookedUpIsWrittenDown(t *testing.T) {
	rows := []any{map[string]any{"name": "anna", "password": "hush"}}
	for q, a := range map[*lib.Question]lib.Answer{
		{Kind: "http", Key: "GET http://a.example/u?api_key=hush"}: {Status: 200, Body: []byte(`{"name":"anna","secret":"hush"}`)},
		{Kind: "sql", Key: "users select * from users"}:            {Value: rows},
		{Kind: "redis", Key: "cache get password:anna"}:            {Value: "hush"},
	} {
		if line, err := Line(q, a, nil, 0); err != nil || strings.Contains(string(line), "hush") || !strings.Contains(string(line), "anna") {
			t.Errorf("%s, %v", line, err)
		}
	}
}

// torn is a server whose answers break off.
type torn struct{}

func (torn) RoundTrip(r *http.Request) (*http.Response, error) {
	body := io.MultiReader(strings.NewReader("half"), brokenOff{})
	return &http.Response{StatusCode: 200, Request: r, Body: io.NopCloser(body)}, nil
}

type brokenOff struct{}

func (brokenOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestAnAnswerThatBreaksOffIsNone(t *testing.T) {
	o := NewOutside(torn{})
	defer o.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://api.example/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if res, err := o.RoundTrip(r); res != nil || !errors.Is(err, io.ErrUnexpectedEOF) { // net/http complains of both
		t.Error(res, err)
	}
}
