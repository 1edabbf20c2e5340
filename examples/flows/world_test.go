package flows

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"legwork/b2bua"
	"legwork/b2bua/message"
	"legwork/b2bua/registrar"
	"legwork/b2bua/simnet"
	"legwork/b2bua/store"
	"legwork/b2bua/transport"
	"legwork/b2bua/trunk"
	"legwork/script"
	"legwork/script/lib"
)

// Hosts of RFC 3665 section 1.3 and RFC 5359 section 1, the last byte of whose
// addresses is theirs there too.
const (
	ss1 = "192.0.2.111:5060" // the proxy of atlanta.example.com
	ss2 = "192.0.2.222:5060" // the proxy of biloxi.example.com
	ss3 = "192.0.2.233:5060" // the proxy of chicago.example.com
	alg = "192.0.2.128:5060" // an application level gateway in front of atlanta.example.com

	atAtlanta = "192.0.2.101:5060" // client.atlanta.example.com
	atBiloxi  = "192.0.2.201:5060" // client.biloxi.example.com
	atChicago = "192.0.2.100:5060" // client.chicago.example.com
	atBill    = "192.0.2.204:5060" // a colleague of Bob's
	atPark    = "192.0.2.205:5060" // the park server
	atMusic   = "192.0.2.206:5060" // the music server
	atDesk    = "192.0.2.203:5060" // a third place of Bob's
	elsewhere = "192.0.2.202:5060" // where Bob goes in RFC 3665 section 3.7
)

// proxies are the Legworks of a deployment, by address, each with its trunks. All
// know the same users.
type proxies map[string][]trunk.Trunk

// oneProxy stands between all phones.
func oneProxy() proxies {
	return proxies{ss1: {
		phoneAt("alice", atAtlanta), phoneAt("bob", atBiloxi), phoneAt("carol", atChicago),
		phoneAt("desk", atDesk), phoneAt("bill", atBill), phoneAt("park", atPark), phoneAt("music", atMusic),
	}}
}

// twoProxies serve a domain each.
func twoProxies() proxies {
	return proxies{
		ss1: {phoneAt("alice", atAtlanta), phoneAt("biloxi", ss2)},
		ss2: {phoneAt("bob", atBiloxi), phoneAt("carol", atChicago), phoneAt("atlanta", ss1)},
	}
}

// realm is the domain of a proxy.
func realm(addr string) string {
	if addr == ss2 {
		return "biloxi.example.com"
	}
	return "atlanta.example.com"
}

// authenticating has a proxy challenge the calls of its first trunk.
func authenticating(trunks []trunk.Trunk) []trunk.Trunk {
	trunks[0].Params = map[string]any{"authenticate": true}
	return trunks
}

func phoneAt(name, addr string) trunk.Trunk {
	return trunk.Trunk{Name: name, Match: []string{addr[:len(addr)-len(":5060")]}, Targets: []trunk.Endpoint{{URI: "sip:" + addr}}}
}

// world is a network with proxies and phones on it, on virtual time.
type world struct {
	*testing.T
	clean   bool   // nothing is lost, doubled or swapped
	network string // of all phones and proxies: udp or tcp
	net     *simnet.Network
	engines map[string]*engine
	phones  []*phone
	wire    *wire
	deaf    map[string]bool // addresses that answer nothing: packets come again
	edits   bool            // the script changes SDP
	splices bool            // people are put through to others
}

// engine is one Legwork with the scripts of this folder.
type engine struct {
	server    *b2bua.Server
	policy    *script.Policy
	libraries *lib.Env
	log       *errorLog
}

// Router asks the scripts; the server is made before them.
func (e *engine) Router(h b2bua.Handle) b2bua.Router { return e.policy.Router(h) }

// weathers are the networks that each flow is played on; that of streams is
// called tcp.
func weathers() map[string]simnet.Faults {
	all := map[string]simnet.Faults{"clean": {}, "tcp": {}}
	for seed := uint64(1); seed <= 3; seed++ {
		all[fmt.Sprintf("lossy %d", seed)] = simnet.Faults{Seed: seed, Lose: 0.15, Delay: 20 * time.Millisecond}
		all[fmt.Sprintf("doubled %d", seed)] = simnet.Faults{Seed: seed, Double: 0.3, Delay: 20 * time.Millisecond, Jitter: 200 * time.Millisecond}
		all[fmt.Sprintf("foul %d", seed)] = simnet.Faults{
			Seed: seed, Lose: 0.15, Double: 0.3, Reorder: 0.3, Delay: 20 * time.Millisecond, Jitter: 700 * time.Millisecond,
		}
		all[fmt.Sprintf("swapped %d", seed)] = simnet.Faults{Seed: seed, Reorder: 0.3, Delay: 20 * time.Millisecond, Jitter: 60 * time.Millisecond}
	}
	return all
}

