package lean

import (
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
)

// encode writes an object as the API server does.
func encode(t testing.TB, obj runtime.Object, kind string) []byte {
	t.Helper()
	obj.GetObjectKind().SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(kind))
	b, err := runtime.Encode(protobuf.NewSerializer(scheme.Scheme, scheme.Scheme), obj)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// frame writes a watch event as the API server does.
func frame(t testing.TB, kind string, object []byte) []byte {
	t.Helper()
	b, err := (&metav1.WatchEvent{Type: kind, Object: runtime.RawExtension{Raw: object}}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
}

func fullPod(name string) *corev1.Pod {
	now := metav1.NewTime(time.Unix(1_800_000_000, 0))
	grace, expiration := int64(30), int64(3607)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: "ns", UID: types.UID("uid-" + name), ResourceVersion: "4711", Generation: 3,
			CreationTimestamp: now, DeletionTimestamp: &now, DeletionGracePeriodSeconds: &grace,
			Labels: map[string]string{"app": "x"}, Annotations: map[string]string{"a": strings.Repeat("b", 300)},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "rs", UID: "u"}},
		},
		Spec: corev1.PodSpec{
			NodeName: "node-7", SchedulerName: "default-scheduler", HostNetwork: true, RestartPolicy: corev1.RestartPolicyAlways, ServiceAccountName: "robot",
			Containers: []corev1.Container{
				{Name: "main", Image: "pause:3", EnvFrom: []corev1.EnvFromSource{
					{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "cm-from"}}},
					{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "s-from"}}},
				}},
				{Name: "side", Image: "proxy:1", Command: []string{"x"}, Env: []corev1.EnvVar{
					{Name: "PLAIN", Value: "v"},
					{Name: "A", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "cm-key"}, Key: "k"}}},
					{Name: "B", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "s-key"}, Key: "k"}}},
				}},
			},
			InitContainers: []corev1.Container{{Name: "before", Image: "pause:3", EnvFrom: []corev1.EnvFromSource{
				{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "s-before"}}},
			}}},
			ImagePullSecrets: []corev1.LocalObjectReference{{Name: "s-pull"}},
			Volumes: []corev1.Volume{
				{Name: "e", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
				{Name: "s", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "s-volume"}}},
				{Name: "c", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "cm-volume"}}}},
				{Name: "p", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
					{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Audience: "vault", ExpirationSeconds: &expiration, Path: "token"}},
					{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "kube-root-ca.crt"}}},
					{Secret: &corev1.SecretProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "s-projected"}}},
				}}}},
			},
		},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, PodIP: "10.1.2.3", HostIP: "100.64.0.1",
			Conditions: []corev1.PodCondition{
				{Type: corev1.PodReady, Status: corev1.ConditionTrue}, {Type: corev1.ContainersReady, Status: corev1.ConditionFalse},
			},
			ContainerStatuses: []corev1.ContainerStatus{{Name: "main"}, {Name: "side", RestartCount: 4}},
		},
	}
}

func checkPod(t *testing.T, p *Pod, name string) {
	t.Helper()
	if p.Name != name || p.Namespace != "ns" || p.UID != "uid-"+name || p.ResourceVersion != "4711" || p.Generation != 3 || !p.Deleting ||
		p.Node != "node-7" || p.Scheduler != "default-scheduler" || !p.HostNetwork || p.Phase != "Running" || !p.Ready || p.Restarts != 4 || p.PodIP != "10.1.2.3" ||
		p.RestartPolicy != "Always" || p.ServiceAccount != "robot" || !slices.Equal(p.Tokens, []Token{{"vault", 3607}}) ||
		!slices.Equal(sorted(p.Secrets), []string{"s-before", "s-from", "s-key", "s-projected", "s-pull", "s-volume"}) ||
		!slices.Equal(sorted(p.ConfigMaps), []string{"cm-from", "cm-key", "cm-volume", "kube-root-ca.crt"}) ||
		!slices.Equal(p.Containers, []Container{{"main", "pause:3"}, {"side", "proxy:1"}}) {
		t.Errorf("read %+v", *p)
	}
}

