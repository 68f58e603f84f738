package due

import (
	"sync"
	"testing"
	"time"
)

type clock struct{ origin time.Time }

func (c clock) Now() int64 { return int64(time.Since(c.origin)) }

// guest has a deadline, and says when it is up.
type guest struct {
	Item
	n    int
	tell func(n int)
}

func (g *guest) Expire() { g.tell(g.n) }

// Whoever is taken out is left alone, and the others are told in their order,
// each once; some add themselves again as they are told.
func TestWhatIsDueIsTold(t *testing.T) {
	c := clock{time.Now()}
	l := NewList(c)
	const n = 1000
	var mu sync.Mutex
	var told []int
	var all sync.WaitGroup
	tell := func(n int) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, n)
		all.Done()
	}
	guests := make([]*guest, n)
	again := &guest{n: n, tell: tell}
	all.Add(n/2 + 1)
	at := c.Now() + int64(20*time.Millisecond)
	for i := range guests {
		guests[i] = &guest{n: i, tell: tell}
		if i == 100 {
			guests[i].tell = func(int) { l.Add(&again.Item, c.Now(), again) }
		}
		l.Add(&guests[i].Item, at, guests[i])
	}
	for i := 1; i < n; i += 2 {
		l.Remove(&guests[i].Item)
		l.Remove(&guests[i].Item) // which was out already
	}
	all.Done() // number 100 has somebody else told instead
	all.Wait()
	if !l.Empty() {
		t.Error("something is left")
	}
	if c.Now() < at {
		t.Error("told too early")
	}
	last := -1
	for _, got := range told[:len(told)-1] {
		if got%2 == 1 || got <= last || got == 100 {
			t.Fatalf("told %d after %d", got, last)
		}
		last = got
	}
	if told[len(told)-1] != n {
		t.Errorf("told %d last, want %d", told[len(told)-1], n)
	}
}
