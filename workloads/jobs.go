package workloads

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/storm-harness/storm/internal/pace"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/client"
	"github.com/storm-harness/storm/workloads/lean"
)

// Jobs is the load of batch work: Jobs created at a rate, whose pods run and
// come to their end on whatever nodes there are. Every Job goes by itself: the
// Job controller ends one that is not through by its deadline, and the TTL
// controller deletes what has ended, so that there are never many more than
// rate × (deadline + ttl), and of those that do run their course far fewer.
type Jobs struct {
	OpenLoop    `yaml:",inline"`
	Pausing     `yaml:",inline"`
	Completions int           `yaml:"completions" min:"1" max:"10000" doc:"pods of a Job that must come to a good end; 1 by default"`
	Parallelism int           `yaml:"parallelism" min:"1" max:"10000" doc:"pods of a Job that run at once; 1 by default"`
	Deadline    unit.Duration `yaml:"deadline" min:"1s" doc:"how long a Job may take before its controller ends it as failed (activeDeadlineSeconds), in whole seconds; 5m by default"`
	TTL         unit.Duration `yaml:"ttl" doc:"how long after its end a Job is deleted (ttlSecondsAfterFinished), in whole seconds; 10s by default, 0s for at once"`

	eye    *eye // opened by Prepare, closed by Run or Release
	client *client.Client
}

func newJobs() Workload {
	return &Jobs{
		OpenLoop:    OpenLoop{InFlight: 1000, Timeout: unit.Duration(client.DefaultTimeout)},
		Completions: 1, Parallelism: 1, Deadline: unit.Duration(5 * time.Minute), TTL: unit.Duration(10 * time.Second),
	}
}

// Limits of a Job: pods beyond what anybody runs in one without an index, and a
// time after which no trial is still running.
const (
	maxPodsOfJob = 10_000
	longestJob   = 24 * time.Hour
)

// Check implements Workload.
func (j *Jobs) Check() []string {
	problems := j.check()
	if j.Completions < 1 || j.Completions > maxPodsOfJob {
		problems = append(problems, fmt.Sprintf("completions: %d is not between 1 and %d", j.Completions, maxPodsOfJob))
	}
	if j.Parallelism < 1 || j.Parallelism > maxPodsOfJob {
		problems = append(problems, fmt.Sprintf("parallelism: %d is not between 1 and %d", j.Parallelism, maxPodsOfJob))
	}
	for _, d := range []struct {
		field string
		value unit.Duration
		least time.Duration
	}{{"deadline", j.Deadline, time.Second}, {"ttl", j.TTL, 0}} {
		switch v := d.value.D(); {
		case v < d.least:
			problems = append(problems, fmt.Sprintf("%s: %s is below the limit of %s", d.field, d.value, d.least))
		case v > longestJob:
			problems = append(problems, fmt.Sprintf("%s: %s is above the limit of %s, and Jobs would gather without end", d.field, d.value, unit.Duration(longestJob)))
		case v%time.Second != 0:
			problems = append(problems, fmt.Sprintf("%s: %s is not a whole number of seconds, which is all that a Job can hold", d.field, d.value))
		}
	}
	return problems
}

// Describe implements Workload.
func (j *Jobs) Describe() string {
	return fmt.Sprintf("Creates Jobs at %s, each of %s, %d at once; they are deleted %s after their end, and ended after %s.",
		j.Rate.Phrase(), unit.Count(j.Completions, "pod"), min(j.Completions, j.Parallelism), j.TTL, j.Deadline)
}

// Prepare implements Workload: it makes the namespace and opens the watch that
// sees the Jobs come to their end.
func (j *Jobs) Prepare(ctx context.Context, env *Env) error {
	c, err := env.client(j.Timeout)
	if err != nil {
		return err
	}
	j.client = c
	ns := objectName(env.Name)
	if err := makeNamespaces(ctx, c, env, []string{ns}); err != nil {
		return err
	}
	r := resources["jobs"]
	j.eye, err = env.observe(ctx, c, r, ns, "", newSpans(env, "complete", r, "created-complete", seeJob))
	return err
}

// seeJob reads how far a Job has come.
func seeJob(ev lean.Event) (sight, error) {
	var job lean.Job
	if err := job.Read(ev.Object); err != nil {
		return sight{}, err
	}
	s := sight{uid: job.UID, begun: true, ended: job.Complete || job.Failed}
	if job.Failed {
		s.code = "failed"
	}
	return s, nil
}

// Release implements Releaser.
func (j *Jobs) Release() {
	if j.eye != nil {
		j.eye.close()
		j.eye = nil
	}
	if j.client != nil {
		j.client.Close()
		j.client = nil
	}
}

// Run implements Workload.
func (j *Jobs) Run(ctx context.Context, env *Env) error {
	if j.eye == nil {
		return errors.New("workload " + env.Name + ": its Jobs are not watched: call Prepare first")
	}
	c, err := env.client(j.Timeout) // the watch has its own connection: Jobs in flight must not delay what it shows
	if err != nil {
		return err
	}
	defer env.hangUp(c)
	defer j.Release()
	series := env.Recorder.Series(rundir.Key{Workload: env.Name, Verb: "create", Resource: "jobs.batch", Scope: "resource"})
	ns, prefix := objectName(env.Name), strconv.FormatInt(env.Clock.Now(), 36)
	path := resources["jobs"].path(ns)
	j.run(ctx, env, j.schedule(env.Seed), func(ctx context.Context, slot pace.Slot) {
		body, err := client.Encode(j.job(env, ns, fmt.Sprintf("load-%s-%x", prefix, slot.N)))
		if err != nil {
			env.Log.Error("encode a Job", "error", err)
			return
		}
		c.Do(ctx, &client.Request{Method: http.MethodPost, Path: path, Body: body, ContentType: client.Protobuf}, nil, 0).Record(series, slot.Intended)
	}, func(pace.Slot) *measure.Series { return series })
	return nil
}

// job is one of the Jobs.
func (j *Jobs) job(env *Env, namespace, name string) *batchv1.Job {
	completions, parallelism := int32(j.Completions), int32(j.Parallelism)
	ttl, deadline := int32(j.TTL.D()/time.Second), int64(j.Deadline.D()/time.Second)
	spec := confine(env, j.pod())
	spec.RestartPolicy = corev1.RestartPolicyNever
	labels := map[string]string{RunLabel: env.RunID}
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: labels},
		Spec: batchv1.JobSpec{
			Completions: &completions, Parallelism: &parallelism, TTLSecondsAfterFinished: &ttl, ActiveDeadlineSeconds: &deadline,
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: spec},
		},
	}
}