func sorted(names []string) []string { return slices.Sorted(slices.Values(names)) }

// events feeds a whole body to a Splitter, in parts of that size.
func events(body []byte, size int, each func(Event) error) error {
	var s Splitter
	for part := range slices.Chunk(body, size) {
		err := s.Feed(part, func(frame []byte) error {
			ev, err := DecodeEvent(frame)
			if err != nil {
				return err
			}
			return each(ev)
		})
		if err != nil {
			return err
		}
	}
	if s.Partial() {
		return io.ErrUnexpectedEOF
	}
	return nil
}

func TestPodsAreReadFromEventsAndLists(t *testing.T) {
	stream := slices.Concat(frame(t, "ADDED", encode(t, fullPod("a"), "Pod")), frame(t, "MODIFIED", encode(t, fullPod("b"), "Pod")))
	for _, size := range []int{1, 2, 3, 5, 100, len(stream) - 1, len(stream)} {
		var kinds []string
		err := events(stream, size, func(ev Event) error {
			kinds = append(kinds, ev.Type)
			var p Pod
			if err := p.Read(ev.Object); err != nil {
				return err
			}
			checkPod(t, &p, map[string]string{"ADDED": "a", "MODIFIED": "b"}[ev.Type])
			if v, err := ev.Version(); err != nil || v != 4711 {
				t.Errorf("resourceVersion %d, %v", v, err)
			}
			return nil
		})
		if err != nil || !slices.Equal(kinds, []string{"ADDED", "MODIFIED"}) {
			t.Errorf("in parts of %d: %v, events %v", size, err, kinds)
		}
	}

	list := &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "99"}, Items: []corev1.Pod{*fullPod("a"), *fullPod("b")}}
	want := []string{"a", "b"}
	m, err := List(encode(t, list, "PodList"), func(object []byte) {
		var p Pod
		if err := p.Read(object); err != nil {
			t.Error(err)
		}
		checkPod(t, &p, want[0])
		want = want[1:]
	})
	if err != nil || m.Version != 99 || len(want) > 0 {
		t.Errorf("%+v, %v, missing %v", m, err, want)
	}

	meta, err := MetaOf(encode(t, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n", UID: "u", ResourceVersion: "5"}}, "Node"))
	if err != nil || meta != (Meta{Name: "n", UID: "u", ResourceVersion: "5"}) {
		t.Errorf("metadata %+v, %v", meta, err)
	}
}

func TestTheBookmarkBehindTheInitialEventsIsKnown(t *testing.T) {
	end := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{ResourceVersion: "8", Annotations: map[string]string{metav1.InitialEventsAnnotationKey: "true"}}}
	stream := slices.Concat(frame(t, "ADDED", encode(t, fullPod("a"), "Pod")), frame(t, "BOOKMARK", encode(t, &corev1.Pod{}, "Pod")), frame(t, "BOOKMARK", encode(t, end, "Pod")))
	var ends []bool
	if err := events(stream, 64, func(ev Event) error { ends = append(ends, ev.EndsInitial()); return nil }); err != nil || !slices.Equal(ends, []bool{false, false, true}) {
		t.Errorf("%v, %v", ends, err)
	}
}

func TestAVersionThatIsNoNumberIsMalformed(t *testing.T) {
	for _, v := range []string{"x", "-1", "1.5", "99999999999999999999"} {
		ev, err := DecodeEvent(frame(t, "ADDED", encode(t, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{ResourceVersion: v}}, "Pod"))[4:])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ev.Version(); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %v", v, err)
		}
	}
}

func TestAnErrorEventEndsTheWatchWithItsStatus(t *testing.T) {
	gone := &metav1.Status{Code: 410, Message: "too old resource version", Reason: metav1.StatusReasonExpired}
	gone.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Status"))
	b, err := runtime.Encode(protobuf.NewSerializer(scheme.Scheme, scheme.Scheme), gone)
	if err != nil {
		t.Fatal(err)
	}
	err = events(frame(t, "ERROR", b), 1<<20, func(Event) error {
		t.Error("an error was handed on as an event")
		return nil
	})
	var status *StatusError
	if !errors.As(err, &status) || status.Code != 410 || status.Message != "too old resource version" {
		t.Errorf("got %v", err)
	}
}

