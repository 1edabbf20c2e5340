package capture

import (
	"slices"
	"strconv"
	"strings"

	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/b2bua/trunk"
)

// Origin says where one field of a message that left comes from.
type Origin struct {
	Name  string `json:"name"` // of the header field, or uri status body
	Value string `json:"value"`
	From  Giver  `json:"from"`
	Where string `json:"where,omitempty"` // script line
	Why   string `json:"why,omitempty"`   // the rule that let it cross or kept it, or what the engine does with it
}

// Giver is who has given a field its value.
type Giver string

// Who that may be.
const (
	Caller Giver = "caller"
	Callee Giver = "callee"
	Script Giver = "script"
	Trunk  Giver = "trunk" // its configuration
	Engine Giver = "engine"
)

// Fields that are no header fields.
const (
	fieldURI    = "uri"
	fieldStatus = "status"
	fieldBody   = "body"
)

// inquiry finds the origins of one message.
type inquiry struct {
	story  *story
	sent   *step
	out    *message.Message
	source *message.Message // nil: it was made of no message that is known
	peer   Giver            // who sent that
	edits  []written        // into it, or into its source
	route  *inside          // the decision that led here; nil: none
}

// written is what one hook wrote.
type written struct {
	*inside
	before *message.Message // nil: it is not known
	direct bool             // into the message itself
}

// origins are those of a message that left, and of what of its source did not
// cross.
func (k *story) origins(st *step, mask Mask) (fields, left []Origin) {
	q := inquiry{story: k, sent: st, out: parsed(st.bytes), peer: Caller}
	if q.out == nil {
		return nil, nil
	}
	q.gather()
	if q.out.IsRequest() {
		fields = append(fields, q.first(fieldURI, q.out.URI))
	} else {
		fields = append(fields, q.first(fieldStatus, strings.TrimSpace(statusLine(q.out))))
	}
	for _, h := range q.out.Headers {
		fields = append(fields, q.field(h.Name, h.Value))
	}
	if len(q.out.Body) > 0 {
		fields = append(fields, q.body())
	}
	left = q.left()
	for _, list := range [][]Origin{fields, left} {
		for i := range list {
			list[i].Value = mask.field(list[i].Name, list[i].Value)
		}
	}
	return fields, left
}

// gather finds what the message was made of.
func (q *inquiry) gather() {
	k := q.story
	if q.sent.link > 0 {
		for i := range k.steps {
			if st := &k.steps[i]; st.n == q.sent.link {
				q.source = parsed(st.bytes)
				if st.leg > 0 {
					q.peer = Callee
				}
			}
		}
	}
	first := q.sent.n
	for i := range k.steps {
		st := &k.steps[i]
		if st.n < q.sent.n && q.repeats(st) {
			first = st.n
			break
		}
	}
	for i := range k.steps {
		st := &k.steps[i]
		switch {
		case st.n >= q.sent.n:
		case st.inside == nil:
		case len(st.inside.edits) > 0:
			direct := st.link == q.sent.n || st.link == first
			if direct || st.link == 0 && st.inside.of > 0 && st.inside.of == q.sent.link {
				q.edits = append(q.edits, written{st.inside, parsed(st.inside.before), direct})
			}
		case routes(st.inside.decision):
			q.route = st.inside
		}
	}
}

// repeats tells whether a step is the same request, sent before in other words:
// without credentials, or with a shorter session timer.
func (q *inquiry) repeats(st *step) bool {
	return st.kind == b2bua.EventSent && st.code == 0 && q.sent.code == 0 && st.leg == q.sent.leg && st.method == q.sent.method &&
		st.link == q.sent.link && st.method == "INVITE"
}

func routes(d b2bua.Decision) bool {
	switch d.(type) {
	case b2bua.Route, b2bua.Next, b2bua.Transfer:
		return true
	}
	return false
}

func statusLine(m *message.Message) string { return strconv.Itoa(m.Status) + " " + m.Reason }

