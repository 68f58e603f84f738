// Package measure observes a trial: latencies, probes, scrapes, processes and
// a journal of acknowledged writes. It writes what it sees into the trial's
// directory as it goes and concludes nothing; the report does.
package measure
