package kind

import (
	"fmt"
	"strings"

	"sigs.k8s.io/kind/pkg/exec"
)

// hints are what kind, kubeadm or Docker says, and the next step.
var hints = []struct {
	says []string
	hint string
}{
	{[]string{"no space left on device", "disk quota exceeded"}, "the disk is full: free some space, such as with `docker system prune`"},
	{[]string{"port is already allocated", "address already in use"}, "a port is taken: end what listens there, or try again"},
	{[]string{"already exist for a cluster with the name", "is already in use by container", "network with name"}, "the name is in use: run `storm cleanup`, and `storm cluster list`"},
	{[]string{"pool overlaps with other one on this address space"}, "another Docker network has these addresses: run `docker network prune`"},
	{[]string{"all predefined address pools have been fully subnetted"}, "Docker has no addresses left: run `docker network prune`"},
	{[]string{"failed to pull image", "pull access denied", "manifest unknown", "failed to resolve reference"}, "an image is missing: load it with `docker load`, or build it with `make kind-image`"},
	{[]string{"this version of kubeadm only supports", "is not supported by this version of kubeadm", "unsupported or unknown kubernetes version", "your configuration file uses an old api spec", "does not match the version of kubeadm"}, "kubeadm refuses the version: name a node image of it with --node-image"},
	{[]string{"too many open files", "inotify_"}, "raise fs.inotify.max_user_instances and max_user_watches"},
}

// explained adds the next step to an error, where one is known and not said yet.
func explained(err error) error {
	text := strings.ToLower(err.Error())
	if run := exec.RunErrorForError(err); run != nil {
		text += strings.ToLower(string(run.Output))
	}
	for _, h := range hints {
		for _, says := range h.says {
			if strings.Contains(text, says) && !strings.Contains(text, strings.ToLower(h.hint)) {
				if strings.Contains(err.Error(), "\n") { // it ends with somebody's log
					return fmt.Errorf("%w\n  what to do: %s", err, h.hint)
				}
				return fmt.Errorf("%w: %s", err, h.hint)
			}
		}
	}
	return err
}
