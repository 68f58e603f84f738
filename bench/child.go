package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/storm-harness/storm/internal/priority"
)

// child plays a generator.
func child(ctx context.Context, name string) error {
	in := bufio.NewReader(os.Stdin)
	first, err := in.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("its setup: %w", err)
	}
	out := &talker{begun: time.Now(), enc: json.NewEncoder(os.Stdout)}
	switch name {
	case "fleet":
		return decoded(first, func(s fleetSetup) error { return s.play(ctx, in, out) })
	case "closed":
		return decoded(first, func(s closedSetup) error { return s.play(ctx, out) })
	case "open":
		return decoded(first, func(s openSetup) error { return s.play(ctx, out) })
	}
	return fmt.Errorf("there is no generator %q", name)
}

func decoded[S any](text []byte, play func(S) error) error {
	var s S
	if err := json.Unmarshal(text, &s); err != nil {
		return fmt.Errorf("its setup: %w", err)
	}
	return play(s)
}

// talker writes messages to the parent.
type talker struct {
	mu    sync.Mutex
	begun time.Time
	enc   *json.Encoder
}

func (t *talker) tell(m message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	m.At = time.Since(t.begun).Seconds()
	_ = t.enc.Encode(m) // a parent that is gone ends this process otherwise
}

// commands calls do for every line of the parent's until there are no more.
func commands(in io.Reader, do func(string)) {
	for lines := bufio.NewScanner(in); lines.Scan(); {
		do(lines.Text())
	}
}

// goFirst has this process go first on the processors, and take little memory,
// as a storm that runs a scenario does, where it may.
func goFirst() {
	priority.GoFirst()
	priority.KeepSmall()
}
