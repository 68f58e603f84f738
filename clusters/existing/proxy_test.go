package existing

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
)

// A proxy of the environment is noticed where it applies.
func TestProxied(t *testing.T) {
	for name, c := range map[string]struct {
		to   string
		env  map[string]string
		want string
	}{
		"none":                       {"https://api.example.com:6443", nil, ""},
		"of the environment":         {"https://api.example.com:6443", map[string]string{"HTTPS_PROXY": "http://u:secret@proxy:3128"}, "proxy:3128"},
		"in small letters":           {"https://api.example.com:6443", map[string]string{"https_proxy": "proxy:3128"}, "proxy:3128"},
		"that leaves this host out":  {"https://api.example.com:6443", map[string]string{"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": ".example.com"}, ""},
		"that leaves this range out": {"https://10.1.2.3:6443", map[string]string{"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "10.0.0.0/8"}, ""},
		"for http alone":             {"https://api.example.com:6443", map[string]string{"HTTP_PROXY": "http://proxy:3128"}, ""},
		"this machine":               {"https://127.0.0.1:6443", map[string]string{"HTTPS_PROXY": "http://proxy:3128"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			withoutProxies(t)
			for key, value := range c.env {
				t.Setenv(key, value)
			}
			to, err := url.Parse(c.to)
			if err != nil {
				t.Fatal(err)
			}
			got := proxied(&rest.Config{}, to)
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) || strings.Contains(got, "secret") {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if got := proxied(&rest.Config{Proxy: http.ProxyURL(to)}, to); got == "" {
				t.Error("the kubeconfig's own is not noticed")
			}
		})
	}
}

// A run is refused for it before anything is asked of anybody.
func TestReachRefusesAProxyOfTheEnvironment(t *testing.T) {
	withoutProxies(t)
	t.Setenv("HTTPS_PROXY", "http://proxy.invalid:3128")
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, []byte(`apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://api.invalid:6443"}}]
users: [{name: u, user: {}}]
contexts: [{name: far, context: {cluster: c, user: u}}]
`), 0o600); err != nil {
		t.Fatal(err)
	}
	err := new(Seen).reach(t.Context(), Target{Kubeconfig: file, Context: "far"})
	if err == nil || !strings.Contains(err.Error(), "goes through the proxy proxy.invalid:3128, unless NO_PROXY has api.invalid") {
		t.Errorf("got %v", err)
	}
}

// withoutProxies takes those of whoever runs the test out of the environment.
func withoutProxies(t *testing.T) {
	t.Helper()
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"} {
		t.Setenv(name, "")
		t.Setenv(strings.ToLower(name), "")
	}
}
