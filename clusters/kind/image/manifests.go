package image

// podNetwork is the network of a node's pods: a pair of interfaces a pod, with
// addresses of the node's own. It is the first node's part of kind's usual pod
// network; there are no routes between nodes. kind's own kindnet, if somebody
// loads it, comes before it by its name.
const podNetwork = `{
  "cniVersion": "0.3.1",
  "name": "storm",
  "plugins": [
    {"type": "ptp", "ipMasq": false, "ipam": {"type": "host-local", "dataDir": "/run/cni-ipam-state", "routes": [{"dst": "0.0.0.0/0"}], "ranges": [[{"subnet": "10.244.0.0/24"}]]}, "mtu": 1500},
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
`

// cniNote is what kind applies where it is not told to leave its own network out:
// there is nothing to be started.
const cniNote = `apiVersion: v1
kind: ConfigMap
metadata: {name: storm-pod-network, namespace: kube-system}
data: {note: "pods' network is /etc/cni/net.d/20-storm.conflist of each node, without a daemon"}
`

// storageClass is what kind applies, without the provisioner that its own image
// starts.
const storageClass = `apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: standard
  annotations: {storageclass.kubernetes.io/is-default-class: "true"}
provisioner: kubernetes.io/no-provisioner
volumeBindingMode: WaitForFirstConsumer
`
