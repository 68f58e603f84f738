// Package stats is the arithmetic behind a verdict: few, exact, distribution
// free methods for a handful of paired trials. It knows nothing of trials or
// metrics; numbers go in and numbers come out. docs/statistics.md tells why
// these methods and no others.
//
// Values may be infinite, never NaN: a trial that did not recover while it was
// watched has a time of +Inf, so the ratio to one that did is infinite too.
// Everything here works by ranks and order, where "larger than all others" is
// all that has to be known.
package stats
