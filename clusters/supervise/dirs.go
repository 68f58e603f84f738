package supervise

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/storm-harness/storm/internal/ledger"
)

// MakeDirs makes a cluster's own directory, which must not be there, and is in the
// ledger first, and the one of its logs, which may be in the other. Both become
// absolute: what tells of the cluster names its files by them.
func MakeDirs(book *ledger.Ledger, dir, logs *string) error {
	for _, d := range []*string{dir, logs} {
		abs, err := filepath.Abs(*d)
		if err != nil {
			return fmt.Errorf("the cluster's directory: %w", err)
		}
		*d = abs
	}
	if err := os.MkdirAll(filepath.Dir(*dir), 0o700); err != nil {
		return fmt.Errorf("the cluster's directory: %w", err)
	}
	if err := book.MakeDir(*dir); err != nil {
		return fmt.Errorf("the cluster's directory: %w", err)
	}
	if err := os.MkdirAll(*logs, 0o700); err != nil {
		return errors.Join(err, book.RemoveDir(*dir))
	}
	return nil
}
