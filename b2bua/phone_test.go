package b2bua

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"legwork/b2bua/dialog"
	"legwork/b2bua/simnet"
)

// phone is an agent that does by itself what every phone does: it answers,
// repeats its 2xx, acknowledges, and lets others hang up.
type phone struct {
	*simnet.Agent
	mu      sync.Mutex
	dialogs map[string]*dialog.Dialog // by Call-ID
	acked   map[string]bool           // by Call-ID and CSeq
	told    []string                  // codes of NOTIFYs
	over    map[string]bool
	host    string // where its media is, by its last SDP: "c=" of the peer
}

func newPhone(a *simnet.Agent) *phone {
	p := &phone{Agent: a, dialogs: map[string]*dialog.Dialog{}, acked: map[string]bool{}, over: map[string]bool{}}
	a.Hear(p.hear)
	return p
}

func (p *phone) hear(in *simnet.Incoming) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !in.IsRequest() {
		p.answered(in)
		return
	}
	number, _, _ := in.CSeq()
	key := in.CallID() + " " + string(rune(number))
	switch in.Method {
	case "INVITE":
		p.talksTo(in)
		sent := in.Reply(200, answerAt(hostOf(p.Agent)))
		if p.dialogs[in.CallID()] == nil {
			p.dialogs[in.CallID()] = p.Dialog(in.Message, sent, true)
		}
		go p.repeat(in, key)
	case "ACK":
		p.acked[key] = true
	case "NOTIFY":
		p.told = append(p.told, strings.Fields(string(in.Body))[1])
		in.Reply(200, nil)
	case "BYE":
		p.over[in.CallID()] = true
		in.Reply(200, nil)
	}
}

// answered takes the 2xx to an INVITE of the phone's.
func (p *phone) answered(in *simnet.Incoming) {
	if in.Status/100 != 2 || in.Method != "INVITE" {
		return
	}
	p.talksTo(in)
	number, _, _ := in.CSeq()
	d := p.dialogs[in.CallID()]
	if d.Remote == "" {
		d.Remote, d.RemoteURI = in.ToTag(), in.Get("To")
		if c, ok := in.Contact(); ok {
			d.Target = c.URI
		}
	}
	_, _ = p.SendACK(p.In(d, "ACK", number), sbc)
}

func (p *phone) talksTo(in *simnet.Incoming) {
	if _, rest, ok := strings.Cut(string(in.Body), "c=IN IP4 "); ok {
		p.host, _, _ = strings.Cut(rest, "\r\n")
	}
}

// repeat sends a 2xx again until its ACK comes (RFC 3261 section 13.3.1.4).
func (p *phone) repeat(in *simnet.Incoming, key string) {
	for range 20 {
		time.Sleep(500 * time.Millisecond)
		p.mu.Lock()
		done := p.acked[key]
		p.mu.Unlock()
		if done {
			return
		}
		in.Again()
	}
}

// call begins a call; the phone does the rest.
func (p *phone) call(r *rig, user string) *dialog.Dialog {
	req := p.Invite("sip:"+user+"@"+sbc, sdpAt(hostOf(p.Agent)))
	d := &dialog.Dialog{ID: dialog.ID{CallID: req.CallID(), Local: req.FromTag()}, LocalURI: "<sip:alice@" + p.Addr.String() + ">", LocalSeq: 1}
	p.mu.Lock()
	p.dialogs[req.CallID()] = d
	p.mu.Unlock()
	_, err := p.Send(req, sbc)
	r.check(err)
	return d
}

// state is what a test asks of a phone.
func (p *phone) state() (host, told string, open int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.host, slices.Max(append(p.told, "")), len(p.dialogs) - len(p.over)
}

// transferStubbornly plays a transfer among phones that repeat what they must.
func (r *rig) transferStubbornly(attended bool) {
	alice, bob, carol := newPhone(r.alice), newPhone(r.bob), newPhone(r.carol)
	first := alice.call(r, "bob")
	time.Sleep(20 * time.Second)
	var atBob *dialog.Dialog
	bob.mu.Lock()
	for _, d := range bob.dialogs {
		atBob = d
	}
	bob.mu.Unlock()
	to := "<sip:carol@" + sbc + ">"
	if attended {
		second := bob.call(r, "carol")
		time.Sleep(20 * time.Second)
		bob.mu.Lock()
		to = referTo("sip:carol@"+sbc, second)
		bob.mu.Unlock()
	}
	r.refer(r.bob, atBob, to, nil)
	time.Sleep(40 * time.Second)
	if _, told, open := bob.state(); told != "200" || open != 0 {
		r.Errorf("the referrer was told %q and has %d dialogs", told, open)
	}
	atAlice, _, _ := alice.state()
	atCarol, _, _ := carol.state()
	if atAlice != "192.0.2.3" || atCarol != "192.0.2.1" {
		r.Errorf("alice sends to %s, carol to %s", atAlice, atCarol)
	}
	r.say(r.alice, first, "BYE", nil)
	time.Sleep(40 * time.Second)
	if _, _, open := carol.state(); open != 0 {
		r.Error("carol was not hung up")
	}
}

func TestATransferSurvivesABadNetwork(t *testing.T) {
	for _, attended := range []bool{false, true} {
		for seed := range uint64(20) {
			faults := simnet.Faults{Seed: seed, Lose: 0.1, Double: 0.1, Reorder: 0.2, Delay: 20 * time.Millisecond, Jitter: 50 * time.Millisecond}
			playOn(t, faults, &fixed{invite: byUser}, func(r *rig) {
				r.transferStubbornly(attended)
				if r.Failed() {
					r.Errorf("seed %d, attended %v", seed, attended)
				}
			})
		}
	}
}

func TestATransferSurvivesTheLossOfEachPacket(t *testing.T) {
	for _, attended := range []bool{false, true} {
		for n := 1; n <= 48; n++ {
			play(t, &fixed{invite: byUser}, func(r *rig) {
				meddle(r, n, func(simnet.Packet) bool { return false })
				r.transferStubbornly(attended)
				if r.Failed() {
					r.Errorf("packet %d, attended %v", n, attended)
				}
			})
		}
	}
}

func TestJoinsThatNameEachOtherEndWell(t *testing.T) {
	for seed := range uint64(10) {
		playOn(t, simnet.Faults{Seed: seed, Delay: 5 * time.Millisecond, Reorder: 0.5, Jitter: 5 * time.Millisecond}, &fixed{invite: byUser}, func(r *rig) {
			alice, bob, carol := newPhone(r.alice), newPhone(r.bob), newPhone(r.carol)
			first, second := alice.call(r, "bob"), alice.call(r, "carol")
			time.Sleep(20 * time.Second)
			alice.mu.Lock()
			toSecond, toFirst := referTo("sip:"+sbc, second), referTo("sip:"+sbc, first)
			alice.mu.Unlock()
			r.refer(r.alice, first, toSecond, nil)
			r.refer(r.alice, second, toFirst, nil)
			time.Sleep(time.Minute)
			if told, _, _ := bob.state(); told != "192.0.2.1" && told != "192.0.2.3" {
				r.Errorf("bob sends to %q", told)
			}
			atBob, _, open := bob.state()
			atCarol, _, openToo := carol.state()
			if (atBob == "192.0.2.3") != (atCarol == "192.0.2.2") || open != 1 || openToo != 1 {
				r.Errorf("bob sends to %s in %d dialogs, carol to %s in %d", atBob, open, atCarol, openToo)
			}
			for _, c := range r.server.Calls() {
				r.server.HangUp(c.ID, "admin")
			}
			time.Sleep(time.Minute)
		})
	}
}
