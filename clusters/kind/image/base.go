package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/storm-harness/storm/clusters/components"
	"github.com/storm-harness/storm/internal/child"
)

// suite is the release of Debian that the images' file system is of.
const suite = "bookworm"

// debianPackages are what a node needs, and a container of etcd for its faults:
// what runs services, what Kubernetes and containerd call, what is needed to look
// at networks and to break them.
var debianPackages = []string{
	"systemd",
	"conntrack", "iptables", "nftables", "iproute2", "ethtool", "util-linux", "mount", "kmod",
	"libseccomp2", "runc",
	"bash", "ca-certificates", "curl", "jq", "procps",
}

// tidy is run in the new file system, as kind's Dockerfile does: no services but
// those that a node starts, nothing that two nodes must not share.
const tidy = `set -e
find /lib/systemd/system/sysinit.target.wants/ -name systemd-tmpfiles-setup.service -delete
rm -f /lib/systemd/system/multi-user.target.wants/*
rm -f /etc/systemd/system/*.wants/*
rm -f /lib/systemd/system/local-fs.target.wants/*
rm -f /lib/systemd/system/sockets.target.wants/*udev*
rm -f /lib/systemd/system/sockets.target.wants/*initctl*
rm -f /lib/systemd/system/basic.target.wants/*
echo ReadKMsg=no >>/etc/systemd/journald.conf
ln -sf /usr/lib/systemd/systemd /sbin/init
rm -rf /etc/machine-id /var/lib/dbus/machine-id /etc/hostname /etc/resolv.conf
rm -rf /etc/apt/apt.conf.d/99mmdebstrap /etc/dpkg/dpkg.cfg.d/99mmdebstrap /var/lib/apt/lists/* /var/cache/* /var/log/* /usr/share/doc/* /usr/share/man/* /usr/share/locale/* /usr/share/info/*
`

// baseKey tells one base from another that is made otherwise.
func baseKey() string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n%s", suite, strings.Join(debianPackages, " "), tidy)
	return hex.EncodeToString(h.Sum(nil))
}

// debian is a Debian file system in a tar file.
type debian struct {
	file string
	sum  string // its digest
}

// base returns the Debian file system of the cache, made if need be. Its packages
// are those of the day when it was made: to have newer ones, remove it.
func (b *builder) base(ctx context.Context) (debian, error) {
	name := filepath.Join(b.dir, "base-"+suite+"-"+baseKey()[:12])
	made := debian{file: name + ".tar"}
	sum, err := os.ReadFile(name + ".sum") // is written last
	if err == nil {
		if _, err := os.Stat(made.file); err == nil {
			made.sum = strings.TrimSpace(string(sum))
			b.say("Debian file system: %s is there", made.file)
			return made, nil
		}
	}
	if err := b.dropBases(); err != nil {
		return made, err
	}
	aside := filepath.Join(b.aside, "base.tar")
	if err := b.debootstrap(ctx, aside); err != nil {
		return made, fmt.Errorf("mmdebstrap: %w", err)
	}
	if made.sum, err = components.Digest(aside); err != nil {
		return made, err
	}
	if err := os.Rename(aside, made.file); err != nil {
		return made, err
	}
	return made, os.WriteFile(name+".sum", []byte(made.sum+"\n"), 0o644)
}

// dropBases removes those of the cache: there is one at a time, and none of them
// is what is wanted.
func (b *builder) dropBases() error {
	old, err := filepath.Glob(filepath.Join(b.dir, "base-*"))
	for _, file := range old {
		err = errors.Join(err, os.Remove(file))
	}
	return err
}

// debootstrap makes a Debian file system. It works in a directory aside, and
// changes nothing else of this machine.
func (b *builder) debootstrap(ctx context.Context, file string) error {
	if _, err := exec.LookPath("mmdebstrap"); err != nil {
		if err := b.install(ctx, "mmdebstrap"); err != nil {
			return err
		}
	}
	options, err := aptOptions(ctx)
	if err != nil {
		return err
	}
	conf := filepath.Join(b.aside, "apt.conf")
	if err := os.WriteFile(conf, []byte(options), 0o600); err != nil {
		return err
	}
	args := []string{
		"--variant=minbase", "--dpkgopt=force-unsafe-io", "--include=" + strings.Join(debianPackages, ","), "--aptopt=" + conf,
		`--customize-hook=chroot "$1" sh -c '` + tidy + `'`, suite, file,
	}
	if b.Mirror != "" {
		args = append(args, b.Mirror)
	}
	// What it does it says on standard error, a line each.
	return child.Command{Path: "mmdebstrap", Args: args, Env: append(os.Environ(), "TMPDIR="+b.aside)}.Run(ctx, nil, func(line string) {
		if text, ok := strings.CutPrefix(line, "I: "); ok {
			b.say("Debian file system: %s", text)
		}
	})
}

// aptOptions are this machine's settings of how apt gets packages, such as its
// proxy: the new file system is filled in the same way, and does not keep them.
func aptOptions(ctx context.Context) (string, error) {
	lines, err := child.Command{Path: "apt-config", Args: []string{"dump", "Acquire"}}.Lines(ctx)
	if errors.Is(err, exec.ErrNotFound) {
		return "", errors.New("there is no apt here: node images are built on Debian and its kin")
	}
	return strings.Join(lines, "\n") + "\n", err
}
