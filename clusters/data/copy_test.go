package data

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// blocks is how much room a file takes, in bytes.
func blocks(t *testing.T, path string) int64 {
	t.Helper()
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st.Blocks * 512
}

// TestCopyKeepsContentAndHoles copies what a member's directory is like:
// preallocated segments of which little is used, a database, the spare segment.
func TestCopyKeepsContentAndHoles(t *testing.T) {
	from, to := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "deep", "b")
	if err := os.MkdirAll(filepath.Join(from, "member", "wal"), 0o700); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 3*block+17)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	const size = 8 << 20
	segment := filepath.Join(from, "member", "wal", "0.wal")
	f, err := os.Create(segment)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Fallocate(int(f.Fd()), 0, 0, size); err != nil {
		t.Skipf("this file system does not preallocate: %v", err)
	}
	for _, at := range []int64{0, 1<<20 + 5, size - int64(len(noise))} {
		if _, err := f.WriteAt(noise, at); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.WriteAt(make([]byte, 1<<20), 4<<20); err != nil { // written zeros are data to the file system
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(from, "member", "wal", preallocated), "spare")
	write(t, filepath.Join(from, "member", "empty"), "")

	if err := CopyTree(t.Context(), from, to); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(to, "member", "wal", "0.wal")
	got, err := os.ReadFile(copied)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, got) {
		t.Errorf("the copy differs: %d bytes of %d", len(got), len(want))
	}
	if used, most := blocks(t, copied), blocks(t, segment)/8; used > most {
		t.Errorf("the copy takes %d bytes, want at most %d", used, most)
	}
	if _, err := os.Stat(filepath.Join(to, "member", "wal", preallocated)); !os.IsNotExist(err) {
		t.Errorf("the spare segment was copied: %v", err)
	}
	if info, err := os.Stat(filepath.Join(to, "member", "empty")); err != nil || info.Size() != 0 {
		t.Errorf("the empty file: %v, %v", info, err)
	}
	if err := CopyTree(t.Context(), from, to); err == nil {
		t.Error("a copy over another copy was not refused")
	}
}
