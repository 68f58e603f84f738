package existing

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// need is something that a run's user must be allowed.
type need struct{ verbs, group, resource, name string }

const rbac = "rbac.authorization.k8s.io"

// needs is what every run does as the kubeconfig's user. Each load is a service
// account with the rights of cluster-admin, so that who makes it must have these.
var needs = []need{
	{"create list delete", "", "namespaces", ""},
	{"create get list", "", "configmaps", ""},
	{"list delete", "", "pods", ""},
	{"create impersonate", "", "serviceaccounts", ""},
	{"impersonate", "", "groups", ""},
	{"create list delete", rbac, "clusterrolebindings", ""},
	{"create list delete", rbac, "clusterroles", ""},
	{"bind", rbac, "clusterroles", "cluster-admin"},
	{"list delete", "coordination.k8s.io", "leases", ""},
	{"list delete", "", "nodes", ""},
	{"list delete", "storage.k8s.io", "csinodes", ""},
	{"create list delete", "apiextensions.k8s.io", "customresourcedefinitions", ""},
}

// fleetNeeds is what simulated nodes need beside it: they ask as the nodes.
var fleetNeeds = []need{
	{"create get patch", "", "nodes", ""},
	{"impersonate", "", "users", ""},
}

// allowed asks the API server, before anything is made, whether its user may do
// what a run does, and returns what it may not. metrics is whether it may read
// those of the API servers, without which a run can do.
func (s *Seen) allowed(ctx context.Context, fleet bool) (denied []string, metrics bool, err error) {
	list := needs
	if fleet {
		list = append(list[:len(list):len(list)], fleetNeeds...)
	}
	type question struct {
		spec authorizationv1.SelfSubjectAccessReviewSpec
		text string
		may  bool
	}
	questions := []question{{spec: authorizationv1.SelfSubjectAccessReviewSpec{
		NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: "/metrics", Verb: "get"},
	}}}
	for _, n := range list {
		for verb := range strings.FieldsSeq(n.verbs) {
			text := verb + " " + n.resource
			if n.group != "" {
				text += "." + n.group
			}
			if n.name != "" {
				text += "/" + n.name
			}
			questions = append(questions, question{text: text, spec: authorizationv1.SelfSubjectAccessReviewSpec{
				ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: verb, Group: n.group, Resource: n.resource, Name: n.name},
			}})
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for i := range questions {
		g.Go(func() error {
			answer, err := s.kube.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx,
				&authorizationv1.SelfSubjectAccessReview{Spec: questions[i].spec}, metav1.CreateOptions{})
			if err != nil {
				return fmt.Errorf("asking what its user may do (SelfSubjectAccessReview): %w", err)
			}
			questions[i].may = answer.Status.Allowed
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, false, err
	}
	for _, q := range questions[1:] {
		if !q.may {
			denied = append(denied, q.text)
		}
	}
	return denied, questions[0].may, nil
}
