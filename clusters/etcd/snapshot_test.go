package etcd

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sealed is a content with its digest behind it, as etcd streams a snapshot.
func sealed(content []byte) []byte {
	sum := sha256.Sum256(content)
	return append(append([]byte{}, content...), sum[:]...)
}

func TestDigestFindsEveryDamage(t *testing.T) {
	whole := sealed([]byte(strings.Repeat("0123456789abcdef", 2*page/16)))
	flipped := func(at int) []byte {
		b := append([]byte{}, whole...)
		b[at] ^= 1
		return b
	}
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"whole":           {whole, ""},
		"first bit":       {flipped(0), "is damaged"},
		"last of content": {flipped(2*page - 1), "is damaged"},
		"digest":          {flipped(len(whole) - 1), "is damaged"},
		"cut off":         {whole[:len(whole)-1], "is no whole snapshot"},
		"no digest":       {whole[:2*page], "is no whole snapshot"},
		"a page short":    {whole[page:], "is damaged"},
		"empty":           {nil, "is no whole snapshot"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.db")
			if err := os.WriteFile(path, c.file, 0o600); err != nil {
				t.Fatal(err)
			}
			switch err := checkDigest(path); {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want %q", err, c.want)
			}
			if _, err := Verify(t.Context(), "/no/etcdutl", path); err == nil {
				t.Error("it verified without being looked into")
			}
		})
	}
	if err := checkDigest(filepath.Join(t.TempDir(), "absent")); !os.IsNotExist(err) {
		t.Errorf("of no file: %v", err)
	}
}

func TestOpenRefusesWhatIsNoEndpoint(t *testing.T) {
	for _, endpoint := range []string{"", "127.0.0.1:2379", "http://127.0.0.1:2379", "https://127.0.0.1", "https://%zz:1"} {
		if c, err := Open(endpoint, nil); err == nil {
			c.Close()
			t.Errorf("%q was taken", endpoint)
		}
	}
}

func TestPrefixEnd(t *testing.T) {
	for prefix, want := range map[string]string{"a": "b", "/x/": "/x0", "a\xff": "b", "\xff\xff": "\x00", "": "\x00"} {
		if got := string(PrefixEnd(prefix)); got != want {
			t.Errorf("%q ends at %q, want %q", prefix, got, want)
		}
	}
}
