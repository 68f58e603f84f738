// Package lean reads from Kubernetes' Protobuf and JSON just what a load needs,
// without decoding the rest: a simulated node wants five fields of a pod, and thousands
// of decoders for all of it would cost more than the load they are part of.
//
// The field numbers are those of generated.proto in k8s.io/api/core/v1 and
// k8s.io/apimachinery/pkg/apis/meta/v1; they never change. Unknown fields are
// skipped. All input is from outside: malformed bytes give ErrMalformed.
package lean

import (
	"bytes"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// ErrMalformed says that bytes are not the Protobuf or JSON they should be.
var ErrMalformed = errors.New("malformed answer from the API server")

// magic begins every message that the API server encodes; a runtime.Unknown
// with the object in its field raw follows.
var magic = []byte("k8s\x00")

// Meta is what is read of an object's metadata.
type Meta struct {
	Name, Namespace string
	UID             string
	ResourceVersion string
	Generation      int64 // how often what it is to be has been changed; 0 of what does not count it
	Deleting        bool  // it has a deletionTimestamp
}

// Pod is what is read of a pod.
type Pod struct {
	Meta
	Node           string
	Scheduler      string // whose work it is to find one
	HostNetwork    bool
	Containers     []Container
	RestartPolicy  string
	ServiceAccount string
	Secrets        []string // what its volumes and environment name; a name may come twice
	ConfigMaps     []string
	Tokens         []Token // of its service account, to be requested
	Phase          string
	PodIP          string
	Ready          bool  // by its condition
	Restarts       int32 // of the container that was restarted most
}

// Container is what is read of a pod's container.
type Container struct{ Name, Image string }

// Token is a projected service account token.
type Token struct {
	Audience string
	Seconds  int64
}

// Unwrap returns the object's bytes from an encoded message.
func Unwrap(msg []byte) ([]byte, error) {
	body, ok := bytes.CutPrefix(msg, magic)
	if !ok {
		return nil, fmt.Errorf("%w: no k8s prefix", ErrMalformed)
	}
	var raw []byte
	err := walk(body, func(num protowire.Number, v value) {
		if num == 2 {
			raw = v.bytes
		}
	})
	return raw, err
}

// MetaOf returns the metadata of an encoded object, whatever its kind.
func MetaOf(msg []byte) (Meta, error) {
	raw, err := Unwrap(msg)
	if err != nil {
		return Meta{}, err
	}
	var m Meta
	err = object(raw, &m)
	return m, err
}

// object reads the metadata, which is field 1 of every object.
func object(raw []byte, m *Meta) error {
	var inner error
	err := walk(raw, func(num protowire.Number, v value) {
		if num == 1 {
			inner = errors.Join(inner, m.read(v.bytes))
		}
	})
	return errors.Join(err, inner)
}

func (m *Meta) read(raw []byte) error {
	return walk(raw, func(num protowire.Number, v value) {
		switch num {
		case 1:
			m.Name = string(v.bytes)
		case 3:
			m.Namespace = string(v.bytes)
		case 5:
			m.UID = string(v.bytes)
		case 6:
			m.ResourceVersion = string(v.bytes)
		case 7:
			m.Generation = int64(v.varint)
		case 9:
			m.Deleting = true
		}
	})
}

func (p *Pod) status(raw []byte) error {
	var inner error
	err := walk(raw, func(num protowire.Number, v value) {
		switch num {
		case 1:
			p.Phase = string(v.bytes)
		case 2:
			inner = errors.Join(inner, p.condition(v.bytes))
		case 6:
			p.PodIP = string(v.bytes)
		case 8:
			inner = errors.Join(inner, walk(v.bytes, func(num protowire.Number, v value) {
				if num == 5 {
					p.Restarts = max(p.Restarts, int32(v.varint))
				}
			}))
		}
	})
	return errors.Join(err, inner)
}

// condition reads one of a pod's conditions.
func (p *Pod) condition(raw []byte) error {
	var of, status []byte
	err := walk(raw, func(num protowire.Number, v value) {
		switch num {
		case 1:
			of = v.bytes
		case 2:
			status = v.bytes
		}
	})
	if string(of) == "Ready" {
		p.Ready = string(status) == "True"
	}
	return err
}

// List reads an encoded list: it calls each with the bytes of every object, as
// they are in a watch event, and returns the list's metadata.
func List(msg []byte, each func(object []byte)) (ListMeta, error) {
	raw, err := Unwrap(msg)
	if err != nil {
		return ListMeta{}, err
	}
	var meta ListMeta
	var bad error
	err = walk(raw, func(num protowire.Number, v value) {
		switch num {
		case 1:
			var err error
			meta, err = listMeta(v.bytes)
			bad = errors.Join(bad, err)
		case 2:
			each(v.bytes)
		}
	})
	return meta, errors.Join(err, bad)
}

// value is one field's value: bytes, or a number.
type value struct {
	bytes  []byte
	varint uint64
}

// walk calls field for every field of a message.
func walk(msg []byte, field func(protowire.Number, value)) error {
	for len(msg) > 0 {
		num, typ, n := protowire.ConsumeTag(msg)
		if n < 0 {
			return fmt.Errorf("%w: %w", ErrMalformed, protowire.ParseError(n))
		}
		msg = msg[n:]
		var v value
		switch typ {
		case protowire.BytesType:
			v.bytes, n = protowire.ConsumeBytes(msg)
		case protowire.VarintType:
			v.varint, n = protowire.ConsumeVarint(msg)
		default:
			n = protowire.ConsumeFieldValue(num, typ, msg)
		}
		if n < 0 {
			return fmt.Errorf("%w: %w", ErrMalformed, protowire.ParseError(n))
		}
		field(num, v)
		msg = msg[n:]
	}
	return nil
}
