package kind

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/flags"
)

// manifest is a static pod's as kubeadm wrote it.
type manifest struct {
	pod corev1.Pod
}

// readManifest reads a static pod's manifest.
func readManifest(text string) (manifest, error) {
	var m manifest
	if err := yaml.UnmarshalStrict([]byte(text), &m.pod); err != nil {
		return m, fmt.Errorf("a static pod's manifest: %w", err)
	}
	if len(m.pod.Spec.Containers) != 1 || len(m.pod.Spec.Containers[0].Command) == 0 {
		return m, fmt.Errorf("the manifest of %s has another form than kubeadm gives it: %d containers", m.pod.Name, len(m.pod.Spec.Containers))
	}
	return m, nil
}

// flags are those of the manifest's command line.
func (m manifest) flags() flags.Set {
	var out flags.Set
	for _, arg := range m.pod.Spec.Containers[0].Command[1:] {
		name, value, valued := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		if !valued {
			value = "true"
		}
		out = append(out, flags.Flag{Name: name, Value: value})
	}
	return out
}

// with writes the manifest with a deployment's flags, gates and environment laid
// over it, and a change's over those. start is in the pod's name, so that it is
// another pod than those before: it has a UID of its own and no back-off, and its
// kubelet does not first see the one of the same name to its end, which takes it
// ten seconds and more.
func (m manifest) with(d clusters.Deployment, change clusters.Change, start string) (string, error) {
	pod := m.pod.DeepCopy()
	c := &pod.Spec.Containers[0]
	c.Command = append(c.Command[:1:1], m.flags().Deployed(d, change.Flags).Argv()...)
	for _, variable := range flags.Environ(clusters.Change{Env: d.Env}.With(change).Env) {
		name, value, _ := strings.Cut(variable, "=")
		c.Env = append(c.Env, corev1.EnvVar{Name: name, Value: value})
	}
	pod.Name += "-" + start
	return manifest{*pod}.text()
}

// text is the manifest as a kubelet reads it, without the ports that kubeadm names
// for the probes alone. In the host's network they are ports of the host, and a
// kubelet refuses for good a static pod that comes while the one before it, with the
// same ports, is not wholly gone.
func (m manifest) text() (string, error) {
	for i := range m.pod.Spec.Containers {
		c := &m.pod.Spec.Containers[i]
		for _, p := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe, c.StartupProbe} {
			if p == nil || p.HTTPGet == nil {
				continue
			}
			for _, port := range c.Ports {
				if p.HTTPGet.Port == intstr.FromString(port.Name) {
					p.HTTPGet.Port = intstr.FromInt32(port.ContainerPort)
				}
			}
		}
		c.Ports = nil
	}
	text, err := yaml.Marshal(&m.pod)
	return string(text), err
}

// written says whether a deployment asks for anything that kubeadm's manifest
// does not have.
func written(d clusters.Deployment) bool { return len(d.Flags)+len(d.FeatureGates)+len(d.Env) > 0 }
