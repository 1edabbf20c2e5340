package journal

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"

	"legwork/b2bua"
	"legwork/b2bua/capture"
	"legwork/b2bua/message"
)

// Kind of a change.
type Kind string

// What may change in a call: who is called, the code that the caller gets, and
// what is sent.
const (
	Targets Kind = "targets"
	Code    Kind = "code"
	Headers Kind = "headers"
)

// Change is how a call that was played again differs.
type Change struct {
	Kind    Kind     `json:"kind"`
	Was     string   `json:"was,omitempty"` // targets, or the code
	Is      string   `json:"is,omitempty"`
	Target  string   `json:"target,omitempty"` // of Code and Headers: who was called
	Headers []string `json:"headers,omitempty"`
}

// String is the change in one line: equal ones are of one group.
func (c *Change) String() string {
	switch {
	case c.Kind == Headers:
		return c.Target + ": " + strings.Join(c.Headers, ", ")
	case c.Target != "":
		return c.Was + " -> " + c.Is + " (" + c.Target + ")"
	}
	return c.Was + " -> " + c.Is
}

// Compare tells how is differs from was; nil: it does not.
func Compare(was, is *Entry) *Change {
	if places(was) != places(is) {
		c := &Change{Kind: Targets, Was: called(was), Is: called(is)}
		if c.Was == c.Is { // the same trunks are called otherwise
			return &Change{Kind: Headers, Target: c.Was, Headers: []string{"Request-URI"}}
		}
		return c
	}
	if was.Record.Code != is.Record.Code {
		c := &Change{Kind: Code, Was: code(was), Is: code(is)}
		if len(is.Record.Attempts) > 0 {
			c.Target = called(is)
		}
		return c
	}
	for leg := 1; leg <= len(was.Record.Attempts); leg++ {
		if names := fieldsThatDiffer(was.sent(leg), is.sent(leg), ours(was, is)); len(names) > 0 {
			return &Change{Kind: Headers, Target: nameOf(&was.Record.Attempts[leg-1]), Headers: names}
		}
	}
	return nil
}

// places are the attempts, as far as they are decided.
func places(e *Entry) string {
	var b strings.Builder
	for i := range e.Record.Attempts {
		a := &e.Record.Attempts[i]
		b.WriteString(a.Trunk + " " + a.Target + "\n")
	}
	return b.String()
}

