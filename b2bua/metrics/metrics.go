// Package metrics counts calls for Prometheus. It is an observer with a
// registry of its own, so that two engines in one process share nothing.
//
// What happens once per call or message is counted as it is observed; what the
// engine already knows (calls in progress, transactions, trunks) is read when
// somebody scrapes. Labels come from bounded sets: names of the configuration,
// known methods, known codes or else their class.
//
// Start with New; scrape.go has what is read on demand.
package metrics

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"legwork/b2bua"
	"legwork/b2bua/message"
)

// Metrics is an observer and the page that Prometheus scrapes.
type Metrics struct {
	registry  *prometheus.Registry
	calls     *prometheus.CounterVec   // trunk, code
	setup     *prometheus.HistogramVec // until
	attempts  *prometheus.CounterVec   // trunk, code, origin
	requests  *prometheus.CounterVec   // direction, method
	responses *prometheus.CounterVec   // direction, code
	errors    *prometheus.CounterVec   // hook
	reloads   prometheus.Counter
	failures  prometheus.Counter
	benched   prometheus.Counter
	deployed  *prometheus.CounterVec // result
}

// New makes the metrics of one engine.
func New(s Sources) *Metrics {
	m := &Metrics{
		registry:  prometheus.NewRegistry(),
		calls:     counters("calls_total", "Calls that are over, by the trunk they came from and the final code the caller got; 0: none.", "trunk", "code"),
		attempts:  counters("attempts_total", "Targets tried, by trunk, final code and where it was made.", "trunk", "code", "origin"),
		requests:  counters("requests_total", "Requests of calls, received or sent, without retransmissions.", "direction", "method"),
		responses: counters("responses_total", "Responses of calls, received or sent, without retransmissions.", "direction", "code"),
		errors:    counters("script_errors_total", "Errors of script hooks.", "hook"),
		reloads:   prometheus.NewCounter(prometheus.CounterOpts{Name: "legwork_script_reloads_total", Help: "Attempts to load changed scripts."}),
		failures:  prometheus.NewCounter(prometheus.CounterOpts{Name: "legwork_script_reload_failures_total", Help: "Attempts after which the old scripts stayed."}),
		benched:   prometheus.NewCounter(prometheus.CounterOpts{Name: "legwork_script_benched_total", Help: "Scripts that erred too often and were taken out."}),
		deployed:  counters("script_deployments_total", "Scripts that were deployed, by what became of them.", "result"),
		setup: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "legwork_call_setup_seconds", Help: "Time from the caller's INVITE until a callee rang or answered.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2, 3, 5, 8, 13, 21, 34, 60, 120},
		}, []string{"until"}),
	}
	m.registry.MustRegister(m.calls, m.setup, m.attempts, m.requests, m.responses, m.errors, m.reloads, m.failures, m.benched, m.deployed,
		scrape{s}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func counters(name, text string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "legwork_" + name, Help: text}, labels)
}

// Handler serves the metrics as text.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}

// Registerer takes the metrics that scripts make; its names and labels are the
// caller's to bound.
func (m *Metrics) Registerer() prometheus.Registerer { return m.registry }

// Observe counts an event.
func (m *Metrics) Observe(ev b2bua.Event) {
	switch ev.Kind {
	case b2bua.EventReceived:
		m.message("in", ev.Message)
	case b2bua.EventSent:
		m.message("out", ev.Message)
	case b2bua.EventEnded:
		m.ended(ev.Record)
	}
}

// ScriptError counts an error of a hook.
func (m *Metrics) ScriptError(hook string) { m.errors.WithLabelValues(hook).Inc() }

// Reloaded counts an attempt to load scripts; err is why it failed.
func (m *Metrics) Reloaded(err error) {
	m.reloads.Inc()
	if err != nil {
		m.failures.Inc()
	}
}

// Benched counts scripts that were taken out because they erred.
func (m *Metrics) Benched() { m.benched.Inc() }

// Deployed counts scripts that were deployed, and promoted or rolled back.
func (m *Metrics) Deployed(promoted bool) {
	result := "rolled_back"
	if promoted {
		result = "promoted"
	}
	m.deployed.WithLabelValues(result).Inc()
}

func (m *Metrics) message(direction string, msg *message.Message) {
	switch {
	case msg == nil:
	case msg.IsRequest():
		m.requests.WithLabelValues(direction, method(msg.Method)).Inc()
	default:
		m.responses.WithLabelValues(direction, code(msg.Status)).Inc()
	}
}

func (m *Metrics) ended(r *b2bua.Record) {
	if r == nil {
		return
	}
	m.calls.WithLabelValues(r.Trunk, code(r.Code)).Inc()
	for i := range r.Attempts {
		a := &r.Attempts[i]
		m.attempts.WithLabelValues(a.Trunk, code(a.Code), string(a.Origin)).Inc()
	}
	until := r.Ended
	if !r.Answered.IsZero() {
		until = r.Answered
		m.setup.WithLabelValues("answered").Observe(until.Sub(r.Started).Seconds())
	}
	if r.Ringing > 0 {
		m.setup.WithLabelValues("ringing").Observe(until.Sub(r.Started).Seconds() - r.Ringing)
	}
}

// method bounds the label: peers may invent methods.
func method(name string) string {
	switch name {
	case "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO", "UPDATE", "PRACK", "REFER", "NOTIFY", "MESSAGE",
		"SUBSCRIBE", "PUBLISH", "REGISTER":
		return name
	}
	return "other"
}

// code bounds the label: peers may invent codes, which count as their class.
func code(n int) string {
	if n <= 0 || message.Known(n) {
		return strconv.Itoa(max(n, 0))
	}
	return strconv.Itoa(min(max(n/100, 1), 6)) + "xx"
}
