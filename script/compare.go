package script

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/script/lib"
)

// ShadowTally is what came of comparing.
type ShadowTally struct {
	Calls   int     `json:"calls"`   // that were compared
	Skipped int     `json:"skipped"` // calls there was no time for, wholly or from somewhere on
	Same    int     `json:"same"`    // hooks that decided and wrote the same
	Differ  int     `json:"differ"`  // hooks that did not
	Errors  int     `json:"errors"`  // hooks of the shadow that failed
	Unknown int     `json:"unknown"` // hooks that wanted to look up what the live one did not
	Groups  []Group `json:"groups"`  // of the last three, the largest first
}

// Group is one kind of difference.
type Group struct {
	What     string    `json:"what"`
	Count    int       `json:"count"`
	Examples []Example `json:"examples"`
}

// Example is one call of a group.
type Example struct {
	Call   string   `json:"call"`
	To     string   `json:"to,omitempty"` // Request-URI of the caller's INVITE
	Live   string   `json:"live"`         // decision and place
	Shadow string   `json:"shadow"`
	Lines  []string `json:"lines,omitempty"` // of the messages: - live, + shadow, with their places
}

// String says it in one line.
func (t *ShadowTally) String() string {
	return fmt.Sprintf("calls: %d compared, %d skipped; hooks: %d the same, %d different, %d failed, %d unknown",
		t.Calls, t.Skipped, t.Same, t.Differ, t.Errors, t.Unknown)
}

// compare counts one hook. A call whose ways part is not compared any further.
func (s *shadow) compare(j *job, c *shadowing, d b2bua.Decided, after *message.Message) {
	hook := hookName(j.hook)
	one := Example{Call: j.view.ID, Live: inWords(j.live), Shadow: inWords(d)}
	if j.view.Request != nil {
		one.To = message.MaskURI(j.view.Request.URI)
	}
	failure, where := c.failure(d)
	if len(c.unknown) == 0 && failure == "" && alike(j.live.Decision, d.Decision) {
		lines, fields := differing(written{"- ", j.after, j.edits}, written{"+ ", after, c.edits})
		if len(fields) == 0 {
			s.count(func(t *ShadowTally) { t.Same++ })
			return
		}
		one.Lines = lines
		s.add(hook+": writes other "+strings.Join(fields, ", "), one, func(t *ShadowTally) { t.Differ++ })
		return
	}
	j.of.part()
	switch {
	case len(c.unknown) > 0:
		one.Shadow = "unknown: would look up " + bounded(lib.WithoutSecrets(c.unknown[0], "***"))
		s.add(hook+": would look up "+server(c.unknown[0]), one, func(t *ShadowTally) { t.Unknown++ })
	case failure != "":
		one.Shadow = bounded("an error: " + failure + " (" + where + ")")
		s.add(hook+": fails at "+where, one, func(t *ShadowTally) { t.Errors++ })
	default:
		s.add(hook+": "+parting(j.live.Decision, d.Decision), one, func(t *ShadowTally) { t.Differ++ })
	}
}

// failure is what has failed in a hook that decided so, and where; "": nothing.
func (c *shadowing) failure(d b2bua.Decided) (what, where string) {
	if f, ok := d.Decision.(b2bua.Failed); ok {
		p := problemOf(f.Err)
		return p.Msg, p.place()
	}
	if c.failed != nil {
		return c.failed.Text, c.failed.Where
	}
	return "", ""
}

// part ends the comparison of a call.
func (f *followed) part() {
	f.over.Store(true)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers, f.edits = nil, nil
}

const maxShown = 200

func bounded(text string) string {
	if len(text) > maxShown {
		text = strings.ToValidUTF8(text[:maxShown], "") + "..."
	}
	return oneLine(text)
}

// server is what look-ups of one kind have in common.
func server(key string) string {
	words := strings.Fields(key)
	n := min(len(words), 3)
	switch words[0] {
	case "http":
		if u, err := url.Parse(words[n-1]); err == nil && n == 3 {
			return bounded("http " + words[1] + " " + u.Scheme + "://" + u.Host)
		}
	case "sql", "dns", "store":
		n = min(n, 2)
	}
	return bounded(strings.Join(words[:n], " "))
}

// add counts a difference; groups beyond maxGroups are counted as one.
func (s *shadow) add(what string, one Example, count func(*ShadowTally)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	count(&s.tally)
	if _, known := s.which[what]; !known {
		if len(s.which) >= maxGroups {
			what = "others"
		}
		if _, known := s.which[what]; !known {
			s.which[what] = len(s.tally.Groups)
			s.tally.Groups = append(s.tally.Groups, Group{What: what})
		}
	}
	g := &s.tally.Groups[s.which[what]]
	g.Count++
	if len(g.Examples) < maxExamples {
		g.Examples = append(g.Examples, one)
	}
}

// told is a copy of the tally, the largest groups first.
func (s *shadow) told() *ShadowTally {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tally
	t.Groups = make([]Group, 0, len(s.tally.Groups))
	for _, g := range s.tally.Groups {
		g.Examples = slices.Clone(g.Examples)
		t.Groups = append(t.Groups, g)
	}
	slices.SortStableFunc(t.Groups, func(a, b Group) int { return b.Count - a.Count })
	return &t
}

// alike compares decisions, but for what is no value: of a challenge its realm
// counts, of a script error that there is one.
func alike(a, b b2bua.Decision) bool {
	switch x := a.(type) {
	case b2bua.Challenge:
		y, ok := b.(b2bua.Challenge)
		return ok && x.Realm == y.Realm && x.Proxy == y.Proxy
	case b2bua.Failed:
		_, ok := b.(b2bua.Failed)
		return ok
	}
	return reflect.DeepEqual(a, b)
}

// parting names two decisions that are not alike: of equal kinds what they
// differ in.
func parting(a, b b2bua.Decision) string {
	was, is := briefly(a), briefly(b)
	if was != is {
		return was + " → " + is
	}
	names := fieldsApart(reflect.ValueOf(a), reflect.ValueOf(b))
	slices.Sort(names)
	return was + " with another " + strings.Join(slices.Compact(names), ", ")
}

// fieldsApart names the fields of two equal structures that are not equal; of
// targets theirs.
func fieldsApart(a, b reflect.Value) (names []string) {
	for i := range a.NumField() {
		field, x, y := a.Type().Field(i), a.Field(i), b.Field(i)
		switch {
		case !field.IsExported() || reflect.DeepEqual(x.Interface(), y.Interface()) || x.Kind() == reflect.Func:
		case field.Name == "Targets":
			for k := range min(x.Len(), y.Len()) {
				names = append(names, fieldsApart(x.Index(k), y.Index(k))...)
			}
		default:
			names = append(names, strings.ToLower(field.Name))
		}
	}
	return names
}
