package existing

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/rundir"
)

// Capabilities says what such a cluster can do; the value is why not.
func Capabilities(clusters.Spec) map[clusters.Capability]string {
	const notOurs = "storm did not make this cluster, and breaks and changes only what it made"
	return map[clusters.Capability]string{
		clusters.CanSignal:  notOurs,
		clusters.CanRestart: notOurs,
		clusters.CanLink:    notOurs,
		clusters.CanData:    notOurs,
		clusters.CanEtcd:    notOurs + ": its etcd is read and never written to directly",
		clusters.CanGolden:  "storm removes what it made between trials, and cannot restore the rest of a cluster that it did not make",
		clusters.CanIssue:   "storm does not have this cluster's authority, and so makes no certificates: take connections: shared",
	}
}

// Check returns what cannot be done of a spec, each "field: message": whatever
// it sets, since nothing can be set here.
func Check(spec clusters.Spec) []string {
	have := spec.Defaulted()
	var found []string
	for _, field := range differences("", reflect.ValueOf(have), reflect.ValueOf(clusters.Spec{Provider: spec.Provider}.Defaulted())) {
		if inherited(have, field) {
			continue
		}
		found = append(found, field+": cannot be set on a cluster that storm did not make: it is taken as it is")
	}
	return found
}

// differences lists the fields in which two structs differ, by their names in
// YAML; lists and maps as a whole.
func differences(path string, have, want reflect.Value) []string {
	var out []string
	for i := range have.NumField() {
		name := have.Type().Field(i).Tag.Get("yaml")
		a, b := have.Field(i), want.Field(i)
		switch {
		case name == "" || reflect.DeepEqual(a.Interface(), b.Interface()), a.Kind() == reflect.Slice && a.Len()+b.Len() == 0:
		case a.Kind() == reflect.Struct:
			out = append(out, differences(path+name+".", a, b)...)
		default:
			out = append(out, path+name)
		}
	}
	return out
}

// inherited says whether a component's field has its value from the field of
// all of them, where it is said once.
func inherited(s clusters.Spec, field string) bool {
	part, name, _ := strings.Cut(strings.TrimPrefix(field, "kubernetes."), ".")
	d, ok := map[string]clusters.Deployment{
		"apiserver": s.Kubernetes.APIServer, "controllerManager": s.Kubernetes.ControllerManager, "scheduler": s.Kubernetes.Scheduler,
	}[part]
	return ok && (name == "version" && d.Version == s.Kubernetes.Version || name == "binDir" && d.BinDir == s.Kubernetes.BinDir)
}

// Unmeasured says why a gate could not be decided on such a cluster; empty
// where it can. What cannot be measured is never 0.
func (t Target) Unmeasured(g rundir.Gate) string {
	component := g.Where["component"]
	of := func(kind clusters.Kind) bool { return strings.HasPrefix(component, string(kind)) }
	const noEtcd = "its etcd is not shown to storm: give --etcd-endpoints and certificates"
	switch {
	case strings.HasPrefix(g.Metric, "process.") && component != "storm":
		return "the processes of a cluster that storm did not make are not seen from here"
	case of(clusters.KindControllerManager), of(clusters.KindScheduler):
		return fmt.Sprintf("%s shows its metrics on its own host alone", component)
	case g.Where["layer"] == "etcd" && g.Metric == "writes.lost":
		return "storm does not write to the etcd of a cluster that it did not make"
	case len(t.Etcd) > 0:
		return ""
	case g.Where["layer"] == "etcd", of(clusters.KindEtcd), strings.HasPrefix(g.Metric, "etcd.") && g.Metric != "etcd.requests":
		return noEtcd
	}
	return ""
}
