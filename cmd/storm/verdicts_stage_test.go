//go:build long || kind

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	admission "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report"
)

// shortTrials is a scenario of profiles, a few seconds a trial.
func shortTrials(name string, blocks int, alpha string, profiles, gates []string) string {
	return `apiVersion: storm/v1alpha1
kind: Scenario
metadata: {name: ` + name + `}
spec:
  cluster:
    kubernetes: {controllerManager: {replicas: 0}, scheduler: {replicas: 0}}
  profiles:
    - ` + strings.Join(profiles, "\n    - ") + `
  blocks: ` + strconv.Itoa(blocks) + `
  alpha: ` + alpha + `
  workloads:
    - {name: churn, objectChurn: {resource: configmaps, rate: 40/s, size: 1KiB}}
    - {name: lists, list: {resource: configmaps, rate: 2/s}}
  timeline:
    - warmup: 1s
    - steady: 5s
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

// accounts reads what became of every acknowledged write of a run's trials, valid or
// not: none may be lost, nor contradict a restore. It returns how many a restore took
// back.
func accounts(t *testing.T, dir string) (restored int) {
	t.Helper()
	run, err := rundir.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	audits := 0
	for _, s := range run.Trials() {
		rec, err := run.Records(s.ID)
		if err != nil {
			t.Fatal(err)
		}
		trial, err := rec.Trial()
		if err != nil {
			t.Errorf("%s: %v", s.ID, err)
			continue
		}
		for _, a := range trial.Journal {
			audits++
			restored += a.Restored
			if a.Acked == 0 || a.Lost != 0 || a.Mismatch != 0 {
				t.Errorf("%s: the account is %+v", s.ID, a)
			}
		}
	}
	if audits == 0 {
		t.Error("nothing was read back")
	}
	return restored
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

// slowdown is a webhook that answers late, and what puts it in an API server's way.
type slowdown struct {
	hook  *slow
	patch string // of a profile
}

// plantSlowdown starts the webhook at an address that the API servers reach.
func plantSlowdown(t *testing.T, address string) slowdown {
	t.Helper()
	hook := &slow{Duration: 20 * time.Millisecond}
	listener, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(hook)
	_ = server.Listener.Close() // the one of httptest's own
	server.Listener = listener
	cert, ca := selfSigned(t, net.ParseIP(address))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	manifest, err := json.Marshal(map[string]any{
		"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": map[string]any{"name": "slow"},
		"webhooks": []any{map[string]any{
			"name": "slow.example.com", "sideEffects": "None", "admissionReviewVersions": []string{"v1"}, "timeoutSeconds": 10,
			"clientConfig": map[string]any{"url": "https://" + listener.Addr().String(), "caBundle": ca},
			"rules": []any{map[string]any{
				"apiGroups": []string{""}, "apiVersions": []string{"v1"}, "operations": []string{"CREATE", "UPDATE", "DELETE"}, "resources": []string{"configmaps"},
			}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return slowdown{hook, "{cluster: {kubernetes: {objects: [{name: slow, manifest: " + string(manifest) + "}]}}}"}
}

// selfSigned is a certificate of a server at an address, and what its clients trust.
func selfSigned(t *testing.T, ip net.IP) (tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{ip}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// found wants a slowdown found, and no less of it than was planted, and nothing
// in what it has no part in. The gates are those of plantedGates.
func (p slowdown) found(t *testing.T, r *report.Result) {
	t.Helper()
	for _, g := range r.Gates {
		t.Logf("%s: %s: %s", g.Title, g.Verdict, g.Reason)
	}
	t.Logf("the webhook was asked %d times; %d of %d trials are valid", p.hook.asked.Load(), r.Run.Valid, r.Run.Planned)
	planted, other := r.Gates[0], r.Gates[1]
	if planted.Verdict != report.Regressed || r.ExitCode != exitGateFailed {
		t.Fatalf("a slowdown of %s was planted, and the verdict is %s (exit code %d)", p.hook.Duration, planted.Verdict, r.ExitCode)
	}
	if other.Verdict == report.Regressed {
		t.Errorf("lists, which the webhook has no part in: %s", other.Reason)
	}
	c := planted.Results[0].Comparison
	if found := float64(c.ProfileMedian) - float64(c.BaseMedian); found < p.hook.Seconds() {
		t.Errorf("what was found is %.1f ms, less than the %s that were planted", found*1e3, p.hook.Duration)
	}
	if p.hook.asked.Load() == 0 {
		t.Error("nobody asked the webhook")
	}
}

// plantedGates look at profile b, which asks the webhook, against profile a.
var plantedGates = []string{
	"{metric: api.latency, workload: churn, verb: mutating, phase: steady, compare: a, profile: b, stat: p50, margin: 50%}",
	"{metric: api.latency, workload: lists, verb: list, phase: steady, compare: a, profile: b, stat: p50, margin: 50%, note: what the webhook is not asked about}",
}
