package workloads

import (
	"context"
	"fmt"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/storm-harness/storm/internal/pace"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/client"
)

// RogueDaemonSet is the load of a DaemonSet that nobody reviewed: on every node
// a client that lists the pods of the whole cluster once a period, as the
// node-group controller did that took an API server at Datadog from 100
// requests in flight to more than 1,000. The pods of a DaemonSet have one
// service account and one user agent in common, and so have these clients;
// priority and fairness takes them for one flow, as it would there.
type RogueDaemonSet struct {
	Count           int           `yaml:"count" required:"true" min:"1" max:"100000" doc:"clients, one for each node that the DaemonSet would be on; with a rate it is how many connections there are where each has its own, and changes nothing else"`
	Period          unit.Duration `yaml:"period" min:"10ms" doc:"time between two lists of one client, 30s by default; each client has a phase of its own"`
	Rate            unit.Schedule `yaml:"rate" doc:"in place of a period, lists a second of all the clients together, as a constant, a ramp or steps; time counts from the start of the warmup"`
	Arrivals        string        `yaml:"arrivals" enum:"constant,poisson" doc:"with a rate, whether lists come evenly or at random with that rate on average; constant by default"`
	Jitter          unit.Percent  `yaml:"jitter" doc:"share of a period by which each wait is stretched at most, at random; none by default"`
	ResourceVersion string        `yaml:"resourceVersion" enum:",0" doc:"0 to be content with whatever the watch cache holds; empty, the default, for the newest state"`
	Content         string        `yaml:"content" enum:"protobuf,json" doc:"encoding of the lists; protobuf by default"`
	Connections     string        `yaml:"connections" enum:"shared,own" doc:"shared: the clients share as few connections as the server's limit of streams allows; own: each has a TLS connection of its own, as pods of a DaemonSet do, which lists take in turn where there is a rate or a jitter; shared by default"`
	InFlight        int           `yaml:"inFlight" min:"1" max:"100000" doc:"lists that may be in flight at once; beyond it one is refused at its intended time and counts as failed"`
	Timeout         unit.Duration `yaml:"timeout" min:"1ms" doc:"deadline of a list, 60s by default, which is the API server's own"`
}

func newRogueDaemonSet() Workload {
	return &RogueDaemonSet{Content: "protobuf", Connections: "shared", InFlight: 5000, Timeout: unit.Duration(60 * time.Second)}
}

// Limits of a RogueDaemonSet: as many clients as there may be nodes, and a
// period that a pacer can still tell from none.
const (
	maxRogues      = maxNodes
	minRoguePeriod = 10 * time.Millisecond
	roguePeriod    = 30 * time.Second // unless another, or a rate, is asked for
)

// Check implements Workload.
func (r *RogueDaemonSet) Check() []string {
	var problems []string
	if r.Count < 1 || r.Count > maxRogues {
		problems = append(problems, fmt.Sprintf("count: %d is not between 1 and %d", r.Count, maxRogues))
	}
	if !r.rated() {
		problems = append(problems, r.checkPeriod()...)
	} else {
		problems = append(problems, checkRate("rate", r.Rate)...)
		if r.Period != 0 || r.Jitter != 0 {
			problems = append(problems, "rate: with it there is neither a period nor a jitter; a profile takes those away with period: null, jitter: null")
		}
	}
	if r.ResourceVersion != "" && r.ResourceVersion != "0" {
		problems = append(problems, fmt.Sprintf("resourceVersion: %q is neither empty nor 0", r.ResourceVersion))
	}
	problems = append(problems, checkContent(r.Content)...)
	if r.Connections != "shared" && r.Connections != "own" {
		problems = append(problems, fmt.Sprintf("connections: %q is not one of shared, own", r.Connections))
	}
	if files := openFiles(); r.Connections == "own" && r.Sockets()+filesBeside > files {
		problems = append(problems, tooManyFiles(fmt.Sprintf("count: %d", r.Count), r.Sockets()+filesBeside, files))
	}
	return append(problems, r.loop().checkBounds()...)
}

// rated says whether a rate is asked for.
func (r *RogueDaemonSet) rated() bool { return len(r.Rate.Legs()) > 0 }

// checkPeriod checks what the clients do where no rate is asked for.
func (r *RogueDaemonSet) checkPeriod() []string {
	var problems []string
	if r.period() < minRoguePeriod {
		problems = append(problems, fmt.Sprintf("period: %s is below the limit of %s", r.Period, minRoguePeriod))
	} else if rate := r.rate(); rate > maxRate {
		problems = append(problems, fmt.Sprintf("period: %d clients every %s make %.0f lists a second, above the limit of %.0f", r.Count, r.period(), rate, float64(maxRate)))
	}
	if r.Jitter < 0 || r.Jitter > 1 {
		problems = append(problems, fmt.Sprintf("jitter: %s is not between 0%% and 100%%", r.Jitter))
	}
	if r.Arrivals != "" {
		problems = append(problems, "arrivals: a period has a phase for each client; this is of a rate")
	}
	return problems
}

// period is the time between two lists of one client, where no rate is asked for.
func (r *RogueDaemonSet) period() time.Duration {
	if r.Period == 0 {
		return roguePeriod
	}
	return r.Period.D()
}

