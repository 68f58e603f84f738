package measure

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"k8s.io/client-go/rest"

	"github.com/storm-harness/storm/internal/remains"
)

// apiConn is a connection to one apiserver that nothing else shares. It
// speaks HTTP itself, since client-go would share the connection with every
// client of the same configuration, and would retry.
type apiConn struct {
	target APITarget
	client *http.Client
	base   string
	labels map[string]string // of what it makes
}

const (
	// An apiserver that sent nothing for so long is asked for a sign of life,
	// and given up without one: a dead connection must not be held to.
	pingAfter   = 500 * time.Millisecond
	pingTimeout = time.Second
	maxAnswer   = 64 << 20
)

// dialAPI makes the connection of a run, whose label is on what it makes.
func dialAPI(t APITarget, run string) (*apiConn, error) {
	cfg := rest.CopyConfig(t.REST)
	tlsConfig, err := rest.TLSConfigFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.Component, err)
	}
	base, _, err := rest.DefaultServerUrlFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.Component, err)
	}
	transport := &http.Transport{
		TLSClientConfig:     tlsConfig,
		DialContext:         (&net.Dialer{Timeout: dialTimeout, KeepAlive: time.Second}).DialContext,
		TLSHandshakeTimeout: dialTimeout,
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 4,
		HTTP2:               &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
	}
	rt, err := rest.HTTPWrappersForConfig(cfg, transport)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.Component, err)
	}
	return &apiConn{target: t, client: &http.Client{Transport: rt}, base: strings.TrimSuffix(base.String(), "/"), labels: map[string]string{remains.RunLabel: run}}, nil
}

// configMap is as much of a ConfigMap as is needed here.
type configMap struct {
	APIVersion string            `json:"apiVersion,omitempty"`
	Kind       string            `json:"kind,omitempty"`
	Metadata   objectMeta        `json:"metadata"`
	Data       map[string]string `json:"data,omitempty"`
}

type objectMeta struct {
	Name            string            `json:"name,omitempty"`
	Labels          map[string]string `json:"labels,omitempty"`
	ResourceVersion string            `json:"resourceVersion,omitempty"`
}

// configMapList is as much of a list as is needed here.
type configMapList struct {
	Metadata struct {
		Continue string `json:"continue"`
	} `json:"metadata"`
	Items []configMap `json:"items"`
}

// create makes a small ConfigMap and returns its revision in etcd.
func (c *apiConn) create(ctx context.Context, namespace, name, value string) (int64, error) {
	body, err := json.Marshal(configMap{
		APIVersion: "v1", Kind: "ConfigMap", Metadata: objectMeta{Name: name, Labels: c.labels}, Data: map[string]string{"storm": value},
	})
	if err != nil {
		return 0, err
	}
	var made configMap
	if err := c.do(ctx, http.MethodPost, configMaps(namespace), nil, body, &made); err != nil {
		return 0, err
	}
	return made.revision()
}

// get reads a ConfigMap with the apiserver asking etcd, and returns its
// revision; 0 where there is none, which is an answer too.
func (c *apiConn) get(ctx context.Context, namespace, name string) (int64, error) {
	var found configMap
	err := c.do(ctx, http.MethodGet, configMaps(namespace)+"/"+name, nil, nil, &found)
	if APICode(err) == "404" {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return found.revision()
}

// list calls each with the ConfigMaps of the namespace, by consistent reads.
func (c *apiConn) list(ctx context.Context, namespace string, each func(name string, revision int64)) error {
	query := url.Values{"limit": {"500"}}
	for {
		var page configMapList
		if err := c.do(ctx, http.MethodGet, configMaps(namespace), query, nil, &page); err != nil {
			return err
		}
		for _, m := range page.Items {
			rev, err := m.revision()
			if err != nil {
				return err
			}
			each(m.Metadata.Name, rev)
		}
		if page.Metadata.Continue == "" {
			return nil
		}
		query.Set("continue", page.Metadata.Continue)
	}
}

func configMaps(namespace string) string { return "/api/v1/namespaces/" + namespace + "/configmaps" }

func (m configMap) revision() (int64, error) {
	rev, err := strconv.ParseInt(m.Metadata.ResourceVersion, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("configmap %s: its resourceVersion %q is no number", m.Metadata.Name, m.Metadata.ResourceVersion)
	}
	return rev, nil
}

func (c *apiConn) do(ctx context.Context, method, path string, query url.Values, body []byte, into any) error {
	target := c.base + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
		// Without it net/http may send the request a second time by itself
		// when a connection breaks.
		req.GetBody = nil
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		var status struct {
			Message string `json:"message"`
		}
		if json.Unmarshal(data, &status) != nil || status.Message == "" {
			status.Message = strings.TrimSpace(string(data[:min(len(data), 200)]))
		}
		return &APIError{Status: resp.StatusCode, Message: status.Message}
	}
	return json.Unmarshal(data, into)
}

func (c *apiConn) close() { c.client.CloseIdleConnections() }
