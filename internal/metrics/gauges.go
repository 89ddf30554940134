package metrics

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// definitions are the definitions by name.
type definitions map[string]Definition

func (m definitions) counters(name string) *prometheus.CounterVec {
	d := m[name]
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: d.Help}, d.Labels)
}

func (m definitions) histograms(name string) *prometheus.HistogramVec {
	d := m[name]
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: name, Help: d.Help,
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
	}, d.Labels)
}

func (m definitions) gauges(names ...string) gauges {
	g := gauges{}
	for _, name := range names {
		g[name] = prometheus.NewDesc(name, m[name].Help, m[name].Labels, nil)
	}
	return g
}

func byName(list []Definition) definitions {
	m := definitions{}
	for _, d := range list {
		m[d.Name] = d
	}
	return m
}

// gauges are the gauges that one collector sends.
type gauges map[string]*prometheus.Desc

// Describe is the half of a prometheus.Collector that all of them share.
func (g gauges) Describe(ch chan<- *prometheus.Desc) {
	for _, desc := range g {
		ch <- desc
	}
}

// sender sends the values of gauges.
func (g gauges) sender(ch chan<- prometheus.Metric) func(name string, value float64, labels ...string) {
	return func(name string, value float64, labels ...string) {
		for i := range labels {
			labels[i] = valid(labels[i])
		}
		ch <- prometheus.MustNewConstMetric(g[name], prometheus.GaugeValue, value, labels...)
	}
}

// valid makes text of a datastore or of BIRD into a label's value.
func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// send sends the value of one gauge.
type send func(name string, value float64, labels ...string)
