package script

import (
	"errors"
	"fmt"
	"strings"

	"legwork/b2bua/message"
)

// Bounds on what a script writes into one message.
const (
	maxValue   = 16 << 10  // bytes of a header value or a URI
	maxHeaders = 400       // fields
	maxBody    = 256 << 10 // bytes
)

// engineOwned are the fields that each leg's own dialog and transaction make:
// edits are refused (RFC 3261 section 8.1.1, RFC 3262 section 7).
func engineOwned(name string) bool {
	switch len(name) {
	case 1, 3, 4, 5, 7, 12, 14:
	default:
		return false
	}
	for _, owned := range [...]string{
		"Via", "Call-ID", "CSeq", "Route", "Record-Route", "Max-Forwards", "Content-Length", "RSeq", "RAck",
	} {
		if message.Same(name, owned) {
			return true
		}
	}
	return false
}

// mayEdit tells whether a script may write the field at all.
func mayEdit(name string) error {
	if !message.IsToken(name) {
		return fmt.Errorf("%q is not a header name", name)
	}
	if engineOwned(name) {
		return fmt.Errorf("%s belongs to the engine: each leg has its own", message.LongName(name))
	}
	return nil
}

// tagged tells whether the field holds a tag of the dialog.
func tagged(name string) bool { return message.Same(name, "From") || message.Same(name, "To") }

func checkText(what, text string) error {
	if err := message.CheckValue(text); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if len(text) > maxValue {
		return fmt.Errorf("%s: longer than %d bytes", what, maxValue)
	}
	return nil
}

// setHeader replaces all fields of the name by these; none removes them. From
// and To keep their tag, and there is always one of each.
func setHeader(m *message.Message, name string, values ...string) error {
	if err := mayEdit(name); err != nil {
		return err
	}
	for _, v := range values {
		if err := checkText(name, v); err != nil {
			return err
		}
	}
	if err := checkAddress(name, values...); err != nil {
		return err
	}
	if tagged(name) {
		return setTagged(m, name, values)
	}
	if len(values) == 0 {
		m.Del(name)
		return nil
	}
	if len(m.Headers)+len(values) > maxHeaders {
		return fmt.Errorf("more than %d header fields", maxHeaders)
	}
	m.Set(name, values[0])
	for _, v := range values[1:] {
		m.Add(name, v)
	}
	return nil
}

var errTag = errors.New("the tag belongs to the engine: leave it out")

func setTagged(m *message.Message, name string, values []string) error {
	if len(values) != 1 {
		return fmt.Errorf("a message has one %s", message.LongName(name))
	}
	a, err := message.ParseAddr(values[0])
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	old := message.Tag(m.Get(name))
	if tag, ok := a.Params.Get("tag"); ok && tag != old {
		return fmt.Errorf("%s: %w", name, errTag)
	}
	a.Params.Del("tag")
	if old != "" {
		a.Params.Set("tag", old)
	}
	m.Set(name, a.String())
	return nil
}

// addHeader appends a field.
func addHeader(m *message.Message, name, value string) error {
	if err := mayEdit(name); err != nil {
		return err
	}
	if tagged(name) {
		return fmt.Errorf("a message has one %s", message.LongName(name))
	}
	if len(m.Headers) >= maxHeaders {
		return fmt.Errorf("more than %d header fields", maxHeaders)
	}
	if err := checkText(name, value); err != nil {
		return err
	}
	if err := checkAddress(name, value); err != nil {
		return err
	}
	m.Add(name, value)
	return nil
}

// checkAddress keeps a Contact that dialogs can be built on.
func checkAddress(name string, values ...string) error {
	if !message.Same(name, "Contact") {
		return nil
	}
	for _, one := range (&message.Message{Headers: headersOfOne("Contact", values)}).List("Contact") {
		if _, err := message.ParseAddr(one); err != nil {
			return fmt.Errorf("%s: %q is not an address", name, one)
		}
	}
	return nil
}

