package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"reflect"
	"slices"
	"sync"
)

// balancer forwards what comes to its listeners to the servers of its pool.
type balancer struct {
	ctx       context.Context
	listeners map[string]net.Listener

	mu      sync.Mutex
	cluster cluster
	pool    *pool // nil while there is no server
}

func newBalancer(ctx context.Context) *balancer {
	return &balancer{ctx: ctx, listeners: map[string]net.Listener{}}
}

// follow reads the files and does what they say. On an error what was in force
// stays so.
func (b *balancer) follow(p paths) error {
	servers, err := os.ReadFile(p.servers)
	if err != nil {
		return err
	}
	c, err := readCluster(servers)
	if err != nil {
		return fmt.Errorf("%s: %w", p.servers, err)
	}
	listeners, err := os.ReadFile(p.listeners)
	if err != nil {
		return err
	}
	listen, err := readListeners(listeners)
	if err != nil {
		return fmt.Errorf("%s: %w", p.listeners, err)
	}
	b.forwardTo(c)
	return b.listenOn(listen)
}

// forwardTo changes the servers. Connections that there are go on.
func (b *balancer) forwardTo(c cluster) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if reflect.DeepEqual(c, b.cluster) {
		return
	}
	if b.pool != nil {
		b.pool.close()
		b.pool = nil
	}
	b.cluster = c
	if len(c.servers) > 0 {
		b.pool = newPool(b.ctx, c)
	}
}

// listenOn opens the listeners that are new and closes those that are gone.
func (b *balancer) listenOn(listen []string) error {
	for address, l := range b.listeners {
		if !slices.Contains(listen, address) {
			_ = l.Close()
			delete(b.listeners, address)
		}
	}
	for _, address := range listen {
		if b.listeners[address] != nil {
			continue
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			return err
		}
		b.listeners[address] = l
		fmt.Println("listening on", l.Addr())
		go b.accept(l)
	}
	return nil
}

// accept serves a listener until it is closed.
func (b *balancer) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go b.serve(conn)
	}
}

// serve forwards a connection to a server that takes it.
func (b *balancer) serve(client net.Conn) {
	b.mu.Lock()
	pool := b.pool
	b.mu.Unlock()
	if pool == nil {
		_ = client.Close()
		return
	}
	server, err := pool.dial(b.ctx)
	if err != nil {
		fmt.Println("no server takes the connection from", client.RemoteAddr(), err)
		_ = client.Close()
		return
	}
	forward(client, server)
}

// close closes the listeners and stops the checks.
func (b *balancer) close() {
	_ = b.listenOn(nil)
	b.forwardTo(cluster{})
}
