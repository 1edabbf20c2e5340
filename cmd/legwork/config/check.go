package config

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// complete fills in what the file left to us within lists and trunks, and
// resolves paths.
func (r *reader) complete(c *Config) {
	dir := r.dir
	c.Script, c.Users.File = within(dir, c.Script), within(dir, c.Users.File)
	for i := range c.Listen {
		if l := &c.Listen[i]; l.Name == "" {
			l.Name = l.Transport
		}
		for _, path := range []*string{&c.Listen[i].Cert, &c.Listen[i].Key, &c.Listen[i].ClientCA, &c.Listen[i].ServerCA} {
			*path = within(dir, *path)
		}
	}
	for i := range c.CDR {
		c.CDR[i].Path = within(dir, c.CDR[i].Path)
	}
	c.Replay.Path = within(dir, c.Replay.Path)
	completeDatabases(dir, c)
	c.Store.Path = within(dir, c.Store.Path)
	for _, t := range c.Trunks {
		t.Profile.resolve(dir)
		if t.PRACK == "" {
			t.PRACK = PRACKInterwork
		}
		if t.Media == "" {
			t.Media = MediaDirect
		}
		if t.Diversion == "" {
			t.Diversion = DiversionKeep
		}
		r.inherit(t.Timer, c.SIP.Timer)
		r.probe(t.Health)
		if t.Register != nil && t.Register.Expires == 0 {
			t.Register.Expires = Seconds(5 * time.Minute)
		}
		for i := range t.Targets {
			if _, written := r.at[&t.Targets[i].Weight]; !written {
				t.Targets[i].Weight = 1
			}
		}
	}
}

// inherit fills in the keys of a trunk's timer that the file left out.
func (r *reader) inherit(t *TrunkTimer, from Timer) {
	if t == nil || t.Off {
		return
	}
	if _, written := r.at[&t.Expires]; !written {
		t.Expires = from.Expires
	}
	if _, written := r.at[&t.Min]; !written {
		t.Min = from.Min
	}
}

// check tells what is wrong with values that are well formed each by itself.
func (r *reader) check(c *Config) {
	r.listeners(c)
	r.certificates(c)
	r.checkFile(&c.Script, c.Script, "script")
	r.admin(&c.Admin)
	r.door(c)
	r.records(c)
	r.decisions(&c.Replay)
	r.protocol(&c.SIP)
	r.trunks(c)
	r.users(&c.Users)
	r.claimants(c)
	r.registrar(c)
	r.databases(c)
	r.leaks(&c.Leaks)
	r.defaultRoute(c)
}

func (r *reader) listeners(c *Config) {
	if len(c.Listen) == 0 {
		r.refuse(&c.Listen, "listen: no listener", "remove the key for udp and tcp on 127.0.0.1:5060")
	}
	for i := range c.Listen {
		l := &c.Listen[i]
		r.required(l, &l.Transport, "transport", "known: udp, tcp, tls, ws, wss")
		r.required(l, &l.Address, "address", `such as "0.0.0.0:5060"`)
		r.listener(l)
		r.origins(l)
		for j := range c.Listen[:i] {
			r.twoListeners(&c.Listen[j], l)
		}
	}
}

func (r *reader) listener(l *Listener) {
	if _, err := netip.ParseAddrPort(l.Address); err != nil {
		r.refuse(&l.Address, fmt.Sprintf("address: %q is not an IP address and port", l.Address), `such as "192.0.2.1:5060" or "[::]:5060"`)
	}
	if l.Advertise != "" && !isHostPort(l.Advertise) {
		r.refuse(&l.Advertise, fmt.Sprintf("advertise: %q is not a host and port", l.Advertise), `such as "192.0.2.1:5060"`)
	}
	if l.Name != "" && !isName(l.Name) {
		r.refuse(&l.Name, fmt.Sprintf("name: %q is not a name", l.Name), nameCure)
	}
}

// origins checks the pages that may come by WebSocket.
func (r *reader) origins(l *Listener) {
	web := l.Transport == "ws" || l.Transport == "wss"
	if len(l.Origins) > 0 && !web && l.Transport != "" {
		r.refuse(&l.Origins, "origins: no browser comes over "+l.Transport, "remove it, or write transport: wss")
		return
	}
	for i, one := range l.Origins {
		scheme, host, _ := strings.Cut(one, "://")
		if scheme != "https" && scheme != "http" || !isHost(host) && !isHostPort(host) {
			r.refuse(&l.Origins[i], fmt.Sprintf("origins: %q is not the origin of a page", one), `such as "https://phone.example"`)
		}
	}
}

// twoListeners tells when b cannot stand beside a, which comes before it.
func (r *reader) twoListeners(a, b *Listener) {
	if a.Name == b.Name && a.Name != "" {
		at := any(&b.Name)
		if _, written := r.at[at]; !written {
			at = b
		}
		r.refuse(at, fmt.Sprintf("two listeners are called %q", b.Name), "give one of them another name")
	}
	one, err := netip.ParseAddrPort(a.Address)
	two, bad := netip.ParseAddrPort(b.Address)
	if err != nil || bad != nil || (a.Transport == "udp") != (b.Transport == "udp") || one.Port() != two.Port() || one.Port() == 0 {
		return
	}
	x, y := one.Addr(), two.Addr()
	if x == y || x.Is4() == y.Is4() && (x.IsUnspecified() || y.IsUnspecified()) {
		r.refuse(&b.Address, fmt.Sprintf("address: listener %q has %s %s already", a.Name, a.Transport, a.Address), "give one of them another port or address")
	}
}

