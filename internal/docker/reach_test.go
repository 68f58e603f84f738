package docker

import "testing"

func TestElsewhere(t *testing.T) {
	mine := []string{"runner-7", "10.1.2.4"}
	for host, want := range map[string]bool{
		"unix:///var/run/docker.sock": false, "its usual socket": false, "npipe:////./pipe/docker_engine": false,
		"tcp://127.0.0.1:2375": false, "tcp://[::1]:2375": false, "tcp://localhost:2376": false, "tcp://:2375": false, "tcp://0.0.0.0:2375": false,
		"tcp://runner-7:2376": false, "tcp://runner-7.example.com:2376": false, "tcp://10.1.2.4:2376": false,
		"tcp://10.1.2.3:2376": true, "ssh://user@build.example.com": true, "tcp://docker:2376": true, "https://docker.example.com": true,
	} {
		if elsewhere(host, mine) != want {
			t.Errorf("elsewhere(%q) is %v", host, !want)
		}
	}
}
