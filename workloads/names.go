package workloads

// Names are what the names of the objects that storm makes for a load are, or
// begin with.
func Names(load string) []string { return []string{objectName(load), loadsNamespace} }
