package b2bua

import (
	"log/slog"
	"net/netip"
	"reflect"
	"strings"
	"sync"

	"legwork/b2bua/message"
	"legwork/b2bua/trunk"
)

// upstreams are our registrations with trunks, by the trunk's name.
type upstreams struct {
	mu      sync.Mutex // guards all below; nothing is called out under it
	running bool       // since Attend, until resign
	byTrunk map[string]*upstream
	leaving sync.WaitGroup // those that say goodbye
}

// Attend begins what the server does unasked: to register with the trunks that
// want it, and to ask targets whether they are alive. Listen comes first; from here on Apply keeps it up to date.
func (s *Server) Attend() {
	s.upstreams.mu.Lock()
	s.upstreams.running = true
	s.upstreams.mu.Unlock()
	s.probes.mu.Lock()
	s.probes.running = true
	s.probes.mu.Unlock()
	s.enlist(s.settings().Trunks)
	s.probe(s.settings().Trunks)
}

// enlist makes the registrations be those of a table. One that changes its
// name, account or socket begins anew, and ends where it was; with new
// credentials or targets it is refreshed at once.
func (s *Server) enlist(table *trunk.Table) {
	u := &s.upstreams
	u.mu.Lock()
	var ended, begun []*upstream
	for name, one := range u.byTrunk {
		if t := table.Get(name); !u.running || t == nil || !one.fits(t) {
			delete(u.byTrunk, name)
			u.leaving.Add(1)
			ended = append(ended, one)
		}
	}
	for _, name := range table.Names() {
		t := table.Get(name)
		if t.Register == nil || !u.running {
			continue
		}
		if u.byTrunk == nil {
			u.byTrunk = make(map[string]*upstream)
		}
		if u.byTrunk[name] == nil {
			u.byTrunk[name] = s.newUpstream(t)
		}
		begun = append(begun, u.byTrunk[name])
	}
	u.mu.Unlock()
	for _, one := range ended {
		if t := table.Get(one.name); t != nil && t.Register == nil {
			s.trunks.Of(one.name).SetRegistration(nil)
		}
		one.post(resigned{})
	}
	for _, one := range begun {
		one.post(enlisted{table.Get(one.name)})
	}
}

// resign ends all registrations and probes; the channel is closed when all have been
// answered.
func (s *Server) resign() <-chan struct{} {
	s.upstreams.mu.Lock()
	s.upstreams.running = false
	s.upstreams.mu.Unlock()
	s.probes.mu.Lock()
	s.probes.running = false
	s.probes.mu.Unlock()
	s.enlist(s.settings().Trunks)
	s.probe(s.settings().Trunks)
	gone := make(chan struct{})
	go func() { // ends with the last of them, at the latest when Close fails its REGISTER
		s.upstreams.leaving.Wait()
		close(gone)
	}()
	return gone
}

// fits tells whether a trunk's registration is still this one.
func (u *upstream) fits(t *trunk.Trunk) bool {
	r := t.Register
	return r != nil && r.AOR == u.account.AOR && r.ContactUser == u.account.ContactUser && t.Listen == u.listen
}

// sameAccount tells whether nothing has changed that a registrar would see.
func sameAccount(a, b *trunk.Trunk) bool {
	return *a.Register == *b.Register && reflect.DeepEqual(a.Auth, b.Auth) && reflect.DeepEqual(a.Targets, b.Targets)
}

// registered is the trunk that a request has come from by way of our Contact
// there, which only it knows: the Contact's line says so, wherever the request
// comes from. Where a registrar has lost that, its user does, if the request
// comes from where we have registered, or from a trunk at the same registrar. t
// is the trunk that the source matches, and stays otherwise.
func (s *Server) registered(req *message.Message, source netip.Addr, t *trunk.Trunk, table *trunk.Table) *trunk.Trunk {
	u := &s.upstreams
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.byTrunk) == 0 {
		return t
	}
	uri, err := message.ParseURI(req.URI)
	if err != nil || uri.User == "" {
		return t
	}
	line, _ := uri.Params.Get("line")
	for _, one := range u.byTrunk {
		if one.line == line || line == "" && one.user == uri.User && one.near(source, t) {
			if found := table.Get(one.name); found != nil {
				return found
			}
		}
	}
	return t
}

// near tells whether a source may stand for the registrar. It is asked under the
// lock of upstreams.
func (u *upstream) near(source netip.Addr, t *trunk.Trunk) bool {
	if t != nil {
		return t.Name == u.name || t.Register != nil && strings.EqualFold(registrarOf(t.Register.AOR), u.registrar)
	}
	return u.met[source.Unmap()]
}

// meet keeps an address that a REGISTER went to.
func (u *upstream) meet(addr netip.Addr) {
	all := &u.server.upstreams
	all.mu.Lock()
	defer all.mu.Unlock()
	if len(u.met) < maxMet {
		u.met[addr.Unmap()] = true
	}
}

// maxMet bounds the addresses of one registrar.
const maxMet = 64

// registrarOf is the Request-URI of REGISTERs for an address of record (RFC 3261
// section 10.2): its domain.
func registrarOf(aor string) string {
	u, err := message.ParseURI(aor)
	if err != nil {
		return ""
	}
	domain := message.URI{Scheme: u.Scheme, Host: u.Host, Port: u.Port}
	return domain.String()
}

// resign says goodbye where the registrar may know us.
func (u *upstream) resign() {
	known := u.state.Bound() || u.now != nil && u.now.req != nil
	target := u.state.Target
	if u.now != nil {
		if target == "" {
			target = u.now.target
		}
		if u.now.client != nil {
			u.now.client.Abandon()
		}
	}
	u.leaving, u.left = true, nil
	if !known {
		u.gone()
		return
	}
	u.ask(target, 0)
}

func (u *upstream) gone() {
	u.stop()
	u.letGo()
	u.now = nil
	const text = "registration ended"
	u.server.log.Info(text, "trunk", u.name, "code", u.state.Code, "reason", u.state.Reason)
	u.server.report(RegistrationDown, u.name, u.state.Target, text)
	u.server.upstreams.leaving.Done()
}

// tell logs and reports what is news.
func (u *upstream) tell(level slog.Level, change Change, text string) {
	if text == u.told {
		return
	}
	u.told = text
	u.server.log.Log(u.server.ctx, level, text, "trunk", u.name, "target", u.state.Target, "code", u.state.Code, "reason", u.state.Reason)
	u.server.report(change, u.name, u.state.Target, text)
}

// publish shows how far it has come, unless somebody else registers by now.
func (u *upstream) publish() {
	all := &u.server.upstreams
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.byTrunk[u.name] == u {
		r := u.state
		u.server.trunks.Of(u.name).SetRegistration(&r)
	}
}
