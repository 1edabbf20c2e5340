package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"legwork/cmd/legwork/sipptest"
)

// prices is the web service of examples/lcr-http; it answers only about numbers
// that it knows, and not at all when it hangs.
type prices struct {
	*httptest.Server
	hangs chan struct{} // closed: from now on
}

func newPrices(t *testing.T, offers map[string]string) prices {
	p := prices{hangs: make(chan struct{})}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-p.hangs:
			<-r.Context().Done()
		default:
		}
		if said, known := offers[r.URL.Query().Get("number")]; known {
			fmt.Fprintf(w, `{"offers": [%s]}`, said)
			return
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(p.Server.Close)
	return p
}

// TestTheCheapestCarrierGetsTheCall plays examples/lcr-http: what the service
// says now, what it said before it fell silent, and what the table says.
func TestTheCheapestCarrierGetsTheCall(t *testing.T) {
	sipptest.Find(t)
	service := newPrices(t, map[string]string{
		"+491713920012": `{"carrier": "carrier-a", "price": 0.012}, {"carrier": "unheard-of", "price": 0.001}, {"carrier": "carrier-b", "price": 0.019}`,
		"+493012345678": `{"carrier": "carrier-a", "price": 0.02}, {"carrier": "carrier-b", "price": 0.01}`,
	})
	t.Setenv("LEGWORK_LUA_LCR", service.URL)
	a, b := sipptest.Address(t), sipptest.Address(t)
	dir := example(t, "lcr-http", "127.0.0.2:5060", a, "127.0.0.3:5060", b)
	reword(t, filepath.Join(dir, "main.lua"), "ttl = 300", "ttl = 0.001")
	for at, calls := range map[string]int{a: 2, b: 2} {
		defer sipptest.Finish(t, sipptest.Start(t, sipptest.Scenario{File: "testdata/sipp/uas.xml", Local: at, Calls: calls, Pause: 10 * time.Millisecond}))
	}
	r := serve(t, dir)
	call := func(number, scenario string) {
		t.Helper()
		s := sipptest.Scenario{File: "testdata/sipp/" + scenario + ".xml", Remote: r.udp, Service: number, Calls: 1, Pause: 30 * time.Millisecond}
		if scenario == "uac_refused" {
			s.Set = map[string]string{"STATUS": "404"}
		}
		sipptest.Run(t, s)
	}
	call("01713920012", "uac")
	call("03012345678", "uac")
	call("004989012345", "uac_refused") // nobody takes it
	close(service.hangs)
	call("03012345678", "uac") // as before
	call("03012345679", "uac") // not asked for before
	r.signal(syscall.SIGTERM)
	if code := r.exit(); code != 0 {
		t.Errorf("exit %d: %s", code, r.logged())
	}
	want := []string{"service carrier-a 0.012", "service carrier-b 0.01", "service", "cache carrier-b 0.01", "table carrier-a"}
	all := records(t, filepath.Join(dir, "calls.jsonl"))
	if len(all) != len(want) {
		t.Fatalf("%d records", len(all))
	}
	for i, record := range all {
		got := fmt.Sprint(record.Fields["routed_by"])
		for _, attempt := range record.Attempts {
			got += " " + attempt.Trunk
			if price, priced := attempt.CDR["price"]; priced {
				got += " " + price
			}
		}
		if got != want[i] {
			t.Errorf("call %d: %s, want %s", i+1, got, want[i])
		}
	}
}
