package doctor

import "testing"

func TestEveryLookSaysWhatItFound(t *testing.T) {
	for _, f := range Look(t.Context(), Options{DataDir: t.TempDir()}) {
		t.Logf("%-20s %-5v %s", f.Name, f.OK, f.Found)
		if f.Found == "" {
			t.Errorf("%s: nothing said", f.Name)
		}
		if f.OK && f.Disables != "" {
			t.Errorf("%s: is there, yet said to disable %q", f.Name, f.Disables)
		}
	}
}
