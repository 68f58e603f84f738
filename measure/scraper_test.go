package measure

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"google.golang.org/protobuf/proto"
)

// encode writes families as a component does.
func encode(t testing.TB, families ...*dto.MetricFamily) []byte {
	t.Helper()
	var buf bytes.Buffer
	enc := expfmt.NewEncoder(&buf, expfmt.NewFormat(expfmt.TypeProtoDelim))
	for _, f := range families {
		if err := enc.Encode(f); err != nil {
			t.Fatal(err)
		}
	}
	return buf.Bytes()
}

func metric(value float64, labels ...string) *dto.Metric {
	m := &dto.Metric{Counter: &dto.Counter{Value: &value}}
	for i := 0; i < len(labels); i += 2 {
		m.Label = append(m.Label, &dto.LabelPair{Name: &labels[i], Value: &labels[i+1]})
	}
	return m
}

func counter(name string, metrics ...*dto.Metric) *dto.MetricFamily {
	return &dto.MetricFamily{Name: &name, Type: dto.MetricType_COUNTER.Enum(), Metric: metrics}
}

func TestOnlyWhatTheTableNamesIsKept(t *testing.T) {
	name := "etcd_request_duration_seconds"
	h := &dto.MetricFamily{Name: &name, Type: dto.MetricType_HISTOGRAM.Enum()}
	for _, resource := range []string{"pods", "leases"} {
		hist := &dto.Histogram{SampleCount: proto.Uint64(10), SampleSum: proto.Float64(2.5)}
		for le, n := range map[float64]uint64{0.05: 4, 0.06: 5, 1: 9, math.Inf(1): 10} {
			hist.Bucket = append(hist.Bucket, &dto.Bucket{UpperBound: &le, CumulativeCount: &n})
		}
		h.Metric = append(h.Metric, &dto.Metric{Histogram: hist, Label: []*dto.LabelPair{
			{Name: proto.String("operation"), Value: proto.String(`get"x`)}, {Name: proto.String("type"), Value: proto.String(resource)},
		}})
	}
	got, err := readFamilies(bytes.NewReader(encode(t,
		counter("something_else_total", metric(1, "a", "b")),
		counter("apiserver_request_total",
			metric(3, "verb", "GET", "resource", "pods", "code", "200", "component", "apiserver"),
			metric(4, "verb", "GET", "resource", "pods", "code", "200", "component", "other"),
			metric(5, "verb", "LIST", "resource", "pods", "code", "200", "component", "apiserver"),
			metric(math.NaN(), "verb", "X", "resource", "pods", "code", "200")),
		h,
		counter("go_goroutines", metric(12)),
	)))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{
		`apiserver_request_total{code="200",resource="pods",verb="GET"}`:     7,
		`apiserver_request_total{code="200",resource="pods",verb="LIST"}`:    5,
		`etcd_request_duration_seconds_count{operation="get\"x"}`:            20,
		`etcd_request_duration_seconds_sum{operation="get\"x"}`:              5,
		`etcd_request_duration_seconds_bucket{le="0.05",operation="get\"x"}`: 8,
		`etcd_request_duration_seconds_bucket{le="1",operation="get\"x"}`:    18,
		`go_goroutines`: 12,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestMetricsThatAreCutOffAreAnError(t *testing.T) {
	whole := encode(t, counter("go_goroutines", metric(12)), counter("skipped", metric(1)), counter("go_goroutines", metric(3)))
	first := len(encode(t, counter("go_goroutines", metric(12))))
	second := first + len(encode(t, counter("skipped", metric(1))))
	for n := range whole {
		_, err := readFamilies(bytes.NewReader(whole[:n]))
		if ended := n == 0 || n == first || n == second; ended != (err == nil) {
			t.Errorf("cut off after %d of %d bytes: %v", n, len(whole), err)
		}
	}
}

func FuzzReadFamilies(f *testing.F) {
	f.Add(encode(f, counter("apiserver_request_total", metric(3, "verb", "GET"), metric(math.MaxFloat64), metric(math.MaxFloat64)), counter("x", metric(1))))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, data []byte) {
		samples, err := readFamilies(bytes.NewReader(data))
		if err != nil {
			return
		}
		for name, v := range samples {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Errorf("%s is %v, which JSON cannot say", name, v)
			}
		}
	})
}

func TestTheTableKeepsTheBoundsOfTheSLOs(t *testing.T) {
	for _, name := range []string{"apiserver_request_sli_duration_seconds", "apiserver_request_duration_seconds"} {
		for _, bound := range []float64{1, 30} {
			if !slices.Contains(families[name].buckets, bound) {
				t.Errorf("%s does not keep its bucket of %v s", name, bound)
			}
		}
	}
}