func headersOfOne(name string, values []string) []message.Header {
	all := make([]message.Header, 0, len(values))
	for _, v := range values {
		all = append(all, message.Header{Name: name, Value: v})
	}
	return all
}

// matches tells whether a name is meant by one of the names or patterns "X-*".
func matches(patterns []string, name string) bool {
	for _, p := range patterns {
		if prefix, ok := strings.CutSuffix(p, "*"); ok {
			if len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) {
				return true
			}
		} else if message.Same(p, name) {
			return true
		}
	}
	return false
}

// staying are fields that h:keep and a pattern of h:drop pass over: without
// them it would be another message. An exact name removes them where it may.
func staying(name string) bool {
	return engineOwned(name) || tagged(name) || message.Same(name, "Contact") || message.Same(name, "Content-Type")
}

// keepHeaders removes what is neither named nor needed.
func keepHeaders(m *message.Message, patterns []string) {
	filter(m, func(name string) bool { return staying(name) || matches(patterns, name) })
}

// dropHeaders removes what is named.
func dropHeaders(m *message.Message, patterns []string) error {
	var exact []string
	for _, p := range patterns {
		if strings.HasSuffix(p, "*") {
			continue
		}
		if err := mayEdit(p); err != nil {
			return err
		}
		if tagged(p) {
			return fmt.Errorf("a message has one %s", message.LongName(p))
		}
		exact = append(exact, p)
	}
	filter(m, func(name string) bool {
		return !matches(exact, name) && (staying(name) || !matches(patterns, name))
	})
	return nil
}

func filter(m *message.Message, keep func(name string) bool) {
	kept := make([]message.Header, 0, len(m.Headers))
	for _, h := range m.Headers {
		if keep(h.Name) {
			kept = append(kept, h)
		}
	}
	m.Headers = kept
}

// setURI replaces the Request-URI.
func setURI(m *message.Message, text string) error {
	if !m.IsRequest() {
		return errors.New("a response has no URI")
	}
	if err := checkURI(text); err != nil {
		return err
	}
	m.URI = text
	return nil
}

// checkURI refuses what RFC 3261 section 8.2.2.1 and 19.1.1 forbid in a
// Request-URI.
func checkURI(text string) error {
	if err := checkText("URI", text); err != nil {
		return err
	}
	u, err := message.ParseURI(text)
	if err != nil || strings.ContainsAny(text, " \t<>\"") {
		return fmt.Errorf("%q is not a URI", text)
	}
	if u.Headers != "" {
		return errors.New("a Request-URI has no headers behind \"?\"")
	}
	return nil
}

// setStatus keeps a response in its kind: a 180 may become a 183, a 503 a 486,
// but no failure an answer. The reason phrase follows, unless the script has
// written its own.
func setStatus(m *message.Message, code int, ownReason bool) error {
	if m.IsRequest() {
		return errors.New("a request has no status")
	}
	low, high := 300, 699
	switch m.Status / 100 {
	case 1:
		low, high = 101, 199
	case 2:
		low, high = 200, 299
	}
	if code < low || code > high {
		return fmt.Errorf("status %d: a %d can become %d to %d", code, m.Status, low, high)
	}
	if code != m.Status && !ownReason {
		m.Reason = message.ReasonPhrase(code)
	}
	m.Status = code
	return nil
}

func setReason(m *message.Message, text string) error {
	if m.IsRequest() {
		return errors.New("a request has no reason phrase")
	}
	if err := checkText("reason", text); err != nil {
		return err
	}
	m.Reason = text
	return nil
}

// setBody replaces the body; an empty one takes its type along.
func setBody(m *message.Message, body string) error {
	if len(body) > maxBody {
		return fmt.Errorf("body: longer than %d bytes", maxBody)
	}
	m.Body = []byte(body)
	if body == "" {
		m.Body = nil
		m.Del("Content-Type")
	}
	return nil
}
