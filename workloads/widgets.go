package workloads

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/storm-harness/storm/workloads/client"
)

// widgetGroup is the API group of storm's own custom resource: widgets, which
// do nothing but carry bytes.
const widgetGroup = "load.storm.dev"

// widget is one.
type widget struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              widgetSpec `json:"spec"`
}

type widgetSpec struct {
	Cargo string `json:"cargo"`
}

func newWidget(meta metav1.ObjectMeta, cargo string) *widget {
	return &widget{TypeMeta: metav1.TypeMeta{APIVersion: widgetGroup + "/v1", Kind: "Widget"}, ObjectMeta: meta, Spec: widgetSpec{Cargo: cargo}}
}

const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

// makeWidgets makes the definition of widgets, where it is not there yet, and
// waits until they are served.
func makeWidgets(ctx context.Context, c *client.Client, env *Env) error {
	type object = map[string]any
	err := makeDefinition(ctx, env, object{
		"apiVersion": definitionKind.GroupVersion().String(), "kind": definitionKind.Kind,
		"metadata": object{"name": "widgets." + widgetGroup},
		"spec": object{
			"group": widgetGroup, "scope": "Namespaced",
			"names": object{"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
			"versions": []any{object{
				"name": "v1", "served": true, "storage": true,
				"schema": object{"openAPIV3Schema": object{
					"type": "object", "properties": object{"spec": object{
						"type": "object", "properties": object{"cargo": object{"type": "string"}},
					}},
				}},
			}},
		},
	})
	if err != nil {
		return err
	}
	// Established is what one API server says of itself, a moment before it
	// serves them; the list proves it, of the one that it is asked of.
	_, err = c.Insist(ctx, &client.Request{Method: http.MethodGet, Path: resources["widgets"].path(""), Query: "limit=1", Accept: client.JSON}, patience, nil, 0)
	return err
}

// established waits until the API server has accepted a definition.
func established(ctx context.Context, c *client.Client, name string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	last := "has said nothing of it"
	for {
		var body bytes.Buffer
		if _, err := c.Insist(ctx, &client.Request{Method: http.MethodGet, Path: definitions + "/" + name, Accept: client.JSON}, patience, &body, 1<<20); err != nil {
			return err
		}
		var crd struct {
			Status struct {
				Conditions []metav1.Condition `json:"conditions"`
			} `json:"status"`
		}
		if err := json.Unmarshal(body.Bytes(), &crd); err != nil {
			return fmt.Errorf("definition %s: %w", name, err)
		}
		for _, is := range crd.Status.Conditions {
			if is.Type == "Established" && is.Status == metav1.ConditionTrue {
				return nil
			}
			if is.Status == metav1.ConditionFalse {
				last = fmt.Sprintf("says %s: %s", is.Type, is.Message)
			}
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("definition %s is not established: the API server %s: %w", name, last, ctx.Err())
		}
	}
}
