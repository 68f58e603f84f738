package pki

import (
	"fmt"
	"os"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// WriteKubeconfig writes a kubeconfig file of mode 0600 with everything in it,
// so that it can be copied elsewhere.
func (p *PKI) WriteKubeconfig(path, server, cluster, pairName string) error {
	read := func(file string, err *error) []byte {
		b, e := os.ReadFile(file)
		if e != nil {
			*err = e
		}
		return b
	}
	var err error
	config := api.Config{
		Clusters: map[string]*api.Cluster{cluster: {
			Server: server, CertificateAuthorityData: read(p.Crt(ClusterCA), &err),
		}},
		AuthInfos: map[string]*api.AuthInfo{pairName: {
			ClientCertificateData: read(p.Crt(pairName), &err), ClientKeyData: read(p.Key(pairName), &err),
		}},
		Contexts:       map[string]*api.Context{cluster: {Cluster: cluster, AuthInfo: pairName}},
		CurrentContext: cluster,
	}
	if err != nil {
		return fmt.Errorf("kubeconfig: %w", err)
	}
	b, err := clientcmd.Write(config)
	if err != nil {
		return fmt.Errorf("kubeconfig: %w", err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		return fmt.Errorf("kubeconfig: %w", err)
	}
	return nil
}

// RESTConfig is the admin's access to an apiserver, without any throttling on
// the client's side.
func (p *PKI) RESTConfig(server string) *rest.Config {
	return &rest.Config{
		Host: server, QPS: -1, UserAgent: "storm",
		TLSClientConfig: rest.TLSClientConfig{CAFile: p.Crt(ClusterCA), CertFile: p.Crt(AdminPair), KeyFile: p.Key(AdminPair)},
	}
}
