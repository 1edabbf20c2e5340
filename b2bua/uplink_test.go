package b2bua

import (
	"testing"
	"time"

	"legwork/b2bua/message"
	"legwork/b2bua/simnet"
	"legwork/b2bua/trunk"
)

const registrarTCP = "192.0.2.78:5090"

// overTCP has the carrier's registrar behind TCP; serve puts it there, and its
// Close cuts its connections.
func overTCP(t *testing.T, f func(r *rig, serve func() *simnet.Agent)) {
	t.Helper()
	play(t, &fixed{invite: toBob}, func(r *rig) {
		serve := func() *simnet.Agent {
			a, err := simnet.NewAgent(r.network, "tcp", registrarTCP)
			r.check(err)
			return a
		}
		f(r, serve)
		last := serve()
		last.Hear(func(in *simnet.Incoming) { in.Reply(200, nil) })
		r.apply()
		time.Sleep(time.Minute)
		last.Close()
	})
}

func (r *rig) registerOverTCP() {
	r.apply(account(func(one *trunk.Trunk) {
		one.Register.Expires = time.Hour
		one.Targets = []trunk.Endpoint{{URI: "sip:" + registrarTCP + ";transport=tcp"}}
	}))
	r.server.Attend()
}

func TestARegistrationWhoseConnectionEndsIsMadeAnew(t *testing.T) {
	overTCP(t, func(r *rig, serve func() *simnet.Agent) {
		carrier := serve()
		r.registerOverTCP()
		for range 3 {
			// The first attempt may find nobody there yet.
			keeps(r.within(2*time.Minute, carrier, "REGISTER"), "3600", nil)
			time.Sleep(20 * time.Minute)
			carrier.Close()
			carrier = serve()
		}
		keeps(r.within(2*time.Minute, carrier, "REGISTER"), "3600", nil)
		time.Sleep(time.Second)
		if got := r.registration(); !got.Bound() || got.Failures != 0 {
			t.Errorf("%+v", got)
		}
		carrier.Close()
	})
}

func TestARegistrarThatClosesEachConnectionIsNotPestered(t *testing.T) {
	overTCP(t, func(r *rig, serve func() *simnet.Agent) {
		carrier := serve()
		r.registerOverTCP()
		var pauses []time.Duration
		in, began := r.wait(carrier, "REGISTER"), time.Now()
		for range 3 {
			keeps(in, "3600", func(res *message.Message) {})
			time.Sleep(time.Second)
			carrier.Close()
			carrier = serve()
			in = r.within(2*time.Hour, carrier, "REGISTER")
			pauses = append(pauses, time.Since(began).Round(time.Second))
			began = time.Now()
		}
		keeps(in, "3600", nil)
		if pauses[0] != 30*time.Second || pauses[1] < 45*time.Minute || pauses[2] < 45*time.Minute {
			t.Errorf("asked again after %v", pauses)
		}
		carrier.Close()
	})
}
