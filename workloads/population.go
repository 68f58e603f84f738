package workloads

import (
	"fmt"
	"sync"
)

// population is the objects that a load knows to be there, of which there may
// be only so many. While a request of the load's is at work on one, no other
// takes it, so that the load is never in its own way.
type population struct {
	mu   sync.Mutex
	idle []member
	busy int    // objects that a request is at work on, those that it makes included
	most int    // idle and busy together
	made uint64 // names given so far
}

// member is one object.
type member struct {
	n       uint64 // its name's number
	version uint64 // resourceVersion; 0: not known
}

// take takes an object to change or delete, by a number at random, or room for
// a new one. Where there is none of what is wanted, it gives the other: it may
// be called as long as fewer than most are busy.
func (p *population) take(fresh bool, at uint64) (m member, isFresh bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	full := len(p.idle)+p.busy >= p.most
	p.busy++
	if len(p.idle) == 0 || fresh && !full {
		p.made++
		return member{n: p.made - 1}, true
	}
	i, last := int(at%uint64(len(p.idle))), len(p.idle)-1
	m = p.idle[i]
	p.idle[i] = p.idle[last]
	p.idle = p.idle[:last]
	return m, false
}

// put gives an object back.
func (p *population) put(m member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy--
	p.idle = append(p.idle, m)
}

// drop forgets an object that is not there, or is not known to be.
func (p *population) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy--
}

// checkPopulation says whether the population can give every request in flight an object
// of its own.
func checkPopulation(population, inFlight int) []string {
	switch {
	case population < 1 || population > maxPopulation:
		return []string{fmt.Sprintf("population: %d is not between 1 and %d", population, maxPopulation)}
	case population < inFlight:
		return []string{fmt.Sprintf("population: %d objects are too few for inFlight: %d, since each request in flight has an object of its own", population, inFlight)}
	}
	return nil
}

// maxPopulation is beyond what an etcd of 8 GiB can hold of objects that carry
// anything.
const maxPopulation = 1_000_000
