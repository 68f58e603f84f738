package supervise

import (
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/storm-harness/storm/clusters/network"
	"github.com/vishvananda/netlink"
)

// hosts gives the supervisor hosts a and b, or skips.
func hosts(t *testing.T, c *Client) map[string]netip.Addr {
	t.Helper()
	if ok, why := network.Probe(); !ok {
		t.Skip("no network namespaces here: " + why)
	}
	addrs, err := c.Network(t.Context(), []string{"a", "b"})
	if err != nil {
		t.Fatal(err)
	}
	return addrs
}

// awaitNews waits until a process says something that it has not said before.
func awaitNews(t *testing.T, c *Client, p Process, text string) {
	t.Helper()
	before, err := os.ReadFile(p.Log)
	if err != nil {
		t.Fatal(err)
	}
	for {
		now, err := os.ReadFile(p.Log)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(now[len(before):]), text) {
			return
		}
		if all, err := c.Status(t.Context()); err != nil || !all[p.Name].Running {
			t.Fatalf("%s has ended, %v", p.Name, err)
		}
		time.Sleep(time.Millisecond) // leave the processor to those who are waited for
	}
}

func TestProcessesTalkAcrossHosts(t *testing.T) {
	state(t)
	c, _ := begin(t, "supervise-1")
	addrs := hosts(t, c)
	if again := hosts(t, c); again["a"] != addrs["a"] || again["b"] != addrs["b"] || addrs["a"] == addrs["b"] {
		t.Errorf("addresses %v, asked again %v", addrs, again)
	}
	listen := netip.AddrPortFrom(addrs["b"], 2379).String()
	server := role(t, "server", "role-echo", listen)
	server.Host = "b"
	if s := spawn(t, c, server); s.Host != "b" {
		t.Errorf("its host: %+v", s)
	}
	awaitLog(t, c, server, "listening")
	client := role(t, "client", "role-talk", listen)
	client.Host = "a"
	spawn(t, c, client)
	awaitLog(t, c, client, "answered")

	// The same address and port are free on the other host, and on the
	// machine; and the machine reaches the host.
	twin := role(t, "twin", "role-echo", netip.AddrPortFrom(addrs["a"], 2379).String())
	twin.Host = "a"
	spawn(t, c, twin)
	awaitLog(t, c, twin, "listening")
	conn, err := net.Dial("tcp4", listen)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}

	if err := c.Cut(t.Context(), "a", "b"); err != nil {
		t.Fatal(err)
	}
	awaitNews(t, c, client, "lost")
	if n, err := c.Dropped(t.Context(), "a", "b"); err != nil || n == 0 {
		t.Errorf("dropped: %d, %v", n, err)
	}
	if err := c.Mend(t.Context(), "a", "b"); err != nil {
		t.Fatal(err)
	}
	awaitNews(t, c, client, "answered")
	if err := c.Delay(t.Context(), "b", "a", time.Second); err != nil {
		t.Fatal(err)
	}
	awaitNews(t, c, client, "lost") // it is not as patient as that
	for {
		s, err := c.Link(t.Context(), "b", "a")
		if err != nil {
			t.Fatal(err)
		}
		if s.Delay == time.Second && s.Held > 0 && s.Delayed > 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if err := c.Mend(t.Context(), "b", "a"); err != nil {
		t.Fatal(err)
	}
	awaitNews(t, c, client, "answered")

	device := c.Slot().Interface()
	link, err := netlink.LinkByName(device)
	if err != nil {
		t.Fatal(err)
	}
	if alias := link.Attrs().Alias; alias != "supervise-1" {
		t.Errorf("alias of %s: %q", device, alias)
	}
	if err := c.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := netlink.LinkByName(device); err == nil {
		t.Errorf("interface %s outlives the supervisor", device)
	}
}

func TestLinksNeedANetwork(t *testing.T) {
	state(t)
	c, _ := begin(t, "supervise-1")
	if err := c.Cut(t.Context(), "a", "b"); err == nil || !strings.Contains(err.Error(), "no network of its own") {
		t.Errorf("cutting a link without a network: %v", err)
	}
}