// written finds the last edit that gave a field its value.
func (q *inquiry) written(name, value string) (Origin, bool) {
	for _, st := range slices.Backward(q.edits) {
		for i := len(st.edits) - 1; i >= 0; i-- {
			e := &st.edits[i]
			switch {
			case e.Op == b2bua.OpMap && st.direct && st.before != nil && mapped(st.before, name, value):
				return Origin{name, value, giverOf(e), e.Where(), st.hook}, true
			case e.Op != b2bua.OpSet && e.Op != b2bua.OpAdd, !sameField(e.Name, name):
			case e.Op == b2bua.OpAdd && e.Value != value, !st.direct && e.Value != value:
			default:
				return Origin{name, value, giverOf(e), e.Where(), st.hook}, true
			}
		}
	}
	return Origin{}, false
}

// giverOf is the script, unless an edit has no line of one.
func giverOf(e *b2bua.Edit) Giver {
	if e.File == "" {
		return Trunk
	}
	return Script
}

// mapped tells whether a field is another than it was before a response map.
func mapped(before *message.Message, name, value string) bool {
	if name == fieldStatus {
		return strings.TrimSpace(statusLine(before)) != value
	}
	return !trunk.Owned(name) && !slices.ContainsFunc(before.Headers, func(h message.Header) bool {
		return message.Same(h.Name, name) && h.Value == value
	})
}

// sameField compares names as edits and messages write them.
func sameField(edited, name string) bool {
	switch name {
	case fieldStatus:
		return edited == "status" || edited == "reason"
	case fieldBody:
		return edited == "body" || edited == "sdp"
	}
	return message.Same(edited, name)
}

// first is the origin of a Request-URI or a status.
func (q *inquiry) first(name, value string) Origin {
	if o, ok := q.written(name, value); ok {
		return o
	}
	switch {
	case name == fieldURI && q.out.ToTag() != "":
		return Origin{Name: name, Value: value, From: Engine, Why: "the dialog's remote target"}
	case q.source == nil:
		return Origin{Name: name, Value: value, From: Engine}
	case name == fieldStatus && strings.TrimSpace(statusLine(q.source)) == value,
		name == fieldURI && q.source.URI == value:
		return Origin{Name: name, Value: value, From: q.peer}
	case name == fieldURI && q.route != nil && q.sent.method == "INVITE":
		return q.decided(name, value)
	}
	return Origin{Name: name, Value: value, From: Engine}
}

// decided is what a decision of the script has asked for.
func (q *inquiry) decided(name, value string) Origin {
	o := Origin{Name: name, Value: value, From: Script, Where: q.route.where, Why: q.route.hook}
	if o.Where == "" {
		o.From, o.Why = Engine, "default route"
	}
	return o
}

// rewritten says why the engine has changed a body: codecs are in its streams, and
// what the preset edge hides is said for the whole session (veil.go).
func (q *inquiry) rewritten(was, is string) string {
	session, streams := func(s string) (string, string) {
		at := strings.Index(s, "\nm=") + 1
		return s[:at], s[at:]
	}, "changed by the codecs of a trunk"
	wasSession, wasStreams := session(was)
	isSession, isStreams := session(is)
	hidden := q.sent.rules != nil && q.sent.rules.Hides() && wasSession != isSession
	switch {
	case hidden && wasStreams == isStreams:
		return "names hidden by preset edge"
	case hidden:
		return "names hidden by preset edge, " + streams
	}
	return streams
}

// body is the origin of the body.
func (q *inquiry) body() Origin {
	value := string(q.out.Body)
	o, ok := q.written(fieldBody, value)
	switch {
	case ok:
	case q.source != nil && string(q.source.Body) == value:
		o = Origin{From: q.peer, Why: "as it came"}
	case q.source != nil && len(q.source.Body) > 0:
		o = Origin{From: q.peer, Why: q.rewritten(string(q.source.Body), value)}
	default:
		o = Origin{From: Engine}
	}
	o.Name, o.Value = fieldBody, q.out.Get("Content-Type")
	return o
}
