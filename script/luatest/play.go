package luatest

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"legwork/b2bua"
	"legwork/b2bua/capture"
	"legwork/b2bua/message"
	"legwork/b2bua/trunk"
	"legwork/script/canned"
	"legwork/script/lua"
)

// Scene is one call that is played from its INVITE to its end, without a test, or
// one request outside any call.
type Scene struct {
	// Request is the text of what the caller sends, its lines ended in any way.
	// What belongs to the hop, Via and Content-Length, is made anew.
	Request string
	Trunk   string     // that the call comes from; "": by Source
	Source  netip.Addr // where it comes from; the zero value: by Trunk
	Seen    netip.Addr // where it came from once: taken when nothing else says
	// At is when it is played, and what the scripts see as the time; the zero
	// value, or before the bubble's beginning: then.
	At time.Time
	// Callees is what each target that is called does, in turn; the last stands
	// for all behind it.
	Callees []Callee
	Stubs   []canned.Stub
	Talk    time.Duration // from the answer to the caller's BYE
	Cancel  time.Duration // after which the caller gives up an INVITE that is not answered; 0: never
}

// Played is what came of a scene.
type Played struct {
	Method  string
	Source  netip.AddrPort
	Match   []trunk.Hit      // entries that the source fits, the one that decides first
	Story   *capture.Story   // nil: no call came of the INVITE
	Record  *b2bua.Record    // nil: no call came of it, or it goes on
	Assumed bool             // nothing said where it comes from: there is one trunk
	Final   *message.Message // what the caller got; nil: nothing final
	Errors  []string         // of the scripts, with tracebacks
	Output  []string         // printed by the scripts
	Lookups []string         // those that no stub answered, as the lines that would
	Open    bool             // the call had not ended when the patience with it did
}

// patience with a call that does not end, in virtual time.
const patience = 24 * time.Hour

// Play plays one call. The error is that of scripts that can't be loaded, or of
// a scene that can't be played.
func Play(cfg Config, scene Scene) (played *Played, err error) {
	cfg.style = canned.JSON
	cfg.Bubble(func() {
		time.Sleep(time.Until(scene.At))
		var s *stage
		if s, err = build(&cfg, &lua.Compiled{}, 1); err != nil {
			return
		}
		defer s.close()
		played, err = s.play(scene)
	})
	return played, err
}

func (s *stage) play(scene Scene) (*Played, error) {
	if err := s.stubs.Add(scene.Stubs...); err != nil {
		return nil, err
	}
	if scene.Trunk == "" && !scene.Source.IsValid() && placed(scene.Seen) == nil {
		scene.Source = scene.Seen
	}
	m, err := parseMessage(scene.Request)
	if err != nil {
		return nil, err
	}
	cast := newCast(s, m.Method, scene.Callees)
	c, err := s.invite(invitation{method: m.Method, seen: seen{text: scene.Request, any: true}, trunk: scene.Trunk, at: scene.Source})
	if err != nil {
		return nil, err
	}
	p := &Played{Method: m.Method, Source: c.a.agent.Addr, Match: s.near.table.Fits(c.a.agent.Addr.Addr().String())}
	p.Assumed = scene.Trunk == "" && !scene.Source.IsValid() && len(p.Match) > 0
	open := s.perform(c, cast, &scene)
	s.mu.Lock()
	id := c.engine
	s.mu.Unlock()
	p.Open, p.Final = open, c.a.final()
	p.Story, _ = s.ring.Story(id, capture.Mask{})
	if p.Story != nil && m.Method != "INVITE" && p.Story.Outcome == nil {
		p.Story.Outcome = &capture.Outcome{} // nobody answers it any more
	}
	p.Record, _ = s.ring.Record(id)
	var said Result
	s.log.tell(&said)
	p.Errors, p.Output, p.Lookups = said.Errors, said.Output, s.stubs.Unanswered()
	return p, nil
}

