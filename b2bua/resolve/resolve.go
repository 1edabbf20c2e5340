// Package resolve asks the DNS: the addresses of a name, and the records that
// lead to a SIP server (RFC 3263) or behind a phone number (RFC 6116). Answers
// are kept for their time to live, equal questions under way are joined, and
// nothing that a server says can take more than its bounded share of memory or
// time.
//
// It knows no SIP transport and no order of places to try: package transport
// walks the records. Start with Client, then cache.go for what is kept, ask.go
// for one question, files.go for the machine's own settings, and enum.go for
// numbers.
package resolve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// ErrNotFound says that a name has no such records, as opposed to servers that
// did not say.
var ErrNotFound = errors.New("no such name or record")

// SRV is a server of a service (RFC 2782). Target "." says that there is none.
type SRV struct {
	Target                 string // without the final dot
	Port, Priority, Weight uint16
}

// NAPTR is a rule that leads on from a name (RFC 3403).
type NAPTR struct {
	Order, Preference                   uint16
	Flags, Service, Regexp, Replacement string // Replacement without the final dot
}

// Exchange carries one question to one server, "192.0.2.53:53", and brings its
// answer.
type Exchange func(ctx context.Context, question *dns.Msg, server string) (*dns.Msg, error)

// Config is what a Client needs; the zero value is the machine's own resolver.
type Config struct {
	Servers    []string // host:port, in order; nil: those of ResolvConf
	ResolvConf string   // "": /etc/resolv.conf
	Hosts      string   // "": /etc/hosts
	Exchange   Exchange // nil: UDP, and TCP where that cuts an answer off
}

// Client is a stub resolver with a cache. All methods may be used from any
// goroutine.
type Client struct {
	servers  []string
	conf     *file[dns.ClientConfig]
	hosts    *file[map[string][]netip.Addr]
	exchange Exchange
	ctx      context.Context // of the questions under way; ended by Close
	cancel   context.CancelFunc
	work     sync.WaitGroup // the questions under way

	mu      sync.Mutex // guards all below; never held while a server is asked
	cache   map[key]kept
	flights map[key]*flight
	closed  bool
}

// New makes a client; nothing is asked yet.
func New(c Config) *Client {
	r := &Client{
		servers: c.Servers, exchange: c.Exchange,
		conf:  &file[dns.ClientConfig]{path: cmp.Or(c.ResolvConf, "/etc/resolv.conf"), parse: parseConf},
		hosts: &file[map[string][]netip.Addr]{path: cmp.Or(c.Hosts, "/etc/hosts"), parse: parseHosts},
		cache: map[key]kept{}, flights: map[key]*flight{},
	}
	if r.exchange == nil {
		r.exchange = overUDP
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

// Close ends the questions under way; later ones fail.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	c.work.Wait()
}

// LookupNetIP finds a host's addresses: those of the hosts file if it has any,
// else A and then AAAA, in the order of the server. A short name is also looked
// for in the search list (resolv.conf(5)).
func (c *Client) LookupNetIP(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a.Unmap()}, nil
	}
	if addrs := c.hosts.read()[strings.ToLower(strings.TrimSuffix(host, "."))]; len(addrs) > 0 {
		return slices.Clone(addrs), nil
	}
	conf := c.conf.read()
	var failed error
	for _, name := range conf.NameList(host) {
		addrs, err := c.addresses(ctx, name)
		if len(addrs) > 0 {
			return addrs, nil
		}
		if failed == nil || !errors.Is(err, ErrNotFound) {
			failed = err
		}
	}
	return nil, fmt.Errorf("addresses of %s: %w", host, failed)
}

// addresses asks for A and AAAA at once. One of them is enough: some servers
// never answer to the other, which is not waited for long then.
func (c *Client) addresses(ctx context.Context, name string) ([]netip.Addr, error) {
	var v6 []dns.RR
	var failed6 error
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	enough := time.AfterFunc(questionLimit+familyWait, cancel)
	defer enough.Stop()
	var both sync.WaitGroup
	both.Go(func() { v6, failed6 = c.family(ctx, enough, name, dns.TypeAAAA) })
	v4, failed4 := c.family(ctx, enough, name, dns.TypeA)
	both.Wait()
	var addrs []netip.Addr
	for _, rr := range slices.Concat(v4, v6) {
		if a, ok := addrOf(rr); ok && !slices.Contains(addrs, a) {
			addrs = append(addrs, a)
		}
	}
	switch {
	case len(addrs) > 0:
		return addrs, nil
	case failed4 != nil && !errors.Is(failed4, ErrNotFound):
		return nil, failed4
	case failed6 != nil:
		return nil, failed6
	}
	return nil, ErrNotFound
}

