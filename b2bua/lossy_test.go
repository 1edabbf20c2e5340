package b2bua

import (
	"fmt"
	"testing"
	"time"

	"legwork/b2bua/dialog"
	"legwork/b2bua/simnet"
)

// stubborn is a call between people whose phones repeat what RFC 3261 has them
// repeat. It must come out the same on any network that loses no more than one
// packet.
func (r *rig) stubborn() {
	call := r.dialWith(sdpOffer, nil)
	stop := make(chan struct{})
	defer close(stop)
	go r.answerStubbornly(stop)
	ok := r.wait(r.alice, "200")
	d := r.alice.Dialog(call.req, ok.Message, false)
	r.ack(d, 1, "")
	go r.ackAgain(d, stop)
	time.Sleep(10 * time.Second)
	r.say(r.alice, d, "BYE", nil)
	r.wait(r.alice, "200 BYE")
	time.Sleep(40 * time.Second)
}

// answerStubbornly is bob: he rings, answers, repeats the 200 until the ACK
// comes, and accepts the BYE.
func (r *rig) answerStubbornly(stop chan struct{}) {
	in, err := r.bob.Next(40*time.Second, "INVITE")
	if err != nil {
		return
	}
	in.Reply(180, nil)
	time.Sleep(time.Second)
	in.Reply(200, withSDP)
	for {
		if _, err := r.bob.Next(500*time.Millisecond, "ACK"); err == nil {
			break
		}
		select {
		case <-stop:
			return
		default:
			in.Again()
		}
	}
	if bye, err := r.bob.Next(40*time.Second, "BYE"); err == nil {
		bye.Reply(200, nil)
	}
}

func (r *rig) ackAgain(d *dialog.Dialog, stop chan struct{}) {
	for {
		if _, err := r.alice.Next(time.Second, "200"); err == nil {
			_, _ = r.alice.SendACK(r.alice.In(d, "ACK", 1), sbc)
		}
		select {
		case <-stop:
			return
		default:
		}
	}
}

// meddle gives the n-th packet to do, once.
func meddle(r *rig, n int, do func(simnet.Packet) bool) *int {
	seen := new(int)
	r.network.OnPath(func(p simnet.Packet) bool {
		*seen++
		if *seen == n {
			return do(p)
		}
		return true
	})
	return seen
}

// everyPacket plays the stubborn call once for each of its packets.
func everyPacket(t *testing.T, name string, do func(r *rig) func(simnet.Packet) bool) {
	t.Helper()
	for n := 1; n <= 16; n++ {
		t.Run(fmt.Sprintf("%s %d", name, n), func(t *testing.T) {
			play(t, &fixed{invite: toBob}, func(r *rig) {
				meddle(r, n, do(r))
				r.stubborn()
				if rec := r.only(); rec.Code != 200 || rec.HungUpBy != "caller" {
					r.Errorf("record %+v", rec)
				}
			})
		})
	}
}

func TestACallSurvivesTheLossOfEachPacket(t *testing.T) {
	everyPacket(t, "lost", func(*rig) func(simnet.Packet) bool {
		return func(simnet.Packet) bool { return false }
	})
}

func TestACallSurvivesTheDoublingOfEachPacket(t *testing.T) {
	everyPacket(t, "doubled", func(r *rig) func(simnet.Packet) bool {
		return func(p simnet.Packet) bool {
			go r.network.Inject(p, time.Millisecond)
			return true
		}
	})
}

func TestACallSurvivesTheDelayOfEachPacket(t *testing.T) {
	everyPacket(t, "late", func(r *rig) func(simnet.Packet) bool {
		return func(p simnet.Packet) bool {
			go r.network.Inject(p, 300*time.Millisecond)
			return false
		}
	})
}

func TestCallsSurviveABadNetwork(t *testing.T) {
	for seed := range uint64(20) {
		faults := simnet.Faults{Seed: seed, Lose: 0.1, Double: 0.1, Reorder: 0.2, Delay: 20 * time.Millisecond, Jitter: 50 * time.Millisecond}
		playOn(t, faults, &fixed{invite: toBob}, func(r *rig) {
			r.stubborn()
			if rec := r.only(); rec.Code != 200 {
				r.Errorf("seed %d: record %+v", seed, rec)
			}
		})
	}
}
