package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/storm-harness/storm/clusters/components"
	"github.com/storm-harness/storm/scenarios"
)

// A --profile is a file, or NAME=KEY:VALUE.
var profileValue = regexp.MustCompile(`^([^=/.]*)=(.*)$`)

// binDirPaths are where a scenario says from which directory each component is.
var binDirPaths = map[string]string{
	components.Etcd:              "cluster.etcd.binDir",
	components.APIServer:         "cluster.kubernetes.apiserver.binDir",
	components.ControllerManager: "cluster.kubernetes.controllerManager.binDir",
	components.Scheduler:         "cluster.kubernetes.scheduler.binDir",
}

// addProfile takes one --profile into the changes.
func addProfile(changes *scenarios.Changes, arg string) error {
	m := profileValue.FindStringSubmatch(arg)
	if m == nil {
		text, err := os.ReadFile(arg)
		if err != nil {
			return usage("--profile: %w", err)
		}
		changes.Profiles = append(changes.Profiles, scenarios.Source{Name: arg, Text: text})
		return nil
	}
	key, value, ok := strings.Cut(m[2], ":")
	if !ok || m[1] == "" || key == "" {
		return usage("--profile %s: want a file, or NAME=KEY:VALUE, such as head=binDir:./bin or head=cluster.etcd.members:3", arg)
	}
	add := func(path, value string) {
		changes.Values = append(changes.Values, scenarios.ProfileValue{Profile: m[1], Path: path, Value: value, Origin: "--profile " + arg})
	}
	if key != "binDir" {
		add(key, value)
		return nil
	}
	there, err := componentsIn(value)
	if err != nil {
		return usage("--profile %s: %w", arg, err)
	}
	dir, err := filepath.Abs(value)
	if err != nil {
		return err
	}
	for _, name := range there {
		add(binDirPaths[name], strconv.Quote(dir))
	}
	return nil
}

// componentsIn lists the components that a directory has: the others of the
// cluster come from its version.
func componentsIn(dir string) ([]string, error) {
	if dir == "" {
		return nil, usage("name the directory of the build")
	}
	if _, err := os.ReadDir(dir); err != nil {
		return nil, err
	}
	var there, want []string
	for _, name := range components.Names() {
		if binDirPaths[name] == "" {
			continue // a tool, which goes with its server
		}
		want = append(want, name)
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode().IsRegular() {
			there = append(there, name)
		}
	}
	if len(there) == 0 {
		return nil, usage("%s has none of %s", dir, strings.Join(want, ", "))
	}
	return there, nil
}