// perform lets time pass until the call is over; true when it is not.
func (s *stage) perform(c *call, cast *cast, scene *Scene) (open bool) {
	began := time.Now()
	var hangUp, giveUp time.Time
	if c.a.invite.Method != "INVITE" {
		return s.performRequest(c, cast)
	}
	if scene.Cancel > 0 {
		giveUp = began.Add(scene.Cancel)
	}
	for time.Since(began) < patience {
		due := cast.act()
		s.settle()
		if s.ended(c) {
			return false
		}
		now := time.Now()
		switch final := c.a.final(); {
		case final != nil && final.Status < 300 && hangUp.IsZero():
			hangUp, giveUp = now.Add(scene.Talk), time.Time{}
		case final == nil && !giveUp.IsZero() && !now.Before(giveUp):
			giveUp = time.Time{}
			_ = c.a.cancel(content{}) // a final response may cross it
		case !hangUp.IsZero() && !now.Before(hangUp):
			hangUp = now.Add(patience)
			_ = c.a.request("BYE", content{})
		default:
			s.await(earliest(began.Add(patience), due, hangUp, giveUp))
		}
	}
	return !s.ended(c) // on_end may have waited, of which no agent hears
}

// performRequest lets time pass until a request outside any call has its answer,
// or its transaction has run out (timer F of RFC 3261 section 17.1.2).
func (s *stage) performRequest(c *call, cast *cast) (open bool) {
	for end := time.Now().Add(ackLimit + time.Second); time.Now().Before(end); {
		due := cast.act()
		s.settle()
		if s.ended(c) {
			break
		}
		s.await(earliest(end, due))
	}
	return false
}

// ended tells whether the call's record is closed, or no call came of the INVITE.
func (s *stage) ended(c *call) bool {
	s.mu.Lock()
	id := c.engine
	s.mu.Unlock()
	if id == "" {
		return c.a.final() != nil
	}
	_, over := s.ring.Record(id)
	return over
}

// await lets time pass up to a moment, or until something reaches an agent.
func (s *stage) await(until time.Time) {
	end := time.NewTimer(time.Until(until))
	defer end.Stop()
	select {
	case <-s.news:
	case <-end.C:
	}
}

// earliest is the first of the moments that are set.
func earliest(first time.Time, others ...time.Time) time.Time {
	for _, one := range others {
		if !one.IsZero() && one.Before(first) {
			first = one
		}
	}
	return first
}

// Playable reads a request that can be played; the error tells what keeps the
// text from being one.
func Playable(text string) (*message.Message, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("has %d bytes; a message has at most %d", len(text), maxText)
	}
	if strings.TrimSpace(text) == "" {
		return nil, errors.New("is empty")
	}
	m, err := parseMessage(text)
	if err != nil {
		return nil, err
	}
	if !m.IsRequest() || m.Method == "ACK" || m.Method == "CANCEL" {
		return nil, fmt.Errorf("holds %s; what is played is an INVITE, or a request outside any call", called(m))
	}
	bad := Refused(m)
	if bad == nil {
		return m, nil
	}
	what := "that a call can come of"
	if m.Method != "INVITE" {
		what = "that is played"
	}
	name, _, _ := strings.Cut(bad.Error(), " ")
	if at := lineOf(text, name); at > 0 {
		return nil, fmt.Errorf("is no SIP message %s: line %d: %w; the caller would get 400", what, at, bad)
	}
	return nil, fmt.Errorf("is no SIP message %s: %w; the caller would get 400", what, bad)
}

// Refused says why the engine would refuse a request before it asks anybody; what
// the text may leave out is not missed.
func Refused(m *message.Message) error {
	whole := m.Clone()
	for _, h := range []message.Header{
		{Name: "Via", Value: "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"},
		{Name: "Call-ID", Value: "1"},
		{Name: "CSeq", Value: "1 " + m.Method},
		{Name: "From", Value: "<sip:a@sbc.example>;tag=1"},
		{Name: "To", Value: "<sip:b@sbc.example>"},
	} {
		if whole.Get(h.Name) == "" {
			whole.Set(h.Name, h.Value)
		}
	}
	if bad := whole.Check(); bad != nil {
		return bad
	}
	return nil
}
