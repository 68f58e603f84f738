package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// The peers that are built from their modules, at these versions.
const (
	hey  = "github.com/rakyll/hey@v0.1.5"
	kwok = "sigs.k8s.io/kwok/cmd/kwok@v0.8.0"
)

// install returns the path of a peer's executable, which it builds with the go
// command unless an earlier run has.
func (b *bench) install(ctx context.Context, pkg string) (string, error) {
	path, version, _ := strings.Cut(pkg, "@")
	name := filepath.Base(path)
	dir := filepath.Join(b.peers, name+"-"+version)
	file := filepath.Join(dir, name)
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	b.say("building %s, once", pkg)
	cmd := command(ctx, "go", "install", "-trimpath", pkg)
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=", "CGO_ENABLED=0")
	if _, err := output(cmd); err != nil {
		return "", err
	}
	return file, nil
}

// onPath returns the path of a peer that the machine has, or says that it has
// not.
func onPath(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%s: not on this machine", name)
	}
	return path, nil
}

var (
	heyStatus = regexp.MustCompile(`(?m)^\s*\[(\d+)\]\s+(\d+) responses`)
	heyErrors = regexp.MustCompile(`(?m)^\s*\[(\d+)\]\s`)
	wrkCount  = regexp.MustCompile(`(?m)^\s*(\d+) requests in `)
	wrkOther  = regexp.MustCompile(`(?m)^\s*Non-2xx or 3xx responses: (\d+)`)
	wrkSocket = regexp.MustCompile(`(?m)^\s*Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)`)
)

// heyMost is how many answers hey keeps the status of.
const heyMost = 1_000_000

// readHey reads what hey prints: how many answers had which status.
func readHey(text string) (result, error) {
	var r result
	text, errors, _ := strings.Cut(text, "Error distribution:")
	for _, m := range heyStatus.FindAllStringSubmatch(text, -1) {
		n, err := strconv.ParseUint(m[2], 10, 64)
		switch {
		case err != nil:
			return r, fmt.Errorf("hey says %q", m[0])
		case m[1] == "200":
			r.OK += n
		default:
			r.fail(m[1], n)
		}
	}
	for _, m := range heyErrors.FindAllStringSubmatch(errors, -1) {
		n, _ := strconv.ParseUint(m[1], 10, 64) // the expression has digits only
		r.fail("error", n)
	}
	if r.OK >= heyMost {
		return r, fmt.Errorf("hey counts no more than %d answers: choose a shorter -load", heyMost)
	}
	if r.OK == 0 {
		return r, fmt.Errorf("hey names no answer with status 200: %q", text[:min(len(text), 300)])
	}
	return r, nil
}

// readWrk reads what wrk prints: how many requests there were, and how many
// were answered otherwise than with a success.
func readWrk(text string) (result, error) {
	var r result
	m := wrkCount.FindStringSubmatch(text)
	if m == nil {
		return r, fmt.Errorf("wrk names no requests: %q", text[:min(len(text), 300)])
	}
	r.OK, _ = strconv.ParseUint(m[1], 10, 64) // the expression has digits only
	if m := wrkOther.FindStringSubmatch(text); m != nil {
		n, _ := strconv.ParseUint(m[1], 10, 64)
		n = min(n, r.OK)
		r.OK -= n
		r.fail("status", n)
	}
	if m := wrkSocket.FindStringSubmatch(text); m != nil {
		for _, digits := range m[1:] {
			n, _ := strconv.ParseUint(digits, 10, 64)
			if n > 0 {
				r.fail("socket", n)
			}
		}
	}
	return r, nil
}
