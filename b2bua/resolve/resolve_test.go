package resolve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
)

// zone answers questions from records in their text form and counts them.
type zone struct {
	mu      sync.Mutex // guards all below
	records []dns.RR
	soa     dns.RR
	asked   []string
	dead    bool
	edit    func(q, m *dns.Msg)
}

func newZone(t testing.TB, records ...string) *zone {
	t.Helper()
	z := &zone{}
	for _, text := range records {
		rr, err := dns.NewRR(text)
		if err != nil {
			t.Fatal(err)
		}
		if rr.Header().Rrtype == dns.TypeSOA {
			z.soa = rr
			continue
		}
		z.records = append(z.records, rr)
	}
	return z
}

func (z *zone) exchange(ctx context.Context, q *dns.Msg, _ string) (*dns.Msg, error) {
	z.mu.Lock()
	dead := z.dead
	z.mu.Unlock()
	if dead {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return z.answer(q), nil
}

func (z *zone) answer(q *dns.Msg) *dns.Msg {
	z.mu.Lock()
	defer z.mu.Unlock()
	name, kind := q.Question[0].Name, q.Question[0].Qtype
	z.asked = append(z.asked, dns.TypeToString[kind]+" "+name)
	m := new(dns.Msg).SetReply(q)
	m.SetRcode(q, dns.RcodeNameError)
	for _, rr := range z.records {
		if strings.EqualFold(rr.Header().Name, name) {
			m.Rcode = dns.RcodeSuccess
			if rr.Header().Rrtype == kind || rr.Header().Rrtype == dns.TypeCNAME {
				m.Answer = append(m.Answer, rr)
			}
		}
	}
	if len(m.Answer) == 0 && z.soa != nil {
		m.Ns = append(m.Ns, z.soa)
	}
	if z.edit != nil {
		z.edit(q, m)
	}
	return m
}

func (z *zone) questions() []string {
	z.mu.Lock()
	defer z.mu.Unlock()
	return slices.Clone(z.asked)
}

func (z *zone) client(t testing.TB) *Client {
	t.Helper()
	c := New(Config{Servers: []string{"192.0.2.53:53"}, ResolvConf: os.DevNull, Hosts: os.DevNull, Exchange: z.exchange})
	t.Cleanup(c.Close)
	return c
}

func addrs(t testing.TB, c *Client, host string) string {
	t.Helper()
	found, err := c.LookupNetIP(t.Context(), host)
	if err != nil {
		return "error"
	}
	return strings.Trim(fmt.Sprint(found), "[]")
}

func TestAddressesOfBothFamiliesAreFoundBehindAliases(t *testing.T) {
	z := newZone(t,
		"sip.carrier.example. 60 IN CNAME edge.carrier.example.", "edge.carrier.example. 60 IN CNAME sbc.carrier.example.",
		"sbc.carrier.example. 60 IN A 192.0.2.1", "sbc.carrier.example. 60 IN A 192.0.2.2", "sbc.carrier.example. 60 IN AAAA 2001:db8::1")
	if got := addrs(t, z.client(t), "SIP.Carrier.example"); got != "192.0.2.1 192.0.2.2 2001:db8::1" {
		t.Error("got", got)
	}
}

func TestAnAnswerIsKeptForItsTimeToLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := newZone(t, "a.example. 60 IN A 192.0.2.1", "a.example. 60 IN AAAA 2001:db8::1")
		c := z.client(t)
		for range 3 {
			addrs(t, c, "a.example")
			time.Sleep(25 * time.Second)
		}
		if got := z.questions(); len(got) != 2 {
			t.Error("asked within the minute:", got)
		}
		if addrs(t, c, "a.example"); len(z.questions()) != 4 {
			t.Error("not asked again after the minute:", z.questions())
		}
	})
}

func TestThatThereIsNoSuchNameIsKeptToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := newZone(t, "example. 3600 IN SOA ns.example. host.example. 1 2 3 4 30")
		c := z.client(t)
		for range 3 {
			if _, err := c.LookupSRV(t.Context(), "_sip._udp.gone.example"); !errors.Is(err, ErrNotFound) {
				t.Error("got", err)
			}
			time.Sleep(12 * time.Second)
		}
		if got := z.questions(); len(got) != 1 {
			t.Error("asked within the SOA's minimum:", got)
		}
		_, _ = c.LookupSRV(t.Context(), "_sip._udp.gone.example")
		if got := z.questions(); len(got) != 2 {
			t.Error("not asked again behind the SOA's minimum:", got)
		}
	})
}

func TestEqualQuestionsUnderWayAreJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := newZone(t, "_sip._udp.a.example. 60 IN SRV 1 1 5060 b.example.")
		slow := func(ctx context.Context, q *dns.Msg, server string) (*dns.Msg, error) {
			time.Sleep(time.Second)
			return z.exchange(ctx, q, server)
		}
		c := New(Config{Servers: []string{"192.0.2.53:53"}, ResolvConf: os.DevNull, Hosts: os.DevNull, Exchange: slow})
		defer c.Close()
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if list, err := c.LookupSRV(t.Context(), "_sip._udp.a.example"); err != nil || len(list) != 1 {
					t.Error("got", list, err)
				}
			})
		}
		impatient, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := c.LookupSRV(impatient, "_sip._udp.a.example"); !errors.Is(err, context.DeadlineExceeded) {
			t.Error("who has no patience got", err)
		}
		all.Wait()
		if got := z.questions(); len(got) != 1 {
			t.Error("asked", len(got), "times")
		}
	})
}

func TestAnOldAnswerServesWhileServersAreDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := newZone(t, "a.example. 60 IN A 192.0.2.1")
		c := z.client(t)
		addrs(t, c, "a.example")
		z.mu.Lock()
		z.dead = true
		z.mu.Unlock()
		time.Sleep(10 * time.Minute)
		if got := addrs(t, c, "a.example"); got != "192.0.2.1" {
			t.Error("ten minutes later:", got)
		}
		time.Sleep(time.Hour)
		if got := addrs(t, c, "a.example"); got != "error" {
			t.Error("an hour later:", got)
		}
	})
}

func TestAFamilyThatNobodyAnswersForIsNotWaitedForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := newZone(t, "sbc.example. 10 A 192.0.2.1", "sbc.example. 10 AAAA 2001:db8::1")
		var mute atomic.Uint32
		mute.Store(uint32(dns.TypeAAAA))
		c := New(Config{Servers: []string{"192.0.2.53:53"}, ResolvConf: os.DevNull, Hosts: os.DevNull, Exchange: func(ctx context.Context, q *dns.Msg, server string) (*dns.Msg, error) {
			if uint32(q.Question[0].Qtype) == mute.Load() {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return z.exchange(ctx, q, server)
		}})
		defer c.Close()
		look := func(want string) {
			t.Helper()
			begun := time.Now()
			addrs, err := c.LookupNetIP(t.Context(), "sbc.example")
			if got := fmt.Sprint(addrs); got != want || err != nil {
				t.Errorf("got %s, %v; want %s", got, err, want)
			}
			if waited := time.Since(begun); waited > familyWait {
				t.Errorf("waited %v", waited)
			}
		}
		look("[192.0.2.1]")
		mute.Store(0)
		time.Sleep(questionLimit)
		look("[192.0.2.1 2001:db8::1]")
		mute.Store(uint32(dns.TypeA))
		time.Sleep(11 * time.Second)
		look("[192.0.2.1 2001:db8::1]") // the first is an old answer
	})
}

func TestTheNextServerIsAskedWhenOneFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := newZone(t, "a.example. 60 IN A 192.0.2.1")
		c := New(Config{
			Servers: []string{"dead", "broken", "good"}, ResolvConf: os.DevNull, Hosts: os.DevNull,
			Exchange: func(ctx context.Context, q *dns.Msg, server string) (*dns.Msg, error) {
				switch server {
				case "dead":
					<-ctx.Done()
					return nil, ctx.Err()
				case "broken":
					return new(dns.Msg).SetRcode(q, dns.RcodeServerFailure), nil
				}
				return z.answer(q), nil
			},
		})
		defer c.Close()
		began := time.Now()
		if got := addrs(t, c, "a.example"); got != "192.0.2.1" || time.Since(began) > serverLimit {
			t.Error("got", got, "after", time.Since(began))
		}
	})
}

func TestHostileAnswersAreBounded(t *testing.T) {
	for what, edit := range map[string]func(q, m *dns.Msg){
		"an alias of itself": func(q, m *dns.Msg) {
			m.Rcode, m.Answer = 0, []dns.RR{&dns.CNAME{Hdr: header(q, dns.TypeCNAME), Target: q.Question[0].Name}}
		},
		"aliases without end": func(q, m *dns.Msg) {
			m.Rcode, m.Answer = 0, []dns.RR{&dns.CNAME{Hdr: header(q, dns.TypeCNAME), Target: "x." + q.Question[0].Name}}
		},
		"another question":   func(_, m *dns.Msg) { m.Question[0].Name = "other.example." },
		"no question":        func(_, m *dns.Msg) { m.Question = nil },
		"not even an answer": func(_, m *dns.Msg) { m.Response = false },
		"records of strangers": func(_, m *dns.Msg) {
			m.Rcode, m.Answer = 0, []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: "b.example.", Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: net.IPv4(192, 0, 2, 66)}}
		},
		"this machine": func(q, m *dns.Msg) {
			m.Rcode, m.Answer = 0, []dns.RR{&dns.A{Hdr: header(q, dns.TypeA), A: net.IPv4zero}}
		},
		"a group": func(q, m *dns.Msg) {
			m.Rcode, m.Answer = 0, []dns.RR{&dns.A{Hdr: header(q, dns.TypeA), A: net.IPv4(224, 0, 0, 1)}}
		},
	} {
		t.Run(what, func(t *testing.T) {
			z := newZone(t)
			z.edit = edit
			if got := addrs(t, z.client(t), "a.example"); got != "error" {
				t.Error("got", got)
			}
			if got := z.questions(); len(got) > 2*maxChain {
				t.Error("asked", len(got), "times")
			}
		})
	}
}

