package components

import (
	"strings"
	"testing"
)

func TestParseVersion(t *testing.T) {
	for _, tt := range []struct {
		project project
		in      string
		want    string
		minor   bool
		err     string
	}{
		{kubernetes, "v1.36", "v1.36", true, ""},
		{kubernetes, "1.36", "v1.36", true, ""},
		{kubernetes, "v1.36.3", "v1.36.3", false, ""},
		{kubernetes, "1.36.3", "v1.36.3", false, ""},
		{kubernetes, "v1.37.0-rc.1", "v1.37.0-rc.1", false, ""},
		{etcd, "v3.6", "v3.6", true, ""},
		{etcd, "3.6.16", "v3.6.16", false, ""},
		{etcd, "", "", false, "no version of etcd is named: give one, such as v3.6 or v3.6.16, or a binDir"},
		{etcd, "v1.36", "", false, `"v1.36" is no version of etcd: they begin with v3`},
		{kubernetes, "v3.6", "", false, `"v3.6" is no version of kubernetes: they begin with v1`},
		{kubernetes, "v1", "", false, `"v1" is no version of kubernetes: want one such as v1.36 or v1.36.3`},
		{kubernetes, "latest", "", false, `"latest" is no version of kubernetes: want one such as v1.36 or v1.36.3`},
		{kubernetes, "v1.36.", "", false, `"v1.36." is no version`},
		{kubernetes, "v1.36-rc.1", "", false, `"v1.36-rc.1" is no version`},
		{kubernetes, "v1.36.3+dirty", "", false, `"v1.36.3+dirty" is no version`},
		{kubernetes, "v1.36.3/../../x", "", false, "is no version"},
	} {
		t.Run(tt.project.name+" "+tt.in, func(t *testing.T) {
			got, minor, err := parseVersion(tt.project, tt.in)
			switch {
			case tt.err != "":
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error %v, want %q", err, tt.err)
				}
			case err != nil:
				t.Error(err)
			case got != tt.want || minor != tt.minor:
				t.Errorf("got %s, minor %t; want %s, %t", got, minor, tt.want, tt.minor)
			}
		})
	}
}

func TestNewest(t *testing.T) {
	versions := strings.Fields("v3.5.0-alpha.0 v3.5.9 v3.5.35 v3.5.12 v3.6.0 v3.6.16 v3.6.17-rc.0 v3.7.3 v3.8.0-alpha.0 v3.8.0-beta.0 nonsense")
	for _, tt := range []struct{ minor, want, err string }{
		{"v3.5", "v3.5.35", ""}, // numerically, not by the alphabet
		{"v3.6", "v3.6.16", ""}, // no pre-release
		{"v3.7", "v3.7.3", ""},
		{"v3.8", "", "v3.8 has pre-releases only: to have one, name it in full, such as v3.8.0-beta.0"},
		{"v3.4", "", "v3.4 is not among its versions (the newest are v3.8, v3.7, v3.6, v3.5)"},
	} {
		got, err := newest(versions, tt.minor)
		if got != tt.want || (err == nil) != (tt.err == "") || err != nil && err.Error() != tt.err {
			t.Errorf("newest of %s: %q, %v; want %q, %q", tt.minor, got, err, tt.want, tt.err)
		}
	}
}

func TestUnknownNameIsRefused(t *testing.T) {
	s := open(t, Options{})
	_, err := s.Get(t.Context(), Request{Name: "kubelet", Version: "v1.36"}, record(t))
	const want = `no component is called "kubelet": there are etcd, etcdctl, etcdutl, kube-apiserver, kube-controller-manager, kube-scheduler`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