// family asks for the addresses of one family. When there are some, enough is to
// end the look-up soon.
func (c *Client) family(ctx context.Context, enough *time.Timer, name string, kind uint16) ([]dns.RR, error) {
	records, err := c.find(ctx, name, kind)
	switch {
	case len(records) > 0:
		enough.Reset(familyWait)
	case errors.Is(err, context.Canceled):
		return c.old(name, kind), err
	}
	return records, err
}

// addrOf reads an address that a request can be sent to: not the unspecified
// one, which is this machine for the kernel, and none of a group.
func addrOf(rr dns.RR) (netip.Addr, bool) {
	var a netip.Addr
	switch rr := rr.(type) {
	case *dns.A:
		a, _ = netip.AddrFromSlice(rr.A)
	case *dns.AAAA:
		a, _ = netip.AddrFromSlice(rr.AAAA)
	}
	a = a.Unmap()
	return a, a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// LookupSRV finds the servers of "_service._proto.name", the lowest priority
// first; Draw puts them into the order to try.
func (c *Client) LookupSRV(ctx context.Context, name string) ([]SRV, error) {
	found, err := c.find(ctx, dns.Fqdn(name), dns.TypeSRV)
	if err != nil {
		return nil, fmt.Errorf("SRV of %s: %w", name, err)
	}
	list := make([]SRV, 0, len(found))
	for _, rr := range found {
		if rr, ok := rr.(*dns.SRV); ok {
			list = append(list, SRV{undot(rr.Target), rr.Port, rr.Priority, rr.Weight})
		}
	}
	slices.SortStableFunc(list, func(a, b SRV) int { return cmp.Compare(a.Priority, b.Priority) })
	return list, nil
}

// LookupNAPTR finds the rules of a name in the order in which they apply.
func (c *Client) LookupNAPTR(ctx context.Context, name string) ([]NAPTR, error) {
	found, err := c.find(ctx, dns.Fqdn(name), dns.TypeNAPTR)
	if err != nil {
		return nil, fmt.Errorf("NAPTR of %s: %w", name, err)
	}
	list := make([]NAPTR, 0, len(found))
	for _, rr := range found {
		if rr, ok := rr.(*dns.NAPTR); ok {
			list = append(list, NAPTR{rr.Order, rr.Preference, octets(rr.Flags), octets(rr.Service), octets(rr.Regexp), undot(rr.Replacement)})
		}
	}
	slices.SortStableFunc(list, func(a, b NAPTR) int {
		return cmp.Or(cmp.Compare(a.Order, b.Order), cmp.Compare(a.Preference, b.Preference))
	})
	return list, nil
}

func undot(name string) string {
	if name == "." {
		return name
	}
	return strings.TrimSuffix(name, ".")
}

// octets undoes the escapes that the library writes into character strings (RFC
// 1035 section 5.1).
func octets(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			out.WriteByte(s[i])
			continue
		}
		if i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 10, 8); err == nil {
				out.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		i++
		out.WriteByte(s[i])
	}
	return out.String()
}

// Draw orders servers by priority, and equal ones by lot, heavier ones sooner
// (RFC 2782). random gives numbers in [0,1). The list is changed.
func Draw(list []SRV, random func() float64) []SRV {
	slices.SortStableFunc(list, func(a, b SRV) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), min(int(a.Weight), 1)-min(int(b.Weight), 1))
	})
	for at := range list {
		total, end := 0, at
		for ; end < len(list) && list[end].Priority == list[at].Priority; end++ {
			total += int(list[end].Weight)
		}
		lot, chosen := int(random()*float64(total+1)), at
		for sum := 0; chosen < end; chosen++ {
			if sum += int(list[chosen].Weight); sum >= lot {
				break
			}
		}
		one := list[chosen]
		copy(list[at+1:chosen+1], list[at:chosen])
		list[at] = one
	}
	return list
}

// Ages of what is kept, whatever a server says.
const (
	leastAge    = time.Second
	mostAge     = 24 * time.Hour
	negativeAge = 5 * time.Minute        // of "no such name" (RFC 2308 section 5), at most
	failureAge  = 5 * time.Second        // before dead servers are asked again
	familyWait  = 500 * time.Millisecond // for the addresses of one family when those of the other are there
	staleAge    = time.Hour              // how long an old answer is better than none
	staleAgain  = 30 * time.Second       // before servers are asked again meanwhile
)
