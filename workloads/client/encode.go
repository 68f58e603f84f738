package client

import (
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"
)

// encoder writes objects as Protobuf with the API server's prefix.
var encoder = protobuf.NewSerializer(scheme.Scheme, scheme.Scheme)

// Encode returns a built-in object as the Protobuf that a request's Body
// holds. It fills in the object's kind.
func Encode(obj runtime.Object) ([]byte, error) { return EncodeAs(obj, Protobuf) }

// EncodeAs is Encode in one of the content types Protobuf and JSON.
func EncodeAs(obj runtime.Object, contentType string) ([]byte, error) {
	kinds, _, err := scheme.Scheme.ObjectKinds(obj)
	if err != nil {
		return nil, fmt.Errorf("kind of %T: %w", obj, err)
	}
	obj.GetObjectKind().SetGroupVersionKind(kinds[0])
	var b []byte
	switch contentType {
	case Protobuf:
		b, err = runtime.Encode(encoder, obj)
	case JSON:
		b, err = json.Marshal(obj)
	default:
		err = fmt.Errorf("content type %q is neither %s nor %s", contentType, Protobuf, JSON)
	}
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", obj, err)
	}
	return b, nil
}