// called names whom a call went to, or what became of it without that.
func called(e *Entry) string {
	if len(e.Record.Attempts) == 0 {
		return code(e)
	}
	var names []string
	for i := range e.Record.Attempts {
		name := nameOf(&e.Record.Attempts[i])
		if len(names) == 0 || names[len(names)-1] != name {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

func nameOf(a *b2bua.Attempt) string {
	if a.Trunk != "" {
		return a.Trunk
	}
	if u, err := message.ParseURI(a.Target); err == nil {
		return u.Host
	}
	return a.Target
}

func code(e *Entry) string {
	if e.Record.Code == 0 {
		return "no answer"
	}
	return fmt.Sprint(e.Record.Code)
}

// sent is the first INVITE to a leg; nil: none left.
func (e *Entry) sent(leg int) *Step {
	for i := range e.Steps {
		if s := &e.Steps[i]; s.Leg == leg && s.Kind == b2bua.EventSent && s.Method == "INVITE" && s.Code == 0 {
			return s
		}
	}
	return nil
}

// hops are fields that tell of this hop alone, and secrets.
var hops = []string{
	"Via", "Call-ID", "CSeq", "Max-Forwards", "Contact", "Content-Length", "Record-Route", "Route", "Authorization", "Proxy-Authorization",
}

// essence is the text of an INVITE without what is of this hop alone: our
// address, tags, and where media go.
func (s *Step) essence(own map[string]bool) string {
	m, err := message.ParseMasked(s.Bytes)
	if err != nil {
		return s.Bytes
	}
	lines := []string{m.Method + " " + m.URI + " SIP/2.0"}
	for _, h := range m.Headers {
		if message.SameAny(h.Name, hops) {
			continue
		}
		value := h.Value
		if message.Same(h.Name, "From") || message.Same(h.Name, "To") {
			value = message.WithTag(value, "")
		}
		lines = append(lines, h.Name+": "+value)
	}
	text := strings.Join(lines, "\r\n")
	text = address.ReplaceAllStringFunc(text, func(found string) string {
		if own[strings.Trim(found, "[]")] {
			return "legwork.invalid"
		}
		return found
	})
	if body := media(string(m.Body)); body != "" {
		text += "\r\n\r\n" + body
	}
	return text
}

// address is what may be an IP address.
var address = regexp.MustCompile(`[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+|\[[0-9a-fA-F:.]+\]`)

// ours are the addresses that were ours in any of the entries: another machine
// has others.
func ours(entries ...*Entry) map[string]bool {
	own := map[string]bool{}
	for _, e := range entries {
		for i := range e.Steps {
			if host, _, err := net.SplitHostPort(e.Steps[i].Local); err == nil {
				own[host] = true
			}
		}
	}
	return own
}

// media is what a description says of streams and codecs.
func media(body string) string {
	var lines []string
	for line := range strings.Lines(body) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "m="):
			if words := strings.Fields(line); len(words) > 2 {
				lines = append(lines, words[0]+" "+strings.Join(words[2:], " "))
			}
		case strings.HasPrefix(line, "a=rtpmap"), strings.HasPrefix(line, "a=fmtp"), strings.HasPrefix(line, "a=send"), strings.HasPrefix(line, "a=recv"):
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\r\n")
}

// fieldsThatDiffer names them.
func fieldsThatDiffer(was, is *Step, own map[string]bool) []string {
	switch {
	case was == nil || is == nil:
		return nil // one of them was refused before it left, by its callee
	case was.essence(own) == is.essence(own):
		return nil
	}
	var names []string
	for _, line := range capture.Diff(was.essence(own), is.essence(own)) {
		if line.Op == capture.Same {
			continue
		}
		name, _, isField := strings.Cut(line.Text, ":")
		switch {
		case strings.HasPrefix(line.Text, "INVITE "):
			name = "Request-URI"
		case !isField || strings.Contains(name, "="):
			name = "SDP"
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Pair is one INVITE that differs.
type Pair struct {
	Target string         `json:"target"`
	Lines  []capture.Line `json:"lines"`
}

// Diff compares what was sent, leg by leg; those that are as they were are left
// out.
func Diff(was, is *Entry) []Pair {
	var pairs []Pair
	own := ours(was, is)
	for leg := 1; leg <= len(is.Record.Attempts); leg++ {
		a, b := was.sent(leg), is.sent(leg)
		if a == nil || b == nil || a.essence(own) == b.essence(own) {
			continue
		}
		pairs = append(pairs, Pair{nameOf(&is.Record.Attempts[leg-1]), capture.Diff(a.essence(own), b.essence(own))})
	}
	return pairs
}

// Story tells the call as ladders and pages draw it.
func (e *Entry) Story() *capture.Story {
	s := &capture.Story{ID: e.Record.ID, Started: e.Began(), From: e.Record.From, To: e.Record.To, Parties: []capture.Party{}}
	for i := range e.Steps {
		st := &e.Steps[i]
		for len(s.Parties) <= st.Leg {
			s.Parties = append(s.Parties, capture.Party{})
		}
		if st.Remote != "" {
			s.Parties[st.Leg] = capture.Party{Trunk: st.Trunk, Remote: st.Remote}
		}
		if st.Leg == 0 && st.Local != "" {
			s.Local = st.Local
		}
		s.Steps = append(s.Steps, st.told(i+1))
	}
	r := e.Record
	s.Outcome = &capture.Outcome{
		Code: r.Code, Reason: r.Reason, HungUpBy: r.HungUpBy, Answered: !r.Answered.IsZero(), Talked: r.Duration, Script: r.Script,
	}
	return s
}

func (s *Step) told(n int) capture.Step {
	out := capture.Step{N: n, After: s.After.Seconds(), Leg: s.Leg, Hook: s.Hook, Text: s.Text, Where: s.Where}
	switch s.Kind {
	case b2bua.EventReceived, b2bua.EventSent:
		out.Kind = capture.Received
		if s.Kind == b2bua.EventSent {
			out.Kind = capture.Sent
		}
		out.Message = &capture.Message{Method: s.Method, Code: s.Code, Text: s.Bytes}
		if m, err := message.ParseMasked(s.Bytes); err == nil {
			out.Message.Reason, out.Message.SDP = m.Reason, len(m.Body) > 0 && strings.Contains(m.Get("Content-Type"), "sdp")
		}
	case b2bua.EventDecided:
		out.Kind = capture.Decision
	case b2bua.EventFailed:
		out.Kind = capture.Failure
	default:
		out.Kind = capture.Note
	}
	return out
}
