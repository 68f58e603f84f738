package scenarios

// SchemaID is the identifier of the schema; storm schema prints it.
const SchemaID = "https://github.com/storm-harness/storm/scenario-v1alpha1.schema.json"

// Schema returns the JSON Schema (draft-07) of a scenario file, for editors.
// It holds what a schema can say; Load checks more.
func Schema(kinds Kinds) ([]byte, error) {
	return kinds.decoder().Schema(&document{}, SchemaID, "storm scenario")
}
