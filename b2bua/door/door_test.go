package door

import (
	"bytes"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// porch is a door with what it has told.
type porch struct {
	*testing.T
	*Door
	told []Ban
}

// newPorch has a neighbour at 192.0.2.1, and takes a message that says "vouched".
func newPorch(t *testing.T) *porch {
	t.Helper()
	p := &porch{T: t}
	p.Door = New(Config{
		Neighbour: func(k Knock) bool { return k.Source == netip.MustParseAddr("192.0.2.1") },
		Vouched:   func(_ netip.Addr, b []byte) bool { return bytes.Contains(b, []byte("vouched")) },
		Banned:    func(b Ban) { p.told = append(p.told, b) },
	})
	p.Apply(Rules{After: 20, Window: time.Minute, For: time.Hour})
	return p
}

func (p *porch) fail(n int, source string, why Reason, proven bool) {
	for range n {
		p.Failed(netip.MustParseAddr(source), why, proven)
	}
}

func datagram(source string) Knock {
	return Knock{Source: netip.MustParseAddr(source), Message: []byte("x")}
}

func connection(source string) Knock {
	return Knock{Source: netip.MustParseAddr(source), Stream: true}
}

func prefixes(texts ...string) (list []netip.Prefix) {
	for _, one := range texts {
		list = append(list, netip.MustParsePrefix(one))
	}
	return list
}

func TestTheLongestPrefixDecides(t *testing.T) {
	for _, test := range []struct {
		allow, deny []netip.Prefix
		addr        string
		admits      bool
	}{
		{nil, nil, "192.0.2.1", true},
		{nil, prefixes("192.0.2.0/24"), "192.0.2.1", false},
		{nil, prefixes("192.0.2.0/24"), "::ffff:192.0.2.1", false},
		{nil, prefixes("192.0.2.0/24"), "198.51.100.1", true},
		{nil, prefixes("192.0.2.0/24"), "2001:db8::1", true},
		{prefixes("192.0.2.0/24"), nil, "198.51.100.1", false},
		{prefixes("192.0.2.0/24"), nil, "2001:db8::1", false},
		{prefixes("192.0.2.0/24"), prefixes("192.0.2.66/32"), "192.0.2.66", false},
		{prefixes("192.0.2.66/32"), prefixes("192.0.2.0/24"), "192.0.2.66", true},
		{prefixes("192.0.2.66/32"), prefixes("0.0.0.0/0"), "203.0.113.1", false},
		{prefixes("2001:db8::/32"), prefixes("2001:db8:6::/48"), "2001:db8:6::1", false},
		{prefixes("2001:db8::/32"), prefixes("2001:db8:6::/48"), "2001:db8:7::1", true},
	} {
		acl, err := NewACL(test.allow, test.deny)
		if err != nil {
			t.Fatal(err)
		}
		if got := acl.Admits(netip.MustParseAddr(test.addr)); got != test.admits {
			t.Errorf("allow %v deny %v: %s %v", test.allow, test.deny, test.addr, got)
		}
	}
	if _, err := NewACL(prefixes("192.0.2.0/24"), prefixes("192.0.2.0/24")); err == nil {
		t.Error("a prefix is allowed and denied")
	}
}

func TestAListenersListAndTheGlobalOneBothMustAdmit(t *testing.T) {
	p := newPorch(t)
	global, _ := NewACL(nil, prefixes("192.0.2.66/32"))
	inside, _ := NewACL(prefixes("192.0.2.0/24"), nil)
	p.Apply(Rules{ACL: global, Listeners: map[string]*ACL{"inside": inside}})
	for _, test := range []struct {
		source, listener string
		refused          bool
	}{
		{"192.0.2.1", "inside", false},
		{"192.0.2.66", "inside", true},
		{"198.51.100.1", "inside", true},
		{"198.51.100.1", "edge", false},
		{"192.0.2.66", "edge", true},
	} {
		if got := p.Refuses(Knock{Source: netip.MustParseAddr(test.source), Listener: test.listener, Message: []byte("x")}); got != test.refused {
			t.Errorf("%+v: %v", test, got)
		}
	}
	if n := p.Counters().Messages["acl"]; n != 3 {
		t.Errorf("%d are counted", n)
	}
}

func TestASourceThatFailsTooOftenIsBannedForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPorch(t)
		p.fail(19, "198.51.100.7", Unknown, true)
		if p.Refuses(datagram("198.51.100.7")) || len(p.told) != 0 {
			t.Error("banned too early")
		}
		time.Sleep(time.Minute) // the window is over
		p.fail(19, "198.51.100.7", Unknown, true)
		if p.Refuses(datagram("198.51.100.7")) {
			t.Error("failures of two windows are added")
		}
		p.fail(1, "198.51.100.7", Malformed, true)
		if !p.Refuses(datagram("198.51.100.7")) || !p.Refuses(connection("198.51.100.7")) || p.Refuses(datagram("198.51.100.8")) {
			t.Error("not banned, or too many are")
		}
		if len(p.told) != 1 || p.told[0].Reason != Malformed || !p.told[0].Proven {
			t.Errorf("told %+v", p.told)
		}
		if bans := p.Bans(); len(bans) != 1 || bans[0].Messages != 2 || bans[0].Until.Sub(bans[0].Since) != time.Hour {
			t.Errorf("%+v", bans)
		}
		time.Sleep(time.Hour)
		if p.Refuses(datagram("198.51.100.7")) || len(p.Bans()) != 0 {
			t.Error("the ban does not end")
		}
	})
}

