package render

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/storm-harness/storm/report"
)

// TestThinKeepsPeaks: a line of many points is thinned to its budget, and a
// single peak and a single dip stay.
func TestThinKeepsPeaks(t *testing.T) {
	t.Parallel()
	var l report.Line
	for i := range 100000 {
		v := 5.0
		switch i {
		case 31234:
			v = 10
		case 77777:
			v = 0
		}
		l.T, l.V = append(l.T, float64(i)), append(l.V, report.Number(v))
	}
	got := drawn(t, thin(l, scale{lo: 0, hi: 100000}, scale{lo: 0, hi: 10}, 100))
	points := strings.Fields(got)
	if strings.Count(got, "M") != 1 {
		t.Fatalf("%d stretches, want 1", strings.Count(got, "M"))
	}
	if len(points) > 110 {
		t.Errorf("%d points, the budget is 100", len(points))
	}
	for _, want := range []string{"312,0", "778,236"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is missing", want)
		}
	}
}

// TestThinBreaksAtMissing: a stretch of missing values and, on a logarithmic
// axis, of zeros breaks the line; a lone point is drawn as a dash.
func TestThinBreaksAtMissing(t *testing.T) {
	t.Parallel()
	gone := report.Missing()
	l := report.Line{T: []float64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, V: []report.Number{1, 1, 1, gone, gone, 10, 0, 0, 1, 1, 1}}
	got := drawn(t, thin(l, scale{lo: 0, hi: 10}, scale{lo: 1, hi: 10, log: true}, 100))
	if want := "M0,236 100,236 200,236M500,0 504,0M800,236 900,236 1000,236"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestThinBridgesSparse: what has a value every second bin is one line.
func TestThinBridgesSparse(t *testing.T) {
	t.Parallel()
	gone := report.Missing()
	l := report.Line{T: []float64{0, 1, 2, 3, 4, 5, 6}, V: []report.Number{1, gone, 1, gone, gone, 1, gone}}
	if got := drawn(t, thin(l, scale{lo: 0, hi: 10}, scale{lo: 0, hi: 1}, 100)); got != "M0,0 200,0 500,0" {
		t.Errorf("got %q", got)
	}
}

// drawn says where the points of a path lie, as its reader reckons them.
func drawn(t *testing.T, path string) string {
	t.Helper()
	var out []string
	for _, run := range strings.Split(strings.TrimPrefix(path, "M"), "M") {
		from, ways, _ := strings.Cut(run, "l")
		var x, y int
		if _, err := fmt.Sscanf(from, "%d %d", &x, &y); err != nil {
			t.Fatalf("%q begins nowhere: %v", run, err)
		}
		text := fmt.Sprintf("M%d,%d", x, y)
		steps := strings.Fields(strings.ReplaceAll(ways, "-", " -"))
		for i := 0; i+1 < len(steps); i += 2 {
			dx, errX := strconv.Atoi(steps[i])
			dy, errY := strconv.Atoi(steps[i+1])
			if errX != nil || errY != nil {
				t.Fatalf("no way: %q", steps[i:i+2])
			}
			x, y = x+dx, y+dy
			text += fmt.Sprintf(" %d,%d", x, y)
		}
		out = append(out, text)
	}
	return strings.Join(out, "")
}

func TestAxes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		lo, hi      float64
		unit        string
		log         bool
		from, to    float64
		first, last string
		least, most int
	}{
		{name: "zeros", lo: 0, hi: 0, unit: "count", from: 0, to: 1, first: "0", last: "1", least: 2, most: 6},
		{name: "rates", lo: 0, hi: 146, unit: "per second", from: 0, to: 150, first: "0", last: "150/s", least: 3, most: 6},
		{name: "bytes", lo: 0, hi: 350 << 20, unit: "bytes", from: 0, to: 384 << 20, first: "0", last: "384 MiB", least: 3, most: 6},
		{name: "decades", lo: 0.002, hi: 1.9, unit: "seconds", log: true, from: 0.001, to: 10, first: "1 ms", last: "10 s", least: 4, most: 6},
		{name: "narrow", lo: 0.04, hi: 0.05, unit: "seconds", log: true, from: 0.01, to: 0.2, first: "10 ms", last: "200 ms", least: 4, most: 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			y, ticks := linear(c.lo, c.hi, c.unit, 3)
			if c.log {
				y, ticks = logarithmic(c.lo, c.hi)
			}
			if len(ticks) < c.least || len(ticks) > c.most {
				t.Fatalf("ticks %v, want %d to %d", ticks, c.least, c.most)
			}
			if y.at(c.lo) < -1e-9 || y.at(c.hi) > 1+1e-9 {
				t.Errorf("axis %v…%v does not hold %v…%v", y.lo, y.hi, c.lo, c.hi)
			}
			if math.Abs(y.lo-c.from) > 1e-9 || math.Abs(y.hi/c.to-1) > 1e-9 {
				t.Errorf("axis is %v…%v, want %v…%v", y.lo, y.hi, c.from, c.to)
			}
			if first, last := axisValue(ticks[0], c.unit), axisValue(ticks[len(ticks)-1], c.unit); first != c.first || last != c.last {
				t.Errorf("from %q to %q, want from %q to %q", first, last, c.first, c.last)
			}
		})
	}
}

// TestForestBounds: an infinite or far ratio is drawn as an arrow at the edge,
// never outside.
func TestForestBounds(t *testing.T) {
	t.Parallel()
	r := quickstart()
	c := &r.Comparisons[0]
	c.Ratio, c.High, c.Bound = report.Number(math.Inf(1)), report.Number(math.Inf(1)), true
	c.Pairs[0].Ratio = report.Number(math.Inf(1))
	c.Pairs[1].Ratio = 0
	c.Pairs[2].Ratio = report.Missing()
	f := forestOf(r)
	row := f.Groups[1].Rows[0]
	if row.At != "100%" || !row.Hollow || !row.Right || row.Left {
		t.Errorf("estimate at %s (hollow %v), interval beyond left %v, right %v", row.At, row.Hollow, row.Left, row.Right)
	}
	if len(row.Pairs) != 5 || row.Pairs[0].Beyond != "right" || row.Pairs[1].Beyond != "left" || row.Pairs[1].X != "0%" {
		t.Errorf("pairs are %+v", row.Pairs)
	}
}
