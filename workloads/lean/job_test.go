package lean

import (
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func fullJob(conditions ...batchv1.JobCondition) *batchv1.Job {
	n := int32(3)
	now := metav1.NewTime(time.Unix(1_800_000_000, 0))
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: "j", Namespace: "ns", UID: "u", ResourceVersion: "7", DeletionTimestamp: &now},
		Spec: batchv1.JobSpec{
			Parallelism: &n, Completions: &n, TTLSecondsAfterFinished: &n,
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "pause:3"}}}},
		},
		Status: batchv1.JobStatus{
			Conditions: conditions, StartTime: &now, Active: 1, Succeeded: 2,
			UncountedTerminatedPods: &batchv1.UncountedTerminatedPods{},
		},
	}
}

func TestJobsAreRead(t *testing.T) {
	is := func(kind batchv1.JobConditionType, status corev1.ConditionStatus) batchv1.JobCondition {
		return batchv1.JobCondition{Type: kind, Status: status, Reason: "why", LastProbeTime: metav1.Now()}
	}
	var j Job // read into again and again: nothing of the one before may stay
	for name, c := range map[string]struct {
		job              *batchv1.Job
		complete, failed bool
	}{
		"running":     {fullJob(), false, false},
		"successful":  {fullJob(is(batchv1.JobSuccessCriteriaMet, "True")), false, false},
		"complete":    {fullJob(is(batchv1.JobSuccessCriteriaMet, "True"), is(batchv1.JobComplete, "True")), true, false},
		"not so":      {fullJob(is(batchv1.JobComplete, "False"), is(batchv1.JobFailed, "Unknown")), false, false},
		"failed":      {fullJob(is(batchv1.JobFailureTarget, "True"), is(batchv1.JobFailed, "True")), false, true},
		"interrupted": {fullJob(is(batchv1.JobSuspended, "True")), false, false},
	} {
		raw, err := c.job.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		want := Job{Meta{Name: "j", Namespace: "ns", UID: "u", ResourceVersion: "7", Deleting: true}, c.complete, c.failed}
		if err := j.Read(raw); err != nil || j != want {
			t.Errorf("%s: read %+v, %v, want %+v", name, j, err, want)
		}
		if m, err := (Event{Object: raw}).Meta(); err != nil || m != want.Meta {
			t.Errorf("%s: metadata %+v, %v", name, m, err)
		}
	}
}

// FuzzJob holds the lean reader against the real decoder.
func FuzzJob(f *testing.F) {
	b, err := fullJob(batchv1.JobCondition{Type: batchv1.JobComplete, Status: "True"}).Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte("\x1a\x04\x0a\x02\x0a\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var want batchv1.Job
		if want.Unmarshal(b) != nil {
			return
		}
		var got Job
		if err := got.Read(b); err != nil {
			t.Skip(err) // stricter about malformed parts that the decoder skips
		}
		complete := false
		for _, c := range want.Status.Conditions {
			complete = complete || c.Type == batchv1.JobComplete && c.Status == corev1.ConditionTrue
		}
		if got.Name != want.Name || got.UID != string(want.UID) || got.Complete != complete {
			t.Errorf("read %+v, the decoder %+v", got, want)
		}
	})
}
