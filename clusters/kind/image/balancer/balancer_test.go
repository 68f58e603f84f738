package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// apiserver is an HTTPS server that says its name and whether it is well.
type apiserver struct {
	*httptest.Server
	sick atomic.Bool
}

func serve(t *testing.T, name string) *apiserver {
	s := &apiserver{}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" && s.sick.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(w, name)
	}))
	t.Cleanup(s.Close)
	return s
}

// balanced is a balancer that runs, and its folder of files.
type balanced struct {
	dir     string
	address string
}

func start(t *testing.T) balanced {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := balanced{dir: t.TempDir(), address: l.Addr().String()}
	_ = l.Close()
	bootstrap := strings.ReplaceAll(string(read(t, "envoy.yaml")), "/home/envoy", b.dir)
	for name, text := range map[string]string{"envoy.yaml": bootstrap, "cds.yaml": "resources: []", "lds.yaml": "resources: []"} {
		if err := os.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- run(ctx, filepath.Join(b.dir, "envoy.yaml")) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return b
}

// configure replaces the files as kind does: by renames.
func (b balanced) configure(t *testing.T, servers ...*apiserver) {
	t.Helper()
	host, port, _ := net.SplitHostPort(b.address)
	listen := fmt.Sprintf("resources: [{address: {socket_address: {address: %s, port_value: %s}}}]", host, port)
	var endpoints []string
	for _, s := range servers {
		host, port, _ := net.SplitHostPort(s.Listener.Addr().String())
		endpoints = append(endpoints, fmt.Sprintf("{endpoint: {address: {socket_address: {address: %s, port_value: %s}}}}", host, port))
	}
	checks := "{timeout: 1s, interval: 20ms, unhealthy_threshold: 2, healthy_threshold: 1, http_health_check: {path: /healthz}}"
	to := fmt.Sprintf("resources: [{connect_timeout: 0.25s, health_checks: [%s], load_assignment: {endpoints: [{lb_endpoints: [%s]}]}}]", checks, strings.Join(endpoints, ", "))
	for _, file := range []struct{ name, text string }{{"cds.yaml", to}, {"lds.yaml", listen}} {
		path := filepath.Join(b.dir, file.name)
		if err := os.WriteFile(path+".tmp", []byte(file.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".tmp", path); err != nil {
			t.Fatal(err)
		}
	}
}

// ask asks over a new connection, and returns which server answered.
func (b balanced) ask() (string, error) {
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true,
	}}
	resp, err := client.Get("https://" + b.address + "/")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// until asks until what was said of late holds.
func (b balanced) until(t *testing.T, what string, holds func(said string) bool) {
	t.Helper()
	var said []string
	for late := time.Now().Add(30 * time.Second); ; {
		answer, err := b.ask()
		if err != nil {
			answer = "!"
		}
		said = append(said, answer)
		if holds(strings.Join(said, "")) {
			return
		}
		if time.Now().After(late) {
			t.Fatalf("not so within 30s: %s; the last answers were %q", what, said[max(0, len(said)-20):])
		}
	}
}

// only tells whether the last twelve answers were just these.
func only(names string) func(string) bool {
	return func(said string) bool {
		if len(said) < 12 {
			return false
		}
		last := said[len(said)-12:]
		if strings.Trim(last, names) != "" {
			return false
		}
		for _, name := range names {
			if !strings.ContainsRune(last, name) {
				return false
			}
		}
		return true
	}
}

func TestBalancer(t *testing.T) {
	a, b, c := serve(t, "a"), serve(t, "b"), serve(t, "c")
	lb := start(t)
	if _, err := lb.ask(); err == nil {
		t.Error("it listens before it is told to")
	}
	lb.configure(t, a, b)
	lb.until(t, "both are asked in turn", only("ab"))
	a.sick.Store(true)
	lb.until(t, "the sick one is left out", only("b"))
	a.sick.Store(false)
	lb.until(t, "it is asked again when it is well", only("ab"))
	lb.configure(t, b, c)
	lb.until(t, "the files are followed", only("bc"))
	b.sick.Store(true)
	c.sick.Store(true)
	lb.until(t, "where all are sick, all are asked", func(said string) bool {
		return only("bc")(said) // no answer is lost meanwhile, as they do serve
	})
	b.Close()
	lb.until(t, "a server that takes no connection costs none", only("c"))
}

// What is cut off in the file changes nothing.
func TestBrokenFileChangesNothing(t *testing.T) {
	a := serve(t, "a")
	lb := start(t)
	lb.configure(t, a)
	lb.until(t, "it is asked", only("a"))
	if err := os.WriteFile(filepath.Join(lb.dir, "cds.yaml"), []byte("resources: [{"), 0o644); err != nil {
		t.Fatal(err)
	}
	lb.until(t, "it is asked still", only("a"))
}
