package local

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/components"
	"github.com/storm-harness/storm/clusters/flags"
	"github.com/storm-harness/storm/internal/strict"
)

// Unknown asks the binaries that a spec wants which of its flags, feature gates
// and environment they do not take: found has them, each "field: message" as
// Check has them. A binary that is not there yet cannot be asked; missing names
// it. An error says that one could not be asked though it is there.
func Unknown(ctx context.Context, store *components.Store, spec clusters.Spec) (found, missing []string, err error) {
	spec = spec.Defaulted()
	q := &inquiry{store: store}
	shards := spec.AllShards()
	for i, sh := range shards {
		field := "etcd"
		given, env := sh.Flags, sh.Env
		if i > 0 {
			field = fmt.Sprintf("etcd.shards[%d]", i-1)
			if sh.Version == shards[0].Version && sh.BinDir == shards[0].BinDir { // what it inherits was asked there
				given, env = beyond(given, shards[0].Flags), beyond(env, shards[0].Env)
			}
		}
		if q.turnTo(ctx, field, components.Request{Name: components.Etcd, Version: sh.Version, BinDir: sh.BinDir}, len(given)+len(env) > 0) {
			q.flags(ctx, given, func(fs flags.Set) flags.Set { return fs.SpelledFor(q.binary.Version) })
			q.etcdEnv(ctx, env)
		}
	}
	for _, d := range besideEtcd(spec) {
		if q.turnTo(ctx, "kubernetes."+d.field, d.request, len(d.Flags)+len(d.FeatureGates) > 0) {
			q.flags(ctx, d.Flags, asWritten)
			q.gates(ctx, d.FeatureGates)
		}
	}
	return q.found, q.missing, q.err
}

// deployed is a part of the control plane, but for etcd, as a spec has it.
type deployed struct {
	field   string
	request components.Request
	clusters.Deployment
}

// besideEtcd are those that a defaulted spec has.
func besideEtcd(spec clusters.Spec) []deployed {
	k := spec.Kubernetes
	of := func(field string, kind clusters.Kind, d clusters.Deployment) deployed {
		return deployed{field, components.Request{Name: string(kind), Version: d.Version, BinDir: d.BinDir}, d}
	}
	return slices.DeleteFunc([]deployed{
		of("apiserver", clusters.KindAPIServer, k.APIServer), of("controllerManager", clusters.KindControllerManager, k.ControllerManager),
		of("scheduler", clusters.KindScheduler, k.Scheduler),
	}, func(d deployed) bool { return *d.Replicas == 0 })
}

// Asked are the parts of the control plane, but for etcd, that Unknown asks because
// the spec has flags or feature gates of theirs.
func Asked(spec clusters.Spec) (out []components.Request) {
	for _, d := range besideEtcd(spec.Defaulted()) {
		if len(d.Flags)+len(d.FeatureGates) > 0 {
			out = append(out, d.request)
		}
	}
	return out
}

// beyond returns what own has beyond, or other than, what is inherited.
func beyond(own, inherited map[string]string) map[string]string {
	out := maps.Clone(own)
	maps.DeleteFunc(out, func(name, value string) bool {
		v, ok := inherited[name]
		return ok && v == value
	})
	return out
}

// inquiry asks one binary after the other.
type inquiry struct {
	store *components.Store

	binary components.Binary // the one in turn
	words  components.Words
	field  string // where the spec names it

	found, missing []string
	err            error
}

// turnTo turns to a binary; it says whether there is one to be asked. That a
// binDir has the binary is looked at in any case.
func (q *inquiry) turnTo(ctx context.Context, field string, r components.Request, asks bool) bool {
	q.field = field
	if q.err != nil || !asks && r.BinDir == "" {
		return false
	}
	b, ok, err := q.store.Have(ctx, r)
	switch {
	case err != nil && r.BinDir != "":
		q.bad("binDir", "%s", err)
	case err != nil:
		q.err = err
	case !ok:
		if what := r.Name + " " + r.Version; !slices.Contains(q.missing, what) {
			q.missing = append(q.missing, what)
		}
	case asks:
		q.binary = b
		q.words, q.err = q.store.Words(ctx, b)
	}
	return ok && asks && q.err == nil
}

func (q *inquiry) bad(field, format string, args ...any) {
	q.found = append(q.found, q.field+"."+field+": "+fmt.Sprintf(format, args...))
}

// String names the binary in messages.
func (q *inquiry) String() string { return q.binary.Name + " " + q.binary.Version }

