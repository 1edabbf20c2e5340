package resolve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Bounds of one question, whatever a server says.
const (
	questionLimit = 8 * time.Second // with all servers, attempts and aliases
	serverLimit   = 2 * time.Second // one server, one attempt
	maxServers    = 3
	maxAttempts   = 3
	maxChain      = 8   // aliases (CNAME) one after the other
	maxRecords    = 100 // of an answer
	udpSize       = 1232
)

var errDisordered = errors.New("the answer does not fit the question")

// ask asks for a name and follows its aliases. age is how long the outcome may
// be believed.
func (c *Client) ask(ctx context.Context, k key) (records []dns.RR, age time.Duration, err error) {
	name, age := k.name, mostAge
	for range maxChain {
		m, err := c.query(ctx, name, k.kind)
		if err != nil {
			return nil, failureAge, err
		}
		a := read(m, name, k.kind)
		age = min(age, a.age)
		switch {
		case len(a.records) > 0:
			return a.records, max(age, leastAge), nil
		case a.name == name || m.Rcode == dns.RcodeNameError:
			return nil, max(min(age, negativeAgeOf(m)), leastAge), ErrNotFound
		}
		name = a.name
	}
	return nil, failureAge, fmt.Errorf("more than %d aliases one after the other", maxChain)
}

// answered is what a message says about a name.
type answered struct {
	records []dns.RR
	name    string // behind the aliases
	age     time.Duration
}

// read takes the records of the name and of what it is an alias of; others in
// the message nobody asked for.
func read(m *dns.Msg, name string, kind uint16) answered {
	a := answered{name: name, age: mostAge}
	for range maxChain {
		alias := ""
		for _, rr := range m.Answer {
			h := rr.Header()
			if h.Class != dns.ClassINET || !strings.EqualFold(h.Name, a.name) {
				continue
			}
			cname, isAlias := rr.(*dns.CNAME)
			switch {
			case h.Rrtype == kind && len(a.records) < maxRecords:
				a.records = append(a.records, rr)
			case isAlias && alias == "":
				alias = dns.CanonicalName(cname.Target)
			default:
				continue
			}
			a.age = min(a.age, ageOf(h.Ttl))
		}
		if len(a.records) > 0 || alias == "" || alias == a.name {
			break
		}
		a.name = alias
	}
	return a
}

// ageOf reads a TTL; one with its highest bit set is zero (RFC 2181 section 8).
func ageOf(ttl uint32) time.Duration {
	if ttl > 1<<31-1 {
		return 0
	}
	return time.Duration(ttl) * time.Second
}

// negativeAgeOf is how long there is no such record (RFC 2308 section 5).
func negativeAgeOf(m *dns.Msg) time.Duration {
	for _, rr := range m.Ns {
		if soa, ok := rr.(*dns.SOA); ok {
			return min(ageOf(soa.Minttl), ageOf(soa.Hdr.Ttl), negativeAge)
		}
	}
	return 0
}

// query asks one server after the other until one knows whether there is such a
// name.
func (c *Client) query(ctx context.Context, name string, kind uint16) (*dns.Msg, error) {
	conf := c.conf.read()
	servers := c.servers
	if servers == nil {
		for _, s := range conf.Servers[:min(len(conf.Servers), maxServers)] {
			servers = append(servers, net.JoinHostPort(s, conf.Port))
		}
	}
	var failed error
	for range max(1, min(conf.Attempts, maxAttempts)) {
		for _, server := range servers {
			m, err := c.queryOne(ctx, name, kind, server)
			if err == nil {
				return m, nil
			}
			if failed = fmt.Errorf("server %s: %w", server, err); ctx.Err() != nil {
				return nil, failed
			}
		}
	}
	return nil, failed
}

// queryOne asks one server. One that does not know EDNS is asked without.
func (c *Client) queryOne(ctx context.Context, name string, kind uint16, server string) (*dns.Msg, error) {
	for _, extended := range []bool{true, false} {
		m, err := c.carry(ctx, name, kind, server, extended)
		switch {
		case err != nil:
			return nil, err
		case m.Rcode == dns.RcodeSuccess || m.Rcode == dns.RcodeNameError:
			return m, nil
		case !extended || m.Rcode != dns.RcodeFormatError && m.Rcode != dns.RcodeNotImplemented:
			return nil, errors.New(dns.RcodeToString[m.Rcode])
		}
	}
	return nil, errDisordered // not reached: the second turn returns
}

func (c *Client) carry(ctx context.Context, name string, kind uint16, server string, extended bool) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, serverLimit)
	defer cancel()
	q := new(dns.Msg).SetQuestion(name, kind)
	if extended {
		q.SetEdns0(udpSize, false)
	}
	m, err := c.exchange(ctx, q, server)
	if err != nil {
		return nil, err
	}
	if !m.Response || len(m.Question) != 1 || m.Question[0].Qtype != kind || !strings.EqualFold(m.Question[0].Name, name) {
		return nil, errDisordered
	}
	return m, nil
}

// overUDP is the usual Exchange: each question leaves from a port of its own.
func overUDP(ctx context.Context, q *dns.Msg, server string) (*dns.Msg, error) {
	m, _, err := (&dns.Client{Net: "udp", Timeout: serverLimit}).ExchangeContext(ctx, q, server)
	if err != nil || !m.Truncated {
		return m, err
	}
	m, _, err = (&dns.Client{Net: "tcp", Timeout: serverLimit}).ExchangeContext(ctx, q, server)
	return m, err
}
