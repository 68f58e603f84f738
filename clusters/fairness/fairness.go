// Package fairness puts the objects of priority and fairness of a spec into a
// cluster, and proves by the servers' own metrics that they follow.
package fairness

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	flowcontrol "k8s.io/api/flowcontrol/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apf "k8s.io/client-go/kubernetes/typed/flowcontrol/v1"
	"k8s.io/client-go/rest"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/ready"
)

// autoUpdate is the annotation by which an API server knows whether it may put
// one of its own objects back to what it was.
const autoUpdate = "apf.kubernetes.io/autoupdate-spec"

// Server is an API server: its name, for messages, and its URL.
type Server struct{ Name, URL string }

// Apply makes the spec's priority levels and flow schemas in a new cluster,
// before its golden copy is taken: whoever starts from that has them, and a spec
// without them has another golden copy. It returns when the API servers say of
// themselves that they follow.
func Apply(ctx context.Context, config *rest.Config, servers []Server, k clusters.Kubernetes, sink clusters.Sink) error {
	if len(k.PriorityLevels)+len(k.FlowSchemas) == 0 {
		return nil
	}
	api, err := apf.NewForConfig(config)
	if err != nil {
		return err
	}
	for _, l := range k.PriorityLevels {
		o := &flowcontrol.PriorityLevelConfiguration{ObjectMeta: ours(l.Name), Spec: l.Spec}
		if _, err := api.PriorityLevelConfigurations().Create(ctx, o, metav1.CreateOptions{}); apierrors.IsAlreadyExists(err) {
			err = replaced(ctx, api.PriorityLevelConfigurations().Get, api.PriorityLevelConfigurations().Update, l.Name,
				func(there *flowcontrol.PriorityLevelConfiguration) *metav1.ObjectMeta {
					there.Spec = l.Spec
					return &there.ObjectMeta
				})
			if err != nil {
				return fmt.Errorf("priority level %s: %w", l.Name, err)
			}
		} else if err != nil {
			return fmt.Errorf("priority level %s: %w", l.Name, err)
		}
	}
	for _, f := range k.FlowSchemas {
		o := &flowcontrol.FlowSchema{ObjectMeta: ours(f.Name), Spec: f.Spec}
		if _, err := api.FlowSchemas().Create(ctx, o, metav1.CreateOptions{}); apierrors.IsAlreadyExists(err) {
			err = replaced(ctx, api.FlowSchemas().Get, api.FlowSchemas().Update, f.Name,
				func(there *flowcontrol.FlowSchema) *metav1.ObjectMeta { there.Spec = f.Spec; return &there.ObjectMeta })
			if err != nil {
				return fmt.Errorf("flow schema %s: %w", f.Name, err)
			}
		} else if err != nil {
			return fmt.Errorf("flow schema %s: %w", f.Name, err)
		}
		if err := ready.Patiently(ctx, func(ctx context.Context) error { return followed(ctx, api, f) }); err != nil {
			return err
		}
	}
	return InForce(ctx, config, servers, k, sink)
}

// ours is the metadata of an object that no API server is to put back.
func ours(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Annotations: map[string]string{autoUpdate: "false"}}
}

// replaced gives an object that is there another spec.
func replaced[T any](
	ctx context.Context,
	get func(context.Context, string, metav1.GetOptions) (*T, error),
	update func(context.Context, *T, metav1.UpdateOptions) (*T, error),
	name string, change func(*T) *metav1.ObjectMeta,
) error {
	there, err := get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	meta := change(there)
	if meta.Annotations == nil {
		meta.Annotations = map[string]string{}
	}
	meta.Annotations[autoUpdate] = "false"
	_, err = update(ctx, there, metav1.UpdateOptions{})
	return err
}

