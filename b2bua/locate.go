package b2bua

import (
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"legwork/b2bua/message"
	"legwork/b2bua/registrar"
	"legwork/b2bua/transport"
)

// located is where a registered user can be reached.
type located struct {
	routes  []string       // Route on the way there (RFC 3327)
	flow    transport.Flow // that the phone registered over; the zero value: by its contact
	missing int            // he can't be: the failure this is; 0: he can
}

// errMissing says that nobody is registered under an address of record.
var errMissing = errors.New("not registered")

// locate puts the contacts of registered users into the place of their addresses
// of record. It is done with the router's answer, outside any mailbox, because
// the store may wait.
func (s *Server) locate(d Decided) Decided {
	switch e := d.Decision.(type) {
	case Route:
		e.Targets = s.contacts(e.Targets)
		d.Decision = e
	case Next:
		e.Targets = s.contacts(e.Targets)
		d.Decision = e
	case Transfer:
		e.Targets = s.contacts(e.Targets)
		d.Decision = e
	}
	return d
}

func (s *Server) contacts(targets []Target) []Target {
	var all []Target
	for i, t := range targets {
		if t.AOR == "" || t.URI != "" || t.Trunk != "" {
			if all != nil {
				all = append(all, t)
			}
			continue
		}
		if all == nil {
			all = append(all, targets[:i]...)
		}
		all = append(all, s.contactsOf(t)...)
	}
	if all == nil {
		return targets
	}
	return all
}

// contactsOf makes a target of each contact of a user: those with the highest q
// first, equal ones beside each other (RFC 3261 section 16.6).
func (s *Server) contactsOf(t Target) []Target {
	bindings, code := s.bindings(t.AOR)
	var found []Target
	q := 0.0
	for i := range bindings {
		b := &bindings[i]
		uri, at, ok := s.reachable(b)
		if !ok {
			continue
		}
		one := t
		one.URI, one.located = uri, at
		one.Beside = t.Beside && len(found) == 0 || len(found) > 0 && b.Q == q
		found, q = append(found, one), b.Q
	}
	if len(found) == 0 {
		t.URI, t.located = t.AOR, &located{missing: code}
		return []Target{t}
	}
	return found
}

// bindings are what is registered for a user, or the code that says why
// nothing is: 404 for one whom nobody knows, 480 for one who is away.
func (s *Server) bindings(aor string) ([]registrar.Binding, int) {
	canonical, err := registrar.AOR(aor)
	if err != nil {
		return nil, 404
	}
	set := s.settings()
	at := s.lent
	if user := userOf(canonical); !isLent(user) {
		if at = set.Registrar; at == nil {
			s.log.Warn("a target is an address of record, and no registrar is enabled", "target", aor)
			return nil, 404
		}
		if set.Users != nil && !isUser(canonical, set.Users) {
			return nil, 404
		}
	} else {
		canonical = lentAs(user)
	}
	list, err := at.Lookup(canonical)
	if err != nil {
		s.log.Error("bindings can't be read", "target", aor, "err", err)
		return nil, 500
	}
	return list, 480
}

// reachable is a binding as a Request-URI and the way to it; false when we can't
// speak to it, or when it was a flow that is gone and nothing else would do (RFC
// 5626 section 5.3).
func (s *Server) reachable(b *registrar.Binding) (uri string, at *located, ok bool) {
	u, err := message.ParseURI(b.Contact)
	if err != nil || !dialable(b.Contact) || !u.IsSIP() {
		return "", nil, false
	}
	u.Headers = ""
	u.Params.Del("method")
	at = &located{routes: b.Path}
	if b.Flow != "" && len(b.Path) == 0 {
		if at.flow, ok = s.transport.Redeem(b.Flow); !ok && (b.RegID != 0 || isWeb(u)) {
			return "", nil, false
		}
	}
	return u.String(), at, true
}

