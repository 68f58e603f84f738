package render

import "testing"

// The value that stands beside a reason is not said again, and the parenthesis
// after it becomes the sentence.
func TestWhy(t *testing.T) {
	for _, c := range []struct{ value, reason, want string }{
		{"4.44× lower", "4.44× lower (96.1 % interval 4.33–4.53×)", "96.1 % interval 4.33–4.53×"},
		{"4.1× higher", "4.1× higher (96.1 % interval 2.31–7.38×): wholly beyond the margin of 50 %", "96.1 % interval 2.31–7.38×: wholly beyond the margin of 50 %"},
		{
			"3.87× higher", "3.87× higher (96.1 % interval 2.33–6.68×): beyond the margin by itself (p 0.0547 after Holm's correction)",
			"96.1 % interval 2.33–6.68×: beyond the margin by itself (p 0.0547 after Holm's correction)",
		},
		{"100 %", "100 %, the median of 8 trials (worst 100 % in 027)", "the median of 8 trials (worst 100 % in 027)"},
		{"", "nothing was measured", "nothing was measured"},
		{"5", "5", "5"},
	} {
		if got := why(c.value, c.reason); got != c.want {
			t.Errorf("%q: got %q, want %q", c.reason, got, c.want)
		}
	}
}
