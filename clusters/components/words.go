package components

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/storm-harness/storm/internal/priority"
)

// Words are the flags and the feature gates that a binary lists in its help.
// The help leaves some out that the binary takes all the same: hidden and
// deprecated flags, gates that have become general. So a word that is in it is
// known; of one that is not, the binary itself is asked (Takes).
type Words struct {
	Flags []string `json:"flags"` // without the dashes
	Gates []string `json:"gates"`
}

// wordsFile is beside the manifest of a cached binary, and holds its Words.
const wordsFile = "words.json"

// keptWords is wordsFile: the digest tells a binary from its successor.
type keptWords struct {
	SHA256 string `json:"sha256"`
	Words
}

// asked is a binary that was asked. The servers of Kubernetes are one file when
// storm builds them, which lists other words under each of its names.
type asked struct{ name, sha256 string }

// Words returns what a binary lists. It is asked once: what it says is kept
// beside it in the cache, or, of one in a binDir, for as long as the store is
// open.
func (s *Store) Words(ctx context.Context, b Binary) (Words, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := asked{b.Name, b.SHA256}
	if w, ok := s.words[key]; ok {
		return w, nil
	}
	file := filepath.Join(filepath.Dir(b.Path), wordsFile)
	cached := strings.HasPrefix(b.Path, s.cache.files+string(filepath.Separator))
	if cached {
		var kept keptWords
		if data, err := os.ReadFile(file); err == nil && json.Unmarshal(data, &kept) == nil && kept.SHA256 == b.SHA256 {
			s.words[key] = kept.Words
			return kept.Words, nil
		}
	}
	help, err := ask(ctx, b.Path, "--help")
	if err != nil {
		return Words{}, err
	}
	w := readWords(help)
	if len(w.Flags) == 0 {
		return Words{}, fmt.Errorf("%s --help lists no flags; it says %q", b.Path, firstLine(help))
	}
	s.words[key] = w
	if cached {
		// Without the file the binary is asked again next time, no more.
		if data, err := json.Marshal(keptWords{b.SHA256, w}); err == nil {
			_ = replaceFile(file, append(data, '\n'))
		}
	}
	return w, nil
}

// replaceFile writes a file so that no reader meets half of it.
func replaceFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

var (
	flagLine = regexp.MustCompile(`(?m)^\s+(?:-[a-zA-Z], )?--([a-zA-Z0-9][a-zA-Z0-9-]*)`)
	gateWord = regexp.MustCompile(`\b([A-Z][A-Za-z0-9]*)=true\|false`)
)

// readWords finds the words in a help text: a flag begins a line, a gate is
// followed by its two values.
func readWords(help string) Words {
	find := func(re *regexp.Regexp) []string {
		out := []string{}
		for _, m := range re.FindAllStringSubmatch(help, -1) {
			out = append(out, m[1])
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	return Words{find(flagLine), find(gateWord)}
}

// RefusedError is what a binary says of flags that it does not take.
type RefusedError struct{ Says string }

func (e *RefusedError) Error() string { return e.Says }

// Takes asks a binary whether it takes flags, each "--name=value": it is run
// with them and --version, so that it reads them and ends. Where it does not,
// the error is a *RefusedError.
func (b Binary) Takes(ctx context.Context, flags []string) error {
	_, err := ask(ctx, b.Path, append(slices.Clone(flags), "--version")...)
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() {
		return &RefusedError{complaint(string(exit.Stderr))}
	}
	return err
}

// complaint finds in what a binary printed what is wrong: the Kubernetes servers
// say "Error: …", or log it; etcd says it first.
func complaint(said string) string {
	for line := range strings.Lines(said) {
		if why, ok := strings.CutPrefix(line, "Error: "); ok {
			return strings.TrimSpace(why)
		}
		if _, why, ok := strings.Cut(line, `"command failed" err=`); ok {
			if text, err := strconv.Unquote(strings.TrimSpace(why)); err == nil {
				return text
			}
		}
	}
	return strings.TrimSpace(firstLine(strings.TrimSpace(said)))
}

// ask runs a binary that is to answer and end, and returns what it printed.
func ask(ctx context.Context, path string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.WaitDelay = time.Second
	var out []byte
	err := priority.Ordinarily(func() (err error) {
		out, err = cmd.Output()
		return err
	})
	if err != nil {
		return "", fmt.Errorf("asking %s %s: %w%s", path, strings.Join(args, " "), err, stderrOf(err))
	}
	return string(out), nil
}
