package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
)

// rewriter takes capabilities out of a file of the OCI runtime specification.
// changed tells whether there were any of them in it; if not, data is as it was.
type rewriter func(data []byte, missing map[string]bool) (out []byte, changed bool, err error)

// inConfig takes them out of a bundle's config.json, from the process that it
// describes.
func inConfig(data []byte, missing map[string]bool) ([]byte, bool, error) {
	return edit(data, func(config map[string]any) (bool, error) {
		process, ok := config["process"]
		if !ok || process == nil {
			return false, nil // a container without a process has no capabilities
		}
		object, ok := process.(map[string]any)
		if !ok {
			return false, errors.New("process is no object")
		}
		return without(object, missing)
	})
}

// inProcess takes them out of the process of an exec.
func inProcess(data []byte, missing map[string]bool) ([]byte, bool, error) {
	return edit(data, func(process map[string]any) (bool, error) { return without(process, missing) })
}

// edit changes a JSON object. What change does not touch stays, numbers digit
// by digit.
func edit(data []byte, change func(map[string]any) (bool, error)) ([]byte, bool, error) {
	var object map[string]any
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(&object); err != nil {
		return nil, false, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, false, errors.New("there is more than one JSON value in it")
	}
	changed, err := change(object)
	if err != nil || !changed {
		return data, false, err
	}
	out, err := json.Marshal(object)
	return out, true, err
}

// without takes capabilities out of every set of a process.
func without(process map[string]any, missing map[string]bool) (changed bool, err error) {
	value, ok := process["capabilities"]
	if !ok || value == nil {
		return false, nil
	}
	sets, ok := value.(map[string]any)
	if !ok {
		return false, errors.New("capabilities is no object")
	}
	for name, set := range sets {
		if set == nil {
			continue
		}
		list, ok := set.([]any)
		if !ok {
			return false, errors.New("the capability set " + name + " is no list")
		}
		kept := slices.DeleteFunc(slices.Clone(list), func(c any) bool {
			s, is := c.(string)
			return is && missing[s]
		})
		if len(kept) < len(list) {
			sets[name], changed = kept, true
		}
	}
	return changed, nil
}
