package workloads

import (
	"fmt"

	"github.com/storm-harness/storm/workloads/client"
)

// contents are the content types that a load's field content may ask for.
var contents = map[string]string{"protobuf": client.Protobuf, "json": client.JSON}

func checkContent(content string) []string {
	if contents[content] == "" {
		return []string{fmt.Sprintf("content: %q is not one of protobuf, json", content)}
	}
	return nil
}