func header(q *dns.Msg, kind uint16) dns.RR_Header {
	return dns.RR_Header{Name: q.Question[0].Name, Rrtype: kind, Class: dns.ClassINET, Ttl: 60}
}

func TestRecordsAndAgesOfAnAnswerAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := newZone(t)
		z.edit = func(q, m *dns.Msg) {
			m.Rcode = 0
			for i := range 3000 {
				h := header(q, dns.TypeSRV)
				h.Ttl = 1<<31 - 1
				m.Answer = append(m.Answer, &dns.SRV{Hdr: h, Target: fmt.Sprintf("s%d.example.", i)})
			}
		}
		c := z.client(t)
		list, err := c.LookupSRV(t.Context(), "_sip._udp.a.example")
		if err != nil || len(list) != maxRecords {
			t.Error(len(list), err)
		}
		time.Sleep(mostAge + time.Second)
		if _, _ = c.LookupSRV(t.Context(), "_sip._udp.a.example"); len(z.questions()) != 2 {
			t.Error("68 years were believed")
		}
	})
}

func TestTheCacheIsBounded(t *testing.T) {
	z := newZone(t)
	c := z.client(t)
	for i := range maxKept + 100 {
		_, _ = c.LookupNAPTR(t.Context(), fmt.Sprintf("n%d.example", i))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.cache) > maxKept || len(c.flights) != 0 {
		t.Error(len(c.cache), "kept,", len(c.flights), "under way")
	}
}

func TestTheMachinesFilesAreHonouredAndReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		hosts, conf := filepath.Join(dir, "hosts"), filepath.Join(dir, "resolv.conf")
		write := func(path, text string) {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write(hosts, "192.0.2.7 PBX pbx.example # ours\nnonsense pbx\n2001:db8::7\tpbx\n")
		write(conf, "nameserver 192.0.2.53\nsearch office.example\n")
		z := newZone(t, "kamailio.office.example. 60 IN A 192.0.2.9")
		server := ""
		c := New(Config{ResolvConf: conf, Hosts: hosts, Exchange: func(ctx context.Context, q *dns.Msg, s string) (*dns.Msg, error) {
			z.mu.Lock()
			server = s
			z.mu.Unlock()
			return z.exchange(ctx, q, s)
		}})
		defer c.Close()
		if got := addrs(t, c, "pbx"); got != "192.0.2.7 2001:db8::7" || len(z.questions()) != 0 {
			t.Error("got", got, z.questions())
		}
		if got := addrs(t, c, "kamailio"); got != "192.0.2.9" || server != "192.0.2.53:53" {
			t.Error("got", got, "from", server)
		}
		write(hosts, "192.0.2.77 pbx\n")
		write(conf, "nameserver 192.0.2.54\n")
		time.Sleep(lookAgain)
		if got := addrs(t, c, "pbx"); got != "192.0.2.77" {
			t.Error("got", got)
		}
		if addrs(t, c, "other.example"); server != "192.0.2.54:53" {
			t.Error("asked", server)
		}
	})
}

func TestHeavierServersAreDrawnSooner(t *testing.T) {
	first := map[string]int{}
	for lot := range 1000 {
		random := func() float64 { return float64(lot) / 1000 }
		list := Draw([]SRV{{"backup", 1, 20, 100}, {"light", 1, 10, 10}, {"zero", 1, 10, 0}, {"heavy", 1, 10, 90}}, random)
		first[list[0].Target]++
		if list[3].Target != "backup" {
			t.Fatal("a higher priority came sooner:", list)
		}
	}
	if first["heavy"] < 850 || first["light"] < 80 || first["zero"] < 1 || first["zero"] > 20 {
		t.Error("first of a thousand:", first)
	}
}

// serve runs a DNS server on a loopback port for both networks.
func serve(t *testing.T, answer func(w dns.ResponseWriter, q *dns.Msg)) string {
	t.Helper()
	for range 20 {
		packets, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		streams, err := net.Listen("tcp", packets.LocalAddr().String())
		if err != nil { // another process has that port for TCP
			_ = packets.Close()
			continue
		}
		for _, s := range []*dns.Server{{PacketConn: packets, Handler: dns.HandlerFunc(answer)}, {Listener: streams, Handler: dns.HandlerFunc(answer)}} {
			ready := make(chan struct{})
			s.NotifyStartedFunc = func() { close(ready) }
			go func() { _ = s.ActivateAndServe() }()
			<-ready
			t.Cleanup(func() { _ = s.Shutdown() })
		}
		return packets.LocalAddr().String()
	}
	t.Fatal("no port for UDP and TCP")
	return ""
}

