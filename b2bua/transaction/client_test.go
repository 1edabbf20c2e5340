package transaction

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"legwork/b2bua/message"
)

func TestAnUnansweredINVITEIsRepeatedWithDoublingPauses(t *testing.T) {
	play(t, "udp", func(r *rig) {
		r.layer.Request(request("INVITE"), r.flow, r)
		r.at(time.Minute)
		r.happened("0s sent INVITE", "0.5s sent INVITE", "1.5s sent INVITE", "3.5s sent INVITE", "7.5s sent INVITE",
			"15.5s sent INVITE", "31.5s sent INVITE", "32s failed: no answer in time")
		r.empty()
	})
}

func TestAnUnansweredBYEIsRepeatedUpToT2(t *testing.T) {
	play(t, "udp", func(r *rig) {
		r.layer.Request(request("BYE"), r.flow, r)
		r.at(time.Minute)
		r.happened("0s sent BYE", "0.5s sent BYE", "1.5s sent BYE", "3.5s sent BYE", "7.5s sent BYE", "11.5s sent BYE",
			"15.5s sent BYE", "19.5s sent BYE", "23.5s sent BYE", "27.5s sent BYE", "31.5s sent BYE", "32s failed: no answer in time")
		r.empty()
	})
}

func TestNothingIsRepeatedOverStreams(t *testing.T) {
	for _, method := range []string{"INVITE", "BYE"} {
		play(t, "tcp", func(r *rig) {
			r.layer.Request(request(method), r.flow, r)
			r.at(time.Minute)
			r.happened("0s sent "+method, "32s failed: no answer in time")
			r.empty()
		})
	}
}

func TestAProvisionalEndsTheRepeatsOfAnINVITE(t *testing.T) {
	play(t, "udp", func(r *rig) {
		r.layer.Request(request("INVITE"), r.flow, r)
		r.at(600 * time.Millisecond)
		r.answer(180, "b")
		r.at(10 * time.Minute)
		r.happened("0s sent INVITE", "0.5s sent INVITE", "0.6s user 180 INVITE")
	})
}

func TestAProvisionalSlowsTheRepeatsOfABYE(t *testing.T) {
	play(t, "udp", func(r *rig) {
		r.layer.Request(request("BYE"), r.flow, r)
		r.at(100 * time.Millisecond)
		r.answer(100, "")
		r.at(9 * time.Second)
		r.happened("0s sent BYE", "0.1s user 100 BYE", "0.5s sent BYE", "4.5s sent BYE", "8.5s sent BYE")
	})
}

func TestProvisionalsAndTheAnswerComeInOrder(t *testing.T) {
	play(t, "udp", func(r *rig) {
		r.layer.Request(request("INVITE"), r.flow, r)
		for _, code := range []int{100, 180, 183, 180, 200} {
			r.answer(code, "b")
		}
		r.happened("0s sent INVITE", "0s user 100 INVITE", "0s user 180 INVITE", "0s user 183 INVITE", "0s user 180 INVITE", "0s user 200 INVITE")
	})
}

func TestEvery2xxReachesTheUserWhileItMay(t *testing.T) {
	play(t, "udp", func(r *rig) {
		r.layer.Request(request("INVITE"), r.flow, r)
		r.answer(200, "b")
		r.answer(180, "b")
		r.answer(200, "b")
		r.answer(200, "fork")
		r.answer(486, "late")
		r.at(33 * time.Second)
		r.empty()
		r.answer(200, "b")
		r.happened("0s sent INVITE", "0s user 200 INVITE", "0s user 200 INVITE", "0s user 200 INVITE", "33s stray 200 INVITE")
	})
}

