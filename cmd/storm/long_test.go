//go:build long

package main

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	admission "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/storm-harness/storm/report"
	"github.com/storm-harness/storm/scenarios"
)

// What takes hours, and an otherwise idle machine: `make test-long`. What the
// last run printed is kept in docs/long.md.

// twoProfiles is a scenario of two profiles, a few seconds a trial; changes is what the
// second profile patches.
func twoProfiles(name, changes string, gates ...string) string {
	return `apiVersion: storm/v1alpha1
kind: Scenario
metadata: {name: ` + name + `}
spec:
  cluster:
    kubernetes: {controllerManager: {replicas: 0}, scheduler: {replicas: 0}}
  profiles:
    - {name: a}
    - {name: b` + changes + `}
  blocks: 8
  workloads:
    - {name: churn, objectChurn: {resource: configmaps, rate: 40/s, size: 1KiB}}
    - {name: lists, list: {resource: configmaps, rate: 2/s}}
  timeline:
    - warmup: 1s
    - steady: 6s
  gates:
    - ` + strings.Join(gates, "\n    - ") + "\n"
}

// wholly runs a scenario to its end, whatever it comes to, and returns what it means.
func (s *stage) wholly(t *testing.T, scenario, dir string, args ...string) *report.Result {
	t.Helper()
	cmd := s.command(append([]string{"run", scenario, "--dir", dir}, args...)...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "report.json"))
	if err != nil {
		t.Fatalf("%s: no report: %v\n%s", scenario, err, out)
	}
	var r report.Result
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != r.ExitCode {
		t.Errorf("%s: exit code %d, and the report says %d\n%s", scenario, got, r.ExitCode, out)
	}
	return &r
}

// slow is a validating webhook that lets everything through, and takes its time.
type slow struct {
	time.Duration
	asked atomic.Int64
}

func (s *slow) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var review admission.AdmissionReview
	if err == nil {
		err = json.Unmarshal(body, &review)
	}
	if err != nil || review.Request == nil {
		http.Error(w, fmt.Sprintf("no review: %v", err), http.StatusBadRequest)
		return
	}
	s.asked.Add(1)
	time.Sleep(s.Duration) // this is what it is for
	_ = json.NewEncoder(w).Encode(admission.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Response: &admission.AdmissionResponse{UID: review.Request.UID, Allowed: true},
	})
}

