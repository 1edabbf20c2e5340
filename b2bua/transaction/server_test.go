package transaction

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/transport"
)

const edge = "192.0.2.9;branch=z9hG4bKone"

// serve gives the test the transaction of the next request.
func (r *rig) serve(req *message.Message) *Server {
	r.t.Helper()
	var got *Server
	r.onRequest = func(s *Server, _ *message.Message) { got = s }
	r.layer.Receive(req, r.flow)
	if got == nil {
		r.t.Fatalf("no transaction for %s", name(req))
	}
	return got
}

func (r *rig) respond(s *Server, req *message.Message, code int) bool {
	return s.Respond(req.Respond(code, "", "ours"))
}

// acknowledge is the ACK to a failure of req.
func acknowledge(req *message.Message, tag string) *message.Message {
	ack := req.Clone()
	ack.Method = "ACK"
	ack.Set("CSeq", "7 ACK")
	ack.Set("To", message.WithTag(ack.Get("To"), tag))
	return ack
}

func TestARepeatedINVITEGetsTheLatestProvisional(t *testing.T) {
	play(t, "udp", func(r *rig) {
		req := incoming("INVITE", edge)
		s := r.serve(req)
		r.layer.Receive(req, r.flow)
		r.respond(s, req, 100)
		r.respond(s, req, 180)
		r.layer.Receive(req, r.flow)
		r.at(10 * time.Minute)
		r.happened("0s core INVITE", "0s sent 100 INVITE", "0s sent 180 INVITE", "0s sent 180 INVITE")
		if s.Request() == nil || string(s.Sent()) == "" {
			t.Error("a ringing transaction forgot its request")
		}
	})
}

func TestAFailureIsRepeatedUntilItsACK(t *testing.T) {
	play(t, "udp", func(r *rig) {
		req := incoming("INVITE", edge)
		s := r.serve(req)
		r.respond(s, req, 486)
		r.at(2 * time.Second)
		r.layer.Receive(req, r.flow)
		r.layer.Receive(acknowledge(req, "ours"), r.flow)
		r.layer.Receive(acknowledge(req, "ours"), r.flow)
		r.layer.Receive(req, r.flow)
		r.happened("0s core INVITE", "0s sent 486 INVITE", "0.5s sent 486 INVITE", "1.5s sent 486 INVITE", "2s sent 486 INVITE")
		if s.Request() != nil {
			t.Error("the request is kept behind its final response")
		}
		r.at(8 * time.Second)
		r.happened()
		r.empty()
	})
}

func TestAFailureWithoutACKEndsAfter64T1(t *testing.T) {
	play(t, "udp", func(r *rig) {
		req := incoming("INVITE", edge)
		r.respond(r.serve(req), req, 486)
		r.at(time.Minute)
		at := []string{"0", "0.5", "1.5", "3.5", "7.5", "11.5", "15.5", "19.5", "23.5", "27.5", "31.5"}
		want := []string{"0s core INVITE"}
		for _, s := range at {
			want = append(want, s+"s sent 486 INVITE")
		}
		r.happened(want...)
		r.empty()
		if n := r.layer.Counters().Timeouts; n != 1 {
			t.Errorf("%d timeouts", n)
		}
	})
}

func TestAFailureIsNotRepeatedOverStreams(t *testing.T) {
	play(t, "tcp", func(r *rig) {
		req := incoming("INVITE", edge)
		r.respond(r.serve(req), req, 486)
		r.at(2 * time.Second)
		r.layer.Receive(acknowledge(req, "ours"), r.flow)
		r.happened("0s core INVITE", "0s sent 486 INVITE")
		r.empty()
	})
}

func TestA2xxIsTheUsersToRepeat(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		play(t, network, func(r *rig) {
			req := incoming("INVITE", edge)
			s := r.serve(req)
			r.respond(s, req, 200)
			r.layer.Receive(req, r.flow)
			s.Again()
			r.at(31 * time.Second)
			r.layer.Receive(req, r.flow)
			r.layer.Receive(acknowledge(req, "ours"), r.flow)
			r.happened("0s core INVITE", "0s sent 200 INVITE", "0s sent 200 INVITE", "31s core ACK")
			r.at(33 * time.Second)
			r.empty()
			s.Again()
			r.happened("33s sent 200 INVITE")
		})
	}
}

func TestNothingFollowsAFinalResponse(t *testing.T) {
	play(t, "udp", func(r *rig) {
		req := incoming("INVITE", edge)
		s := r.serve(req)
		if !r.respond(s, req, 487) {
			t.Error("487 was refused")
		}
		for _, code := range []int{183, 200, 486} {
			if r.respond(s, req, code) {
				t.Errorf("%d behind 487", code)
			}
		}
		r.at(600 * time.Millisecond)
		r.happened("0s core INVITE", "0s sent 487 INVITE", "0.5s sent 487 INVITE")
	})
}

