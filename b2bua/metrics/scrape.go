package metrics

import (
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"legwork/b2bua/door"
	"legwork/b2bua/message"
	"legwork/b2bua/transaction"
	"legwork/b2bua/transport"
	"legwork/b2bua/trunk"
)

// Sources are asked at each scrape, from any goroutine; what is nil is left
// out of the page.
type Sources struct {
	Active    func() int // calls in progress
	Counters  func() transaction.Counters
	Trunks    func() []trunk.Stats
	Transport func() transport.Counters
	Malformed func() uint64               // messages refused or dropped unread
	Refused   func() map[string]uint64    // requests that nothing was made of, by reason
	Leaks     func() map[string]uint64    // messages that told of the inside, by trunk
	Dropped   func() map[string]uint64    // events lost, by observer
	Expiries  func() map[string]time.Time // of certificates, by listener
	Door      func() door.Counters
	Bans      func() int // that hold
	// Generations are those of scripts that are loaded, any number of each state.
	Generations func() []Generation
}

// Generation is what is told of one generation of scripts.
type Generation struct {
	State string // one of few words
	Calls int    // in progress
}

// scrape is the collector of what the engine knows by itself.
type scrape struct{ Sources }

// Describe sends nothing: a collector without descriptions is not checked
// beforehand, and which of its metrics there are depends on Sources.
func (scrape) Describe(chan<- *prometheus.Desc) {}

// Collect reads the sources.
func (s scrape) Collect(to chan<- prometheus.Metric) {
	if s.Active != nil {
		gauge(to, "calls_active", "Calls in progress.", float64(s.Active()))
	}
	if s.Malformed != nil {
		count(to, "malformed_total", "Messages that were refused or dropped because they break the grammar.", s.Malformed())
	}
	if s.Refused != nil {
		for why, n := range s.Refused() {
			count(to, "refused_total", "Requests that were refused before a call or anything else was made of them.", n, "reason", why)
		}
	}
	if s.Leaks != nil {
		for name, n := range s.Leaks() {
			count(to, "leaks_total", "Messages, of those looked at, that told a trunk what is to stay inside.", n, "trunk", name)
		}
	}
	if s.Dropped != nil {
		dropped := s.Dropped()
		for _, name := range slices.Sorted(maps.Keys(dropped)) {
			count(to, "observer_dropped_total", "Events that an observer lost.", dropped[name], "observer", name)
		}
	}
	if s.Expiries != nil {
		for listener, at := range s.Expiries() {
			gauge(to, "tls_certificate_expiry_seconds", "Time until the certificate of a listener expires; negative when it has.", time.Until(at).Round(time.Second).Seconds(), "listener", listener)
		}
	}
	s.generations(to)
	s.door(to)
	s.connections(to)
	s.transactions(to)
	s.trunks(to)
}

// generations are counted by state: names of generations come and go.
func (s scrape) generations(to chan<- prometheus.Metric) {
	if s.Generations == nil {
		return
	}
	loaded, calls := map[string]int{}, map[string]int{}
	for _, g := range s.Generations() {
		loaded[g.State]++
		calls[g.State] += g.Calls
	}
	for _, state := range slices.Sorted(maps.Keys(loaded)) {
		gauge(to, "script_generations", "Generations of scripts that are loaded.", float64(loaded[state]), "state", state)
		gauge(to, "script_generation_calls", "Calls in progress, by the state of the scripts that they began with.", float64(calls[state]), "state", state)
	}
}

// door tells who is left outside. The labels are those of package door.
func (s scrape) door(to chan<- prometheus.Metric) {
	if s.Bans != nil {
		gauge(to, "bans", "Sources that are banned.", float64(s.Bans()))
	}
	if s.Door == nil {
		return
	}
	c := s.Door()
	for _, each := range []struct {
		name, text, label string
		counts            map[string]uint64
	}{
		{"bans_total", "Sources that were banned, by what they did last.", "reason", c.Bans},
		{"dropped_messages_total", "Messages dropped unread, because of an acl or a ban.", "by", c.Messages},
		{"dropped_connections_total", "Connections closed at once, because of an acl or a ban.", "by", c.Connections},
	} {
		for _, value := range slices.Sorted(maps.Keys(each.counts)) {
			count(to, each.name, each.text, each.counts[value], each.label, value)
		}
	}
}

func (s scrape) connections(to chan<- prometheus.Metric) {
	if s.Transport == nil {
		return
	}
	c := s.Transport()
	gauge(to, "connections", "Connections that are open, accepted and dialled.", float64(c.Connections))
	count(to, "connections_turned_away_total", "Connections of sources that have too many, or that came while too many were shaking hands.", uint64(c.TurnedAway))
	count(to, "handshake_failures_total", "Connections that failed in the handshake of TLS or WebSocket.", uint64(c.Handshakes))
}

func (s scrape) transactions(to chan<- prometheus.Metric) {
	if s.Counters == nil {
		return
	}
	c := s.Counters()
	const alive, again = "Transactions alive, those that linger included.", "Messages seen or sent once more."
	gauge(to, "transactions", alive, float64(c.Servers), "role", "uas")
	gauge(to, "transactions", alive, float64(c.Clients), "role", "uac")
	count(to, "retransmissions_total", again, uint64(c.RetransmissionsIn), "direction", "in")
	count(to, "retransmissions_total", again, uint64(c.RetransmissionsOut), "direction", "out")
	count(to, "timeouts_total", "Transactions that nobody answered.", uint64(c.Timeouts))
	count(to, "strays_total", "Responses that no transaction waited for.", uint64(c.Strays))
	count(to, "send_failures_total", "Messages that could not be sent.", uint64(c.SendFailures))
	count(to, "overloaded_total", "Requests refused because too many transactions are alive.", uint64(c.Overloaded))
}

func (s scrape) trunks(to chan<- prometheus.Metric) {
	if s.Trunks == nil {
		return
	}
	for _, t := range s.Trunks() {
		up := 0.0
		if t.Up {
			up = 1
		}
		gauge(to, "trunk_up", "1 unless the trunk is penalized, or all its targets are down.", up, "trunk", t.Name)
		for _, target := range t.Targets {
			alive := 0.0
			if target.Up {
				alive = 1
			}
			gauge(to, "trunk_target_up", "1 unless the target of a trunk is down.", alive, "trunk", t.Name, "target", message.MaskURI(target.URI))
		}
		if r := t.Registration; r != nil {
			registered := 0.0
			if r.Bound() {
				registered = 1
			}
			gauge(to, "trunk_registered", "1 while we are registered with the trunk.", registered, "trunk", t.Name)
		}
		gauge(to, "trunk_calls", "Calls in progress over the trunk, both directions.", float64(t.Calls), "trunk", t.Name)
	}
}

func gauge(to chan<- prometheus.Metric, name, text string, value float64, labels ...string) {
	emit(to, prometheus.GaugeValue, name, text, value, labels)
}

func count(to chan<- prometheus.Metric, name, text string, value uint64, labels ...string) {
	emit(to, prometheus.CounterValue, name, text, float64(value), labels)
}

// emit sends one metric; labels are names and values by turns.
func emit(to chan<- prometheus.Metric, kind prometheus.ValueType, name, text string, value float64, labels []string) {
	var names, values []string
	for i := 0; i+1 < len(labels); i += 2 {
		names, values = append(names, labels[i]), append(values, labels[i+1])
	}
	desc := prometheus.NewDesc("legwork_"+name, text, names, nil)
	if metric, err := prometheus.NewConstMetric(desc, kind, value, values...); err == nil {
		to <- metric
	}
}
