package kind

import (
	"slices"
	"testing"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/golden"
)

// kubeadms is a manifest of the form that kubeadm writes.
const kubeadms = `apiVersion: v1
kind: Pod
metadata:
  annotations:
    kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint: 198.18.3.224:6443
  labels:
    component: kube-apiserver
    tier: control-plane
  name: kube-apiserver
  namespace: kube-system
spec:
  containers:
  - command:
    - kube-apiserver
    - --advertise-address=198.18.3.224
    - --authorization-mode=Node,RBAC
    - --runtime-config=
    - --profiling=false
    image: registry.k8s.io/kube-apiserver:v1.36.3
    name: kube-apiserver
    livenessProbe:
      httpGet:
        host: 198.18.3.224
        path: /livez
        port: probe-port
        scheme: HTTPS
    ports:
    - containerPort: 6443
      name: probe-port
      protocol: TCP
    volumeMounts:
    - mountPath: /etc/kubernetes/pki
      name: k8s-certs
      readOnly: true
  hostNetwork: true
  priorityClassName: system-node-critical
  volumes:
  - hostPath:
      path: /etc/kubernetes/pki
      type: DirectoryOrCreate
    name: k8s-certs
status: {}
`

func TestAManifestWithASpecLaidOver(t *testing.T) {
	m, err := readManifest(kubeadms)
	if err != nil {
		t.Fatal(err)
	}
	d := clusters.Deployment{
		Flags: map[string]string{"authorization-mode": "AlwaysAllow", "goaway-chance": "0.001", "profiling": "-"}, Env: map[string]string{"GOGC": "50"},
		FeatureGates: map[string]bool{"WatchList": false},
	}
	change := clusters.Change{Flags: map[string]string{"goaway-chance": "0.02"}, Env: map[string]string{"GOGC": "80"}}
	got, err := m.with(d, change, "7")
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "manifest", got)
	again, err := m.with(clusters.Deployment{}, clusters.Change{}, "8")
	if err != nil {
		t.Fatal(err)
	}
	plain, err := readManifest(again)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(plain.flags(), m.flags()) {
		t.Errorf("without a spec the flags are %v", plain.flags())
	}
}

func TestAnotherFormOfManifestIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"no container": "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n", "no yaml": "\t", "another thing": "apiVersion: v1\nkind: Pod\nwhat: ever\n",
	} {
		if _, err := readManifest(text); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}
