package journal

import (
	"encoding/json"
	"strings"
	"time"

	"legwork/b2bua"
	"legwork/b2bua/message"
)

// Entry is one call as it was decided: what its decisions stood on, and what
// came of them. Secrets are masked in it.
type Entry struct {
	Record *b2bua.Record `json:"record"`
	Source Source        `json:"source"`
	Steps  []Step        `json:"steps"`
	Cut    bool          `json:"cut,omitempty"` // there was more than an entry holds
	Met    []Met         `json:"met,omitempty"`
	Seed   []byte        `json:"seed,omitempty"` // of its random numbers
	Down   []string      `json:"down,omitempty"` // targets that were down when it began, "trunk uri"
	Off    []string      `json:"off,omitempty"`  // trunks that were disabled then
	// Located are the contacts that registered users had.
	Located map[string][]string `json:"located,omitempty"`
}

// Source is where the call came from.
type Source struct {
	IP        string `json:"ip"`
	Port      int    `json:"port"`
	Transport string `json:"transport"`
	TLSName   string `json:"tls_name,omitempty"`
	Trunk     string `json:"trunk,omitempty"`
	Account   string `json:"account,omitempty"`
	Listener  string `json:"listener,omitempty"`
}

// Step is one thing that happened.
type Step struct {
	Kind   b2bua.Kind    `json:"kind"`
	After  time.Duration `json:"after"`
	Leg    int           `json:"leg,omitempty"` // 0 is the caller's
	Trunk  string        `json:"trunk,omitempty"`
	Target string        `json:"target,omitempty"`
	Local  string        `json:"local,omitempty"` // our side as the peer sees it
	Remote string        `json:"remote,omitempty"`
	Method string        `json:"method,omitempty"`
	Code   int           `json:"code,omitempty"`
	Bytes  string        `json:"bytes,omitempty"` // of a message
	Hook   string        `json:"hook,omitempty"`
	Text   string        `json:"text,omitempty"`
	Where  string        `json:"where,omitempty"` // script line
}

// Met is what a look-up, the store or a limit said.
type Met struct {
	Kind   string          `json:"kind"` // of lib.Question, or "fate": store and limits
	Key    string          `json:"key"`
	Values json.RawMessage `json:"values,omitempty"`
	Status int             `json:"status,omitempty"`
	Body   []byte          `json:"body,omitempty"`
	Cached bool            `json:"cached,omitempty"`
	Value  json.RawMessage `json:"value,omitempty"`
	Err    string          `json:"err,omitempty"`
	Took   time.Duration   `json:"took,omitempty"`
}

// Began is when the call came.
func (e *Entry) Began() time.Time { return e.Record.Started }

// Invite is the caller's.
func (e *Entry) Invite() string {
	for i := range e.Steps {
		if s := &e.Steps[i]; s.Leg == 0 && s.Kind == b2bua.EventReceived && s.Method == "INVITE" && s.Code == 0 {
			return s.Bytes
		}
	}
	return ""
}

// Number is the user part of what the caller called.
func (e *Entry) Number() string {
	u, err := message.ParseURI(e.Record.To)
	if err != nil {
		return ""
	}
	return u.User
}

// Bounds of one entry.
const (
	maxSteps = 300
	maxMet   = 300
	maxBytes = 128 << 10 // of all messages, and of all answers
	maxText  = 300
	maxLeg   = 1000 // more than a call has
)

// growing is the entry of a call in progress.
type growing struct {
	Entry
	size  int
	met   int
	draws *draws // nil: it drew nothing
}

// weight is about how many bytes it takes.
func (g *growing) weight() int64 { return int64(g.size + g.met) }

// stepOf is what an event tells; false: nothing. All that takes long is done here,
// before the log is locked.
func stepOf(ev *b2bua.Event) (s Step, told bool) {
	s = Step{Kind: ev.Kind, Leg: ev.Leg.Index}
	switch ev.Kind {
	case b2bua.EventReceived, b2bua.EventSent:
		if ev.Message == nil || !tells(ev) {
			return s, false
		}
		m := ev.Message
		s.Trunk, s.Target, s.Local, s.Remote = ev.Leg.Trunk, message.MaskURI(ev.Leg.Target), ev.Leg.Local, ev.Leg.Remote
		s.Method, s.Code, s.Bytes = m.Method, m.Status, text(ev)
	case b2bua.EventDecided, b2bua.EventNote, b2bua.EventFailed:
		s.Hook, s.Text, s.Where = ev.Hook, clip(message.Mask(ev.Text)), ev.Where
	default:
		return s, false
	}
	return s, true
}

func (g *growing) add(s Step, ev *b2bua.Event) {
	s.After = ev.At.Sub(g.Record.Started)
	g.locate(ev.Decision)
	if g.size += len(s.Bytes) + len(s.Text); g.size > maxBytes || len(g.Steps) == maxSteps {
		g.Cut = true
		return
	}
	g.Steps = append(g.Steps, s)
}

// tells whether a message has to do with how the call was decided: INVITEs and
// what is said to them, CANCEL and BYE.
func tells(ev *b2bua.Event) bool {
	m := ev.Message
	switch m.Method {
	case "INVITE":
		return m.Status != 100
	case "CANCEL", "BYE":
		return m.IsRequest()
	}
	return false
}

// text is a message without what it must not show.
func text(ev *b2bua.Event) string {
	return strings.ToValidUTF8(message.Mask(string(ev.Wire())), "\uFFFD")
}

// locate notes which contacts took the places of addresses of record.
func (g *growing) locate(d b2bua.Decision) {
	var targets []b2bua.Target
	switch d := d.(type) {
	case b2bua.Route:
		targets = d.Targets
	case b2bua.Next:
		targets = d.Targets
	}
	for i := range targets {
		t := &targets[i]
		if t.AOR == "" || t.URI == "" {
			continue
		}
		if g.Located == nil {
			g.Located = map[string][]string{}
		}
		g.Located[t.AOR] = append(g.Located[t.AOR], message.MaskURI(t.URI))
	}
}

// clip bounds a text.
func clip(s string) string {
	if len(s) > maxText {
		return strings.ToValidUTF8(s[:maxText], "") + "…"
	}
	return strings.Clone(s)
}
