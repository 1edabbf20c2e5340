package registrar

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"legwork/b2bua/message"
)

// What one binding may cost the store, in bytes. Ten of the largest fit into a
// value of 64 KiB even when JSON escapes half of them.
const (
	maxContact = 1024
	maxPath    = 1024
	maxCallID  = 256
)

// registration is what one REGISTER asks for.
type registration struct {
	aor      string
	now      time.Time // in milliseconds, as the store keeps it
	date     time.Time // as the world has it
	callID   string
	cseq     uint32
	removal  bool      // Contact: *
	contacts []Binding // to set, or to remove when Expires is zero
	path     []string  // to echo
	lost     func(*Binding) bool
}

func (g *registration) isQuery() bool { return !g.removal && len(g.contacts) == 0 }

// read takes the REGISTER apart; the error is a refusal.
func (r *Registrar) read(req *message.Message, from Origin, expires time.Duration) (*registration, error) {
	aor, err := AOR(message.URIOf(req.Get("To")))
	if err != nil {
		return nil, bad("Bad To")
	}
	cseq, _, ok := req.CSeq()
	if id := req.CallID(); !ok || id == "" || len(id) > maxCallID || !isText(id) {
		return nil, bad("Bad Call-ID Or CSeq")
	}
	path, err := readPath(req)
	if err != nil {
		return nil, err
	}
	g := &registration{
		aor: aor, now: r.config.Clock().Truncate(time.Millisecond), date: r.config.Now(),
		callID: req.CallID(), cseq: cseq, lost: from.Lost,
	}
	if req.HasToken("Supported", "path") {
		g.path = path
	}
	values, err := r.contactsOf(req)
	if err != nil {
		return nil, err
	}
	if g.removal, err = removesAll(req, values); g.removal || err != nil {
		return g, err
	}
	allowed := r.terms(req, expires)
	for _, value := range values {
		b, err := g.contact(value, allowed)
		if err != nil {
			return nil, err
		}
		b.Path, b.Flow, b.Source, b.Transport = path, from.Flow, from.Source, from.Transport
		g.contacts = append(g.contacts, b)
	}
	return g, nil
}

// contactsOf bounds what follows before it splits the field.
func (r *Registrar) contactsOf(req *message.Message) ([]string, error) {
	most, size, there := r.config.MaxContacts, 0, false
	for _, h := range req.Headers {
		if message.Same(h.Name, "Contact") {
			there, size = true, size+len(h.Value)
		}
	}
	if size > most*maxContact {
		return nil, errTooMany
	}
	values := req.List("Contact")
	switch {
	case len(values) > most:
		return nil, errTooMany
	case there && len(values) == 0:
		return nil, bad("Bad Contact")
	}
	return values, nil
}

// removesAll is RFC 3261 section 10.3 step 6: "*" stands alone, and only where
// Expires is 0.
func removesAll(req *message.Message, values []string) (bool, error) {
	for _, value := range values {
		if value != "*" {
			continue
		}
		n, err := strconv.ParseUint(req.Get("Expires"), 10, 32)
		if len(values) > 1 || err != nil || n != 0 {
			return false, bad("Bad Use Of Contact *")
		}
		return true, nil
	}
	return false, nil
}

// terms are what this REGISTER may be granted.
type terms struct{ least, usual, most time.Duration }

// terms settles them; usual is what a contact without a time of its own asks for.
func (r *Registrar) terms(req *message.Message, expires time.Duration) terms {
	t := terms{least: r.config.Min, usual: r.config.Default, most: r.config.Max}
	if expires > 0 {
		expires = min(max(expires.Truncate(time.Second), time.Second), longest)
		t = terms{least: min(t.least, expires), usual: expires, most: expires}
	}
	if value, ok := req.Lookup("Expires"); ok {
		t.usual = interval(value)
	}
	return t
}

// grant is section 10.3 step 7: 0 stays 0, the others are cut to what is allowed
// or refused when they are too short.
func (t terms) grant(asked time.Duration) (time.Duration, error) {
	if asked > 0 && asked < t.least {
		return 0, &refusal{423, message.ReasonPhrase(423), []message.Header{
			{Name: "Min-Expires", Value: strconv.Itoa(int(t.least / time.Second))},
		}}
	}
	return min(asked, t.most), nil
}

// interval reads an expires parameter or field. What is no number stands for an
// hour (RFC 3261 section 20.10), what is too large for the largest.
func interval(s string) time.Duration {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return time.Hour
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return longest
	}
	return time.Duration(n) * time.Second
}

// contact reads one value of Contact.
func (g *registration) contact(value string, allowed terms) (Binding, error) {
	if len(value) > maxContact {
		return Binding{}, bad("Contact Too Long")
	}
	a, err := message.ParseAddr(value)
	if err != nil {
		return Binding{}, bad("Bad Contact")
	}
	asked := allowed.usual
	if value, ok := a.Params.Get("expires"); ok {
		asked = interval(value)
	}
	granted, err := allowed.grant(asked)
	if err != nil {
		return Binding{}, err
	}
	a.Display = ""
	a.Params.Del("expires")
	b, err := bind(a)
	if err != nil {
		return Binding{}, bad("Bad Contact")
	}
	b.CallID, b.CSeq, b.Registered = g.callID, g.cseq, g.now
	if granted > 0 {
		b.Expires = g.now.Add(granted)
	}
	return b, nil
}

// readPath returns the way back through the proxies that asked for it (RFC 3327
// section 5.3). It is kept also when the user agent does not know the extension.
func readPath(req *message.Message) ([]string, error) {
	size := 0
	for _, h := range req.Headers {
		if message.Same(h.Name, "Path") {
			size += len(h.Value)
		}
	}
	if size > maxPath {
		return nil, bad("Path Too Long")
	}
	path := req.List("Path")
	for _, hop := range path {
		if u, err := message.ParseURI(message.URIOf(hop)); err != nil || !u.IsSIP() || !isText(hop) {
			return nil, bad("Bad Path")
		}
	}
	return path, nil
}

// accept is section 10.3 step 8: the answer that names all bindings.
func (g *registration) accept(bindings []Binding) Result {
	headers := make([]message.Header, 0, len(bindings)+len(g.path)+1)
	for i := range bindings {
		left := (bindings[i].Expires.Sub(g.now) + time.Second - 1) / time.Second
		headers = append(headers, message.Header{Name: "Contact", Value: fmt.Sprintf("%s;expires=%d", bindings[i].text, left)})
	}
	for _, hop := range g.path {
		headers = append(headers, message.Header{Name: "Path", Value: hop})
	}
	date := g.date.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")
	return Result{Code: 200, Reason: message.ReasonPhrase(200), Headers: append(headers, message.Header{Name: "Date", Value: date})}
}
