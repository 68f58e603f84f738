package ready

import (
	"slices"
	"strings"
	"testing"
)

func TestWithoutFrames(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"a panic": {
			"{\"level\":\"panic\",\"msg\":\"failed to create WAL\"}\npanic: failed to create WAL\n\ngoroutine 1 [running]:\ngo.uber.org/zap/zapcore.CheckWriteAction.OnWrite(0x2?, 0x2?, {0x0?, 0x0?, 0x1?})\n\tgo.uber.org/zap@v1.27.0/zapcore/entry.go:196 +0x54\nmain.main()\n\tgo.etcd.io/etcd/server/v3@v3.6.16/main.go:31 +0x28",
			"{\"level\":\"panic\",\"msg\":\"failed to create WAL\"}\npanic: failed to create WAL\n",
		},
		"an error with its stack": {
			"this version of kubeadm only supports v1.35 and later\nk8s.io/kubernetes/cmd/kubeadm/app/util/config.NormalizeKubernetesVersion\n\tcmd/kubeadm/app/util/config/common.go:156\nruntime.main\n\truntime/proc.go:290\nruntime.goexit\n\truntime/asm_amd64.s:1771",
			"this version of kubeadm only supports v1.35 and later",
		},
		"a pod's": {
			"2026-11-26T07:14:25Z stderr F panic: failed to create WAL\n2026-11-26T07:14:25Z stderr F goroutine 1 [running]:\n2026-11-26T07:14:25Z stderr F main.main()\n2026-11-26T07:14:25Z stderr F \tgo.etcd.io/etcd/server/v3@v3.6.16/main.go:31 +0x28 fp=0xc sp=0xc pc=0xc",
			"2026-11-26T07:14:25Z stderr F panic: failed to create WAL",
		},
		"klog":                {"I1126 07:14:25.964 12 server.go:123] \"Starting\"\nE1126 07:14:26.964 12 run.go:72] \"command failed\"", "I1126 07:14:25.964 12 server.go:123] \"Starting\"\nE1126 07:14:26.964 12 run.go:72] \"command failed\""},
		"nothing but a place": {"\tmain.go:3", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := WithoutFrames(strings.Split(c.text, "\n"))
			if want := strings.Split(c.want, "\n"); !slices.Equal(got, want) && (c.want != "" || len(got) > 0) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}
