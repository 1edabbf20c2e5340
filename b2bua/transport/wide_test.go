package transport

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"legwork/b2bua/message"
)

func TestANeighbourWithoutTCPIsRememberedForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := New(Config{Network: names{}, Handler: func(*message.Message, Flow) {}}) // names refuses to dial
		defer tr.Close()
		udp := &Listener{Name: "edge", Network: "udp", Local: netip.MustParseAddrPort("192.0.2.10:5060")}
		near := &Listener{Name: "edge-t", Network: "tcp", Local: netip.MustParseAddrPort("192.0.2.10:5060")}
		tr.listeners = []*Listener{udp, {Name: "other", Network: "tcp", Local: netip.MustParseAddrPort("192.0.2.11:5060")}, near}
		hops, err := tr.Resolve(t.Context(), "sip:192.0.2.1")
		if err != nil {
			t.Fatal(err)
		}
		f, err := tr.Flow(hops[0], "edge")
		if err != nil {
			t.Fatal(err)
		}
		wide, ok := tr.Wide(f)
		if !ok || wide.Listener != near || wide.Remote != f.Remote {
			t.Fatalf("%v %+v", ok, wide)
		}
		var failed error
		tr.Send(wide, []byte("x"), func(err error) { failed = err })
		synctest.Wait()
		if _, ok := tr.Wide(f); ok || failed == nil {
			t.Errorf("forgotten at once; %v", failed)
		}
		time.Sleep(narrowAge)
		if _, ok := tr.Wide(f); !ok {
			t.Error("remembered for ever")
		}
	})
}

func TestAURIThatNamesUDPMeansIt(t *testing.T) {
	tr := New(Config{Network: names{}, Handler: func(*message.Message, Flow) {}})
	defer tr.Close()
	for _, network := range []string{"udp", "tcp"} {
		tr.listeners = append(tr.listeners, &Listener{Network: network, Local: netip.MustParseAddrPort("192.0.2.10:5060")})
	}
	for uri, want := range map[string]bool{"sip:192.0.2.1": true, "sip:192.0.2.1;transport=udp": false, "sip:192.0.2.1;transport=tcp": false} {
		hops, err := tr.Resolve(t.Context(), uri)
		if err != nil {
			t.Fatal(err)
		}
		f, err := tr.Flow(hops[0], "")
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := tr.Wide(f); ok != want {
			t.Errorf("%s: %v", uri, ok)
		}
	}
}
