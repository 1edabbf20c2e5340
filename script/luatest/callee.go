package luatest

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
)

// Callee is what a target does with an INVITE.
type Callee struct {
	Refuses bool // its port is closed
	Acts    []Act
}

// Act is one response of a callee.
type Act struct {
	After time.Duration // since the one before it, or since the INVITE
	Code  int
}

// Bounds of a callee that is written down.
const (
	maxActs  = 50
	maxDelay = 12 * time.Hour
)

// ParseCallee reads what a callee does: codes with delays between them, as in
// "180 5s 200", or "silent", or "refuse".
func ParseCallee(text string) (Callee, error) {
	var c Callee
	var after time.Duration
	words := strings.Fields(text)
	if len(words) == 1 {
		switch words[0] {
		case "silent":
			return c, nil
		case "refuse":
			c.Refuses = true
			return c, nil
		}
	}
	for _, w := range words {
		if code, err := strconv.Atoi(w); err == nil {
			if code < 100 || code > 699 {
				return Callee{}, fmt.Errorf("%q: a response has a code from 100 to 699", w)
			}
			c.Acts = append(c.Acts, Act{after, code})
			after = 0
			continue
		}
		d, err := time.ParseDuration(w)
		if err != nil || d < 0 || after+d > maxDelay {
			return Callee{}, fmt.Errorf("%q: a callee is codes and delays like \"180 5s 200\", or silent, or refuse", w)
		}
		after += d
	}
	switch i := slices.IndexFunc(c.Acts, func(a Act) bool { return a.Code >= 200 }); {
	case len(c.Acts) == 0 || len(c.Acts) > maxActs:
		return Callee{}, fmt.Errorf("%q: a callee has from 1 to %d responses; one that sends none is silent", text, maxActs)
	case i >= 0 && i < len(c.Acts)-1:
		return Callee{}, fmt.Errorf("%q: %d is final, nothing comes behind it", text, c.Acts[i].Code)
	case after > 0:
		return Callee{}, fmt.Errorf("%q: nothing comes behind the last delay", text)
	}
	return c, nil
}

// String writes it as ParseCallee reads it.
func (c Callee) String() string {
	switch {
	case c.Refuses:
		return "refuse"
	case len(c.Acts) == 0:
		return "silent"
	}
	var words []string
	for _, a := range c.Acts {
		if a.After > 0 {
			words = append(words, a.After.String())
		}
		words = append(words, strconv.Itoa(a.Code))
	}
	return strings.Join(words, " ")
}

// cast gives each INVITE that leaves the engine its callee, or each request of
// another method.
type cast struct {
	stage   *stage
	method  string
	callees []Callee
	begun   map[string]int // which one, by leg; guarded by the stage
	count   int            // of INVITEs, those refused before they left too
	playing []*playing
}

// playing is a callee with its leg.
type playing struct {
	leg  *leg
	rest []Act
	next time.Time
}

func newCast(s *stage, method string, callees []Callee) *cast {
	c := &cast{stage: s, method: method, callees: callees, begun: map[string]int{}}
	if len(callees) == 0 {
		c.callees = []Callee{{Acts: []Act{{Code: 180}, {Code: 200}}}}
	}
	if method != "INVITE" {
		c.callees = soundless(c.callees)
	}
	s.network.Refuse(func(p simnet.Packet) bool { return c.refuses(p) })
	return c
}

// soundless are callees that do not ring: only an INVITE is answered with a 1xx
// (RFC 4320 section 4.1). What comes after one comes as late.
func soundless(callees []Callee) []Callee {
	quiet := make([]Callee, len(callees))
	for i, one := range callees {
		quiet[i].Refuses = one.Refuses
		var late time.Duration
		for _, a := range one.Acts {
			if late += a.After; a.Code >= 200 {
				quiet[i].Acts = append(quiet[i].Acts, Act{late, a.Code})
			}
		}
	}
	return quiet
}

// refuses tells whether a packet, or a connection that is dialled, meets a
// closed port. The network asks, and must not be called.
func (c *cast) refuses(p simnet.Packet) bool {
	s := c.stage
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.Bytes == nil {
		if !c.at(c.count).Refuses {
			return false
		}
		c.count++
		return true
	}
	m, err := message.Parse(p.Bytes)
	if err != nil || m.Method != c.method || !m.IsRequest() || m.ToTag() != "" {
		return false
	}
	return c.at(c.number(keyOf(m.CallID(), m.FromTag()))).Refuses
}

// number is which callee a leg has; stage.mu is held.
func (c *cast) number(key string) int {
	n, known := c.begun[key]
	if !known {
		n = c.count
		c.begun[key] = n
		c.count++
	}
	return n
}

func (c *cast) at(n int) Callee { return c.callees[min(n, len(c.callees)-1)] }

// act lets the callees do what is due, and says when the next one is.
func (c *cast) act() (next time.Time) {
	c.meet()
	now := time.Now()
	for _, p := range c.playing {
		for len(p.rest) > 0 && !now.Before(p.next) {
			_ = p.leg.reply(p.rest[0].Code, content{}) // a CANCEL may have ended the INVITE
			if p.rest = p.rest[1:]; len(p.rest) > 0 {
				p.next = now.Add(p.rest[0].After)
			}
		}
		if len(p.rest) > 0 {
			next = earliest(p.next, next)
		}
	}
	return next
}

// meet finds the legs that are new.
func (c *cast) meet() {
	s := c.stage
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, l := range s.legs {
		if l.name != "b" || slices.ContainsFunc(c.playing, func(p *playing) bool { return p.leg == l }) {
			continue
		}
		p := &playing{leg: l, rest: c.at(c.number(key)).Acts}
		if len(p.rest) > 0 {
			p.next = time.Now().Add(p.rest[0].After)
		}
		c.playing = append(c.playing, p)
	}
}

// placed refuses an address that no call comes from.
func placed(at netip.Addr) error {
	if !at.IsValid() || at.IsUnspecified() || at.IsMulticast() || at.Zone() != "" {
		return fmt.Errorf("%s: no call comes from there", at)
	}
	return nil
}