func (r *RogueDaemonSet) rate() float64 { return float64(r.Count) / r.period().Seconds() }

// loop is how the lists are made; its schedule is that of the rate alone.
func (r *RogueDaemonSet) loop() OpenLoop {
	return OpenLoop{Rate: r.Rate, Arrivals: r.Arrivals, InFlight: r.InFlight, Timeout: r.Timeout}
}

// schedule returns when the lists are intended.
func (r *RogueDaemonSet) schedule(seed int64) pace.Schedule {
	if r.rated() {
		return r.loop().schedule(seed)
	}
	return pace.Periodic(r.Count, r.period(), r.Jitter.Fraction(), seed)
}

// Sockets implements Connected.
func (r *RogueDaemonSet) Sockets() uint64 {
	if r.Connections == "own" {
		return uint64(max(r.Count, 0)) + r.loop().Sockets() // a connection that is full has another beside it
	}
	return r.loop().Sockets()
}

func (r *RogueDaemonSet) detail() string {
	if r.ResourceVersion == "0" {
		return "rv0"
	}
	return "unpaginated"
}

// Describe implements Workload.
func (r *RogueDaemonSet) Describe() string {
	from := "the newest state"
	if r.ResourceVersion == "0" {
		from = "the watch cache as it is"
	}
	who := unit.Count(r.Count, "client") + " of a rogue DaemonSet"
	if r.Connections == "own" {
		who += ", each over a connection of its own"
	}
	if r.rated() {
		return fmt.Sprintf("%s, listing all pods of the cluster at %s together, in one answer, from %s, as one service account.", who, r.Rate.Phrase(), from)
	}
	return fmt.Sprintf("%s, each listing all pods of the cluster every %s, in one answer, from %s: %.3g lists a second, as one service account.",
		who, r.period(), from, r.rate()/(1+r.Jitter.Fraction()/2))
}

// rogueAccount is the name of the DaemonSet's service account.
const rogueAccount = "rogue"

// user is whom the clients are, with the groups that the API server gives a
// service account.
func (r *RogueDaemonSet) user(workload string) *client.User {
	ns := objectName(workload)
	return &client.User{
		Name:   "system:serviceaccount:" + ns + ":" + rogueAccount,
		Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + ns, "system:authenticated"},
	}
}

// list is the request that each of the clients makes.
func (r *RogueDaemonSet) list(workload string) *client.Request {
	req := &client.Request{Method: http.MethodGet, Path: resources["pods"].path(""), As: r.user(workload)}
	if r.Content == "json" {
		req.Accept = client.JSON
	}
	if r.ResourceVersion != "" {
		req.Query = "resourceVersion=" + r.ResourceVersion
	}
	return req
}

// Prepare implements Workload: it makes the service account, lets it list pods,
// and waits until the API server does so, since that learns of roles by watches.
func (r *RogueDaemonSet) Prepare(ctx context.Context, env *Env) error {
	c, err := env.client(r.Timeout)
	if err != nil {
		return err
	}
	defer c.Close()
	ns := objectName(env.Name)
	if err := makeNamespaces(ctx, c, env, []string{ns}); err != nil {
		return err
	}
	labels, role := map[string]string{RunLabel: env.RunID}, ns+"-"+rogueAccount // the load itself has one by the name of ns
	for _, o := range []struct {
		path   string
		object runtime.Object
	}{
		{"/api/v1/namespaces/" + ns + "/serviceaccounts", &corev1.ServiceAccount{
			ObjectMeta: metav1.ObjectMeta{Name: rogueAccount, Namespace: ns, Labels: labels},
		}},
		{"/apis/rbac.authorization.k8s.io/v1/clusterroles", &rbacv1.ClusterRole{
			ObjectMeta: metav1.ObjectMeta{Name: role, Labels: labels},
			Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list"}}},
		}},
		{"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: role, Labels: labels},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: ns, Name: rogueAccount}},
		}},
	} {
		if err := makeObject(ctx, c, o.path, o.object); err != nil {
			return fmt.Errorf("workload %s: %w", env.Name, err)
		}
	}
	allowed := r.list(env.Name)
	allowed.Query = "limit=1"
	if err := insist(ctx, c, allowed); err != nil {
		return fmt.Errorf("workload %s: its service account may not list pods: %w", env.Name, err)
	}
	return nil
}

// Run implements Workload.
func (r *RogueDaemonSet) Run(ctx context.Context, env *Env) error {
	c, err := env.client(r.Timeout)
	if err != nil {
		return err
	}
	clients := []*client.Client{c}
	if r.Connections == "own" {
		for range r.Count - 1 {
			clients = append(clients, c.Twin())
		}
	}
	defer func() {
		for _, c := range clients {
			env.hangUp(c)
		}
	}()
	series := env.Recorder.Series(rundir.Key{
		Workload: env.Name, Verb: "list", Resource: "pods", Scope: "cluster", Detail: r.detail(),
	})
	req := r.list(env.Name)
	r.loop().run(ctx, env, r.schedule(env.Seed), func(ctx context.Context, slot pace.Slot) {
		clients[slot.N%uint64(len(clients))].Do(ctx, req, nil, 0).Record(series, slot.Intended)
	}, func(pace.Slot) *measure.Series { return series })
	return nil
}