func (r *reader) admin(a *Admin) {
	if a.Address == "" {
		return
	}
	host, port, err := net.SplitHostPort(a.Address)
	ip, bad := netip.ParseAddr(host)
	switch {
	case err != nil || !isPort(port) || bad != nil && host != "localhost":
		r.refuse(&a.Address, fmt.Sprintf("admin.address: %q is not an IP address and port", a.Address), `such as "127.0.0.1:8060"`)
	case host != "localhost" && !ip.Unmap().IsLoopback() && a.Token == "" && !r.at[&a.Token].wrong:
		r.refuse(&a.Address, "admin.address: "+a.Address+" is not loopback, and there is no token", "set admin.token, or listen on 127.0.0.1")
	case !isPrintable(string(a.Token)):
		r.refuse(&a.Token, "admin.token: control character in the token", "remove it")
	}
}

func (r *reader) records(c *Config) {
	for i := range c.CDR {
		d := &c.CDR[i]
		r.required(d, &d.Kind, "kind", "known: jsonl")
		r.required(d, &d.Path, "path", `such as "cdr.jsonl"`)
		if _, written := r.at[&d.Path]; !written {
			continue
		}
		if s, err := os.Stat(filepath.Dir(d.Path)); err != nil || !s.IsDir() {
			r.refuse(&d.Path, fmt.Sprintf("path: there is no folder %s", filepath.Dir(d.Path)), "make it")
		}
		for _, other := range c.CDR[:i] {
			if other.Path == d.Path {
				r.refuse(&d.Path, fmt.Sprintf("path: %s is written to already", d.Path), "remove one of them")
			}
		}
	}
}

func (r *reader) protocol(s *SIP) {
	if s.T2 < s.T1 {
		at := any(&s.T2)
		if _, written := r.at[at]; !written {
			at = &s.T1
		}
		r.refuse(at, fmt.Sprintf("sip: t2 (%s) is shorter than t1 (%s)", s.T2, s.T1), "write t2 at least as long as t1")
	}
	if !isPrintable(s.UserAgent) {
		r.refuse(&s.UserAgent, "sip.user_agent: control character", "remove it")
	}
	r.ascending("sip.timer", "min", &s.Timer.Min, "expires", &s.Timer.Expires)
}

// ascending tells when high, unless it is 0, is below low.
func (r *reader) ascending(name, lowKey string, low *Seconds, highKey string, high *Seconds) {
	if *high == 0 || *high >= *low || r.at[low].wrong || r.at[high].wrong {
		return
	}
	at := high
	if _, written := r.at[at]; !written {
		at = low
	}
	r.refuse(at, fmt.Sprintf("%s: %s (%s) is shorter than %s (%s)", name, highKey, *high, lowKey, *low), fmt.Sprintf("raise %s or lower %s", highKey, lowKey))
}

func (r *reader) registrar(c *Config) {
	e := &c.Registrar.Expires
	r.ascending("registrar.expires", "min", &e.Min, "default", &e.Default)
	r.ascending("registrar.expires", "default", &e.Default, "max", &e.Max)
	if c.Registrar.Enabled && c.Users.File == "" {
		r.warn(&c.Registrar.Enabled, "registrar: there are no users: what trunks may send registers without a password", "name them in users.file")
	}
}

func (r *reader) defaultRoute(c *Config) {
	if c.DefaultRoute == "" {
		return
	}
	t, ok := c.Trunks[c.DefaultRoute]
	switch {
	case !ok:
		names := slices.Sorted(maps.Keys(c.Trunks))
		r.refuse(&c.DefaultRoute, fmt.Sprintf("default_route: no trunk %q", c.DefaultRoute), didYouMean(c.DefaultRoute, names))
	case len(t.Targets) == 0 && !r.at[&t.Targets].wrong:
		r.refuse(&c.DefaultRoute, fmt.Sprintf("default_route: trunk %q has no targets", c.DefaultRoute), "give it targets")
	}
}

// required tells when key is absent or empty in the element of a list.
func (r *reader) required(elem, value any, key, cure string) {
	m, written := r.at[value]
	if s, ok := value.(*string); !ok || *s != "" || m.wrong {
		return
	}
	if !written {
		value = elem
	}
	r.refuse(value, key+" is missing", cure)
}

func (r *reader) checkFile(of any, path, key string) {
	if path == "" {
		return
	}
	switch s, err := os.Stat(path); {
	case err != nil:
		r.refuse(of, fmt.Sprintf("%s: no file %s", key, path), "make it, or remove the key")
	case s.IsDir():
		r.refuse(of, fmt.Sprintf("%s: %s is a folder", key, path), "name the file")
	}
}

const nameCure = "up to 64 letters, digits, _, - and ."

// isName tells whether s may be a name in logs, metrics and Lua.
func isName(s string) bool {
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, func(c rune) bool {
		return !isAlphanumeric(c) && !strings.ContainsRune("_-.", c)
	})
}

func isAlphanumeric(c rune) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func isHostPort(s string) bool {
	host, port, err := net.SplitHostPort(s)
	n, _ := strconv.Atoi(port)
	return err == nil && isPort(port) && n > 0 && isHost(host)
}

func isPort(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil
}

// isHost tells whether s is an IP address or a host name.
func isHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	return isHostName(s)
}

// isHostName follows RFC 3261 section 25.1, and takes _ as DNS does.
func isHostName(s string) bool {
	if len(s) > 253 {
		return false
	}
	labels := strings.Split(strings.TrimSuffix(s, "."), ".")
	for _, l := range labels {
		bad := func(c rune) bool { return !isAlphanumeric(c) && c != '-' && c != '_' }
		if l == "" || len(l) > 63 || l[0] == '-' || strings.ContainsFunc(l, bad) {
			return false
		}
	}
	last := labels[len(labels)-1]
	return last[0] < '0' || last[0] > '9' // else it is a mistyped IP address
}
