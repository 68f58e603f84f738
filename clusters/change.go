package clusters

import "maps"

// With lays another change over this one; neither is changed.
func (a Change) With(b Change) Change {
	out := Change{Flags: maps.Clone(a.Flags), Env: maps.Clone(a.Env), Version: a.Version, BinDir: a.BinDir}
	if out.Flags == nil {
		out.Flags = map[string]string{}
	}
	if out.Env == nil {
		out.Env = map[string]string{}
	}
	maps.Copy(out.Flags, b.Flags)
	maps.Copy(out.Env, b.Env)
	if b.Version != "" {
		out.Version = b.Version
	}
	if b.BinDir != "" {
		out.BinDir = b.BinDir
	}
	return out
}
