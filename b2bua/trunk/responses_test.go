package trunk

import (
	"fmt"
	"strings"
	"testing"

	"legwork/b2bua/message"
)

func to(code int) Mapped { return Mapped{Code: code} }

func responses(t *testing.T, rows ...Row) *ResponseMap {
	t.Helper()
	m, err := NewResponseMap(rows)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestTheMostSpecificPatternWins(t *testing.T) {
	m := responses(t,
		Row{From: []string{"*"}, To: to(600)},
		Row{From: []string{"4xx"}, To: to(400)},
		Row{From: []string{"480-489"}, To: to(480)},
		Row{From: []string{"400-599"}, To: to(599)},
		Row{From: []string{"486", "488"}, To: to(486)},
		Row{From: []string{"487"}, Pass: true},
	)
	for code, want := range map[int]int{300: 600, 399: 600, 400: 400, 404: 400, 500: 599, 480: 480, 486: 486, 487: 0, 488: 486, 489: 480, 503: 599, 603: 600, 200: 0, 100: 0, 700: 0} {
		got, ok := m.Apply(code, "peer", 0)
		if got.Code != want || ok != (want != 0) {
			t.Errorf("%d: got %d %v, want %d", code, got.Code, ok, want)
		}
	}
}

func TestARangeMayGoFromClassToClass(t *testing.T) {
	m := responses(t, Row{From: []string{"4xx-5xx"}, To: to(480)}, Row{From: []string{"600-6xx"}, To: to(486)})
	for code, want := range map[int]int{399: 0, 400: 480, 599: 480, 600: 486, 699: 486} {
		if got, _ := m.Apply(code, "", 0); got.Code != want {
			t.Errorf("%d: got %d, want %d", code, got.Code, want)
		}
	}
}

func TestConditionsComeBeforePatterns(t *testing.T) {
	m := responses(t,
		Row{From: []string{"503"}, To: to(480)},
		Row{Origin: "local", Pass: true},
		Row{Q850: 34, To: to(486)},
		Row{Origin: "timeout", Q850: 34, To: to(504)},
		Row{From: []string{"5xx"}, Origin: "peer", Q850: 17, To: to(600)},
	)
	for _, c := range []struct {
		code   int
		origin string
		q850   int
		want   string
	}{
		{503, "peer", 0, "480 true"},
		{503, "local", 0, "0 false"},
		{503, "peer", 34, "486 true"},
		{503, "timeout", 34, "504 true"},
		{503, "peer", 17, "600 true"},
		{404, "peer", 17, "0 false"},
	} {
		got, ok := m.Apply(c.code, c.origin, c.q850)
		if s := fmt.Sprint(got.Code, ok); s != c.want {
			t.Errorf("%+v: got %s", c, s)
		}
	}
}

func TestRowsListedFirstWinAmongEquals(t *testing.T) {
	m := responses(t, Row{From: []string{"503"}, To: to(480)}, Row{From: []string{"503"}, To: to(486)})
	if got, _ := m.Apply(503, "", 0); got.Code != 480 {
		t.Error("got", got.Code)
	}
}

func TestAMappedFailureIsComplete(t *testing.T) {
	m := responses(t,
		Row{From: []string{"500"}, To: to(480)},
		Row{From: []string{"501"}, To: Mapped{Code: 480, Reason: "Later", Q850: 41, Headers: []message.Header{{Name: "X-A", Value: "b"}}}},
	)
	if got, _ := m.Apply(500, "", 0); got.Reason != "Temporarily Unavailable" {
		t.Errorf("got %q", got.Reason)
	}
	if got, _ := m.Apply(501, "", 0); got.Reason != "Later" || got.Q850 != 41 || len(got.Headers) != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestNoMapMapsNothing(t *testing.T) {
	if _, ok := (*ResponseMap)(nil).Apply(503, "peer", 0); ok {
		t.Error("nil mapped")
	}
	if _, ok := responses(t).Apply(503, "peer", 0); ok {
		t.Error("an empty map mapped")
	}
}

func TestBadRowsAreRefused(t *testing.T) {
	for want, row := range map[string]Row{
		`"2xx" is not a code`:            {From: []string{"2xx"}, To: to(480)},
		`"7xx" is not a code`:            {From: []string{"7xx"}, To: to(480)},
		`"xxx" is not a code`:            {From: []string{"xxx"}, To: to(480)},
		`"599-400" is not a code`:        {From: []string{"599-400"}, To: to(480)},
		`"400-" is not a code`:           {From: []string{"400-"}, To: to(480)},
		`"-400" is not a code`:           {From: []string{"-400"}, To: to(480)},
		`"5000" is not a code`:           {From: []string{"5000"}, To: to(480)},
		`"" is not a code`:               {From: []string{""}, To: to(480)},
		"200 is not a failure":           {From: []string{"503"}, To: to(200)},
		"0 is not a failure":             {From: []string{"503"}},
		"the text of 480 holds":          {From: []string{"503"}, To: Mapped{Code: 480, Reason: "a\nb"}},
		"cause is 1 to 127":              {From: []string{"503"}, To: Mapped{Code: 480, Q850: 128}},
		"the value of X-A holds CR":      {From: []string{"503"}, To: Mapped{Code: 480, Headers: []message.Header{{Name: "X-A", Value: "\r"}}}},
		"Via belongs to the engine":      {From: []string{"503"}, To: Mapped{Code: 480, Headers: []message.Header{{Name: "Via", Value: "x"}}}},
		"response map: 2001 rules, at m": {From: strings.Fields(strings.Repeat("503 ", 2001)), To: to(480)},
	} {
		if _, err := NewResponseMap([]Row{row}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func FuzzResponseMap(f *testing.F) {
	f.Add("5xx", 480, "peer", 503)
	f.Add("400-499", 486, "", 404)
	f.Fuzz(func(t *testing.T, from string, code int, origin string, got int) {
		m, err := NewResponseMap([]Row{{From: []string{from}, Origin: origin, To: to(code)}})
		if err != nil {
			return
		}
		if mapped, ok := m.Apply(got, origin, 0); ok && (mapped.Code < 300 || mapped.Code > 699 || got < 300 || got > 699) {
			t.Errorf("%d became %d", got, mapped.Code)
		}
	})
}