func TestAnAnswerThatUDPCutsOffComesOverTCP(t *testing.T) {
	var all []string
	for i := range 80 {
		all = append(all, fmt.Sprintf("_sip._udp.big.example. 60 IN SRV %d 1 5060 a-rather-long-name-of-a-server-%d.big.example.", i, i))
	}
	z := newZone(t, all...)
	server := serve(t, func(w dns.ResponseWriter, q *dns.Msg) {
		m := z.answer(q)
		if w.LocalAddr().Network() == "udp" {
			m.Truncate(512)
		}
		_ = w.WriteMsg(m)
	})
	c := New(Config{Servers: []string{server}, Hosts: os.DevNull, ResolvConf: os.DevNull})
	defer c.Close()
	list, err := c.LookupSRV(t.Context(), "_sip._udp.big.example")
	if err != nil || len(list) != 80 || list[79].Target != "a-rather-long-name-of-a-server-79.big.example" {
		t.Error(len(list), err)
	}
}

func TestAServerWithoutEDNSIsAskedWithout(t *testing.T) {
	z := newZone(t, "a.example. 60 IN NAPTR 10 20 \"s\" \"SIP+D2U\" \"\" _sip._udp.a.example.")
	server := serve(t, func(w dns.ResponseWriter, q *dns.Msg) {
		m := z.answer(q)
		if q.IsEdns0() != nil {
			m = new(dns.Msg).SetRcode(q, dns.RcodeFormatError)
		}
		_ = w.WriteMsg(m)
	})
	c := New(Config{Servers: []string{server}, Hosts: os.DevNull, ResolvConf: os.DevNull})
	defer c.Close()
	list, err := c.LookupNAPTR(t.Context(), "a.example")
	if want := (NAPTR{10, 20, "s", "SIP+D2U", "", "_sip._udp.a.example"}); err != nil || len(list) != 1 || list[0] != want {
		t.Error(list, err)
	}
}

func TestNumbersAreRewrittenByTheirRules(t *testing.T) {
	z := newZone(t,
		`5.4.3.2.1.0.3.9.4.e164.arpa. 60 IN NAPTR 20 10 "u" "E2U+sip" "!^.*$!sip:late@carrier.example!" .`,
		`5.4.3.2.1.0.3.9.4.e164.arpa. 60 IN NAPTR 10 10 "u" "E2U+sip" "!^\\+49(.*)$!sip:\\1@pbx.example!" .`,
		`5.4.3.2.1.0.3.9.4.e164.arpa. 60 IN NAPTR 10 20 "u" "E2U+sip" "!(((!sip:broken@pbx.example!" .`,
		`5.4.3.2.1.0.3.9.4.e164.arpa. 60 IN NAPTR 10 30 "u" "E2U+sip" "!^.*$!sip:a b@pbx.example!" .`,
		`5.4.3.2.1.0.3.9.4.e164.arpa. 60 IN NAPTR 10 40 "u" "other" "!^.*$!sip:other@pbx.example!" .`,
		`1.private.example. 60 IN NAPTR 10 10 "U" "E2U+mailto" "/^/mailto:a@b.example/i" .`)
	list, err := ENUM(t.Context(), z.client(t), "+493012345", "")
	want := []Service{{"E2U+sip", "sip:3012345@pbx.example"}, {"E2U+sip", "sip:late@carrier.example"}}
	if err != nil || !slices.Equal(list, want) {
		t.Error("got", list, err)
	}
	list, err = ENUM(t.Context(), z.client(t), "1", "private.example")
	if err != nil || !slices.Equal(list, []Service{{"E2U+mailto", "mailto:a@b.example"}}) {
		t.Error("got", list, err)
	}
	for _, number := range []string{"", "+", "alice", "12.3", strings.Repeat("1", 40)} {
		if list, err := ENUM(t.Context(), z.client(t), number, ""); err == nil {
			t.Error(number, "is no number:", list)
		}
	}
}

func FuzzARuleNeverMakesABrokenURI(f *testing.F) {
	f.Add(`!^\+49(.*)$!sip:\1@pbx.example!i`)
	f.Add(`!a!!b!c`)
	f.Fuzz(func(t *testing.T, rule string) {
		uri, err := (&NAPTR{Regexp: rule}).rewrite("+493012345")
		if err == nil && strings.ContainsAny(uri, " \r\n\x00\x7f") {
			t.Errorf("%q became %q", rule, uri)
		}
	})
}
