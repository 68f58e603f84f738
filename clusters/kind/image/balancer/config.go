package main

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"
)

// paths are the files that change while the balancer runs.
type paths struct{ servers, listeners string }

// readBootstrap reads from Envoy's bootstrap file where the others are.
func readBootstrap(data []byte) (paths, error) {
	var file struct {
		DynamicResources struct {
			CDS source `yaml:"cds_config"`
			LDS source `yaml:"lds_config"`
		} `yaml:"dynamic_resources"`
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		return paths{}, err
	}
	p := paths{servers: file.DynamicResources.CDS.Path.Path, listeners: file.DynamicResources.LDS.Path.Path}
	if p.servers == "" || p.listeners == "" {
		return p, errors.New("it names no files of clusters and listeners")
	}
	return p, nil
}

type source struct {
	Path struct {
		Path string `yaml:"path"`
	} `yaml:"path_config_source"`
}

// address is a socket's.
type address struct {
	Socket struct {
		Address string `yaml:"address"`
		Port    int    `yaml:"port_value"`
	} `yaml:"socket_address"`
}

func (a address) String() (string, error) {
	if a.Socket.Address == "" || a.Socket.Port < 1 || a.Socket.Port > 65535 {
		return "", fmt.Errorf("%q, port %d is no address", a.Socket.Address, a.Socket.Port)
	}
	return net.JoinHostPort(a.Socket.Address, strconv.Itoa(a.Socket.Port)), nil
}

// readListeners reads what to listen on. kind first writes none, and later one.
func readListeners(data []byte) (listen []string, err error) {
	var file struct {
		Resources []struct {
			Address address `yaml:"address"`
		} `yaml:"resources"`
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		return nil, err
	}
	for _, r := range file.Resources {
		a, err := r.Address.String()
		if err != nil {
			return nil, err
		}
		listen = append(listen, a)
	}
	return listen, nil
}

// cluster is whom to forward to, and how to tell who is well.
type cluster struct {
	servers []string
	connect time.Duration // how long a server may take to accept a connection
	check   check
}

// check is how a server is asked whether it is well.
type check struct {
	timeout, interval time.Duration
	sick, well        int // so many failures, or successes, in a row
	path              string
}

// readCluster reads the servers. kind first writes none, and later one cluster.
func readCluster(data []byte) (cluster, error) {
	var file struct {
		Resources []struct {
			Connect time.Duration `yaml:"connect_timeout"`
			Checks  []struct {
				Timeout  time.Duration `yaml:"timeout"`
				Interval time.Duration `yaml:"interval"`
				Sick     int           `yaml:"unhealthy_threshold"`
				Well     int           `yaml:"healthy_threshold"`
				HTTP     struct {
					Path string `yaml:"path"`
				} `yaml:"http_health_check"`
			} `yaml:"health_checks"`
			Load struct {
				Endpoints []struct {
					Endpoints []struct {
						Endpoint struct {
							Address address `yaml:"address"`
						} `yaml:"endpoint"`
					} `yaml:"lb_endpoints"`
				} `yaml:"endpoints"`
			} `yaml:"load_assignment"`
		} `yaml:"resources"`
	}
	if err := yaml.Unmarshal(data, &file); err != nil || len(file.Resources) == 0 {
		return cluster{}, err
	}
	r := file.Resources[0]
	if len(file.Resources) > 1 || len(r.Checks) != 1 {
		return cluster{}, fmt.Errorf("want one cluster with one health check, got %d with %d", len(file.Resources), len(r.Checks))
	}
	h := r.Checks[0]
	c := cluster{connect: r.Connect, check: check{timeout: h.Timeout, interval: h.Interval, sick: h.Sick, well: h.Well, path: h.HTTP.Path}}
	if c.connect <= 0 || h.Timeout <= 0 || h.Interval <= 0 || h.Sick < 1 || h.Well < 1 || h.HTTP.Path == "" {
		return cluster{}, fmt.Errorf("the times and counts of its health check are not all there: %+v", c)
	}
	for _, group := range r.Load.Endpoints {
		for _, e := range group.Endpoints {
			a, err := e.Endpoint.Address.String()
			if err != nil {
				return cluster{}, err
			}
			c.servers = append(c.servers, a)
		}
	}
	return c, nil
}
