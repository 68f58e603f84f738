package components

import (
	"context"
	"fmt"
	"os"

	"github.com/storm-harness/storm/internal/child"
)

// ownModule is storm's module.
const ownModule = "github.com/storm-harness/storm/"

// BuildOwn builds a command of storm's own repository, such as
// clusters/kind/image/pause, static, to a file. It works inside a checkout of it
// only. The same source gives the same bytes.
func BuildOwn(ctx context.Context, pkg, file string) error {
	err := child.Command{
		Path: "go",
		Args: []string{"build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", file, ownModule + pkg},
		Env:  append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS="),
	}.Run(ctx, nil, nil)
	if err != nil {
		return fmt.Errorf("building %s: %w\nthis is done in a checkout of storm, with Go installed", pkg, err)
	}
	return nil
}
