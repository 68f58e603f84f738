package workloads

import "sync"

// keyspace is what a load knows of its keys, as an API server's cache does: the
// revision of each that is there. A key that a request is about belongs to that
// request alone until it is given back.
type keyspace struct {
	mu      sync.Mutex
	absent  []key
	present []key
}

// key is one of the keys.
type key struct {
	index    int
	revision int64 // the last that is known of its value; 0: it is not there
}

// unknownRevision is of a key whose last request had no answer. No key has it,
// so that the next request finds it to be outdated, and reads what is there.
const unknownRevision = -1

func newKeyspace(count int) *keyspace {
	k := &keyspace{absent: make([]key, count)}
	for i := range k.absent {
		k.absent[i].index = i
	}
	return k
}

// take takes a key that is there or not, the one at the quantile u of [0, 1).
func (k *keyspace) take(there bool, u float64) (key, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	from := &k.absent
	if there {
		from = &k.present
	}
	if len(*from) == 0 {
		return key{}, false
	}
	i, last := int(u*float64(len(*from))), len(*from)-1
	taken := (*from)[i]
	(*from)[i] = (*from)[last]
	*from = (*from)[:last]
	return taken, true
}

// look returns a key that is there, without taking it.
func (k *keyspace) look(u float64) (key, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.present) == 0 {
		return key{}, false
	}
	return k.present[int(u*float64(len(k.present)))], true
}

// give gives a key back with what has been learnt of it.
func (k *keyspace) give(back key) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if back.revision == 0 {
		k.absent = append(k.absent, back)
	} else {
		k.present = append(k.present, back)
	}
}
