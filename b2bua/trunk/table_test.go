package trunk

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func table(t testing.TB, resolve func(string) []netip.Addr, trunks ...Trunk) *Table {
	t.Helper()
	tb, err := NewTable(trunks, resolve)
	if err != nil {
		t.Fatal(err)
	}
	return tb
}

func TestLongestPrefixWins(t *testing.T) {
	tb := table(t, nil,
		Trunk{Name: "all", Match: []string{"0.0.0.0/0"}},
		Trunk{Name: "net", Match: []string{"192.0.2.0/24", "2001:db8::/32"}},
		Trunk{Name: "half", Match: []string{"192.0.2.128/25"}},
		Trunk{Name: "one", Match: []string{"192.0.2.200", "192.0.2.255", "2001:db8::5"}},
	)
	for addr, want := range map[string]string{
		"192.0.2.0": "net 192.0.2.0/24", "192.0.2.127": "net 192.0.2.0/24",
		"192.0.2.128": "half 192.0.2.128/25", "192.0.2.199": "half 192.0.2.128/25",
		"192.0.2.200": "one 192.0.2.200", "192.0.2.201": "half 192.0.2.128/25",
		"192.0.2.255": "one 192.0.2.255", "192.0.3.0": "all 0.0.0.0/0",
		"255.255.255.255": "all 0.0.0.0/0", "0.0.0.0": "all 0.0.0.0/0",
		"::ffff:192.0.2.200": "one 192.0.2.200",
		"2001:db8::5":        "one 2001:db8::5", "2001:db8::5%eth0": "one 2001:db8::5",
		"2001:db8:ffff::": "net 2001:db8::/32",
		"2001:db9::":      " ", "::1": " ", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff": " ",
	} {
		found, why := tb.Match(netip.MustParseAddr(addr))
		name := ""
		if found != nil {
			name = found.Name
		}
		if got := name + " " + why; got != want {
			t.Errorf("%s: got %q, want %q", addr, got, want)
		}
	}
}

