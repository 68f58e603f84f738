package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// pool is the servers, and who of them is well.
type pool struct {
	cluster
	servers []*server
	next    atomic.Uint64
	stop    context.CancelFunc
	checks  sync.WaitGroup
}

// server is one of them. It is not well before its first check.
type server struct {
	address string
	well    atomic.Bool
}

// newPool begins to check the servers.
func newPool(ctx context.Context, c cluster) *pool {
	ctx, stop := context.WithCancel(ctx)
	p := &pool{cluster: c, stop: stop}
	for _, address := range c.servers {
		s := &server{address: address}
		p.servers = append(p.servers, s)
		p.checks.Go(func() { s.keepChecking(ctx, c.check) })
	}
	return p
}

func (p *pool) close() {
	p.stop()
	p.checks.Wait()
}

// dial connects to the servers that are well, the next in turn first, and else
// to any.
func (p *pool) dial(ctx context.Context) (net.Conn, error) {
	var failed error
	for _, s := range p.order() {
		conn, err := (&net.Dialer{Timeout: p.connect}).DialContext(ctx, "tcp", s.address)
		if err == nil {
			return conn, nil
		}
		failed = errors.Join(failed, err)
	}
	return nil, failed
}

// order is in which order servers are tried.
func (p *pool) order() []*server {
	first := int(p.next.Add(1) % uint64(len(p.servers)))
	turn := append(append([]*server{}, p.servers[first:]...), p.servers[:first]...)
	var well []*server
	for _, s := range turn {
		if s.well.Load() {
			well = append(well, s)
		}
	}
	if len(well) == 0 {
		return turn
	}
	return well
}

// keepChecking checks a server until ctx ends, and says when it becomes well or
// sick.
func (s *server) keepChecking(ctx context.Context, c check) {
	// The certificate is not looked at: what is asked is whether it answers.
	client := &http.Client{Timeout: c.timeout, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true,
	}}
	defer client.CloseIdleConnections()
	tick := time.NewTicker(c.interval)
	defer tick.Stop()
	row := 0 // of checks that say otherwise than what is held
	for {
		err := ask(ctx, client, "https://"+s.address+c.path)
		was := s.well.Load()
		row++
		if was == (err == nil) {
			row = 0
		}
		if was && row >= c.sick || !was && row >= c.well {
			s.well.Store(!was)
			row = 0
			fmt.Println(s.address, "well:", !was, "error:", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// ask returns nil when the server says that it is well.
func ask(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}
