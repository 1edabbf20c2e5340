package lib

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// warnEvery is how often the log says that one server fails.
const warnEvery = time.Minute

// lookups counts what scripts look up. Names are of the configuration, and hosts
// of at most maxClients clients.
type lookups struct {
	log     *slog.Logger
	total   *prometheus.CounterVec
	seconds *prometheus.HistogramVec

	mu     sync.Mutex // guards warned
	warned map[string]time.Time
}

func newLookups(r prometheus.Registerer, log *slog.Logger) (*lookups, error) {
	l := &lookups{
		log: log, warned: map[string]time.Time{},
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "legwork_lookups_total",
			Help: "Look-ups of scripts, by library, server and result: ok, failed, or aborted because the call ended.",
		}, []string{"library", "name", "result"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "legwork_lookup_seconds",
			Help:    "How long look-ups of scripts took.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"library", "name"}),
	}
	if r == nil {
		return l, nil
	}
	return l, errors.Join(r.Register(l.total), r.Register(l.seconds))
}

// observe counts one look-up and gives its error on.
func (l *lookups) observe(library, name string, ask func() error) error {
	began := time.Now()
	err := ask()
	result := "ok"
	switch {
	case errors.Is(err, context.Canceled):
		result = "aborted"
	case err != nil:
		result = "failed"
		l.warn(library, name, err)
	}
	l.total.WithLabelValues(library, name, result).Inc()
	l.seconds.WithLabelValues(library, name).Observe(time.Since(began).Seconds())
	return err
}

// warn tells of a server that fails, now and then: a script may ask it for
// every call.
func (l *lookups) warn(library, name string, err error) {
	now, key := time.Now(), library+" "+name
	l.mu.Lock()
	last, known := l.warned[key]
	quiet := known && now.Sub(last) < warnEvery
	if !quiet {
		l.warned[key] = now
	}
	l.mu.Unlock()
	if !quiet {
		l.log.Warn("a look-up failed", "source", key, "err", failure(err).Error())
	}
}
