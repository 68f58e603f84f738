package workloads

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"

	"github.com/storm-harness/storm/workloads/client"
)

// loadsNamespace is where the loads' service accounts live.
const loadsNamespace = "storm-loads"

// Identify gives the load a service account of its own, as whom all of its
// requests are made from here on: env.REST impersonates it. An administrator's
// requests are exempt from priority and fairness, so that a load made by one
// would meet an API server that no client in production meets; and only by
// their users can flow schemas tell the loads apart.
func Identify(ctx context.Context, env *Env) error {
	c, err := client.New(env.Admin, env.Clock, 0)
	if err != nil {
		return fmt.Errorf("workload %s: %w", env.Name, err)
	}
	defer c.Close()
	name := objectName(env.Name)
	labels := map[string]string{RunLabel: env.RunID}
	for _, made := range []struct {
		path   string
		object runtime.Object
	}{
		{"/api/v1/namespaces", &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: loadsNamespace, Labels: labels}}},
		{
			"/api/v1/namespaces/" + loadsNamespace + "/serviceaccounts",
			&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: loadsNamespace, Labels: labels}},
		},
		{"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: name, Namespace: loadsNamespace}},
		}},
	} {
		if err := makeObject(ctx, c, made.path, made.object); err != nil {
			return fmt.Errorf("workload %s: its service account: %w", env.Name, err)
		}
	}
	env.REST = rest.CopyConfig(env.Admin)
	env.REST.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:" + loadsNamespace + ":" + name,
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + loadsNamespace, "system:authenticated"},
	}
	return nil
}
