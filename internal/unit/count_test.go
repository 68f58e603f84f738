package unit

import "testing"

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "0 keys", 1: "1 key", 2: "2 keys", 999: "999 keys", 1000: "1,000 keys", 1234567: "1,234,567 keys", -1234: "-1,234 keys"} {
		if got := Count(n, "key"); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
}