// TestLongPlantedSlowdown has profile b ask a validating webhook that answers
// after 20 ms, and nothing else: storm finds it, and says by how much.
func TestLongPlantedSlowdown(t *testing.T) {
	s := newStage(t)
	hook := &slow{Duration: 20 * time.Millisecond}
	server := httptest.NewTLSServer(hook)
	defer server.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	manifest, err := json.Marshal(map[string]any{
		"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": map[string]any{"name": "slow"},
		"webhooks": []any{map[string]any{
			"name": "slow.example.com", "sideEffects": "None", "admissionReviewVersions": []string{"v1"}, "timeoutSeconds": 10,
			"clientConfig": map[string]any{"url": server.URL, "caBundle": ca},
			"rules": []any{map[string]any{
				"apiGroups": []string{""}, "apiVersions": []string{"v1"}, "operations": []string{"CREATE", "UPDATE", "DELETE"}, "resources": []string{"configmaps"},
			}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	changes := ", patch: {cluster: {kubernetes: {objects: [{name: slow, manifest: " + string(manifest) + "}]}}}"
	file := s.file(t, "planted.yaml", twoProfiles("planted", changes,
		"{metric: api.latency, workload: churn, verb: mutating, phase: steady, compare: a, stat: p50, margin: 50%}",
		"{metric: api.latency, workload: lists, verb: list, phase: steady, compare: a, stat: p50, margin: 50%, note: what the webhook is not asked about}",
	))
	r := s.wholly(t, file, filepath.Join(s.dir, "planted"), "--seed", "1")
	for _, g := range r.Gates {
		t.Logf("%s: %s: %s", g.Title, g.Verdict, g.Reason)
	}
	t.Logf("the webhook was asked %d times; %d of %d trials are valid", hook.asked.Load(), r.Run.Valid, r.Run.Planned)
	planted, other := r.Gates[0], r.Gates[1]
	if planted.Verdict != report.Regressed || r.ExitCode != exitGateFailed {
		t.Fatalf("a slowdown of %s was planted, and the verdict is %s (exit code %d)", hook.Duration, planted.Verdict, r.ExitCode)
	}
	if other.Verdict == report.Regressed {
		t.Errorf("lists, which the webhook has no part in: %s", other.Reason)
	}
	c := planted.Results[0].Comparison
	if found := float64(c.ProfileMedian) - float64(c.BaseMedian); found < hook.Seconds() {
		t.Errorf("what was found is %.1f ms, less than the %s that were planted", found*1e3, hook.Duration)
	}
	if hook.asked.Load() == 0 {
		t.Error("nobody asked the webhook")
	}
}

// TestLongFalseAlarms compares a cluster with itself, twenty times over, and
// publishes how often it was found to differ. That is a figure, not a bound; only
// that there was something to count is required.
func TestLongFalseAlarms(t *testing.T) {
	const runs = 20
	s := newStage(t)
	file := s.file(t, "same.yaml", twoProfiles("same", "",
		"{metric: api.latency, workload: churn, verb: mutating, phase: steady, compare: a, stat: p50, margin: 25%}",
		"{metric: api.latency, workload: churn, verb: mutating, phase: steady, compare: a, stat: p99, margin: 25%}",
		"{metric: process.cpu, component: kube-apiserver, phase: steady, compare: a, margin: 25%}",
		"{metric: process.memory, component: etcd, phase: steady, compare: a, margin: 25%}",
	))
	verdicts := make([]map[report.Verdict]int, 4)
	var titles [4]string
	beyond := [4]int{} // intervals that leave out the ratio 1
	judged := 0
	for i := range runs {
		r := s.wholly(t, file, filepath.Join(s.dir, fmt.Sprintf("same-%d", i)), "--seed", fmt.Sprint(i+1))
		for k, g := range r.Gates {
			if verdicts[k] == nil {
				verdicts[k] = map[report.Verdict]int{}
			}
			titles[k] = g.Title
			verdicts[k][g.Verdict]++
			if c := g.Results[0].Comparison; g.Verdict != report.Invalid && c != nil {
				judged++
				if float64(c.Low) > 1 || float64(c.High) < 1 {
					beyond[k]++
				}
			}
		}
		t.Logf("run %d: %s, %d of %d trials valid", i+1, r.Verdict, r.Run.Valid, r.Run.Planned)
	}
	t.Log("| comparison of a cluster with itself | pass | improved | inconclusive | regressed | invalid | interval without 1 |")
	t.Log("|---|---|---|---|---|---|---|")
	for k, v := range verdicts {
		t.Logf("| %s | %d | %d | %d | %d | %d | %d |", titles[k], v[report.Pass], v[report.Improved], v[report.Inconclusive], v[report.Regressed], v[report.Invalid], beyond[k])
	}
	if judged < runs*4/2 {
		t.Errorf("only %d of %d comparisons could be judged: an idle machine is needed", judged, runs*4)
	}
}

// TestLongCatalogue runs every scenario of the catalogue as it stands. A gate
// that fails is a finding about this machine; a run that nothing can be concluded
// from is not.
func TestLongCatalogue(t *testing.T) {
	names, err := scenarios.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	s := newStage(t)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			begun := time.Now()
			r := s.wholly(t, name, filepath.Join(s.dir, name))
			t.Logf("| %s | %.0f min | %s | %d of %d | %s |", name, time.Since(begun).Minutes(), r.Verdict, r.Run.Valid, r.Run.Planned, strings.Join(r.Headline, " "))
			if r.Verdict == report.Invalid {
				t.Errorf("nothing can be concluded: %s", strings.Join(r.Headline, " "))
			}
		})
	}
}
