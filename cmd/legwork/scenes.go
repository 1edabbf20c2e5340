package main

import (
	"strings"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
)

// sceneLimit bounds the wait for one message of the demo; on virtual time it
// costs nothing.
const sceneLimit = 10 * time.Second

// scene is one call of the demo.
type scene struct {
	title string
	play  func(*demo) error
}

func scenes() []scene {
	return []scene{
		{"alice calls 4711, who answers; alice hangs up", (*demo).answered},
		{"alice calls 4712, who is busy: the response map tells it as 480", (*demo).busy},
		{"alice calls 12, which the script does not know", (*demo).unknown},
		{"alice calls 4713 and gives up while it rings", (*demo).givenUp},
	}
}

const demoSDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n" +
	"m=audio 40000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n"

func (d *demo) answered() error {
	invite, _, err := d.call("4711")
	if err != nil {
		return err
	}
	came, err := d.pbx.Next(sceneLimit, "INVITE")
	if err != nil {
		return err
	}
	came.Reply(180, nil)
	d.pause(d.ring)
	came.Reply(200, withSDP)
	ok, err := d.hear(d.alice, "180", "200")
	if err != nil {
		return err
	}
	talk := d.alice.Dialog(invite, ok.Message, false)
	if _, err := d.alice.SendACK(d.alice.In(talk, "ACK", 1), d.sbc); err != nil {
		return err
	}
	if _, err := d.pbx.Next(sceneLimit, "ACK"); err != nil {
		return err
	}
	d.pause(d.talk)
	if _, err := d.alice.Send(d.alice.In(talk, "BYE", talk.Next()), d.sbc); err != nil {
		return err
	}
	bye, err := d.pbx.Next(sceneLimit, "BYE")
	if err != nil {
		return err
	}
	bye.Reply(200, nil)
	_, err = d.hear(d.alice, "200 BYE")
	return err
}

// withSDP gives an answer the PBX's media.
func withSDP(res *message.Message) {
	res.Set("Content-Type", "application/sdp")
	res.Body = []byte(strings.ReplaceAll(demoSDP, "40000", "42000"))
}

func (d *demo) busy() error {
	if _, _, err := d.call("4712"); err != nil {
		return err
	}
	came, err := d.pbx.Next(sceneLimit, "INVITE")
	if err != nil {
		return err
	}
	came.Reply(486, nil)
	_, err = d.hear(d.alice, "480")
	return err
}

func (d *demo) unknown() error {
	if _, _, err := d.call("12"); err != nil {
		return err
	}
	_, err := d.hear(d.alice, "404")
	return err
}

func (d *demo) givenUp() error {
	_, cancel, err := d.call("4713")
	if err != nil {
		return err
	}
	came, err := d.pbx.Next(sceneLimit, "INVITE")
	if err != nil {
		return err
	}
	came.Reply(180, nil)
	if _, err := d.hear(d.alice, "180"); err != nil {
		return err
	}
	d.pause(d.ring)
	cancel("")
	if _, err := d.pbx.Next(sceneLimit, "CANCEL"); err != nil {
		return err
	}
	came.Reply(487, nil)
	_, err = d.hear(d.alice, "487")
	return err
}

// call sends an INVITE of alice's and waits for the 100.
func (d *demo) call(extension string) (invite *message.Message, cancel func(reason string), err error) {
	invite = d.alice.Invite("sip:"+extension+"@"+d.sbc, demoSDP)
	client, err := d.alice.Send(invite, d.sbc)
	if err != nil {
		return nil, nil, err
	}
	_, err = d.hear(d.alice, "100")
	return invite, client.Cancel, err
}

// hear takes the responses in this order and returns the last.
func (d *demo) hear(a *simnet.Agent, names ...string) (in *simnet.Incoming, err error) {
	for _, name := range names {
		if in, err = a.Next(sceneLimit, name); err != nil {
			return nil, err
		}
	}
	return in, nil
}
