package reflector

import (
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// misdeeds are what a server may answer, whatever it is asked for.
var misdeeds = []answer{
	write(list), status(410), status(429), status(500), status(403), status(422), ahead, abort, abortWithin,
	gzipped(list), gzipped(cutOff(list)), write(), write(cutOff(list)), write(endOfList("7")), write(cutOff(endOfList("7"))), write(bookmark("12")),
	write(event("ADDED", pod("a", "8"))), write(event("ADDED", pod("a", "x"))), write(event("ADDED", pod("hostile", "8"))), write(event("OTHER", pod("a", "8"))),
	write(event("ERROR", &metav1.Status{Code: 410, Reason: metav1.StatusReasonExpired})), write(event("ERROR", &metav1.Status{Code: 500})),
	write(event("ADDED", pod("z", "5")), endOfList("7"), event("DELETED", pod("z", "9"))),
}

// asAsked is what a server answers that is well.
func asAsked(what string) answer {
	switch verb, _, _ := strings.Cut(what, " "); verb {
	case "list":
		return write(list)
	case "stream":
		return open(event("ADDED", pod("z", "5")), endOfList("7"))
	}
	return open()
}

// Whatever a server answers, and in whichever order, a reflector is in sync once the
// server is well again; what failed has a name.
func FuzzReflector(f *testing.F) {
	f.Add([]byte{0, 1, 1, 0, 11})
	f.Add([]byte{1, 13, 1, 6, 13, 1})
	f.Add([]byte{3, 16, 255, 0, 0, 0, 3, 0xff, 0xff, 0xff})
	f.Add([]byte{2, 9, 10, 12, 14, 20, 21, 22, 19})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 {
			return
		}
		streaming, e := data[0]&1 == 1, encodings[data[0]>>1&1]
		var script []answer
		for _, b := range data[1:min(len(data), 9)] { // the pauses grow with each
			if int(b) < len(misdeeds) {
				script = append(script, misdeeds[b])
				continue
			}
			script = append(script, write(bytesOf(data...))) // nonsense
		}
		p := serveBy(t, e, func(n int, what string) answer {
			if n <= len(script) {
				return script[n-1]
			}
			return asAsked(what)
		})
		r := p.reflector(streaming)
		r.Start(p.clock.Now())
		p.await(func() bool {
			return len(p.asked) > len(script) && r.Shared.Counts.Synced.Load() == 1 && r.Shared.Counts.Open.Load() == 1
		})
		r.Stop()
		if open, synced := r.Shared.Counts.Open.Load(), r.Shared.Counts.Synced.Load(); open != 0 || synced != 0 {
			t.Errorf("after the end %d watches are counted as open, and %d reflectors as in sync", open, synced)
		}
		if codes := strings.Split(p.codes(), ", "); slices.ContainsFunc(codes, func(c string) bool { return strings.HasSuffix(c, " error") }) {
			t.Errorf("failed without a name: %v", codes)
		}
	})
}