func TestAnAnswerToBYEIsRepeatedOnlyWhenAsked(t *testing.T) {
	play(t, "udp", func(r *rig) {
		req := incoming("BYE", edge)
		s := r.serve(req)
		r.layer.Receive(req, r.flow)
		r.respond(s, req, 200)
		r.at(31 * time.Second)
		r.layer.Receive(req, r.flow)
		r.happened("0s core BYE", "0s sent 200 BYE", "31s sent 200 BYE")
		r.at(33 * time.Second)
		r.empty()
		r.layer.Receive(req, r.flow)
		r.happened("33s core BYE")
	})
}

func TestASlowRequestGets100WhenTimerEHasGrown(t *testing.T) {
	play(t, "udp", func(r *rig) {
		req := incoming("INFO", edge)
		s := r.serve(req)
		if r.respond(s, req, 100) || r.respond(s, req, 183) {
			t.Error("a provisional left for INFO")
		}
		r.at(5 * time.Second)
		r.layer.Receive(req, r.flow)
		r.happened("0s core INFO", "3.5s sent 100 INFO", "5s sent 100 INFO")
		r.at(31 * time.Second)
		r.respond(s, req, 200)
		r.happened("31s sent 200 INFO")
	})
	play(t, "udp", func(r *rig) {
		req := incoming("INFO", edge)
		s := r.serve(req)
		r.at(33 * time.Second)
		r.empty()
		if r.respond(s, req, 200) {
			t.Error("answered when nobody listens any more")
		}
		r.happened("0s core INFO", "3.5s sent 100 INFO")
	})
}

func Test408IsOnlyForINVITE(t *testing.T) {
	play(t, "udp", func(r *rig) {
		req := incoming("INFO", edge)
		if r.respond(r.serve(req), req, 408) {
			t.Error("408 to INFO")
		}
		r.happened("0s core INFO")
		r.empty()
		invite := incoming("INVITE", edge)
		if !r.respond(r.serve(invite), invite, 408) {
			t.Error("no 408 to INVITE")
		}
		r.happened("0s core INVITE", "0s sent 408 INVITE")
	})
}

func TestCANCELIsAnsweredWithTheINVITEsTag(t *testing.T) {
	play(t, "udp", func(r *rig) {
		req := incoming("INVITE", edge)
		s := r.serve(req)
		s.SetToTag("ours")
		cancel := incoming("CANCEL", edge)
		r.layer.Receive(cancel, r.flow)
		if tag := r.latest().ToTag(); tag != "ours" {
			t.Errorf("tag %q", tag)
		}
		r.layer.Receive(cancel, r.flow)
		r.happened("0s core INVITE", "0s sent 200 CANCEL", "0s core cancelled", "0s sent 200 CANCEL")
		r.respond(s, req, 487)
		r.layer.Receive(acknowledge(req, "ours"), r.flow)
		r.happened("0s sent 487 INVITE")
		r.at(33 * time.Second)
		r.empty()
	})
}

func TestCANCELBehindAFinalResponseChangesNothing(t *testing.T) {
	play(t, "udp", func(r *rig) {
		req := incoming("INVITE", edge)
		r.respond(r.serve(req), req, 200)
		r.layer.Receive(incoming("CANCEL", edge), r.flow)
		r.happened("0s core INVITE", "0s sent 200 INVITE", "0s sent 200 CANCEL")
		if tag := r.latest().ToTag(); tag != "ours" {
			t.Errorf("tag %q", tag)
		}
	})
}

func TestCANCELOfNothingIsTheCores(t *testing.T) {
	play(t, "udp", func(r *rig) {
		r.serve(incoming("INVITE", edge))
		other := incoming("CANCEL", "192.0.2.9;branch=z9hG4bKtwo")
		r.respond(r.serve(other), other, 481)
		r.happened("0s core INVITE", "0s core CANCEL", "0s sent 481 CANCEL")
	})
}

func TestAnACKOfNothingIsNeverAnswered(t *testing.T) {
	play(t, "udp", func(r *rig) {
		r.layer.Receive(incoming("ACK", edge), r.flow)
		r.happened("0s core ACK")
		r.empty()
	})
}

func TestTransactionsDifferInBranchSentByOrMethod(t *testing.T) {
	play(t, "udp", func(r *rig) {
		for _, req := range []*message.Message{
			incoming("BYE", edge), incoming("INFO", edge), incoming("BYE", "192.0.2.9:5062;branch=z9hG4bKone"),
			incoming("BYE", "b.example;branch=z9hG4bKone"), incoming("BYE", "192.0.2.9;branch=z9hG4bKOne"),
		} {
			r.layer.Receive(req, r.flow)
		}
		r.layer.Receive(incoming("BYE", "B.example;branch=z9hG4bKone"), r.flow)
		r.happened("0s core BYE", "0s core INFO", "0s core BYE", "0s core BYE", "0s core BYE")
	})
}

