package lib

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	glua "github.com/yuin/gopher-lua"
)

const (
	// metricPrefix keeps names of scripts apart from the program's own.
	metricPrefix = "legwork_user_"

	maxMeters     = 200  // metrics of all scripts
	maxSeries     = 1000 // combinations of label values of one metric
	maxLabels     = 8
	maxBucketList = 50
	maxLabelValue = 128 // bytes; longer ones are cut
	maxMetricName = 100

	// overflowLabel stands for all label values beyond maxSeries.
	overflowLabel = "other"
)

// meters are the metrics that scripts define, one for each name for as long as
// the process lives: Prometheus does not let a metric change.
type meters struct {
	registry prometheus.Registerer

	mu    sync.Mutex // guards known
	known map[string]*meter
}

func newMeters(r prometheus.Registerer) *meters {
	if r == nil {
		r = prometheus.NewRegistry()
	}
	return &meters{registry: r, known: make(map[string]*meter)}
}

// A meter is a counter or a histogram.
type meter struct {
	shape     string // kind, labels and buckets
	labels    []string
	counter   *prometheus.CounterVec
	histogram *prometheus.HistogramVec

	mu   sync.Mutex // guards seen
	seen map[string]struct{}
}

// An instrument is a meter as a script holds it, with the labels that it gave
// values to when it was made.
type instrument struct {
	*meter
	fixed map[string]string
}

func (ms *meters) define(name string, labels []string, buckets []float64) (*meter, error) {
	shape := fmt.Sprintf("labels %q, buckets %v", labels, buckets)
	ms.mu.Lock()
	defer ms.mu.Unlock()
	if m := ms.known[name]; m != nil {
		if m.shape != shape {
			return nil, fmt.Errorf("'%s' was defined with %s; give the new one another name", name, m.shape)
		}
		return m, nil
	}
	if len(ms.known) >= maxMeters {
		return nil, fmt.Errorf("more than %d metrics", maxMeters)
	}
	m := &meter{shape: shape, labels: labels, seen: make(map[string]struct{})}
	var c prometheus.Collector
	if buckets == nil {
		m.counter = prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: "Counted by a script."}, labels)
		c = m.counter
	} else {
		m.histogram = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: "Observed by a script.", Buckets: buckets}, labels)
		c = m.histogram
	}
	if err := ms.registry.Register(c); err != nil {
		return nil, err
	}
	ms.known[name] = m
	return m, nil
}

// values puts label values into their order; a missing one is "". Beyond
// maxSeries combinations all are counted as overflowLabel.
func (m *meter) values(given map[string]string) ([]string, error) {
	values := make([]string, len(m.labels))
	for i, label := range m.labels {
		v := given[label]
		values[i] = strings.ToValidUTF8(v[:min(len(v), maxLabelValue)], "?")
		delete(given, label)
	}
	for name := range given {
		return nil, fmt.Errorf("no label '%s' was defined; there are: %s", name, strings.Join(m.labels, ", "))
	}
	key := strings.Join(values, "\xff")
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.seen[key]; ok {
		return values, nil
	}
	if len(m.seen) >= maxSeries {
		for i := range values {
			values[i] = overflowLabel
		}
		return values, nil
	}
	m.seen[key] = struct{}{}
	return values, nil
}

func (x *library) metrics() map[string]glua.LGFunction {
	return map[string]glua.LGFunction{
		"counter": function("b2b.metric.counter", func(a args) int {
			name := metricName(a)
			if !strings.HasSuffix(name, "_total") {
				name += "_total"
			}
			labels, fixed := labelsOf(a, 2)
			m, err := x.env.meters.define(name, labels, nil)
			if err != nil {
				a.fail("%v", err)
			}
			return a.give(x.counters.New(a.L, instrument{m, fixed}))
		}),
		"histogram": function("b2b.metric.histogram", func(a args) int {
			labels, fixed := labelsOf(a, 3)
			m, err := x.env.meters.define(metricName(a), labels, bucketList(a))
			if err != nil {
				a.fail("%v", err)
			}
			return a.give(x.histograms.New(a.L, instrument{m, fixed}))
		}),
	}
}

func metricName(a args) string {
	name := a.key(1, "the name", maxMetricName)
	if !isMetricWord(name) {
		a.fail("a name has small letters, digits and _: '%s'", name)
	}
	return metricPrefix + name
}

func isMetricWord(s string) bool {
	for i := range len(s) {
		if c := s[i]; !(c >= 'a' && c <= 'z' || c == '_' && i > 0 || isDigit(c) && i > 0) {
			return false
		}
	}
	return s != ""
}

// labelsOf reads labels: a list of names, whose values come with each count, or
// {name = value}, which counts all under these.
func labelsOf(a args, n int) (names []string, fixed map[string]string) {
	if !a.has(n) {
		return nil, nil
	}
	t := a.table(n, "labels")
	var given []string
	if t.Len() == 0 {
		fixed = a.texts(t, "labels")
		given = slices.Sorted(maps.Keys(fixed))
	}
	for i := 1; i <= t.Len(); i++ {
		given = append(given, a.asText(t.RawGetInt(i), "a label"))
	}
	for _, name := range given {
		if !isMetricWord(name) || name == "le" || slices.Contains(names, name) || len(names) == maxLabels {
			a.fail("labels are at most %d different names of small letters, digits and _ (not le): '%s'", maxLabels, name)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names, fixed
}

var errBuckets = errors.New("buckets must be rising numbers")

func bucketList(a args) []float64 {
	if !a.has(2) {
		return prometheus.DefBuckets
	}
	var buckets []float64
	t := a.table(2, "buckets")
	for i := 1; i <= t.Len(); i++ {
		v := a.asNumber(t.RawGetInt(i), "a bucket")
		if len(buckets) == maxBucketList || len(buckets) > 0 && v <= buckets[len(buckets)-1] {
			a.fail("%v, at most %d", errBuckets, maxBucketList)
		}
		buckets = append(buckets, v)
	}
	if buckets == nil {
		a.fail("%v", errBuckets)
	}
	return buckets
}

func (x *library) counterMethods() map[string]glua.LGFunction {
	return map[string]glua.LGFunction{"inc": method("counter:inc", func(a args) int {
		m, n := self(a, x.counters), a.optNumber(1, "the number", 1)
		if n < 0 {
			a.fail("a counter only goes up")
		}
		m.counter.WithLabelValues(labelValues(a, m)...).Add(n)
		return 0
	})}
}

func (x *library) histogramMethods() map[string]glua.LGFunction {
	return map[string]glua.LGFunction{"observe": method("histogram:observe", func(a args) int {
		m, v := self(a, x.histograms), a.number(1, "the value")
		m.histogram.WithLabelValues(labelValues(a, m)...).Observe(v)
		return 0
	})}
}

func labelValues(a args, m instrument) []string {
	given := map[string]string{}
	maps.Copy(given, m.fixed)
	if a.has(2) {
		maps.Copy(given, a.texts(a.table(2, "labels"), "labels"))
	}
	values, err := m.values(given)
	if err != nil {
		a.fail("%v", err)
	}
	return values
}
