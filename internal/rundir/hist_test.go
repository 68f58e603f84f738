package rundir

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"io"
	"math"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/google/go-cmp/cmp"
)

func histOf(t *testing.T, values ...int64) string {
	t.Helper()
	h := NewHist()
	for _, v := range values {
		if err := h.RecordValue(v); err != nil {
			t.Fatal(err)
		}
	}
	text, err := EncodeHist(h)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestMergedWindowsAddUp(t *testing.T) {
	key := Key{Workload: "fleet", Verb: "get"}
	a := Window{Key: key, From: 10, To: 20, OK: 2, Errors: map[string]uint64{"429": 1}, Again: map[string]uint64{"goaway": 4}, Bytes: 5, Hist: histOf(t, 100, 200), LagMax: 7}
	b := Window{Key: key, From: 20, To: 30, OK: 1, Errors: map[string]uint64{"429": 2, "timeout": 1}, Again: map[string]uint64{"goaway": 1, "reset": 2}, Bytes: 6, Hist: histOf(t, 300), LagMax: 3}
	got := a
	if err := got.Merge(b); err != nil {
		t.Fatal(err)
	}
	want := Window{Key: key, From: 10, To: 30, OK: 3, Errors: map[string]uint64{"429": 3, "timeout": 1}, Again: map[string]uint64{"goaway": 5, "reset": 2}, Bytes: 11, Hist: histOf(t, 100, 200, 300), LagMax: 7}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if a.Errors["429"] != 1 {
		t.Error("Merge changed the map of the window it was copied from")
	}
	if err := got.Merge(Window{Key: Key{Workload: "other"}}); err == nil {
		t.Error("windows of two series were merged")
	}
}

func TestAnEmptyHistogramIsNoText(t *testing.T) {
	if text := histOf(t); text != "" {
		t.Errorf("encoded as %q", text)
	}
	h, err := DecodeHist("")
	if err != nil || h.TotalCount() != 0 {
		t.Errorf("decoded to %v, %v", h, err)
	}
}

// What storm writes is what the library writes, but for how hard it is compressed.
func TestTheEncodingIsTheLibrarys(t *testing.T) {
	h := NewHist()
	for i := range int64(5000) {
		v := 1 + i*i*i%HistHighest
		if err := h.RecordValues(v, 1+i%1000); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.RecordValues(HistHighest, math.MaxInt64/4); err != nil {
		t.Fatal(err)
	}
	want, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		t.Fatal(err)
	}
	got, err := EncodeHist(h)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(inflated(t, string(want)), inflated(t, got)); diff != "" {
		t.Error(diff)
	}
}

// inflated is what was compressed in an encoded histogram.
func inflated(t *testing.T, text string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	if n := int(binary.BigEndian.Uint32(b[4:])); n != len(b)-8 {
		t.Fatalf("said to be %d bytes, are %d", n, len(b)-8)
	}
	z, err := zlib.NewReader(bytes.NewReader(b[8:]))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func BenchmarkEncodeHist(b *testing.B) {
	h := NewHist()
	for i := range int64(200) {
		_ = h.RecordValue(500 + i*i)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := EncodeHist(h); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzDecodeHist(f *testing.F) {
	f.Add("HISTFAAAACF42pNpmSzMwMCgyQABzFCaEUoz2X+AsP4zAQB")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := DecodeHist(text)
		if err != nil {
			return
		}
		again, err := EncodeHist(h)
		if err != nil {
			t.Fatal(err)
		}
		h2, err := DecodeHist(again)
		if err != nil {
			t.Fatal(err)
		}
		if !h.Equals(h2) {
			t.Error("not the same after a second round")
		}
	})
}
