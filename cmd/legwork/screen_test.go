package main

import "testing"

func TestAScreenIsAsWideAsItSays(t *testing.T) {
	eighty := 80
	for _, c := range []struct {
		env  string
		flag *int
		want int
	}{
		{"120", nil, 120},
		{"120", &eighty, 80},
		{"", nil, 100},
		{"0", nil, 100}, // docker exec and cron have no terminal
		{"wide", nil, 100},
		{"99999", nil, 100},
	} {
		t.Setenv("COLUMNS", c.env)
		if got := (screen{c.flag}).columns(); got != c.want {
			t.Errorf("$COLUMNS %q: %d columns, want %d", c.env, got, c.want)
		}
	}
}

func TestAnOddScreenKeepsNobodyFromDrawing(t *testing.T) {
	t.Setenv("COLUMNS", "")
	holds(t, run(t, explainable(t), "explain", "call.sip").out, "The caller got 200 OK.")
}