// followed returns nil once a server says of a flow schema that its level is
// there. Servers take over flow schemas together with the levels.
func followed(ctx context.Context, api apf.FlowcontrolV1Interface, f clusters.FlowSchema) error {
	there, err := api.FlowSchemas().Get(ctx, f.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	for _, cond := range there.Status.Conditions {
		if cond.Type == flowcontrol.FlowSchemaConditionDangling && cond.Status == flowcontrol.ConditionFalse &&
			strings.Contains(cond.Message, strconv.Quote(f.Spec.PriorityLevelConfiguration.Name)) {
			return nil
		}
	}
	return fmt.Errorf("no API server follows the flow schema %s yet: its conditions are %v", f.Name, there.Status.Conditions)
}

// InForce returns when every API server says in its metrics that the spec's
// levels, and those that its flow schemas name, have the seats that their shares
// come to.
//
// That proves the flow schemas too: a server begins with two levels of its own
// making, and takes over all levels and flow schemas that are written in one step.
// So all levels are looked at, whoever wrote them: one that is not there yet shows
// that the step is still to come.
func InForce(ctx context.Context, access *rest.Config, servers []Server, k clusters.Kubernetes, sink clusters.Sink) error {
	if len(k.PriorityLevels)+len(k.FlowSchemas) == 0 {
		return nil
	}
	for _, server := range servers {
		config := rest.CopyConfig(access)
		config.Host = server.URL
		var seats map[string]int
		if err := ready.Patiently(ctx, func(ctx context.Context) (err error) {
			seats, err = levelsInForce(ctx, config, k)
			return err
		}); err != nil {
			return fmt.Errorf("%s: %w", server.Name, err)
		}
		var said []string
		for _, name := range slices.Sorted(maps.Keys(seats)) {
			said = append(said, fmt.Sprintf("%s has %d seats", name, seats[name]))
		}
		sink(clusters.Event{Component: server.Name, Text: "priority levels in force: " + strings.Join(said, ", ")})
	}
	return nil
}

// levelsInForce returns the seats of the levels that the spec is about at one API
// server, or an error where not all levels have those of the shares that are
// written yet.
func levelsInForce(ctx context.Context, config *rest.Config, k clusters.Kubernetes) (map[string]int, error) {
	api, err := apf.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	all, err := api.PriorityLevelConfigurations().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	transport, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	defer transport.CloseIdleConnections()
	seats, err := nominalSeats(ctx, transport, config.Host)
	if err != nil {
		return nil, err
	}
	want := seatsOf(all.Items, seatsInAll(k.APIServer))
	for _, l := range all.Items {
		got, there := seats[l.Name]
		if got != want[l.Name] || !there && l.Spec.Type == flowcontrol.PriorityLevelEnablementLimited {
			return nil, fmt.Errorf("the priority level %s is not in force yet: it has %d seats, and its shares come to %d", l.Name, got, want[l.Name])
		}
	}
	out := map[string]int{}
	for _, name := range about(k) {
		if _, written := want[name]; !written {
			return nil, fmt.Errorf("there is no priority level %s", name)
		}
		out[name] = seats[name]
	}
	return out, nil
}

// about are the levels that a spec makes, or sends requests to.
func about(k clusters.Kubernetes) []string {
	var out []string
	for _, l := range k.PriorityLevels {
		out = append(out, l.Name)
	}
	for _, f := range k.FlowSchemas {
		out = append(out, f.Spec.PriorityLevelConfiguration.Name)
	}
	return out
}

// seatsInAll is how many requests a server serves at once: the sum of its two
// limits, 400 and 200 by default.
func seatsInAll(d clusters.Deployment) int {
	sum := 0
	for name, usual := range map[string]int{"max-requests-inflight": 400, "max-mutating-requests-inflight": 200} {
		if n, err := strconv.Atoi(d.Flags[name]); err == nil {
			usual = n
		}
		sum += usual
	}
	return sum
}

// usualShares is what a Limited level has that names no shares; an Exempt one
// has none.
const usualShares = 30

// seatsOf distributes a server's seats over the levels by their shares, each
// rounded up, as the server does.
func seatsOf(levels []flowcontrol.PriorityLevelConfiguration, all int) map[string]int {
	shares, sum := map[string]float64{}, 0.0
	for _, l := range levels {
		var given *int32
		usual := 0.0
		switch {
		case l.Spec.Limited != nil:
			given, usual = l.Spec.Limited.NominalConcurrencyShares, usualShares
		case l.Spec.Exempt != nil:
			given = l.Spec.Exempt.NominalConcurrencyShares
		}
		if given != nil {
			usual = float64(*given)
		}
		shares[l.Name] = usual
		sum += usual
	}
	out := map[string]int{}
	for name, n := range shares {
		out[name] = int(math.Ceil(float64(all) * n / max(sum, 1)))
	}
	return out
}

// nominalSeats reads the levels' seats from a server's metrics.
func nominalSeats(ctx context.Context, h *http.Client, host string) (map[string]int, error) {
	const name = "apiserver_flowcontrol_nominal_limit_seats{"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, host+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := h.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s/metrics: %s", host, resp.Status)
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	out := map[string]int{}
	for line := range bytes.Lines(text) {
		rest, ok := strings.CutPrefix(string(line), name)
		if !ok {
			continue
		}
		labels, value, _ := strings.Cut(rest, "} ")
		_, level, _ := strings.Cut(labels, `priority_level="`)
		level, _, _ = strings.Cut(level, `"`)
		if seats, err := strconv.ParseFloat(strings.TrimSpace(value), 64); err == nil {
			out[level] = int(seats)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("its metrics name no priority level: is priority and fairness switched off?")
	}
	return out, nil
}

// Text tells the objects of one spec from another's.
func Text(k clusters.Kubernetes) string {
	if len(k.PriorityLevels)+len(k.FlowSchemas) == 0 {
		return ""
	}
	text, _ := json.Marshal([]any{k.PriorityLevels, k.FlowSchemas}) // plain data
	return string(text)
}
