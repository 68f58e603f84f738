package clusters

import (
	"fmt"
	"slices"

	flowcontrol "k8s.io/api/flowcontrol/v1"
	"k8s.io/apimachinery/pkg/api/validate/content"

	"github.com/storm-harness/storm/internal/strict"
)

// serversLevels are the priority levels that every API server makes by itself.
var serversLevels = []string{
	"catch-all", "exempt", "global-default", "leader-election", "node-high", "system", "workload-high", "workload-low",
}

// LevelNames lists the priority levels that an API server of the spec has.
func (s Spec) LevelNames() []string {
	names := slices.Clone(serversLevels)
	for _, l := range s.Kubernetes.PriorityLevels {
		if !slices.Contains(names, l.Name) {
			names = append(names, l.Name)
		}
	}
	return names
}

// fairness checks what the API server would refuse, or take and not follow: a
// flow schema of a level that does not exist is dangling, and its requests go
// to the catch-all.
func (c *specCheck) fairness(k Kubernetes) {
	levels := Spec{Kubernetes: k}.LevelNames()
	for i, l := range k.PriorityLevels {
		at := fmt.Sprintf("kubernetes.priorityLevels[%d]", i)
		c.objectName(at, l.Name)
		switch s := l.Spec; {
		case s.Type != flowcontrol.PriorityLevelEnablementLimited && s.Type != flowcontrol.PriorityLevelEnablementExempt:
			c.bad(at+".spec.type", "%q is not a type of level: write Limited or Exempt", s.Type)
		case s.Type == flowcontrol.PriorityLevelEnablementLimited && s.Limited == nil:
			c.bad(at+".spec.limited", "is missing: a Limited level says how many shares it has, such as {nominalConcurrencyShares: 10, limitResponse: {type: Reject}}")
		case s.Limited != nil && s.Limited.LimitResponse.Type != flowcontrol.LimitResponseTypeQueue && s.Limited.LimitResponse.Type != flowcontrol.LimitResponseTypeReject:
			c.bad(at+".spec.limited.limitResponse.type", "%q is not an answer to too many requests: write Queue or Reject", s.Limited.LimitResponse.Type)
		}
	}
	for i, f := range k.FlowSchemas {
		at := fmt.Sprintf("kubernetes.flowSchemas[%d]", i)
		c.objectName(at, f.Name)
		if to := f.Spec.PriorityLevelConfiguration.Name; !slices.Contains(levels, to) {
			c.bad(at+".spec.priorityLevelConfiguration.name", "there is no priority level %q: %s", to, strict.Suggest(to, "levels", levels))
		}
		if len(f.Spec.Rules) == 0 {
			c.bad(at+".spec.rules", "is missing: without a rule it matches no request")
		}
	}
}

func (c *specCheck) objectName(at, name string) {
	if len(content.IsDNS1123Subdomain(name)) > 0 {
		c.bad(at+".name", "%q is not a name of a Kubernetes object: write small letters, digits and dashes", name)
	}
}
