package main

import "time"

// spanOf is what trial i, from 0, is expected to take.
func (n *narrator) spanOf(i int) time.Duration {
	if i < len(n.spans) {
		return n.spans[i]
	}
	return aroundTrial
}

// ran returns what the trials so far were expected to take, the part of the
// one in hand that has passed, and what the rest is expected to take.
func (n *narrator) ran() (done, passed, rest time.Duration) {
	for i := range len(n.took) {
		done += n.spanOf(i)
	}
	for i := len(n.took); i < n.at.Trials; i++ {
		rest += n.spanOf(i)
	}
	if n.trial > len(n.took) {
		passed = min(n.now().Sub(n.trialAt), n.spanOf(n.trial-1))
	}
	return done, passed, rest - passed
}

// overall is how much of all trials is done, from 0 to 1: in time, since a
// tour takes longer than a trial of a block.
func (n *narrator) overall() float64 {
	done, passed, rest := n.ran()
	if all := done + passed + rest; all > 0 {
		return float64(done+passed) / float64(all)
	}
	return 0
}

// eta is how long the rest will take: as the scenario says, in proportion to
// what the trials so far took against what it said of them.
func (n *narrator) eta() time.Duration {
	done, _, rest := n.ran()
	if done == 0 {
		return rest
	}
	var took time.Duration
	for _, d := range n.took {
		took += d
	}
	return time.Duration(float64(rest) * float64(took) / float64(done))
}