func TestAFailureIsAcknowledgedEachTimeItComes(t *testing.T) {
	play(t, "udp", func(r *rig) {
		r.layer.Request(request("INVITE"), r.flow, r)
		invite := r.latest()
		r.answer(486, "b")
		ack := r.latest()
		r.at(500 * time.Millisecond)
		r.answer(486, "b")
		r.answer(180, "b")
		r.happened("0s sent INVITE", "0s sent ACK", "0s user 486 INVITE", "0.5s sent ACK")
		for field, want := range map[string]string{
			"Via": invite.Get("Via"), "CSeq": "7 ACK", "To": "<sip:bob@b.example>;tag=b", "Call-ID": "call-1",
			"From": invite.Get("From"), "Max-Forwards": "70",
		} {
			if got := ack.Get(field); got != want {
				t.Errorf("%s of the ACK: %q, want %q", field, got, want)
			}
		}
		if got := strings.Join(ack.All("Route"), " "); got != "<sip:p1.example;lr> <sip:p2.example;lr>" || ack.URI != invite.URI {
			t.Errorf("the ACK goes to %s by %s", ack.URI, got)
		}
		r.at(31 * time.Second)
		r.answer(486, "b")
		r.happened("31s sent ACK")
		r.at(33 * time.Second)
		r.empty()
	})
}

func TestA2xxBehindAFailureIsAStray(t *testing.T) {
	play(t, "udp", func(r *rig) {
		r.layer.Request(request("INVITE"), r.flow, r)
		r.answer(486, "b")
		r.answer(200, "c")
		r.happened("0s sent INVITE", "0s sent ACK", "0s user 486 INVITE", "0s stray 200 INVITE")
	})
}

func TestFinalAnswersOverStreamsLeaveNothingBehind(t *testing.T) {
	play(t, "tcp", func(r *rig) {
		r.layer.Request(request("INVITE"), r.flow, r)
		r.answer(486, "b")
		r.layer.Request(request("BYE"), r.flow, r)
		r.answer(200, "b")
		r.happened("0s sent INVITE", "0s sent ACK", "0s user 486 INVITE", "0s sent BYE", "0s user 200 BYE")
		r.empty()
	})
}

func TestARepeatedAnswerToBYEIsAbsorbedForT4(t *testing.T) {
	play(t, "udp", func(r *rig) {
		r.layer.Request(request("BYE"), r.flow, r)
		r.answer(200, "b")
		r.at(4 * time.Second)
		r.answer(200, "b")
		r.at(6 * time.Second)
		r.empty()
		r.answer(200, "b")
		r.happened("0s sent BYE", "0s user 200 BYE", "6s stray 200 BYE")
	})
}

func TestCANCELWaitsForAProvisional(t *testing.T) {
	play(t, "udp", func(r *rig) {
		c := r.layer.Request(request("INVITE"), r.flow, r)
		invite := r.latest()
		c.Cancel(`SIP;cause=200`)
		c.Cancel("twice")
		r.happened("0s sent INVITE")
		r.answer(100, "")
		r.happened("0s sent CANCEL", "0s user 100 INVITE")
		cancel := r.latest()
		if cancel.Get("Via") != invite.Get("Via") || cancel.Get("Reason") != "SIP;cause=200" || cancel.Get("CSeq") != "7 CANCEL" ||
			cancel.ToTag() != "" || len(cancel.All("Route")) != 2 {
			t.Errorf("%s", cancel)
		}
		r.layer.Receive(cancel.Respond(200, "", "b"), r.flow)
		r.answer(487, "b")
		r.happened("0s sent ACK", "0s user 487 INVITE")
		r.at(33 * time.Second)
		r.empty()
	})
}

func TestCANCELLeavesAtOnceBehindAProvisionalAndIsRepeated(t *testing.T) {
	play(t, "udp", func(r *rig) {
		c := r.layer.Request(request("INVITE"), r.flow, r)
		r.answer(180, "b")
		c.Cancel("")
		r.at(600 * time.Millisecond)
		r.happened("0s sent INVITE", "0s user 180 INVITE", "0s sent CANCEL", "0.5s sent CANCEL")
	})
}

func TestCANCELIsForgottenWhenAFinalCameFirst(t *testing.T) {
	play(t, "udp", func(r *rig) {
		c := r.layer.Request(request("INVITE"), r.flow, r)
		c.Cancel("")
		r.answer(200, "b")
		c.Cancel("")
		r.happened("0s sent INVITE", "0s user 200 INVITE")
	})
}

