package image

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/storm-harness/storm/clusters/components"
	"github.com/storm-harness/storm/internal/docker"
)

// importBase makes the base image, unless it is there.
func (b *builder) importBase(ctx context.Context, base debian) error {
	if there, err := b.there(ctx, baseImage, base.sum); there || err != nil {
		return err
	}
	f, err := os.Open(base.file)
	if err != nil {
		return err
	}
	defer f.Close()
	return docker.Feed(ctx, f, nil, "import", "--change", label(keyLabel, base.sum), "-", baseImage)
}

// there tells whether an image is there and is of that key.
func (b *builder) there(ctx context.Context, image, key string) (bool, error) {
	have, ok, err := docker.Label(ctx, image, keyLabel)
	if err != nil || !ok || have != key {
		return false, err
	}
	b.say("%s is there", image)
	return true, nil
}

// make makes an image of the base, unless it is there: in a container that is
// given its files, in which containerd is given its images, and which is then
// committed under the image's name.
func (b *builder) make(ctx context.Context, base debian, r recipe) (err error) {
	key := r.key(base)
	if there, err := b.there(ctx, r.tag, key); there || err != nil {
		return err
	}
	began := time.Now()
	b.say("%s: putting its files in place", r.tag)
	create := append([]string{"create", "--network=none", "--name=" + b.workshop()}, r.config...)
	id, err := docker.Line(ctx, append(create, baseImage, components.Containerd)...) // what runs if it is started
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		if _, rm := docker.Lines(ctx, "rm", "--force", "--volumes", id); err == nil {
			err = rm
		}
	}()
	if err := feed(ctx, r.files.writeTar, "cp", "-", id+":/"); err != nil {
		return err
	}
	if len(r.load) > 0 {
		if err := b.loadImages(ctx, id, r); err != nil {
			return err
		}
	}
	commit := []string{"commit", "--change", label(keyLabel, key)}
	for _, change := range r.change {
		commit = append(commit, "--change", change)
	}
	before, _ := docker.Line(ctx, "image", "inspect", "--format", "{{.Id}}", r.tag)
	if _, err := docker.Line(ctx, append(commit, id, r.tag)...); err != nil {
		return err
	}
	if before != "" {
		// Its predecessor has no name now, unless a container or another name keeps it.
		_, _ = docker.Lines(ctx, "image", "rm", before)
	}
	b.say("%s: made in %.1fs", r.tag, time.Since(began).Seconds())
	return nil
}

// loadImages imports images into the store of the container's own containerd,
// as kind's build does: unpacked they are on the node, where its file system is
// known.
func (b *builder) loadImages(ctx context.Context, id string, r recipe) error {
	b.say("%s: loading %d images of pods", r.tag, len(r.load))
	if _, err := docker.Lines(ctx, "start", id); err != nil {
		return err
	}
	if err := b.awaitContainerd(ctx, id); err != nil {
		return err
	}
	load := func(w io.Writer) error { return writeArchive(w, r.load) }
	if err := feed(ctx, load, "exec", "--interactive", id, "ctr", "--namespace=k8s.io", "images", "import",
		"--label=io.cri-containerd.pinned=pinned", "--all-platforms", "--no-unpack", "--digests", "-"); err != nil {
		return err
	}
	loaded, err := docker.Lines(ctx, "exec", id, "ctr", "--namespace=k8s.io", "images", "list", "--quiet")
	if err != nil {
		return err
	}
	if missing := missingImages(r.load, loaded); len(missing) > 0 {
		return fmt.Errorf("containerd lists %q after the import: %q is missing", loaded, missing)
	}
	if _, err := docker.Lines(ctx, "kill", "--signal=TERM", id); err != nil {
		return err
	}
	code, err := docker.Line(ctx, "wait", id)
	if err != nil {
		return err
	}
	if code != "0" {
		return fmt.Errorf("containerd ended with the exit code %s", code)
	}
	return nil
}

// missingImages are those whose names are not among the loaded ones.
func missingImages(wanted []podImage, loaded []string) (missing []string) {
	have := map[string]bool{}
	for _, name := range loaded {
		have[name] = true
	}
	for _, image := range wanted {
		if !have[image.name] {
			missing = append(missing, image.name)
		}
	}
	return missing
}

// awaitContainerd waits until containerd answers in the container.
func (b *builder) awaitContainerd(ctx context.Context, id string) error {
	late, cancel := context.WithTimeoutCause(ctx, 2*time.Minute, fmt.Errorf("containerd does not answer in the container %s", id))
	defer cancel()
	for {
		_, err := docker.Lines(late, "exec", id, "ctr", "version")
		if err == nil {
			return nil
		}
		running, look := docker.Line(ctx, "inspect", "--format", "{{.State.Running}}", id)
		if look != nil {
			return look
		}
		if running != "true" {
			said, _ := docker.Lines(ctx, "logs", "--tail=8", id)
			return fmt.Errorf("containerd ended in the container: %w: %q", err, said)
		}
		select {
		case <-late.Done():
			return context.Cause(late)
		case <-time.After(200 * time.Millisecond): // its socket cannot be waited for before it is there
		}
	}
}

// feed runs docker with what write writes as its input.
func feed(ctx context.Context, write func(io.Writer) error, args ...string) error {
	r, w := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = w.CloseWithError(write(w)) // the reader, which is the command's input, has the error
	}()
	err := docker.Feed(ctx, r, nil, args...)
	_ = r.Close() // a command that ended early leaves the writer waiting
	<-done
	return err
}

// lendName gives the load balancer the name that kind starts it by, unless the
// real one is there.
func (b *builder) lendName(ctx context.Context, kinds string) error {
	key, ok, err := docker.Label(ctx, kinds, keyLabel)
	if err != nil {
		return err
	}
	if ok && key == "" {
		b.say("%s is there, and is no image of storm's: it stays, and kind starts it", kinds)
		return nil
	}
	b.say("%s stands in for %s: kind starts it by that name", balancerTag(kinds), kinds)
	_, err = docker.Lines(ctx, "tag", balancerTag(kinds), kinds)
	return err
}