// play plays a flow in all weathers and proves each time that the legs were
// kept apart and that nothing is left over.
func play(t *testing.T, with proxies, flow func(w *world)) {
	t.Helper()
	for name, faults := range weathers() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := build(t, with, faults, name)
				defer w.close()
				flow(w)
				time.Sleep(3 * time.Minute)
				w.inspect()
			})
		})
	}
}

func build(t *testing.T, with proxies, faults simnet.Faults, name string) *world {
	t.Helper()
	faults.Unrefused = true
	network := "udp"
	if name == "tcp" {
		network = name
	}
	w := &world{
		T: t, clean: faults.Lose+faults.Double+faults.Reorder == 0, network: network, net: simnet.New(faults),
		engines: map[string]*engine{}, wire: &wire{}, deaf: map[string]bool{},
	}
	w.net.OnPath(w.wire.record)
	for addr, trunks := range with {
		w.engines[addr] = w.start(addr, trunks)
	}
	return w
}

// start wires an engine as cmd/legwork does.
func (w *world) start(addr string, trunks []trunk.Trunk) *engine {
	w.Helper()
	e := &engine{log: &errorLog{}}
	log := slog.New(slog.NewTextHandler(e.log, &slog.HandlerOptions{Level: slog.LevelError}))
	table, err := trunk.NewTable(w.over(trunks), nil)
	w.must(err)
	bindings, err := registrar.New(registrar.Config{
		Store: store.NewMemory(store.Limits{}), Min: time.Minute, Default: 5 * time.Minute, Max: time.Hour,
	})
	w.must(err)
	e.server, err = b2bua.New(b2bua.Config{
		Policy: e, Network: w.net, Log: log, UserAgent: "legwork",
		Settings: b2bua.Settings{Trunks: table, Realm: realm(addr), Users: users, Registrar: bindings},
	})
	w.must(err)
	e.libraries, err = lib.NewEnv(lib.Config{Log: log, ReasonPhrase: message.ReasonPhrase, Transport: offline{}})
	w.must(err)
	e.policy, err = script.New(context.Background(), script.Config{
		Source: script.Source{Path: "main.lua"}, Trunks: func() *trunk.Table { return table }, States: e.server.Trunks(),
		Lib: e.libraries, Log: log, Machines: 1,
	})
	w.must(err)
	_, err = e.server.Listen(transport.ListenerConfig{Name: w.network, Network: w.network, Address: addr})
	w.must(err)
	return e
}

// over has trunks reached over the network of this world.
func (w *world) over(trunks []trunk.Trunk) []trunk.Trunk {
	trunks = slices.Clone(trunks)
	for i := range trunks {
		if targets := slices.Clone(trunks[i].Targets); w.network == "tcp" && len(targets) > 0 {
			targets[0].URI += ";transport=tcp"
			trunks[i].Targets = targets
		}
	}
	return trunks
}

// offline is the network of scripts: there is none.
type offline struct{}

// RoundTrip refuses.
func (offline) RoundTrip(*http.Request) (*http.Response, error) { return nil, http.ErrServerClosed }

// errorLog keeps what an engine logs as an error.
type errorLog struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

// Write is io.Writer's.
func (l *errorLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *errorLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// ordered is true where messages can't overtake each other.
func (w *world) ordered() bool { return w.clean && w.network == "udp" }

// pause is that of people between one thing and the next, who do not know what
// is still being repeated.
func (w *world) pause() {
	if w.clean {
		time.Sleep(2 * time.Second)
		return
	}
	time.Sleep(8 * time.Second)
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// inspect looks at what the flow leaves behind.
func (w *world) inspect() {
	for addr, e := range w.engines {
		if n := e.server.Active(); n != 0 || len(e.server.Calls()) != 0 {
			w.Errorf("%s: %d calls are left over", addr, n)
		}
		if c := e.server.Counters(); c.Servers != 0 || c.Clients != 0 {
			w.Errorf("%s: transactions are left over: %+v", addr, c)
		}
		if text := e.log.String(); text != "" {
			w.Errorf("%s logged %s", addr, text)
		}
	}
	for _, p := range w.phones {
		if left := p.left(); w.clean && left != "" {
			w.Errorf("%s: nobody looked at %s", p.name, left)
		}
	}
	w.keptApart()
}

func (w *world) close() {
	if w.Failed() {
		w.Log(w.story())
	}
	for _, p := range w.phones {
		for _, a := range append(p.past, p.agent) {
			a.Close()
		}
	}
	for _, e := range w.engines {
		e.server.Close()
		e.policy.Close()
		e.libraries.Close()
	}
}
