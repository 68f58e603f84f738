package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// options are the command line's.
type options struct {
	letters  string // the rows that are wanted
	nodes    int
	span     time.Duration
	settle   time.Duration
	env      map[string]string // of the API servers
	flags    map[string]string // of the API servers
	alone    bool              // whether control planes are an API server and etcd alone
	load     time.Duration     // of a generator's round
	rounds   int
	inFlight int
	objects  int
	listings int
	soakFor  time.Duration
	sizes    []int
	out      string
	profile  string
}

// usual are the rows that are measured unless others are asked for: soak and
// search take their time.
const usual = "abcdefgh"

func parse(args []string) (options, error) {
	var o options
	var rows, search string
	fs := flag.NewFlagSet("bench-fleet", flag.ContinueOnError)
	fs.Usage = func() {
		fmt.Fprint(os.Stderr, "bench-fleet measures what storm costs, beside its peers. The rows:\n\n")
		for _, g := range groups {
			fmt.Fprintf(os.Stderr, "  %-6s %s\n", strings.Join(strings.Split(g.rows, ""), ","), g.what)
		}
		fmt.Fprint(os.Stderr, "\n")
		fs.PrintDefaults()
	}
	fs.StringVar(&rows, "rows", "", "which `rows`, such as a,c,d (default a to h, i with -soak, j with -search)")
	fs.IntVar(&o.nodes, "nodes", 5000, "nodes of the fleet, and of KWOK")
	fs.DurationVar(&o.span, "span", 10*time.Minute, "how long a fleet is measured")
	fs.DurationVar(&o.settle, "settle", 30*time.Second, "how long a fleet runs before it is measured")
	fs.DurationVar(&o.load, "load", 20*time.Second, "how long each round of a request generator lasts")
	fs.Func("env", "environment of the API servers, as `NAME=VALUE`, such as GOGC=300 where there is memory to spare; may be repeated", pairs(&o.env))
	fs.Func("flag", "flag of the API servers, as `NAME=VALUE`, such as goaway-chance=0.001; may be repeated", pairs(&o.flags))
	fs.BoolVar(&o.alone, "alone", false, "control planes of an API server and etcd alone, without controller manager and scheduler")
	fs.IntVar(&o.rounds, "rounds", 3, "rounds of the generators, who take turns")
	fs.IntVar(&o.inFlight, "inflight", 64, "requests in flight at saturation")
	fs.IntVar(&o.objects, "objects", 5000, "objects in the list of row f")
	fs.IntVar(&o.listings, "lists", 100, "how often row f lists them in a round")
	fs.DurationVar(&o.soakFor, "soak", 0, "how long row i runs, such as 20m")
	fs.StringVar(&search, "search", "", "sizes for row j, rising, such as 5000,7500,10000")
	fs.StringVar(&o.out, "o", "", "also write the table to this `file`")
	fs.StringVar(&o.profile, "profile", "", "write a processor profile of storm in the last of rows a, b and e to this `file`, and its heap to FILE.heap; it costs a little itself")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("%s: no arguments beside the flags", fs.Arg(0))
	}
	for word := range strings.SplitSeq(search, ",") {
		if word == "" {
			continue
		}
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 || len(o.sizes) > 0 && n <= o.sizes[len(o.sizes)-1] {
			return o, fmt.Errorf("-search %s: want numbers of nodes, rising", search)
		}
		o.sizes = append(o.sizes, n)
	}
	return o, o.choose(rows)
}

// pairs collects what is given as NAME=VALUE.
func pairs(into *map[string]string) func(string) error {
	*into = map[string]string{}
	return func(text string) error {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return errors.New("want NAME=VALUE")
		}
		(*into)[name] = value
		return nil
	}
}

// choose takes the rows and checks that what they need is there.
func (o *options) choose(rows string) error {
	o.letters = strings.ReplaceAll(rows, ",", "")
	if rows == "" {
		o.letters = usual
		if o.soakFor > 0 {
			o.letters += "i"
		}
		if len(o.sizes) > 0 {
			o.letters += "j"
		}
	}
	for _, r := range o.letters {
		if !strings.ContainsRune(usual+"ij", r) {
			return fmt.Errorf("-rows %s: the rows are a to j", rows)
		}
	}
	switch {
	case strings.Contains(o.letters, "i") && o.soakFor <= 0:
		return fmt.Errorf("row i needs -soak, such as -soak 20m")
	case strings.Contains(o.letters, "j") && len(o.sizes) == 0:
		return fmt.Errorf("row j needs -search, such as -search 5000,7500,10000")
	}
	for name, n := range map[string]int{"nodes": o.nodes, "rounds": o.rounds, "inflight": o.inFlight, "objects": o.objects, "lists": o.listings} {
		if n < 1 || n > 100_000 {
			return fmt.Errorf("-%s %d: want 1 to 100000", name, n)
		}
	}
	for name, d := range map[string]time.Duration{"span": o.span, "load": o.load} {
		if d < time.Second {
			return fmt.Errorf("-%s %s: want 1s or more", name, d)
		}
	}
	return nil
}

// of returns which of these rows are wanted.
func (o *options) of(rows string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(o.letters, r) {
			return r
		}
		return -1
	}, rows)
}