func TestACancelledINVITEWithoutAFinalTimesOut(t *testing.T) {
	play(t, "tcp", func(r *rig) {
		c := r.layer.Request(request("INVITE"), r.flow, r)
		r.answer(180, "b")
		r.at(10 * time.Second)
		c.Cancel("")
		r.answer(180, "b")
		r.at(time.Minute)
		r.happened("0s sent INVITE", "0s user 180 INVITE", "10s sent CANCEL", "10s user 180 INVITE", "42s failed: no answer in time")
		r.empty()
	})
}

func TestAnAbandonedINVITEIsAcknowledgedAndIts2xxIsAStray(t *testing.T) {
	play(t, "udp", func(r *rig) {
		c := r.layer.Request(request("INVITE"), r.flow, r)
		r.answer(180, "b")
		c.Abandon()
		r.answer(486, "b")
		c = r.layer.Request(request("INVITE"), r.flow, r)
		c.Abandon()
		r.answer(180, "b")
		r.answer(200, "b")
		r.happened("0s sent INVITE", "0s user 180 INVITE", "0s sent ACK", "0s sent INVITE", "0s stray 200 INVITE")
		r.layer.Request(request("INVITE"), r.flow, r).Abandon()
		r.answer(180, "b")
		r.at(time.Minute)
		r.empty()
	})
}

func TestAFailedSendEndsTheTransaction(t *testing.T) {
	play(t, "udp", func(r *rig) {
		r.fail = errors.New("no route")
		r.layer.Request(request("INVITE"), r.flow, r)
		r.at(time.Minute)
		r.happened("0s failed: no route")
		r.empty()
	})
}

func TestARefusedTargetFailsWhoWaitsForItsFirstAnswer(t *testing.T) {
	play(t, "udp", func(r *rig) {
		r.layer.Request(request("INVITE"), r.flow, r)
		r.answer(180, "b")
		r.layer.Request(request("INVITE"), r.flow, r)
		elsewhere := r.flow
		elsewhere.Remote = netip.MustParseAddrPort("192.0.2.10:5060")
		r.layer.Request(request("INVITE"), elsewhere, r)
		r.happened("0s sent INVITE", "0s user 180 INVITE", "0s sent INVITE", "0s sent INVITE")
		for range 10 {
			r.layer.Refused(r.flow, errors.New("refused"))
		}
		r.at(400 * time.Millisecond)
		r.happened("0.03s failed: refused")
	})
}

func TestCloseFailsWhatIsOpen(t *testing.T) {
	play(t, "udp", func(r *rig) {
		r.layer.Request(request("INVITE"), r.flow, r)
		r.layer.Request(request("BYE"), r.flow, r)
		r.answer(200, "b")
		r.happened("0s sent INVITE", "0s sent BYE", "0s user 200 BYE")
		r.layer.Close()
		r.happened("0s failed: transactions are closed")
		r.layer.Request(request("BYE"), r.flow, r)
		r.happened("0s failed: transactions are closed")
		r.empty()
	})
}

func TestAFailureWaitsForTheResponseBeforeIt(t *testing.T) {
	play(t, "udp", func(r *rig) {
		r.layer.Request(request("BYE"), r.flow, r)
		r.onAnswer = func(*Client, *message.Message) {
			time.Sleep(40 * time.Second) // a user that is slow to take it
			r.note("user done")
		}
		go r.answer(100, "")
		r.at(time.Minute)
		r.mu.Lock()
		r.log = r.log[len(r.log)-2:]
		r.mu.Unlock()
		r.happened("40s user done", "40s failed: no answer in time")
	})
}

// RFC 3261 section 8.1.3.3, RFC 4475 section 3.3.8.
func TestAResponseThatHasFurtherToGoIsAStray(t *testing.T) {
	for _, lines := range [][]string{{"", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx"}, {", SIP/2.0/UDP 255.255.255.255;branch=z9hG4bKx"}} {
		play(t, "udp", func(r *rig) {
			r.layer.Request(request("BYE"), r.flow, r)
			res := r.latest().Respond(200, "", "b")
			res.Set("Via", res.Get("Via")+lines[0])
			for _, via := range lines[1:] {
				res.Add("Via", via)
			}
			r.layer.Receive(res, r.flow)
			r.answer(200, "b")
			r.happened("0s sent BYE", "0s stray 200 BYE", "0s user 200 BYE")
		})
	}
}
