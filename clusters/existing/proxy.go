package existing

import (
	"fmt"
	"net/url"

	"golang.org/x/net/http/httpproxy"
	"k8s.io/client-go/rest"
)

// proxied says why what client-go asks of a URL does not go there directly, and
// nothing where it does: by the kubeconfig, or else by the environment, from which
// client-go takes a proxy that nobody named. storm's own loads take none, so that the
// two would measure different ways.
func proxied(config *rest.Config, to *url.URL) string {
	if config.Proxy != nil {
		return "it goes through a proxy"
	}
	proxy, err := httpproxy.FromEnvironment().ProxyFunc()(to)
	switch {
	case err != nil:
		return fmt.Sprintf("the proxy of the environment (HTTPS_PROXY) cannot be used: %v", err)
	case proxy == nil:
		return ""
	}
	// Without what it may have of a user and a password.
	return fmt.Sprintf("by the environment (HTTPS_PROXY) it goes through the proxy %s, unless NO_PROXY has %s", proxy.Host, to.Hostname())
}
