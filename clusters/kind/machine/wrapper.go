package machine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/storm-harness/storm/clusters/components"
)

// buildWrapper builds clusters/kind/machine/runc to where dockerd finds it.
func buildWrapper(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Dir(wrapper), 0o755); err != nil {
		return err
	}
	aside := wrapper + ".new"
	if err := components.BuildOwn(ctx, "clusters/kind/machine/runc", aside); err != nil {
		return fmt.Errorf("runtime before runc: %w", err)
	}
	return os.Rename(aside, wrapper)
}