func TestAScannerIsBannedAtOnce(t *testing.T) {
	p := newPorch(t)
	p.fail(1, "198.51.100.7", Scanner, false)
	if !p.Refuses(datagram("198.51.100.7")) {
		t.Error("not banned")
	}
	if !p.Lift(netip.MustParseAddr("198.51.100.7")) || p.Lift(netip.MustParseAddr("198.51.100.7")) || p.Refuses(datagram("198.51.100.7")) {
		t.Error("not lifted")
	}
}

func TestAnIPv6SourceIsBannedWithItsNetwork(t *testing.T) {
	p := newPorch(t)
	p.fail(1, "2001:db8::7", Scanner, true)
	if !p.Refuses(datagram("2001:db8::8")) || p.Refuses(datagram("2001:db8:0:1::7")) {
		t.Error("another network")
	}
	if !p.Lift(netip.MustParseAddr("2001:db8::ffff")) {
		t.Error("not lifted")
	}
}

func TestWhatCanBeForgedBansDatagramsOnly(t *testing.T) {
	p := newPorch(t)
	p.fail(20, "198.51.100.7", Unknown, false)
	if !p.Refuses(datagram("198.51.100.7")) || p.Refuses(connection("198.51.100.7")) {
		t.Error("a connection shows that it is somebody else")
	}
	vouched := datagram("198.51.100.7")
	vouched.Message = []byte("vouched")
	if p.Refuses(vouched) {
		t.Error("so does an answer to a challenge")
	}
	p.fail(20, "198.51.100.7", Unknown, true)
	if !p.Refuses(vouched) || !p.Refuses(connection("198.51.100.7")) {
		t.Error("a proven ban is for all")
	}
}

func TestANeighbourIsNeverBanned(t *testing.T) {
	p := newPorch(t)
	p.fail(1, "192.0.2.1", Scanner, true)
	p.fail(1, "192.0.2.1", Scanner, false)
	if p.Refuses(datagram("192.0.2.1")) || p.Refuses(connection("192.0.2.1")) {
		t.Error("banned")
	}
}

func TestWhoIsAccusedWronglyFindsASlitAndProvesHimself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPorch(t)
		phone := netip.MustParseAddr("198.51.100.7")
		p.fail(20, "198.51.100.7", Challenged, false)
		if p.Refuses(datagram("198.51.100.7")) {
			t.Error("challenges are a fifth of a failure")
		}
		p.fail(20, "198.51.100.7", Unknown, false)
		if !p.Refuses(datagram("198.51.100.7")) {
			t.Error("not banned")
		}
		time.Sleep(slitEvery)
		if p.Refuses(datagram("198.51.100.7")) || !p.Refuses(datagram("198.51.100.7")) {
			t.Error("one may pass")
		}
		p.Proved(phone, "alice")
		if p.Refuses(datagram("198.51.100.7")) || len(p.Bans()) != 0 {
			t.Error("still banned")
		}
		p.fail(100, "198.51.100.7", Scanner, false)
		if p.Refuses(datagram("198.51.100.7")) {
			t.Error("hearsay against somebody in good standing")
		}
		time.Sleep(standing)
		p.fail(1, "198.51.100.7", Scanner, false)
		if !p.Refuses(datagram("198.51.100.7")) {
			t.Error("the standing lasts for ever")
		}
	})
}

func TestAProofDoesNotWashWrongPasswordsAway(t *testing.T) {
	p := newPorch(t)
	p.fail(19, "198.51.100.7", Credentials, true)
	p.Proved(netip.MustParseAddr("198.51.100.7"), "mallory")
	p.fail(1, "198.51.100.7", Credentials, true)
	if !p.Refuses(connection("198.51.100.7")) {
		t.Error("who has one password may try for others")
	}
}

func TestNobodyIsBannedWhenThatIsOff(t *testing.T) {
	p := newPorch(t)
	p.fail(1, "198.51.100.7", Scanner, true)
	p.Apply(Rules{})
	p.fail(1, "198.51.100.8", Scanner, true)
	if p.Refuses(datagram("198.51.100.7")) || p.Refuses(datagram("198.51.100.8")) || len(p.Bans()) != 0 {
		t.Error("banned")
	}
}