func TestRequestsOfRFC2543AreMatchedByTheirFields(t *testing.T) {
	for _, via := range []string{"192.0.2.9", "192.0.2.9;branch=z9hG4bK", "192.0.2.9;branch=1"} {
		play(t, "udp", func(r *rig) {
			req := incoming("INVITE", via)
			s := r.serve(req)
			r.layer.Receive(req, r.flow)
			other := incoming("INVITE", via)
			other.Set("Call-ID", "call-2")
			r.layer.Receive(other, r.flow)
			r.respond(s, req, 404)
			r.layer.Receive(acknowledge(req, "another's"), r.flow)
			r.layer.Receive(acknowledge(req, "ours"), r.flow)
			r.layer.Receive(incoming("CANCEL", via), r.flow)
			r.at(time.Second)
			r.happened("0s core INVITE", "0s core INVITE", "0s sent 404 INVITE", "0s core ACK", "0s sent 200 CANCEL")
		})
	}
}

func TestTooManyTransactionsAreRefusedButCallsCanEnd(t *testing.T) {
	playWith(t, "udp", Config{MaxServers: 4}, func(r *rig) {
		for i := range 4 {
			r.layer.Receive(incoming("INVITE", fmt.Sprintf("192.0.2.9;branch=z9hG4bK%d", i)), r.flow)
		}
		r.layer.Receive(incoming("INVITE", edge), r.flow)
		first := r.latest()
		r.layer.Receive(incoming("INVITE", edge), r.flow)
		if again := r.latest(); again.ToTag() != first.ToTag() || again.ToTag() == "" || again.Get("Retry-After") == "" {
			t.Errorf("%s", again)
		}
		for i := range 2 {
			bye := incoming("BYE", fmt.Sprintf("192.0.2.9;branch=z9hG4bKbye%d", i))
			bye.Set("To", "<sip:bob@b.example>;tag=b")
			r.layer.Receive(bye, r.flow)
		}
		r.happened("0s core INVITE", "0s core INVITE", "0s core INVITE", "0s core INVITE", "0s sent 503 INVITE", "0s sent 503 INVITE",
			"0s core BYE", "0s sent 503 BYE")
	})
}

func TestDropAnswersNothingAndForgets(t *testing.T) {
	play(t, "udp", func(r *rig) {
		s := r.serve(incoming("INVITE", edge))
		s.Drop()
		r.empty()
		s.Again()
		r.happened("0s core INVITE")
	})
}

func TestAnACKToA2xxIsSentAgainByteForByte(t *testing.T) {
	play(t, "udp", func(r *rig) {
		o := r.layer.ACK(request("ACK"), r.flow)
		o.Again()
		r.happened("0s sent ACK", "0s sent ACK")
		if string(r.sent[0]) != string(r.sent[1]) || string(o.Bytes()) != string(r.sent[0]) {
			t.Error("the second differs")
		}
		if via := r.latest().Get("Via"); !strings.HasPrefix(via, "SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bK") {
			t.Error(via)
		}
	})
}

func TestManyTransactionsLeaveNothingBehind(t *testing.T) {
	play(t, "udp", func(r *rig) {
		r.onRequest = func(s *Server, req *message.Message) {
			s.Respond(req.Respond(200, "", "ours"))
			r.layer.Request(request("BYE"), transport.Flow{Listener: r.flow.Listener, Remote: r.flow.Remote}, r)
			r.answer(200, "b")
		}
		for i := range 1000 {
			r.layer.Receive(incoming("BYE", fmt.Sprintf("192.0.2.9;branch=z9hG4bK%d", i)), r.flow)
			time.Sleep(time.Millisecond)
			r.mu.Lock()
			r.sent = r.sent[:0]
			r.mu.Unlock()
		}
		if n := r.layer.Counters(); n.Servers != 1000 || n.Clients != 1000 {
			t.Errorf("%+v", n)
		}
		r.at(40 * time.Second)
		r.empty()
	})
}

// BenchmarkTransactions is what one call costs here on both legs: an INVITE
// and a BYE in, the same out, with a 180 and a 200 each way.
func BenchmarkTransactions(b *testing.B) {
	b.ReportAllocs()
	c := &quiet{}
	c.layer = New(Config{Core: c, Send: func(transport.Flow, []byte, func(error)) {}})
	defer c.layer.Close()
	f := transport.Flow{Listener: &transport.Listener{Network: "udp"}}
	for i := 0; b.Loop(); i++ {
		for _, method := range []string{"INVITE", "BYE"} {
			c.layer.Receive(incoming(method, fmt.Sprintf("192.0.2.9;branch=z9hG4bK%d", i)), f)
			client := c.layer.Request(request(method), f, c)
			m, err := message.Parse(client.Sent())
			if err != nil {
				b.Fatal(err)
			}
			if method == "INVITE" {
				c.layer.Receive(m.Respond(180, "", "x"), f)
			}
			c.layer.Receive(m.Respond(200, "", "x"), f)
		}
	}
}

// quiet answers everything 200.
type quiet struct{ layer *Layer }

func (q *quiet) Request(s *Server, req *message.Message, _ transport.Flow) {
	s.Respond(req.Respond(180, "", "y"))
	s.Respond(req.Respond(200, "", "y"))
}
func (*quiet) Cancel(*Server, *message.Message)       {}
func (*quiet) ACK(*message.Message, transport.Flow)   {}
func (*quiet) Stray(*message.Message, transport.Flow) {}
func (*quiet) Response(*Client, *message.Message)     {}
func (*quiet) Failed(*Client, error)                  {}