func TestBrokenWatchesAreToldApart(t *testing.T) {
	whole := frame(t, "ADDED", encode(t, fullPod("a"), "Pod"))
	for name, c := range map[string]struct {
		bytes []byte
		want  error
	}{
		"ended between events":    {whole, nil},
		"cut off within an event": {whole[:len(whole)-3], io.ErrUnexpectedEOF},
		"cut off within a length": {append(slices.Clone(whole), 0, 0), io.ErrUnexpectedEOF},
		"cut off after a length":  {whole[:4], io.ErrUnexpectedEOF},
		"a huge length":           {[]byte{0xff, 0xff, 0xff, 0xff, 1}, ErrMalformed},
		"JSON":                    {[]byte(`{"type":"ADDED","object":{}}`), ErrMalformed},
		"not Protobuf":            {append([]byte{0, 0, 0, 4}, "\x0a\xff\xff\xff"...), ErrMalformed},
		"no object":               {frame(t, "ADDED", nil), ErrMalformed},
	} {
		if err := events(c.bytes, 7, func(Event) error { return nil }); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestListHeads(t *testing.T) {
	items := make([]corev1.Pod, 20)
	for i := range items {
		items[i] = *fullPod("p")
	}
	token := strings.Repeat("eyJ2IjoibWV0YS5rOHMuaW8vdjEi", 8)
	list := func(token string) []byte {
		return encode(t, &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "7", Continue: token}, Items: items}, "PodList")
	}
	json := func(token string) []byte {
		return []byte(`{"kind":"WidgetList","apiVersion":"v1","metadata":{"continue":"` + token + `","resourceVersion":"7"},"items":[{"a":1},`)
	}
	cut := func(b []byte) []byte { return b[:min(len(b), 1500)] }
	for name, c := range map[string]struct {
		head []byte
		want string
	}{
		"Protobuf":            {cut(list(token)), token},
		"Protobuf, last page": {cut(list("")), ""},
		"Protobuf, whole":     {encode(t, &corev1.PodList{}, "PodList"), ""},
		"JSON":                {json(token), token},
		"JSON, last page":     {json(""), ""},
	} {
		if got, err := HeadOf(c.head); err != nil || got.Continue != c.want || got.Version != 7 && name != "Protobuf, whole" {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
	for name, head := range map[string][]byte{
		"nothing": nil, "text": []byte("404 page not found"), "half a prefix": []byte("k8"),
		"cut within the metadata of JSON": []byte(`{"kind":"X","metadata":{"conti`),
		"no metadata":                     []byte(`{"kind":"X"}`), "gzip": {0x1f, 0x8b, 1, 2, 3},
		"cut before the list": list("")[:10],
	} {
		if got, err := HeadOf(head); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

// A list of custom resources has its metadata behind its items, which may hold
// whatever they like.
func TestListTails(t *testing.T) {
	const items = `{"apiVersion":"storm.dev/v1","items":[{"kind":"Widget","metadata":{"name":"w","resourceVersion":"3"},"spec":{"metadata":{"resourceVersion":"9"}}}],"kind":"WidgetList",`
	for name, c := range map[string]struct{ tail, token string }{
		"whole":       {items + `"metadata":{"continue":"x","resourceVersion":"7"}}`, "x"},
		"a line":      {items + `"metadata":{"resourceVersion":"7"}}` + "\n", ""},
		"its end":     {`a":{"b":1}}],"kind":"WidgetList","metadata":{"continue":"x","remainingItemCount":5,"resourceVersion":"7","selfLink":"{}"}}`, "x"},
		"a long page": {strings.Repeat("y", 8000) + `"}}],"kind":"WidgetList","metadata":{"continue":"","resourceVersion":"7"}}`, ""},
	} {
		if got, err := TailOf([]byte(c.tail)); err != nil || got.Version != 7 || got.Continue != c.token {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
	for name, tail := range map[string]string{
		"nothing": "", "no metadata": `{"items":[]}`, "cut off": items + `"metadata":{"resourceVersion":"7"`, "only that of an item": `"metadata":{"resourceVersion":"7"}}]}`, "a text": `"metadata":"7"}`,
	} {
		if got, err := TailOf([]byte(tail)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

// FuzzEvents feeds the readers hostile bytes: they may refuse, and must not
// crash or hang.
func FuzzEvents(f *testing.F) {
	f.Add(frame(f, "ADDED", encode(f, fullPod("a"), "Pod")))
	f.Add(frame(f, "BOOKMARK", encode(f, &corev1.Pod{}, "Pod")))
	f.Add(frame(f, "ERROR", []byte("k8s\x00\x12\x02\x08\x01")))
	f.Add([]byte{0, 0, 0, 1, 8})
	f.Fuzz(func(_ *testing.T, b []byte) {
		_ = events(b, 5, func(ev Event) error {
			_, _ = ev.Version()
			_, _ = ev.Annotation("a")
			return new(Pod).Read(ev.Object)
		})
	})
}

// FuzzPod holds the lean reader against the real decoder: where that accepts
// the bytes, both must have read the same.
func FuzzPod(f *testing.F) {
	b, err := fullPod("a").Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte("\x0a\x03\x0a\x01x"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var want corev1.Pod
		if want.Unmarshal(b) != nil {
			return
		}
		var got Pod
		if err := got.Read(b); err != nil {
			t.Skip(err) // stricter about malformed parts that the decoder skips
		}
		if got.Name != want.Name || got.UID != string(want.UID) || got.ResourceVersion != want.ResourceVersion ||
			got.Node != want.Spec.NodeName || got.Phase != string(want.Status.Phase) || len(got.Containers) != len(want.Spec.Containers) {
			t.Errorf("read %+v, the decoder %+v", got, want)
		}
	})
}

// The version of an object is found in the beginning of it, whatever follows.
func TestVersionOfAnObjectFromItsHead(t *testing.T) {
	pod := fullPod("a")
	pod.ResourceVersion = "12345"
	pod.Annotations = map[string]string{"a": strings.Repeat("x", 2*HeadSize)}
	whole := encode(t, pod, "Pod")
	custom := `{"apiVersion":"x/v1","kind":"Widget","metadata":{"name":"w","resourceVersion":"12345","uid":"u"},"spec":{"cargo":"` + strings.Repeat("x", 2*HeadSize)
	for name, head := range map[string][]byte{"Protobuf": whole, "Protobuf, cut off": whole[:HeadSize], "JSON, cut off": []byte(custom)[:HeadSize]} {
		if got, err := VersionOf(head); err != nil || got != 12345 {
			t.Errorf("%s: got %d, %v", name, got, err)
		}
	}
	for name, head := range map[string][]byte{
		"nothing": nil, "magic alone": whole[:4], "cut off before": whole[:20],
		"JSON cut off before": []byte(custom)[:40], "no version": encode(t, &corev1.Pod{}, "Pod"), "a word": []byte(`{"metadata":{"resourceVersion":"x"}}`),
	} {
		if got, err := VersionOf(head); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %d, %v", name, got, err)
		}
	}
}

// FuzzHeadOf feeds hostile heads of lists.
func FuzzHeadOf(f *testing.F) {
	f.Add(encode(f, &corev1.PodList{ListMeta: metav1.ListMeta{Continue: "x"}}, "PodList"))
	f.Add([]byte(`{"metadata":{"continue":"x"}}`))
	f.Add([]byte("\x1f\x8b\x08\x00"))
	f.Fuzz(func(_ *testing.T, b []byte) {
		_, _ = HeadOf(b)
		_, _ = TailOf(b)
		_, _ = VersionOf(b)
	})
}
