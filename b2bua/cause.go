package b2bua

import (
	"fmt"

	"legwork/b2bua/message"
	"legwork/b2bua/q850"
	"legwork/b2bua/trunk"
)

// Causes of Q.850 in Reason (RFC 3326, RFC 6432), by the tables of RFC 3398 and
// what a trunk says otherwise.

const (
	normalClearing    = 16
	answeredElsewhere = 26 // non-selected user clearing
)

// reasonQ850 is a Reason with a cause.
func reasonQ850(cause int) string {
	return fmt.Sprintf("Q.850;cause=%d;text=%q", cause, q850.Text(cause))
}

// causeFor is the cause for a status code at a neighbour that wants to be told;
// 0: none.
func causeFor(t *trunk.Trunk, code int) int {
	if t == nil || !t.Q850.Add {
		return 0
	}
	if cause, ok := t.Q850.Causes[code]; ok {
		return cause
	}
	cause, _ := q850.FromSIP(code)
	return cause
}

// explain adds the cause to a failure that has none.
func explain(t *trunk.Trunk, res *message.Message) {
	if cause := causeFor(t, res.Status); cause != 0 && res.Q850() == 0 {
		res.Add("Reason", reasonQ850(cause))
	}
}

// farewellCause is the value of a further Reason for a BYE or a CANCEL that says
// no cause; "": none is wanted. A code in the Reason that there is tells it, but
// for 200: another phone has answered.
func farewellCause(t *trunk.Trunk, m *message.Message) string {
	if t == nil || !t.Q850.Add || m.Q850() != 0 {
		return ""
	}
	switch code := m.SIPCause(); {
	case code == 200:
		return reasonQ850(answeredElsewhere)
	case causeFor(t, code) != 0:
		return reasonQ850(causeFor(t, code))
	}
	return reasonQ850(normalClearing)
}

// withCause adds it to the Reason of a CANCEL.
func withCause(t *trunk.Trunk, reason string) string {
	m := &message.Message{}
	if reason != "" {
		m.Add("Reason", reason)
	}
	switch cause := farewellCause(t, m); {
	case cause == "":
		return reason
	case reason == "":
		return cause
	default:
		return reason + ", " + cause
	}
}

// understood is a failure with the code that its cause stands for, if its trunk
// says that causes tell more than codes. A challenge stays one.
func (l *leg) understood(res *message.Message) *message.Message {
	cause := res.Q850()
	if l.trunk == nil || !l.trunk.Q850.Read || cause == 0 || res.Status < 400 || res.Status == 401 || res.Status == 407 {
		return res
	}
	code, ok := l.trunk.Q850.Codes[cause]
	if !ok {
		code, ok = q850.ToSIP(cause)
	}
	if !ok || code == res.Status {
		return res
	}
	out := res.Clone()
	out.Status, out.Reason = code, message.ReasonPhrase(code)
	return out
}
