package lean

import (
	"encoding/json"
	"errors"
	"io"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	jsonserializer "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/client-go/kubernetes/scheme"
)

// encodeJSON writes an object as the API server does.
func encodeJSON(t testing.TB, obj runtime.Object, kind string) []byte {
	t.Helper()
	obj.GetObjectKind().SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(kind))
	s := jsonserializer.NewSerializerWithOptions(jsonserializer.DefaultMetaFactory, scheme.Scheme, scheme.Scheme, jsonserializer.SerializerOptions{})
	b, err := runtime.Encode(s, obj)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// line writes a watch event as the API server does.
func line(t testing.TB, kind string, object []byte) []byte {
	t.Helper()
	b, err := json.Marshal(&metav1.WatchEvent{Type: kind, Object: runtime.RawExtension{Raw: object}})
	if err != nil {
		t.Fatal(err)
	}
	return append(b, '\n')
}

// jsonEvents feeds a whole body to a Splitter, in parts of that size.
func jsonEvents(body []byte, size int, each func(Event) error) error {
	s := Splitter{Format: JSON}
	for part := range slices.Chunk(body, size) {
		err := s.Feed(part, func(frame []byte) error {
			ev, err := JSON.Event(frame)
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

func TestPodsAreReadFromJSON(t *testing.T) {
	annotated := fullPod("b")
	annotated.Annotations["storm.dev/write"] = "1\"2\\"
	stream := slices.Concat(line(t, "ADDED", encodeJSON(t, fullPod("a"), "Pod")), []byte("\n"), line(t, "MODIFIED", encodeJSON(t, annotated, "Pod")))
	for _, size := range []int{1, 2, 3, 5, 100, len(stream) - 1, len(stream)} {
		var kinds []string
		err := jsonEvents(stream, size, func(ev Event) error {
			kinds = append(kinds, ev.Type)
			var p Pod
			if err := ev.Pod(&p); err != nil {
				return err
			}
			checkPod(t, &p, map[string]string{"ADDED": "a", "MODIFIED": "b"}[ev.Type])
			if v, err := ev.Version(); err != nil || v != 4711 {
				t.Errorf("resourceVersion %d, %v", v, err)
			}
			if got, err := ev.Annotation("storm.dev/write"); err != nil || ev.Type == "MODIFIED" && string(got) != "1\"2\\" || ev.Type == "ADDED" && got != nil {
				t.Errorf("%s: annotation %q, %v", ev.Type, got, err)
			}
			return nil
		})
		if err != nil || !slices.Equal(kinds, []string{"ADDED", "MODIFIED"}) {
			t.Errorf("in parts of %d: %v, events %v", size, err, kinds)
		}
	}

	list := &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "99", Continue: "more"}, Items: []corev1.Pod{*fullPod("a"), *fullPod("b")}}
	body := encodeJSON(t, list, "PodList")
	var names []string
	m, err := JSON.List(body, func(ev Event) {
		var p Pod
		if err := ev.Pod(&p); err != nil {
			t.Error(err)
		}
		checkPod(t, &p, p.Name)
		names = append(names, ev.Type+" "+p.Name)
	})
	if err != nil || m != (ListMeta{99, "more"}) || !slices.Equal(names, []string{"LISTED a", "LISTED b"}) {
		t.Errorf("%+v, %v, objects %v", m, err, names)
	}
	for n := range len(body) - 2 { // the serializer ends with a newline
		if _, err := JSON.List(body[:n], func(Event) { t.Errorf("an object of a list cut off after %d bytes", n) }); !errors.Is(err, ErrMalformed) {
			t.Fatalf("cut off after %d bytes: %v", n, err)
		}
	}
	if m, err := JSON.List([]byte(`{"metadata":{"resourceVersion":"5"},"items":null}`), func(Event) { t.Error("an object of nothing") }); err != nil || m.Version != 5 {
		t.Errorf("an empty list: %+v, %v", m, err)
	}
}

func TestAnAnnotationIsReadFromProtobuf(t *testing.T) {
	ev, err := Protobuf.Event(frame(t, "ADDED", encode(t, fullPod("a"), "Pod"))[4:])
	if err != nil {
		t.Fatal(err)
	}
	want := fullPod("a").Annotations["a"]
	if got, err := ev.Annotation("a"); err != nil || string(got) != want {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := ev.Annotation("b"); err != nil || got != nil {
		t.Errorf("of none: %q, %v", got, err)
	}
}

func TestJSONWatchesEndAsProtobufOnesDo(t *testing.T) {
	end := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{ResourceVersion: "8", Annotations: map[string]string{metav1.InitialEventsAnnotationKey: "true"}}}
	stream := slices.Concat(line(t, "ADDED", encodeJSON(t, fullPod("a"), "Pod")), line(t, "BOOKMARK", encodeJSON(t, &corev1.Pod{}, "Pod")), line(t, "BOOKMARK", encodeJSON(t, end, "Pod")))
	var ends []bool
	if err := jsonEvents(stream, 64, func(ev Event) error { ends = append(ends, ev.EndsInitial()); return nil }); err != nil || !slices.Equal(ends, []bool{false, false, true}) {
		t.Errorf("%v, %v", ends, err)
	}

	gone := &metav1.Status{Code: 410, Message: "too old resource version", Reason: metav1.StatusReasonExpired}
	err := jsonEvents(line(t, "ERROR", encodeJSON(t, gone, "Status")), 1<<20, func(Event) error {
		t.Error("an error was handed on as an event")
		return nil
	})
	var status *StatusError
	if !errors.As(err, &status) || status.Code != 410 || status.Message != "too old resource version" {
		t.Errorf("got %v", err)
	}
}

func TestBrokenJSONWatchesAreToldApart(t *testing.T) {
	whole := line(t, "ADDED", encodeJSON(t, fullPod("a"), "Pod"))
	for name, c := range map[string]struct {
		bytes string
		want  error
	}{
		"ended between events":      {string(whole), nil},
		"blank lines":               {"\n \n" + string(whole) + "\n", nil},
		"cut off within an event":   {string(whole[:len(whole)-3]), io.ErrUnexpectedEOF},
		"cut off before the end":    {string(whole[:len(whole)-1]), io.ErrUnexpectedEOF},
		"a line of half an event":   {string(whole[:len(whole)/2]) + "\n", ErrMalformed},
		"Protobuf":                  {string(frame(t, "ADDED", encode(t, fullPod("a"), "Pod"))), ErrMalformed},
		"no object":                 {`{"type":"ADDED"}` + "\n", ErrMalformed},
		"an object that is none":    {`{"type":"ADDED","object":"x"}` + "\n", ErrMalformed},
		"a type that is none":       {`{"type":5,"object":{}}` + "\n", ErrMalformed},
		"no comma":                  {`{"type":"ADDED" "object":{}}` + "\n", ErrMalformed},
		"nothing behind a comma":    {`{"type":"ADDED",}` + "\n", ErrMalformed},
		"a key without a value":     {`{"type"}` + "\n", ErrMalformed},
		"a string without an end":   {`{"type":"ADDED\"}` + "\n", ErrMalformed},
		"text":                      {"404 page not found\n", ErrMalformed},
		"a code that is no number":  {`{"type":"ERROR","object":{"code":"x"}}` + "\n", ErrMalformed},
		"a version that is no text": {`{"type":"ADDED","object":{"metadata":{"resourceVersion":7}}}` + "\n", ErrMalformed},
		"a version that is no number": {
			`{"type":"ADDED","object":{"metadata":{"resourceVersion":"x"}}}` + "\n", ErrMalformed,
		},
	} {
		err := jsonEvents([]byte(c.bytes), 7, func(ev Event) error { _, err := ev.Version(); return err })
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

// An endless line is given up, and is not held.
func TestAJSONLineWithoutAnEndIsGivenUp(t *testing.T) {
	s := Splitter{Format: JSON}
	err := s.Feed([]byte("{"), nil)
	part := make([]byte, 1<<20)
	for range maxFrame>>20 + 1 {
		if err == nil {
			err = s.Feed(part, nil)
		}
	}
	if !errors.Is(err, ErrMalformed) {
		t.Errorf("got %v", err)
	}
}

// FuzzJSONEvents feeds the readers hostile bytes: they may refuse, and must not
// crash or hang.
func FuzzJSONEvents(f *testing.F) {
	f.Add(line(f, "ADDED", encodeJSON(f, fullPod("a"), "Pod")))
	f.Add(line(f, "ERROR", []byte(`{"code":410}`)))
	f.Add([]byte("{\"type\":\"\\\"\n{}"))
	f.Fuzz(func(_ *testing.T, b []byte) {
		_ = jsonEvents(b, 5, func(ev Event) error {
			_, _ = ev.Version()
			_, _ = ev.Annotation("a")
			return ev.Pod(new(Pod))
		})
		_, _ = JSON.List(b, func(ev Event) { _ = ev.Pod(new(Pod)) })
	})
}

// FuzzJSONPod holds the lean reader against the real decoder: where that accepts
// the bytes, and says that no field comes twice, both must have read the same.
func FuzzJSONPod(f *testing.F) {
	f.Add(encodeJSON(f, fullPod("a"), "Pod"))
	f.Add([]byte(`{"metadata":{"name":"\u0061\ud800","uid":"\\"},"spec":null}`))
	f.Add([]byte(` { "spec" : { "containers" : [ { "name" : "x]" } , null ] } , "status" : { } } `))
	strict := jsonserializer.NewSerializerWithOptions(jsonserializer.DefaultMetaFactory, scheme.Scheme, scheme.Scheme, jsonserializer.SerializerOptions{Strict: true})
	kind := corev1.SchemeGroupVersion.WithKind("Pod")
	f.Fuzz(func(t *testing.T, b []byte) {
		var want corev1.Pod
		if _, _, err := strict.Decode(b, &kind, &want); err != nil {
			return
		}
		var got Pod
		if err := got.ReadJSON(b); err != nil {
			t.Fatalf("the decoder takes %q: %v", b, err)
		}
		version, err := Event{Object: b, Format: JSON}.Version()
		if v, bad := number([]byte(want.ResourceVersion)); bad == nil && (err != nil || version != v) {
			t.Errorf("version %d, %v, the decoder %q", version, err, want.ResourceVersion)
		}
		if got.Name != want.Name || got.Namespace != want.Namespace || got.UID != string(want.UID) || got.ResourceVersion != want.ResourceVersion ||
			got.Node != want.Spec.NodeName || got.Scheduler != want.Spec.SchedulerName || got.HostNetwork != want.Spec.HostNetwork || got.Phase != string(want.Status.Phase) ||
			got.PodIP != want.Status.PodIP || got.ServiceAccount != want.Spec.ServiceAccountName || got.RestartPolicy != string(want.Spec.RestartPolicy) ||
			got.Deleting != (want.DeletionTimestamp != nil) || len(got.Containers) != len(want.Spec.Containers) {
			t.Errorf("read %+v, the decoder %+v", got, want)
		}
		for i, c := range got.Containers {
			if w := want.Spec.Containers[i]; c.Name != w.Name || c.Image != w.Image {
				t.Errorf("container %+v, the decoder %+v", c, w)
			}
		}
		for name, value := range want.Annotations {
			if got, err := (Event{Object: b, Format: JSON}).Annotation(name); err != nil || string(got) != value {
				t.Errorf("annotation %q: %q, %v, the decoder %q", name, got, err, value)
			}
		}
	})
}

// BenchmarkEvent is what one event of a pod costs a watcher that reads its
// version and one annotation.
func BenchmarkEvent(b *testing.B) {
	for name, c := range map[string]struct {
		format Format
		frame  []byte
	}{
		"protobuf": {Protobuf, frame(b, "MODIFIED", encode(b, fullPod("a"), "Pod"))[4:]},
		"json":     {JSON, line(b, "MODIFIED", encodeJSON(b, fullPod("a"), "Pod"))},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(c.frame)))
			for b.Loop() {
				ev, err := c.format.Event(c.frame)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := ev.Version(); err != nil {
					b.Fatal(err)
				}
				if _, err := ev.Annotation("a"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