// ask runs the binary with some flags, and returns what it says against them.
func (q *inquiry) ask(ctx context.Context, flags ...string) (refused string) {
	if q.err != nil {
		return ""
	}
	err := q.binary.Takes(ctx, flags)
	var r *components.RefusedError
	if errors.As(err, &r) {
		return r.Says
	}
	q.err = err
	return ""
}

// flags asks for all flags at once and, where that is refused, for each. spell
// writes them as the binary's version has them.
func (q *inquiry) flags(ctx context.Context, given map[string]string, spell func(flags.Set) flags.Set) {
	all := flags.Set{}.With(taken(given))
	if len(all) == 0 {
		return
	}
	together := q.ask(ctx, spell(all).Argv()...)
	if together == "" {
		return
	}
	before := len(q.found)
	for _, f := range all {
		spelt := spell(flags.Set{f})
		if says := q.ask(ctx, spelt.Argv()...); says != "" {
			q.refusedFlag(f.Name, spelt[len(spelt)-1], says)
		}
	}
	if len(q.found) == before {
		q.bad("flags", "%s refuses them together: %s", q, together)
	}
}

// asWritten is the spelling of the Kubernetes servers' flags.
func asWritten(fs flags.Set) flags.Set { return fs }

// taken leaves out the flags that are taken away.
func taken(given map[string]string) map[string]string {
	out := maps.Clone(given)
	maps.DeleteFunc(out, func(_, value string) bool { return value == flags.Remove })
	return out
}

// refusedFlag says of a flag, which the scenario calls by a name that may be
// another version's, why the binary does not take it.
func (q *inquiry) refusedFlag(name string, asked flags.Flag, says string) {
	if slices.Contains(q.words.Flags, asked.Name) {
		q.bad("flags."+name, "%s refuses --%s=%s: %s", q, asked.Name, asked.Value, says)
		return
	}
	spelt := ""
	if asked.Name != name {
		spelt = ", nor as --" + asked.Name
	}
	q.bad("flags."+name, "%s does not know the flag --%s%s%s", q, name, spelt, q.near(name, q.words.Flags))
}

// near suggests the word that was meant.
func (q *inquiry) near(word string, right []string) string {
	if near, ok := strict.Nearest(word, right); ok {
		return ": did you mean " + near + "?"
	}
	return fmt.Sprintf(": see `%s --help`", q.binary.Path)
}

// gates asks for feature gates, in the same way.
func (q *inquiry) gates(ctx context.Context, given map[string]bool) {
	arg := func(on map[string]bool) string { return "--" + flags.GatesFlag + "=" + flags.Gates(on, "") }
	if len(given) == 0 {
		return
	}
	together := q.ask(ctx, arg(given))
	if together == "" {
		return
	}
	before := len(q.found)
	for _, name := range slices.Sorted(maps.Keys(given)) {
		says := q.ask(ctx, arg(map[string]bool{name: given[name]}))
		switch {
		case says == "":
		case strings.Contains(says, "unrecognized feature gate"):
			q.bad("featureGates."+name, "%s does not know the feature gate %s%s", q, name, q.near(name, q.words.Gates))
		default:
			q.bad("featureGates."+name, "%s refuses it: %s", q, says)
		}
	}
	if len(q.found) == before {
		q.bad("featureGates", "%s refuses them together: %s", q, together)
	}
}

// etcdPrefix begins the environment variables that etcd reads as flags.
const etcdPrefix = "ETCD_"

// etcdEnv asks for the flags that etcd reads from variables: of one that it does
// not know it would say so in its log alone, and start.
func (q *inquiry) etcdEnv(ctx context.Context, given map[string]string) {
	variable := func(flag string) string {
		return etcdPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		text, isFlag := strings.CutPrefix(name, etcdPrefix)
		if !isFlag || given[name] == flags.Remove || name == "ETCD_UNSUPPORTED_ARCH" {
			continue
		}
		f := flags.Flag{Name: strings.ToLower(strings.ReplaceAll(text, "_", "-")), Value: given[name]}
		says := q.ask(ctx, flags.Set{f}.Argv()...)
		switch {
		case says == "":
		case slices.Contains(q.words.Flags, f.Name):
			q.bad("env."+name, "%s refuses --%s=%s: %s", q, f.Name, f.Value, says)
		default:
			var right []string
			for _, known := range q.words.Flags {
				right = append(right, variable(known))
			}
			q.bad("env."+name, "%s does not know the flag --%s%s", q, f.Name, q.near(name, right))
		}
	}
}