func TestAllEntriesAroundAnAddressAreTold(t *testing.T) {
	tb := table(t, func(string) []netip.Addr { return []netip.Addr{netip.MustParseAddr("192.0.2.200")} },
		Trunk{Name: "all", Match: []string{"0.0.0.0/0"}},
		Trunk{Name: "net", Match: []string{"192.0.2.0/24"}},
		Trunk{Name: "near", Match: []string{"192.0.2.128/26"}},
		Trunk{Name: "named", Match: []string{"sip.carrier.example"}},
	)
	for addr, want := range map[string]string{
		"192.0.2.200": "[{named sip.carrier.example (192.0.2.200) true false false} {net 192.0.2.0/24 false false false} {all 0.0.0.0/0 false false false}]",
		"192.0.2.130": "[{near 192.0.2.128/26 false false false} {net 192.0.2.0/24 false false false} {all 0.0.0.0/0 false false false}]",
		"192.0.3.1":   "[{all 0.0.0.0/0 false false false}]",
		"2001:db8::1": "[]",
	} {
		if got := fmt.Sprint(tb.Matches(netip.MustParseAddr(addr))); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
}

func TestTheZeroAddressMatchesNothing(t *testing.T) {
	tb := table(t, nil, Trunk{Name: "all", Match: []string{"0.0.0.0/0", "::/0"}})
	if found, _ := (&Table{}).Match(netip.Addr{}); found != nil {
		t.Error("an empty table matched")
	}
	if found, _ := tb.Match(netip.Addr{}); found != nil {
		t.Error("no address matched", found.Name)
	}
}

func TestMatchAgreesWithTryingEveryPrefix(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	var trunks []Trunk
	var prefixes []netip.Prefix
	for range 300 {
		var b [4]byte
		b[0], b[1] = 192, byte(random.IntN(4))
		b[2], b[3] = byte(random.IntN(4)), byte(random.IntN(256))
		p := netip.PrefixFrom(netip.AddrFrom4(b), random.IntN(33)).Masked()
		if !slices.Contains(prefixes, p) {
			prefixes = append(prefixes, p)
			trunks = append(trunks, Trunk{Name: p.String(), Match: []string{p.String()}})
		}
	}
	tb := table(t, nil, trunks...)
	for range 5000 {
		addr := netip.AddrFrom4([4]byte{192, byte(random.IntN(5)), byte(random.IntN(5)), byte(random.IntN(256))})
		want, bits := "", -1
		for _, p := range prefixes {
			if p.Contains(addr) && p.Bits() > bits {
				want, bits = p.String(), p.Bits()
			}
		}
		if _, why := tb.Match(addr); why != want {
			t.Fatalf("seed %d: %s: got %q, want %q", seed, addr, why, want)
		}
	}
}

func TestHostNamesYieldToWrittenPrefixes(t *testing.T) {
	resolve := func(host string) []netip.Addr {
		return map[string][]netip.Addr{
			"sip.carrier.example": {netip.MustParseAddr("192.0.2.4"), netip.MustParseAddr("::ffff:192.0.2.5")},
			"sip.other.example":   {netip.MustParseAddr("192.0.2.4"), {}},
		}[host]
	}
	tb := table(t, resolve,
		Trunk{Name: "carrier", Match: []string{"sip.carrier.example", "gone.example"}},
		Trunk{Name: "other", Match: []string{"sip.other.example"}},
		Trunk{Name: "pbx", Match: []string{"192.0.2.5"}},
	)
	if found, why := tb.Match(netip.MustParseAddr("192.0.2.4")); found.Name != "carrier" || why != "sip.carrier.example (192.0.2.4)" {
		t.Error("got", found.Name, why)
	}
	if found, _ := tb.Match(netip.MustParseAddr("192.0.2.5")); found.Name != "pbx" {
		t.Error("got", found.Name)
	}
	for addr, want := range map[string]string{
		"192.0.2.4": "[{carrier sip.carrier.example (192.0.2.4) true false false} {other sip.other.example (192.0.2.4) true false true}]",
		"192.0.2.5": "[{pbx 192.0.2.5 false false false} {carrier sip.carrier.example (192.0.2.5) true false true}]",
	} {
		if got := fmt.Sprint(tb.Matches(netip.MustParseAddr(addr))); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
	if got := fmt.Sprint(tb.Rivals()); got != "[192.0.2.4 192.0.2.5]" {
		t.Error("rivals:", got)
	}
}

func TestUsersAndListenersAreNoHosts(t *testing.T) {
	resolve := func(host string) []netip.Addr {
		t.Errorf("%s is looked up", host)
		return nil
	}
	tb := table(t, resolve,
		Trunk{Name: "a", Match: []string{"user:alice", "listener:edge", "user:alice"}},
		Trunk{Name: "b", Match: []string{"user:Alice", "192.0.2.1"}},
	)
	if tb.MatchUser("alice").Name != "a" || tb.MatchUser("Alice").Name != "b" || tb.MatchUser("bob") != nil || tb.MatchUser("") != nil {
		t.Error("users are not told apart")
	}
	if tb.MatchListener("edge").Name != "a" || tb.MatchListener("") != nil {
		t.Error("listeners are not told apart")
	}
	if found, _ := tb.MatchName([]string{"user:alice", "listener:edge"}); found != nil {
		t.Error("a certificate is a user's")
	}
	for source, want := range map[string]string{"user:alice": "a", "listener:edge": "a", "192.0.2.1": "b", "[::1]": "a", "user:": "", "edge": ""} {
		if got := tb.Fits(source); len(got) != min(len(want), 1) || want != "" && got[0].Trunk != want {
			t.Errorf("%s fits %+v", source, got)
		}
	}
	for _, shared := range []string{"user:alice", "listener:edge"} {
		_, err := NewTable([]Trunk{{Name: "a", Match: []string{shared}}, {Name: "b", Match: []string{shared}}}, nil)
		if want := "trunks a and b both match " + shared; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestNamesAreSortedAndFound(t *testing.T) {
	tb := table(t, nil, Trunk{Name: "b"}, Trunk{Name: "a"})
	if got := tb.Names(); !slices.Equal(got, []string{"a", "b"}) {
		t.Error("got", got)
	}
	if tb.Get("b") == nil || tb.Get("c") != nil {
		t.Error("Get does not tell b from c")
	}
}

func TestBadTablesAreRefused(t *testing.T) {
	for want, trunks := range map[string][]Trunk{
		"without a name":                           {{}},
		"there are two of that name":               {{Name: "a"}, {Name: "a"}},
		"trunks a and b both match 192.0.2.0/24":   {{Name: "a", Match: []string{"192.0.2.0/24"}}, {Name: "b", Match: []string{"192.0.2.9/24"}}},
		"both match 192.0.2.1/32":                  {{Name: "a", Match: []string{"192.0.2.1"}}, {Name: "b", Match: []string{"::ffff:192.0.2.1"}}},
		"trunk a: headers.set: Via belongs to the": {{Name: "a", Headers: set("Via", "x")}},
	} {
		_, err := NewTable(trunks, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if _, err := NewTable([]Trunk{{Name: "a", Match: []string{"192.0.2.1", "192.0.2.1/32"}}}, nil); err != nil {
		t.Error("a trunk quarrels with itself:", err)
	}
}

// 1,000 trunks with 10,000 prefixes, nested and apart.
func BenchmarkMatchAmongTenThousand(b *testing.B) {
	trunks := make([]Trunk, 1000)
	for i := range trunks {
		trunks[i].Name = fmt.Sprint("trunk-", i)
		for j := range 10 {
			n := i*10 + j
			trunks[i].Match = append(trunks[i].Match, fmt.Sprintf("10.%d.%d.0/%d", n/256, n%256, 24+n%9))
		}
	}
	tb := table(b, nil, trunks...)
	var addrs []netip.Addr
	for i := range 1024 {
		addrs = append(addrs, netip.AddrFrom4([4]byte{10, byte(i * 7 % 39), byte(i * 31), 0}))
	}
	for i := 0; b.Loop(); i++ {
		if found, _ := tb.Match(addrs[i%len(addrs)]); found == nil {
			b.Fatal("no match", addrs[i%len(addrs)])
		}
	}
}
