package main

import (
	"path/filepath"
	"slices"
	"strings"
)

// reads finds in runc's arguments which file names the capabilities of what is
// to be started: the bundle's config.json of create, run and restore, the
// process of exec. It returns "" where the command starts nothing, or takes the
// process from its arguments.
func reads(args []string) (file string, rewrite rewriter) {
	i := 0
	for i < len(args) && strings.HasPrefix(args[i], "-") {
		if slices.Contains([]string{"root", "log", "log-format", "criu", "rootless"}, strings.TrimLeft(args[i], "-")) {
			i++ // its value is the next argument
		}
		i++
	}
	if i >= len(args) {
		return "", nil
	}
	switch command, rest := args[i], args[i+1:]; command {
	case "create", "run", "restore":
		return filepath.Join(value(rest, "bundle", "b"), "config.json"), inConfig
	case "exec":
		return value(rest, "process", "p"), inProcess
	}
	return "", nil
}

// value returns what is given for a flag: --name VALUE, --name=VALUE, -n VALUE.
func value(args []string, long, short string) string {
	for i, arg := range args {
		if arg == "--" {
			break
		}
		if !strings.HasPrefix(arg, "-") {
			continue
		}
		name, v, is := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		switch {
		case name != long && name != short:
		case is:
			return v
		case i+1 < len(args):
			return args[i+1]
		}
	}
	return ""
}