// isLost tells whether a binding was a connection to this process that has ended,
// and nothing else would do: each load of a page would leave one.
func (s *Server) isLost(b *registrar.Binding) bool {
	if len(b.Path) > 0 || !s.transport.Ended(b.Flow) {
		return false
	}
	u, err := message.ParseURI(b.Contact)
	return err == nil && (b.RegID != 0 || isWeb(u))
}

// isWeb tells whether a URI is a WebSocket client's, whom only its connection
// leads to.
func isWeb(u message.URI) bool {
	by, _ := u.Params.Get("transport")
	return strings.EqualFold(by, "ws") || strings.EqualFold(by, "wss")
}

// userOf is the user of a URI, without escapes where none are needed.
func userOf(uri string) string {
	u, err := message.ParseURI(uri)
	if err != nil {
		return ""
	}
	return u.User
}

// isUser tells whether an address of record is that of a configured user.
func isUser(aor string, users Users) bool {
	for _, name := range accountsOf(aor) {
		if _, known := users(name); known {
			return true
		}
	}
	return false
}

// accountsOf are the accounts that own an address of record: its user, also
// with the host behind it.
func accountsOf(aor string) []string {
	u, err := message.ParseURI(aor)
	if err != nil || u.User == "" {
		return nil
	}
	user, err := url.PathUnescape(u.User)
	if err != nil {
		return nil
	}
	return []string{user, user + "@" + u.Host}
}

// owns tells whether an account may register for an address of record.
func owns(account, aor string) bool {
	return account != "" && slices.Contains(accountsOf(aor), account)
}

// missing tells that nobody is there: the next target is tried whatever the
// route says.
func (h *hop) missing() bool { return h.at != nil && h.at.missing != 0 }

// addRoutes writes the Path of a registered contact into a request.
func (h *hop) addRoutes(m *message.Message) {
	if h.at == nil {
		return
	}
	for _, route := range h.at.routes {
		m.Add("Route", route)
	}
}

// home is the host of a registered contact that its flow leads to; see leg.home.
func (h *hop) home() string {
	if h.at == nil || h.at.flow.Listener == nil {
		return ""
	}
	u, err := message.ParseURI(h.next)
	if err != nil {
		return ""
	}
	return u.Host
}

// home is the host in a peer's Contact that stands for its flow: the peer wrote
// its own address, and it is not the one that we see (flow C32). "": the Contact
// is an address like others.
func home(req *message.Message, f transport.Flow) string {
	contact, ok := req.Contact()
	if !ok || !writtenBySender(contact.URI, req, f) {
		return ""
	}
	u, err := message.ParseURI(contact.URI)
	if err != nil || u.BareHost() == f.Remote.Addr().Unmap().String() {
		return ""
	}
	return u.Host
}

// writtenBySender tells whether a contact is the address of whoever sent the
// request to us directly, as he knows it or as we see it. The port counts with
// datagrams; who opened a connection may listen elsewhere, but for a WebSocket
// client, which does not listen at all. A private address that reaches us from
// elsewhere is his too: nobody else can have given it to us.
func writtenBySender(contact string, req *message.Message, f transport.Flow) bool {
	via, ok := req.Via()
	u, err := message.ParseURI(contact)
	if !ok || err != nil || len(req.List("Via")) != 1 {
		return false
	}
	seen, any := f.Remote, f.Stream()
	return f.Listener.Web() || strings.EqualFold(u.Host, via.Host) && (any || portOf(u.Port) == portOf(via.Port)) ||
		u.BareHost() == seen.Addr().Unmap().String() && (any || portOf(u.Port) == int(seen.Port())) ||
		isPrivate(u.BareHost()) && !isPrivate(seen.Addr().Unmap().String())
}

// isPrivate tells whether host is an address of RFC 1918 or RFC 4193.
func isPrivate(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsPrivate()
}

func portOf(port int) int {
	if port == 0 {
		return 5060
	}
	return port
}
