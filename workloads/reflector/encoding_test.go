package reflector

import (
	"encoding/binary"
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/storm-harness/storm/workloads/client"
)

// encoding is how a server writes what it is asked for.
type encoding struct {
	name   string
	json   bool
	accept string
	list   func(runtime.Object) []byte
	frame  func(kind string, obj runtime.Object) []byte // one event of a watch
}

var encodings = []encoding{
	{"protobuf", false, client.Protobuf, protobuf, func(kind string, obj runtime.Object) []byte {
		b, err := (&metav1.WatchEvent{Type: kind, Object: runtime.RawExtension{Raw: protobuf(obj)}}).Marshal()
		if err != nil {
			panic(err)
		}
		return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
	}},
	{"json", true, client.JSON, asJSON, func(kind string, obj runtime.Object) []byte {
		b, err := json.Marshal(&metav1.WatchEvent{Type: kind, Object: runtime.RawExtension{Raw: asJSON(obj)}})
		if err != nil {
			panic(err)
		}
		return append(b, '\n')
	}},
}

func asJSON(obj runtime.Object) []byte {
	protobuf(obj) // fills in the kind
	b, err := json.Marshal(obj)
	if err != nil {
		panic(err)
	}
	return b
}

func protobuf(obj runtime.Object) []byte {
	b, err := client.Encode(obj)
	if err != nil {
		panic(err)
	}
	return b
}
