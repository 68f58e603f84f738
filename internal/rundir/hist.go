package rundir

import (
	"fmt"
	"maps"
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// The geometry of the histograms: microseconds from 1 µs to 5 min, with three
// significant digits, so that a quantile is within 0.1 % of the truth. What took
// longer counts in the highest bucket, and is longer than HistHighest as far as
// anybody knows.
const (
	HistLowest  = 1
	HistHighest = 300_000_000
	HistDigits  = 3
)

// NewHist returns an empty histogram of a Window's geometry.
func NewHist() *hdrhistogram.Histogram {
	return hdrhistogram.New(HistLowest, HistHighest, HistDigits)
}

// EncodeHist returns a histogram as it stands in Window.Hist; empty for one
// without values.
func EncodeHist(h *hdrhistogram.Histogram) (string, error) {
	if h == nil || h.TotalCount() == 0 {
		return "", nil
	}
	e := encoders.Get().(*encoder)
	defer encoders.Put(e)
	text, err := e.encode(h)
	if err != nil {
		return "", fmt.Errorf("encode histogram: %w", err)
	}
	return text, nil
}

// histPrefix begins every V2 compressed histogram: its cookie, in base64.
const histPrefix = "HISTF"

// DecodeHist reads a Window.Hist; an empty text is an empty histogram. It
// refuses a geometry other than NewHist's, so that all of them add up, and so
// that a damaged file cannot ask for all memory.
func DecodeHist(text string) (*hdrhistogram.Histogram, error) {
	if text == "" {
		return NewHist(), nil
	}
	if !strings.HasPrefix(text, histPrefix) {
		return nil, fmt.Errorf("not a V2 compressed histogram")
	}
	h, err := hdrhistogram.Decode([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("decode histogram: %w", err)
	}
	if h.LowestTrackableValue() != HistLowest || h.HighestTrackableValue() != HistHighest || h.SignificantFigures() != HistDigits {
		return nil, fmt.Errorf("histogram of %d…%d with %d digits, want %d…%d with %d",
			h.LowestTrackableValue(), h.HighestTrackableValue(), h.SignificantFigures(), HistLowest, HistHighest, HistDigits)
	}
	return h, nil
}

// Merge adds another window of the same key to w, as the windows of several
// seconds or of several generators are added: counts, errors and bytes add,
// histograms add bucket by bucket, the lag is the larger one, and the time is
// what spans both.
func (w *Window) Merge(o Window) error {
	if w.Key != o.Key {
		return fmt.Errorf("merge windows: series %+v is not %+v", o.Key, w.Key)
	}
	h, err := mergeHist(w.Hist, o.Hist)
	if err != nil {
		return fmt.Errorf("merge windows: %w", err)
	}
	waits, err := mergeHist(w.Waits, o.Waits)
	if err != nil {
		return fmt.Errorf("merge windows: %w", err)
	}
	w.Hist, w.Waits = h, waits
	w.From, w.To = min(w.From, o.From), max(w.To, o.To)
	w.OK += o.OK
	w.Bytes += o.Bytes
	w.Inflated += o.Inflated
	w.LagMax = max(w.LagMax, o.LagMax)
	w.Errors, w.Again = sum(w.Errors, o.Errors), sum(w.Again, o.Again)
	return nil
}

// sum adds counts by code; it changes neither.
func sum(a, b map[string]uint64) map[string]uint64 {
	if len(b) == 0 {
		return a
	}
	out := maps.Clone(a)
	if out == nil {
		out = map[string]uint64{}
	}
	for code, n := range b {
		out[code] += n
	}
	return out
}

func mergeHist(a, b string) (string, error) {
	switch {
	case b == "":
		return a, nil
	case a == "":
		return b, nil
	}
	ha, err := DecodeHist(a)
	if err != nil {
		return "", err
	}
	hb, err := DecodeHist(b)
	if err != nil {
		return "", err
	}
	ha.Merge(hb)
	return EncodeHist(ha)
}
