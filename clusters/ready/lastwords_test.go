package ready

import "testing"

func TestLastWords(t *testing.T) {
	const stack = "I1126 12:00:01.000000 1 server.go:1] \"well\"\npanic: close of closed channel\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/main.go:7 +0x1d\nexit\n"
	for _, c := range []struct{ how, log, want string }{
		{"exit status 2", stack, "exit status 2: panic: close of closed channel"},
		{"exit status 2", "2026-11-26T12:47:08.1Z stderr F fatal error: concurrent map writes\n2026-11-26T12:47:08.1Z stderr F more\n", "exit status 2: fatal error: concurrent map writes"},
		{"exit status 1", "one\nE1126 server.go:9] \"Leaderelection lost\"\n\n", "exit status 1: E1126 server.go:9] \"Leaderelection lost\""},
		{"exit status 1", "", "exit status 1"},
		{"signal: killed", stack, "signal: killed"},
		{"ended", stack, "ended"},
	} {
		if got := Words(c.how, c.log); got != c.want {
			t.Errorf("%s after %q: %q, want %q", c.how, c.log, got, c.want)
		}
		path := t.TempDir() + "/log"
		write(t, path, "panic: of the process before\n"+c.log)
		if got := LastWords(c.how, path, int64(len("panic: of the process before\n"))); got != c.want {
			t.Errorf("from the file: %q, want %q", got, c.want)
		}
	}
}
