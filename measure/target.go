package measure

import (
	"crypto/tls"

	"k8s.io/client-go/rest"
)

// EtcdTarget is an etcd member to be observed on a connection of its own.
type EtcdTarget struct {
	Component string // etcd-main-0
	Shard     string
	Endpoint  string      // client URL, https://127.0.0.1:2379
	TLS       *tls.Config // nil for plain http
}

// APITarget is an apiserver to be observed on a connection of its own.
type APITarget struct {
	Component string // kube-apiserver-0
	// REST says where it is and who asks; its transport and its limits are
	// not used, so that the connection is nobody else's and never throttled.
	REST *rest.Config
}

// The layers that are probed and written through.
const (
	LayerEtcd = "etcd"
	LayerAPI  = "api"
)

// The operations of a probe.
const (
	OpRead  = "read"
	OpWrite = "write"
)
