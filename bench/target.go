package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"

	"github.com/storm-harness/storm/workloads/client"
)

// namespace is where the objects of the generators are.
const namespace = "bench"

// target makes the namespace, and a service account that may read it.
func (p *plane) target(ctx context.Context) (who, error) {
	kube, err := kubernetes.NewForConfig(p.Access().REST)
	if err != nil {
		return who{}, err
	}
	meta := metav1.ObjectMeta{Name: namespace}
	if _, err := kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: meta}, metav1.CreateOptions{}); err != nil {
		return who{}, err
	}
	accounts := kube.CoreV1().ServiceAccounts(namespace)
	if _, err := accounts.Create(ctx, &corev1.ServiceAccount{ObjectMeta: meta}, metav1.CreateOptions{}); err != nil {
		return who{}, err
	}
	if _, err := kube.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: meta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: namespace, Namespace: namespace}},
	}, metav1.CreateOptions{}); err != nil {
		return who{}, err
	}
	hours := int64(6 * 3600)
	t, err := accounts.CreateToken(ctx, namespace, &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &hours},
	}, metav1.CreateOptions{})
	if err != nil {
		return who{}, err
	}
	return who{
		Host: p.Access().REST.Host, CA: p.Access().REST.CAFile, Token: t.Status.Token,
	}, nil
}

// fill makes objects, some at a time.
func (p *plane) fill(ctx context.Context, collection string, count int, object func(i int) runtime.Object) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan int)
	var workers sync.WaitGroup
	for range 32 {
		workers.Go(func() {
			for i := range work {
				if ctx.Err() != nil {
					continue
				}
				body, err := client.Encode(object(i))
				if err == nil {
					if a := p.admin.Do(ctx, &client.Request{Method: http.MethodPost, Path: collection, Body: body, ContentType: client.Protobuf}, nil, 0); !a.OK() {
						err = fmt.Errorf("create an object at %s: %s", collection, a.Code)
					}
				}
				if err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := range count {
		work <- i
	}
	close(work)
	workers.Wait()
	return context.Cause(ctx)
}

const configMaps = "/api/v1/namespaces/" + namespace + "/configmaps"

// configMap is an object of that many bytes of data.
func configMap(name string, size int) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace},
		Data:       map[string]string{"text": strings.Repeat("storm bench data", size/16)},
	}
}

// sizeOf is how large the body of an answer is.
func (p *plane) sizeOf(ctx context.Context, path string) (int64, error) {
	var body bytes.Buffer
	a := p.admin.Do(ctx, &client.Request{Method: http.MethodGet, Path: path, Plain: true}, &body, 0)
	if !a.OK() {
		return 0, fmt.Errorf("get %s: %s", path, a.Code)
	}
	return a.Bytes, nil
}

// write makes a file of this run, for this user alone.
func (b *bench) write(name, text string) (string, error) {
	path := filepath.Join(b.dir, name)
	return path, os.WriteFile(path, []byte(text), 0o600)
}
