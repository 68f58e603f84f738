package workloads

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/client"
)

// circling is a server whose lists never end: each page names the next, by what next
// makes of the token that was asked for.
func circling(t *testing.T, next func(token string) string, nodes int) (*client.Client, *int) {
	t.Helper()
	pages := 0
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pages++
		list := &corev1.NodeList{ListMeta: metav1.ListMeta{ResourceVersion: "7", Continue: next(r.URL.Query().Get("continue"))}, Items: make([]corev1.Node, nodes)}
		body, err := client.Encode(list)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", client.Protobuf)
		_, _ = w.Write(body)
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	c, err := client.New(&rest.Config{Host: s.URL, TLSClientConfig: rest.TLSClientConfig{CAData: ca}}, measure.NewClock(), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, &pages
}

// A server that names the page again that it has just given is not followed, and what it
// said counts as malformed.
func TestAListThatGoesInCirclesEnds(t *testing.T) {
	c, pages := circling(t, func(string) string { return "again" }, 1)
	l := &lister{client: c, path: "/api/v1/nodes", selectors: url.Values{}, accept: client.Protobuf, limit: 1, newest: &newest{}}
	if a := l.list(t.Context()); a.Code != client.CodeMalformed || *pages != 2 {
		t.Errorf("%q after %d pages", a.Code, *pages)
	}
}

// Neither does storm wait for the end of a list of nodes that has none before a run.
func TestNodesWithoutEndAreNotCounted(t *testing.T) {
	for name, c := range map[string]struct {
		next  func(string) string
		nodes int
	}{
		"in circles":  {func(string) string { return "again" }, 1},
		"empty pages": {func(token string) string { return token + "x" }, 0},
	} {
		client, _ := circling(t, c.next, c.nodes)
		if _, _, err := allocatablePods(t.Context(), client, false); err == nil || !strings.Contains(err.Error(), "no list that ends") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
