package lib

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"legwork/b2bua/resolve"
	"legwork/script/lua"
)

// zone is a DNS of one carrier; a name with "slow" takes a minute.
type zone struct{}

func (zone) LookupNetIP(ctx context.Context, host string) ([]netip.Addr, error) {
	switch {
	case host == "sip.carrier.example":
		return []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}, nil
	case strings.Contains(host, "slow"):
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Minute):
		}
	case strings.Contains(host, "broken"):
		return nil, errors.New("server 192.0.2.53:53: SERVFAIL")
	}
	return nil, resolve.ErrNotFound
}

func (zone) LookupSRV(_ context.Context, name string) ([]resolve.SRV, error) {
	if name == "_sip._udp.carrier.example" {
		return []resolve.SRV{{Target: "sip.carrier.example", Port: 5070, Priority: 1, Weight: 2}}, nil
	}
	return nil, resolve.ErrNotFound
}

func (zone) LookupNAPTR(_ context.Context, name string) ([]resolve.NAPTR, error) {
	switch name {
	case "carrier.example":
		return []resolve.NAPTR{{Order: 10, Preference: 20, Flags: "s", Service: "SIP+D2U", Replacement: "_sip._udp.carrier.example"}}, nil
	case "5.4.3.2.1.0.3.9.4.e164.arpa", "5.4.3.2.1.0.3.9.4.tree.example":
		return []resolve.NAPTR{{Flags: "u", Service: "E2U+sip", Regexp: `!^\+49(.*)$!sip:\1@carrier.example!`}}, nil
	}
	return nil, resolve.ErrNotFound
}

func TestScriptsAskTheDNS(t *testing.T) {
	r := newRig(t, Config{DNS: zone{}})
	r.asks(`local list = b2b.dns.a("sip.carrier.example") print(#list, list[1], list[2])
		local srv = b2b.dns.srv("_sip._udp.carrier.example")[1] print(srv.target, srv.port, srv.priority, srv.weight)
		local n = b2b.dns.naptr("carrier.example")[1] print(n.order, n.preference, n.flags, n.service, n.replacement)
		local e = b2b.dns.enum("+493012345")[1] print(e.service, e.uri)
		print(b2b.dns.enum("493012345", "tree.example")[1].uri)
		print(#b2b.dns.enum("+1"), #b2b.dns.srv("_sip._udp.gone.example"), #b2b.dns.a("gone.example"))
		print(b2b.dns.a("broken.example"))`,
		"2\t192.0.2.1\t2001:db8::1\nsip.carrier.example\t5070\t1\t2\n10\t20\ts\tSIP+D2U\t_sip._udp.carrier.example\n"+
			"E2U+sip\tsip:3012345@carrier.example\nsip:3012345@carrier.example\n0\t0\t0\nnil\tfailed: server 192.0.2.53:53: SERVFAIL")
}

func TestTheDNSRefusesWhatIsNoQuestion(t *testing.T) {
	r := newRig(t, Config{DNS: zone{}})
	r.refuses(`b2b.dns.a()`, "b2b.dns.a: the name must be a string")
	r.refuses(`b2b.dns.srv("")`, "b2b.dns.srv: the name must have 1 to 253 bytes")
	r.asks(`print(b2b.dns.enum("alice"))`, "nil\tnot a number with its country code")
	r.refuses(`b2b.dns.mx("carrier.example")`, "mx")
	if _, err := r.run(t.Context(), false, `b2b.dns.a("sip.carrier.example")`); err == nil || !strings.Contains(err.Error(), "waiting is not allowed in on_x") {
		t.Error(err)
	}
}

func TestALookUpOfADNSEndsWithItsTimeOrItsCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{DNS: zone{}})
		r.asks(`print(b2b.dns.a("slow.example"))`, "nil\ttimeout")
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err := r.run(ctx, true, `b2b.dns.a("slow.example") print("went on")`); !errors.Is(err, lua.ErrCancelled) {
			t.Error(err)
		}
	})
}
