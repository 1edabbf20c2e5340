package capture

import (
	"slices"
	"strings"

	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/b2bua/trunk"
)

// field is the origin of a header field: the last who wrote it is asked first.
func (q *inquiry) field(name, value string) Origin {
	o := Origin{Name: name, Value: value, From: Engine, Why: engines(name, q.out.IsRequest())}
	if w, ok := q.written(name, value); ok {
		return w
	}
	if message.Same(name, "From") || message.Same(name, "To") {
		return q.party(o)
	}
	if set, ok := q.set(name, value); ok {
		return set
	}
	if q.source == nil {
		if message.Same(name, "Max-Forwards") {
			o.Why = "the first hop of a request of our own"
		}
		return o
	}
	was, there := q.same(name, value)
	switch {
	case trunk.Owned(name) || !there && was == "":
	case there:
		o.From = q.peer
		if q.sent.rules != nil {
			_, o.Why = q.sent.rules.Judge(name)
		}
	case o.Why == "": // the peer's, in other words
		o.Why = "the " + string(q.peer) + "'s, rewritten as the trunks want it"
	}
	return o
}

// party is the origin of From and To: whose address it is, with whose tag.
func (q *inquiry) party(o Origin) Origin {
	if !q.out.IsRequest() {
		o.Why = "the request's"
		return o
	}
	o.Why = "the dialog's"
	if q.source == nil || !q.source.IsRequest() {
		return o
	}
	if bare(q.source.Get(o.Name)) == bare(o.Value) {
		o.From, o.Why = q.peer, "with a tag of our own"
		if message.Tag(o.Value) == "" {
			o.Why = ""
		}
	} else if message.Tag(q.source.Get("To")) == "" {
		o.Why = "the " + string(q.peer) + "'s, rewritten as the trunks want it"
	}
	return o
}

func bare(value string) string { return message.WithTag(value, "") }

// same looks for a field in the source: with this value, or else with any.
func (q *inquiry) same(name, value string) (was string, there bool) {
	all := q.source.All(name)
	if slices.Contains(all, value) {
		return value, true
	}
	return strings.Join(all, ", "), false
}

// set finds a field that the route, its target or a trunk's configuration sets.
func (q *inquiry) set(name, value string) (Origin, bool) {
	has := func(list []message.Header) bool {
		return slices.ContainsFunc(list, func(h message.Header) bool { return message.Same(h.Name, name) && h.Value == value })
	}
	if q.route != nil && q.sent.leg > 0 && q.sent.code == 0 {
		targets, headers := wanted(q.route.decision)
		if slices.ContainsFunc(targets, func(t b2bua.Target) bool { return has(t.Headers) }) || has(headers) {
			return Origin{Name: name, Value: value, From: Script, Where: q.route.where, Why: "headers of the route"}, true
		}
	}
	if q.sent.rules != nil && has(q.sent.rules.Set) {
		return Origin{Name: name, Value: value, From: Trunk, Why: "headers.set of trunk " + q.trunk()}, true
	}
	return Origin{}, false
}

// wanted is what a decision says of headers.
func wanted(d b2bua.Decision) ([]b2bua.Target, []message.Header) {
	switch d := d.(type) {
	case b2bua.Route:
		return d.Targets, d.Headers.Set
	case b2bua.Next:
		return d.Targets, d.Headers
	case b2bua.Transfer:
		return d.Targets, nil
	}
	return nil, nil
}

func (q *inquiry) trunk() string {
	if int(q.sent.leg) < len(q.story.parties) {
		return q.story.parties[q.sent.leg].Trunk
	}
	return ""
}

// left lists the fields of the source that did not cross, but for those that
// each leg has of its own.
func (q *inquiry) left() []Origin {
	if q.source == nil || q.source.IsRequest() != q.out.IsRequest() {
		return nil
	}
	var list []Origin
	for _, h := range q.source.Headers {
		if _, crossed := q.out.Lookup(h.Name); crossed || trunk.Owned(h.Name) {
			continue
		}
		o := Origin{Name: h.Name, Value: h.Value, From: Engine}
		if q.sent.rules != nil {
			_, o.Why = q.sent.rules.Judge(h.Name)
		}
		if e, st := q.removed(h.Name); e != nil {
			o.From, o.Where, o.Why = giverOf(e), e.Where(), st.hook
		}
		list = append(list, o)
	}
	return list
}

// removed finds the edit that took a field away.
func (q *inquiry) removed(name string) (*b2bua.Edit, *inside) {
	for _, st := range slices.Backward(q.edits) {
		if st.before != nil {
			if _, there := st.before.Lookup(name); !there {
				continue
			}
		}
		for i := range st.edits {
			e := &st.edits[i]
			patterns := trunk.Headers{Preset: trunk.None, Pass: strings.Split(e.Name, ", ")}
			switch {
			case e.Op == b2bua.OpRemove && message.Same(e.Name, name),
				e.Op == b2bua.OpKeep && !patterns.Crosses(name),
				e.Op == b2bua.OpDrop && patterns.Crosses(name):
				return e, st.inside
			}
		}
	}
	return nil, nil
}

// engines says what the engine does with a field that it makes itself.
func engines(name string, request bool) string {
	switch strings.ToLower(message.LongName(name)) {
	case "via", "route", "record-route", "call-id", "cseq", "contact", "content-length", "rseq", "rack":
		if !request && !strings.EqualFold(name, "Contact") && !strings.EqualFold(name, "Content-Length") && !strings.EqualFold(name, "RSeq") {
			return "the request's"
		}
		return "each leg has its own"
	case "max-forwards":
		return "one hop less"
	case "allow", "supported", "accept":
		return "what we can"
	case "user-agent", "server":
		return "who we are"
	case "session-expires", "min-se", "require":
		return "what the legs have agreed"
	case "authorization", "proxy-authorization":
		return "credentials for this neighbour"
	case "reason":
		return "why it ended"
	}
	return ""
}
