// Package catalog holds the scenarios that come with storm: each a file beside
// this one, named as the scenario.
package catalog

import "embed"

// Files are the scenarios' files.
//
//go:embed *.yaml
var Files embed.FS
