package b2bua

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
	"legwork/b2bua/transport"
)

// handset is a client of TCP behind NAT: only the connection that it opens leads to
// it.
type handset struct {
	*rig
	net.Conn
	in *bufio.Reader
}

const atPhone = "sip:u1@10.0.0.9:7777;transport=tcp"

// lift opens a connection to a listener that it adds to the server.
func (r *rig) lift() *handset {
	r.Helper()
	_, err := r.server.Listen(transport.ListenerConfig{Name: "phones", Network: "tcp", Address: "192.0.2.10:5070"})
	r.check(err)
	return r.liftAgain()
}

// liftAgain opens a further one.
func (r *rig) liftAgain() *handset {
	r.Helper()
	c, err := r.network.Dial(r.Context(), netip.MustParseAddr("192.0.2.30"), netip.MustParseAddrPort("192.0.2.10:5070"))
	r.check(err)
	return &handset{r, c, bufio.NewReader(c)}
}

func (p *handset) say(m *message.Message) {
	p.Helper()
	_, err := p.Write(m.BytesVia("SIP/2.0/TCP 10.0.0.9:7777;branch=z9hG4bK" + m.Method))
	p.check(err)
}

func (p *handset) answer(m *message.Message) {
	p.Helper()
	_, err := p.Write(m.Bytes())
	p.check(err)
}

// hear is the next message, but for 100.
func (p *handset) hear() *message.Message {
	p.Helper()
	p.check(p.SetReadDeadline(time.Now().Add(time.Minute)))
	for {
		var text []byte
		length := 0
		for !bytes.HasSuffix(text, []byte("\r\n\r\n")) {
			line, err := p.in.ReadString('\n')
			p.check(err)
			if n, ok := strings.CutPrefix(line, "Content-Length: "); ok {
				length, err = strconv.Atoi(strings.TrimSpace(n))
				p.check(err)
			}
			text = append(text, line...)
		}
		body := make([]byte, length)
		_, err := io.ReadFull(p.in, body)
		p.check(err)
		m, err := message.Parse(append(text, body...))
		p.check(err)
		if m.Status != 100 {
			return m
		}
	}
}

func TestAPhoneComesBackIntoItsCallOverAnotherConnection(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		p := r.lift()
		invite := p.alice.Invite("sip:bob@sbc.example", sdpOffer)
		invite.Set("Contact", "<"+atPhone+">")
		p.say(invite)
		in := p.wait(p.bob, "INVITE")
		atBob := in.Reply(200, withSDP)
		ok := p.hear()
		d := p.alice.Dialog(invite, ok, false)
		p.say(p.alice.In(d, "ACK", 1))
		p.wait(p.bob, "ACK")
		p.check(p.Close())
		p = r.liftAgain()
		p.say(p.alice.In(d, "INFO", d.Next()))
		r.wait(r.bob, "INFO").Reply(200, nil)
		if res := p.hear(); res.Status != 200 {
			t.Fatalf("%s", res)
		}
		r.byeReaches(p, in.Message, atBob)
	})
}

// byeReaches hangs up as bob, and checks that the phone hears of it.
func (r *rig) byeReaches(p *handset, invite, answer *message.Message) {
	r.Helper()
	r.say(r.bob, r.bob.Dialog(invite, answer, true), "BYE", nil)
	bye := p.hear()
	if bye.Method != "BYE" || !strings.HasPrefix(bye.URI, "sip:u1@10.0.0.9:7777") {
		r.Errorf("%s", bye)
	}
	p.answer(bye.Respond(200, "", ""))
	r.check(p.Close())
}

func TestAPhoneThatIsCalledComesBackByItsRegistration(t *testing.T) {
	play(t, toAOR(aliceAOR), func(r *rig) {
		r.withRegistrar(nil)
		p := r.lift()
		p.registers()
		d := r.dial(sdpOffer)
		res := p.hear().Respond(200, "", "b")
		res.Set("Contact", "<"+atPhone+">")
		withSDP(res)
		p.answer(res)
		ok := r.wait(r.alice, "200").Message
		r.ack(r.alice.Dialog(d.req, ok, false), 1, "")
		if ack := p.hear(); ack.Method != "ACK" {
			t.Fatalf("%s", ack)
		}
		r.check(p.Close())
		synctest.Wait() // until the server has noticed
		p = r.liftAgain()
		p.registers()
		r.say(r.alice, r.alice.Dialog(d.req, ok, false), "BYE", nil)
		if bye := p.hear(); bye.Method != "BYE" {
			t.Errorf("%s", bye)
		} else {
			p.answer(bye.Respond(200, "", ""))
		}
		r.check(p.Close())
	})
}

func (p *handset) registers() {
	p.Helper()
	m := p.registerFor(aliceAOR)
	m.Set("Contact", "<"+atPhone+">")
	p.say(m)
	if res := p.hear(); res.Status != 200 {
		p.Fatalf("%s", res)
	}
}

func TestACallerWhoseNATTakesAnotherPortIsFollowed(t *testing.T) {
	play(t, &fixed{invite: toBob}, func(r *rig) {
		d := r.dialWith(sdpOffer, func(invite *message.Message) { invite.Set("Contact", "<sip:u1@10.0.0.9>") })
		in := r.wait(r.bob, "INVITE")
		atBob := in.Reply(200, withSDP)
		ok := r.wait(r.alice, "200").Message
		talk := r.alice.Dialog(d.req, ok, false)
		r.ack(talk, 1, "")
		r.wait(r.bob, "ACK")
		moved, err := simnet.NewAgent(r.network, "udp", "192.0.2.1:6070")
		r.check(err)
		defer moved.Close()
		r.say(moved, talk, "INFO", nil)
		r.wait(r.bob, "INFO").Reply(200, nil)
		r.wait(moved, "200 INFO")
		r.say(r.bob, r.bob.Dialog(in.Message, atBob, true), "BYE", nil)
		r.wait(moved, "BYE").Reply(200, nil)
		r.wait(r.bob, "200 BYE")
	})
}