func TestAFloodOfForgedSourcesIsBoundedAndHidesNobodyProven(t *testing.T) {
	p := newPorch(t)
	p.fail(1, "203.0.113.7", Scanner, true)
	p.fail(19, "203.0.113.8", Credentials, true)
	for i := range 3 * mostBans {
		a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		p.Failed(a, Scanner, false)
		p.Failed(netip.AddrFrom4([4]byte{11, byte(i >> 16), byte(i >> 8), byte(i)}), Unknown, false)
		p.Proved(a, "alice")
		p.Failed(netip.AddrFrom4([4]byte{12, byte(i >> 16), byte(i >> 8), byte(i)}), Scanner, false)
		p.Guessed(a.String())
	}
	p.fail(1, "203.0.113.8", Credentials, true)
	if !p.Refuses(connection("203.0.113.7")) || !p.Refuses(connection("203.0.113.8")) {
		t.Error("a proven ban was forgotten")
	}
	if a, b, c, d := len(p.hearsay.bans), len(p.hearsay.suspects), len(p.proved), len(p.guesses); a > mostBans || b > mostSuspects || c > mostProved+1 || d > mostGuessed {
		t.Errorf("%d bans, %d suspects, %d proofs, %d guesses", a, b, c, d)
	}
}

func TestGuessesAtAUserWaitWhereverTheyComeFrom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPorch(t)
		home, away := netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("198.51.100.7")
		p.Proved(home, "alice")
		var pauses []time.Duration
		for range 10 {
			pause, ok := p.Pause(away, "alice")
			if !ok {
				t.Fatal("refused")
			}
			if pauses = append(pauses, pause); pause > 0 {
				time.Sleep(pause)
				p.Answered("alice")
			}
			p.Guessed("alice")
		}
		want := []time.Duration{0, 0, 0, 0, 0, 0, 500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second}
		for i := range want {
			if pauses[i] != want[i] {
				t.Errorf("pauses %v", pauses)
				break
			}
		}
		if pause, ok := p.Pause(home, "alice"); pause != 0 || !ok {
			t.Error("the real user waits at home")
		}
		if pause, _ := p.Pause(away, "bob"); pause != 0 {
			t.Error("another user waits")
		}
		for range mostWaiting {
			if pause, ok := p.Pause(away, "alice"); pause != longestPause || !ok {
				t.Error(pause, ok)
			}
		}
		if _, ok := p.Pause(away, "alice"); ok {
			t.Error("too many wait")
		}
		p.Answered("alice")
		if _, ok := p.Pause(away, "alice"); !ok {
			t.Error("a place is free")
		}
		time.Sleep(guessWindow)
		if pause, ok := p.Pause(away, "alice"); pause != 0 || !ok {
			t.Error("it lasts for ever")
		}
	})
}

func BenchmarkNobodyIsBanned(b *testing.B) {
	d := New(Config{})
	k := datagram("192.0.2.1")
	for b.Loop() {
		d.Refuses(k)
	}
}

func BenchmarkManyAreBanned(b *testing.B) {
	d := New(Config{Neighbour: func(Knock) bool { return false }, Vouched: func(netip.Addr, []byte) bool { return false }, Banned: func(Ban) {}})
	var deny []netip.Prefix
	for i := range 1000 {
		deny = append(deny, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24))
	}
	acl, _ := NewACL(nil, deny)
	d.Apply(Rules{ACL: acl, After: 1, Window: time.Minute, For: time.Hour})
	for i := range mostBans {
		d.Failed(netip.AddrFrom4([4]byte{11, byte(i >> 16), byte(i >> 8), byte(i)}), Scanner, true)
	}
	good, bad := datagram("192.0.2.1"), datagram("11.0.0.9")
	b.Run("good", func(b *testing.B) {
		for b.Loop() {
			d.Refuses(good)
		}
	})
	b.Run("bad", func(b *testing.B) {
		for b.Loop() {
			d.Refuses(bad)
		}
	})
}

func TestPhonesBehindAnAddressThatWasProvedMayAllBeAsked(t *testing.T) {
	p := newPorch(t)
	p.Proved(netip.MustParseAddr("198.51.100.7"), "alice")
	p.fail(200, "198.51.100.7", Challenged, true)
	if p.Refuses(connection("198.51.100.7")) {
		t.Error("phones that start at once are banned where one has shown its password")
	}
	p.fail(100, "198.51.100.8", Challenged, true)
	if !p.Refuses(connection("198.51.100.8")) {
		t.Error("who only asks to be challenged is never banned")
	}
}
