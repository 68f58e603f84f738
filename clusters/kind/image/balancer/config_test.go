package main

import (
	"os"
	"reflect"
	"testing"
	"time"
)

// The files of testdata are as kind writes them, for two control planes.
func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestReadingWhatKindWrites(t *testing.T) {
	if p, err := readBootstrap(read(t, "envoy.yaml")); err != nil || p != (paths{"/home/envoy/cds.yaml", "/home/envoy/lds.yaml"}) {
		t.Errorf("bootstrap: %+v, %v", p, err)
	}
	if l, err := readListeners(read(t, "lds.yaml")); err != nil || !reflect.DeepEqual(l, []string{"0.0.0.0:6443"}) {
		t.Errorf("listeners: %q, %v", l, err)
	}
	want := cluster{
		servers: []string{"storm-control-plane:6443", "storm-control-plane2:6443"}, connect: 250 * time.Millisecond,
		check: check{timeout: 3 * time.Second, interval: 2 * time.Second, sick: 2, well: 1, path: "/healthz"},
	}
	if c, err := readCluster(read(t, "cds.yaml")); err != nil || !reflect.DeepEqual(c, want) {
		t.Errorf("cluster: %+v, %v", c, err)
	}
	const empty = "resources: []"
	if l, err := readListeners([]byte(empty)); err != nil || len(l) > 0 {
		t.Errorf("no listeners: %q, %v", l, err)
	}
	if c, err := readCluster([]byte(empty)); err != nil || len(c.servers) > 0 {
		t.Errorf("no servers: %+v, %v", c, err)
	}
}

func TestOddFilesAreRefused(t *testing.T) {
	for _, text := range []string{"a: [", "node: {}", "dynamic_resources: {cds_config: {path_config_source: {path: /a}}}"} {
		if p, err := readBootstrap([]byte(text)); err == nil {
			t.Errorf("%s was taken: %+v", text, p)
		}
	}
	for _, text := range []string{"resources: 1", "resources: [{}]", "resources: [{address: {socket_address: {address: a, port_value: 70000}}}]"} {
		if l, err := readListeners([]byte(text)); err == nil {
			t.Errorf("%s was taken: %q", text, l)
		}
	}
	for _, text := range []string{"resources: [{}]", "resources: [{connect_timeout: 1s, health_checks: [{timeout: 1s, interval: 1s}]}]", "resources: [{}, {}]"} {
		if c, err := readCluster([]byte(text)); err == nil {
			t.Errorf("%s was taken: %+v", text, c)
		}
	}
}

// Whatever a file says, what is taken of it can be acted on.
func FuzzConfig(f *testing.F) {
	for _, name := range []string{"cds.yaml", "lds.yaml", "envoy.yaml"} {
		f.Add(read(f, name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = readBootstrap(data)
		_, _ = readListeners(data)
		c, err := readCluster(data)
		if err == nil && len(c.servers) > 0 && (c.connect <= 0 || c.check.interval <= 0 || c.check.timeout <= 0) {
			t.Errorf("%q: %+v", data, c)
		}
	})
}
