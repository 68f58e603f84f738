package docker

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// engine stands in for Docker's store: a file for each container, with its network
// and its labels, and one for each network, with its label. A file in hooks is run
// after the first command that begins with its name.
const engine = `cd "$STORE" || exit 9
said="$*"
case "$1 $2" in
"ps -aq")
	for f in containers/*; do
		[ -e "$f" ] || continue
		case "$5" in
		label=*) grep -qx "${5#label=}" "$f" ;;
		network=*) grep -qx "on ${5#network=}" "$f" ;;
		esac && basename "$f"
	done ;;
"network ls") ls networks ;;
"network inspect") cat "networks/$5" ;;
"network rm") rm "networks/$3" ;;
"rm -f") shift 3; for id; do rm "containers/$id"; done ;;
*) echo "what is $said?" >&2; exit 9 ;;
esac
for h in hooks/*; do
	[ -e "$h" ] || continue
	case "$said" in "$(basename "$h")"*) mv "$h" done && . ./done ;; esac
done
exit 0
`

// store makes what Docker has.
func store(t *testing.T, files map[string]string) string {
	t.Helper()
	command(t, engine)
	dir := t.TempDir()
	t.Setenv("STORE", dir)
	for _, folder := range []string{"containers", "networks", "hooks"} {
		if err := os.Mkdir(filepath.Join(dir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// has lists what there is in a store.
func has(t *testing.T, dir string) string {
	t.Helper()
	var out []string
	for _, folder := range []string{"containers", "networks"} {
		all, err := os.ReadDir(filepath.Join(dir, folder))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			out = append(out, e.Name())
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func TestRemoveOwned(t *testing.T) {
	const (
		member = RunLabel + "=r1\non storm-r1"
		node   = KindLabel + "=storm-r1\non storm-r1"
		late   = "printf '" + KindLabel + "=storm-r1\\non storm-r1\\n' >containers/late"
	)
	for name, c := range map[string]struct {
		files   map[string]string
		removed bool
		left    string // words of it
		stays   string
	}{
		"nothing": {nil, false, "", ""},
		"a cluster": {map[string]string{
			"networks/n": "r1", "containers/member": member, "containers/node": node, "containers/other": KindLabel + "=kind\non kind",
		}, true, "", "other"},
		// kind made it anew, for want of storm's.
		"a network of kind's": {map[string]string{"networks/n": "", "containers/node": node}, true, "", ""},
		"two networks":        {map[string]string{"networks/n": "r1", "networks/m": ""}, true, "", ""},
		// The network is gone, and Docker makes the container all the same.
		"a node that comes late":   {map[string]string{"networks/n": "r1", "hooks/network rm": late}, true, "", ""},
		"one that comes later yet": {map[string]string{"networks/n": "r1", "hooks/network rm": "(sleep 0.4; " + late + ") >/dev/null 2>&1 &"}, true, "", ""},
		// Who asked for it was killed before Docker had made it.
		"a network that comes after nothing": {map[string]string{"hooks/network ls": "(sleep 0.4; echo r1 >networks/n) >/dev/null 2>&1 &"}, true, "", ""},
		"another run's network":              {map[string]string{"networks/n": "r2", "containers/node": node}, true, "labelled as that of run r2", "n"},
		"a stranger that goes": {map[string]string{
			"networks/n": "r1", "containers/stranger": "on storm-r1", "hooks/ps -aq --no-trunc --filter network=": "rm containers/stranger",
		}, true, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := store(t, c.files)
			removed, left, err := RemoveOwned(t.Context(), "r1", "storm-r1")
			if err != nil || removed != c.removed || (left == "") != (c.left == "") || !strings.Contains(left, c.left) {
				t.Errorf("removed %v, left %q, %v", removed, left, err)
			}
			if got := has(t, dir); got != c.stays {
				t.Errorf("there are %q, want %q", got, c.stays)
			}
			if removed, _, err := RemoveOwned(t.Context(), "r1", "storm-r1"); removed || err != nil {
				t.Errorf("the second time: removed %v, %v", removed, err)
			}
		})
	}
}

// What keeps the run's network is named, and the run is not done with.
func TestAStrangerOnTheRunsNetwork(t *testing.T) {
	dir := store(t, map[string]string{"networks/n": "r1", "containers/node": KindLabel + "=storm-r1\non storm-r1", "containers/stranger": "on storm-r1"})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, _, err := RemoveOwned(ctx, "r1", "storm-r1")
	if err == nil || !strings.Contains(err.Error(), "not its own: stranger: remove them") {
		t.Errorf("got %v", err)
	}
	if got := has(t, dir); got != "n stranger" {
		t.Errorf("there are %q", got)
	}
}
