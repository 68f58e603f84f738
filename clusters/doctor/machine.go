package doctor

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/storm-harness/storm/internal/docker"
	"github.com/storm-harness/storm/internal/rundir"
)

func lookCores(context.Context, Options) (bool, string) {
	return true, fmt.Sprintf("%d × %s", runtime.NumCPU(), cpuModel())
}

func lookMemory(context.Context, Options) (bool, string) {
	total := memory()
	return total >= 3<<30, fmt.Sprintf("%.1f GiB", float64(total)/(1<<30))
}

func lookFiles(context.Context, Options) (bool, string) {
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		return false, err.Error()
	}
	return lim.Max >= 4096, fmt.Sprintf("soft limit %d, hard limit %d", lim.Cur, lim.Max)
}

func lookGo(ctx context.Context, _ Options) (bool, string) {
	out, err := exec.CommandContext(ctx, "go", "version").Output()
	if err != nil {
		return false, err.Error()
	}
	return true, strings.TrimSpace(string(out))
}

func lookRoot(context.Context, Options) (bool, string) {
	uid := os.Geteuid()
	return uid == 0, fmt.Sprintf("effective user %d", uid)
}

func lookSpace(_ context.Context, o Options) (bool, string) {
	var st unix.Statfs_t
	if err := unix.Statfs(existing(o.DataDir), &st); err != nil {
		return false, err.Error()
	}
	free := int64(st.Bavail) * st.Bsize
	return free >= 4<<30, fmt.Sprintf("%.1f GiB free at %s", float64(free)/(1<<30), existing(o.DataDir))
}

func lookFsync(_ context.Context, o Options) (bool, string) {
	median, worst, err := Fsync(existing(o.DataDir), 50)
	if err != nil {
		return false, err.Error()
	}
	text := fmt.Sprintf("4 KiB write and fsync: median %s, slowest of 50 %s", median.Round(time.Microsecond), worst.Round(time.Microsecond))
	if median < 20*time.Microsecond {
		text += "; so fast that it hardly reaches a disk: fsync-bound figures are flattered"
	}
	return true, text
}

func lookCgroups(context.Context, Options) (bool, string) {
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		return true, "version 2"
	}
	if _, err := os.Stat("/sys/fs/cgroup/memory/memory.limit_in_bytes"); err == nil {
		return true, "version 1"
	}
	return false, "no cgroup file system at /sys/fs/cgroup"
}

// lookDocker asks the daemon, and looks what it has to run kind's nodes with.
func lookDocker(ctx context.Context, _ Options) (bool, string) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	version, err := docker.Ping(ctx)
	if err != nil {
		return false, err.Error()
	}
	about, err := docker.Run(ctx, "info", "--format", "storage {{.Driver}}, cgroup v{{.CgroupVersion}}")
	if err != nil {
		return false, err.Error()
	}
	images, err := docker.Lines(ctx, "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "--filter", "reference=*/node")
	if err != nil {
		return false, err.Error()
	}
	if len(images) == 0 {
		images = []string{"none: they are pulled, or built with `make kind-image`"}
	}
	return true, fmt.Sprintf("%s %s answers (%s); node images: %s", docker.Command(), version, about, strings.Join(images, ", "))
}

// Fsync measures n writes of 4 KiB, each followed by fsync, in a file of its
// own in dir, as etcd's write-ahead log does, and returns the median and the
// slowest.
func Fsync(dir string, n int) (median, worst time.Duration, err error) {
	f, err := os.CreateTemp(dir, ".storm-fsync-")
	if err != nil {
		return 0, 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	block := make([]byte, 4096)
	took := make([]time.Duration, 0, n)
	for range n {
		start := time.Now()
		if _, err := f.Write(block); err != nil {
			return 0, 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, 0, err
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	return took[n/2], took[n-1], nil
}

// Host describes this machine for the run directory; dataDir is where clusters
// keep their data.
func Host(dataDir string) rundir.Host {
	h := rundir.Host{
		OS: osName(), Kernel: kernel(), CPU: cpuModel(), Cores: runtime.NumCPU(),
		MemoryMB: memory() >> 20, Root: os.Geteuid() == 0,
	}
	if median, _, err := Fsync(existing(dataDir), 50); err == nil {
		h.FsyncUS = median.Microseconds()
	}
	return h
}

func memory() int64 {
	var si unix.Sysinfo_t
	if unix.Sysinfo(&si) != nil {
		return 0
	}
	return int64(si.Totalram) * int64(si.Unit)
}

func kernel() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}

func cpuModel() string { return field("/proc/cpuinfo", "model name", ":", runtime.GOARCH) }

func osName() string {
	return strings.Trim(field("/etc/os-release", "PRETTY_NAME", "=", runtime.GOOS), `"`)
}

// field returns the value of the first line of the file with that key.
func field(path, key, sep, fallback string) string {
	f, err := os.Open(path)
	if err != nil {
		return fallback
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		k, v, ok := strings.Cut(s.Text(), sep)
		if ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return fallback
}

// existing returns the nearest directory at or above dir that exists.
func existing(dir string) string {
	for dir != "" && dir != "/" && dir != "." {
		if _, err := os.Stat(dir); err == nil {
			return dir
		}
		i := strings.LastIndexByte(dir, '/')
		if i <= 0 {
			break
		}
		dir = dir[:i]
	}
	if dir == "" {
		return "."
	}
	return dir
}
