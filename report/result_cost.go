package report

// Cost is what the loads cost the servers, in the block trials of a profile or
// in a tour: what capacity planning starts from.
type Cost struct {
	Profile string       `json:"profile"`
	Tour    string       `json:"tour,omitempty"`
	Trials  int          `json:"trials"` // valid ones with a steady phase
	Figures []CostFigure `json:"figures"`
	// Requests is what the API server's processor time went on, as far as that
	// can be told.
	Requests RequestCost `json:"requests"`
	Loads    []LoadCost  `json:"loads"` // what each load asked for, and its part in that
}

// LoadCost is what one load asked for in the steady phases, and what of the API
// servers' processor time its requests took, by the fit of RequestCost. Its watches, and
// what they were sent, are not in it.
type LoadCost struct {
	Load     string `json:"load"`
	Requests Number `json:"requests"` // that the API servers answered, a second
	Bytes    Number `json:"bytes"`    // of their answers on the wire, a second
	Writes   Number `json:"writes"`   // acknowledged, a second
	// Written is the share that these are of all revisions that etcd made, on the
	// shards that were scraped; missing where it is none.
	Written Number `json:"written"`
	// Processors is how many of them its requests took, between Low and High at
	// 95 %; missing where a kind of request that it makes cannot be told apart, and
	// where requests had no answer. Why says so, or what few of them are not in it.
	Processors Number `json:"processors"`
	Low        Number `json:"low"`
	High       Number `json:"high"`
	Share      Number `json:"share"` // of all that the API servers used
	Why        string `json:"why,omitempty"`
}

// CostFigure is one figure: its median over the trials that have it.
type CostFigure struct {
	Name  string `json:"name"`           // apiserver.memory.perWatch
	Part  string `json:"part,omitempty"` // the component or shard
	Group string `json:"group"`          // memory, processor, etcd
	What  string `json:"what"`
	Unit  string `json:"unit"` // as of metrics, and cores
	// Median, Low and High are over the trials that have the figure; missing
	// where none has.
	Median Number `json:"median"`
	Low    Number `json:"low"`
	High   Number `json:"high"`
	Trials int    `json:"trials"`
	Basis  string `json:"basis"`         // how it came about, and what it cannot separate
	Why    string `json:"why,omitempty"` // why it was not measured, in all or some trials
}

// RequestCost is a fit of the API servers' processor time to what they did
// between scrapes: time = background × seconds + Σ cost × number, all costs ≥ 0.
type RequestCost struct {
	Intervals int `json:"intervals"` // between scrapes, of the steady phases of all trials
	// Residual is the root mean square of what the fit leaves, over the mean.
	Residual Number `json:"residual"`
	// Condition is the largest condition index: from 30 on, some kinds move
	// together.
	Condition Number `json:"condition"`
	// LeftOut says what the intervals come from leaving out, in turn: "trials",
	// or "stretches" of the time where there are fewer than three trials.
	LeftOut string     `json:"leftOut,omitempty"`
	Kinds   []KindCost `json:"kinds"`
	Why     string     `json:"why,omitempty"` // why there is no fit
}

// KindCost is what a kind of work costs an API server.
type KindCost struct {
	What  string   `json:"what"`  // "update leases", "watch events sent"
	Loads []string `json:"loads"` // the workloads that do it; empty: not a load's own requests
	Unit  string   `json:"unit"`  // what it is counted in: request, event, second
	Rate  Number   `json:"rate"`  // of them, a second
	// Each is the processor time of one, in seconds, between Low and High at
	// 95 %; missing where it cannot be told.
	Each Number `json:"each"`
	Low  Number `json:"low"`
	High Number `json:"high"`
	// Share of the processor time that the fit gives it; for what moves
	// together, of all of them.
	Share Number `json:"share"`
	// Together: it moves with others of these, and what each costs cannot be told.
	Together bool `json:"together,omitempty"`
}
