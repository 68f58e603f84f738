package lean

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// HeadSize is how many bytes of a list HeadOf needs to see: a list begins with
// its metadata, before its items, and continue tokens are short.
const HeadSize = 8 << 10

// ListMeta is what is read of a list's metadata.
type ListMeta struct {
	Version  uint64 // resourceVersion; 0 where there is none
	Continue string // empty on the last page
}

// HeadOf returns the metadata of a list, of which head is the beginning: in
// Protobuf or JSON. It is an error if the head does not hold the list's metadata.
func HeadOf(head []byte) (ListMeta, error) {
	if body, ok := bytes.CutPrefix(head, magic); ok {
		return headProtobuf(body)
	}
	return headJSON(head)
}

// headProtobuf goes down to the ListMeta: the messages around it are cut off by
// the end of the head, so that only their tags and lengths are looked at.
func headProtobuf(body []byte) (ListMeta, error) {
	raw, err := enter(body, 2) // runtime.Unknown.raw: the list
	if err != nil {
		return ListMeta{}, err
	}
	if raw, err = enter(raw, 1); err != nil { // its metadata
		return ListMeta{}, err
	}
	return listMeta(raw)
}

// listMeta reads an encoded metav1.ListMeta.
func listMeta(raw []byte) (ListMeta, error) {
	var m ListMeta
	var bad error
	err := walk(raw, func(num protowire.Number, v value) {
		switch num {
		case 2:
			var err error
			m.Version, err = number(v.bytes)
			bad = errors.Join(bad, err)
		case 3:
			m.Continue = string(v.bytes)
		}
	})
	return m, errors.Join(err, bad)
}

// enter returns the bytes of the first field with that number, as far as they
// are there: the message may be cut off within it, but not before.
func enter(msg []byte, want protowire.Number) ([]byte, error) {
	for len(msg) > 0 {
		num, typ, n := protowire.ConsumeTag(msg)
		if n < 0 {
			return nil, errors.Join(ErrMalformed, protowire.ParseError(n))
		}
		msg = msg[n:]
		if num == want && typ == protowire.BytesType {
			size, n := protowire.ConsumeVarint(msg)
			if n < 0 {
				return nil, errors.Join(ErrMalformed, protowire.ParseError(n))
			}
			msg = msg[n:]
			return msg[:min(size, uint64(len(msg)))], nil
		}
		n = protowire.ConsumeFieldValue(num, typ, msg)
		if n < 0 {
			return nil, errors.Join(ErrMalformed, protowire.ParseError(n))
		}
		msg = msg[n:]
	}
	return nil, errors.Join(ErrMalformed, io.ErrUnexpectedEOF)
}

// headJSON reads the top level up to the metadata.
func headJSON(head []byte) (ListMeta, error) {
	dec := json.NewDecoder(bytes.NewReader(head))
	if _, err := dec.Token(); err != nil {
		return ListMeta{}, errors.Join(ErrMalformed, err)
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return ListMeta{}, errors.Join(ErrMalformed, err)
		}
		if key == "metadata" {
			var meta struct {
				ResourceVersion string `json:"resourceVersion"`
				Continue        string `json:"continue"`
			}
			if err := dec.Decode(&meta); err != nil {
				return ListMeta{}, errors.Join(ErrMalformed, err)
			}
			version, err := number([]byte(meta.ResourceVersion))
			return ListMeta{Version: version, Continue: meta.Continue}, err
		}
		var skip json.RawMessage
		if err := dec.Decode(&skip); err != nil {
			return ListMeta{}, errors.Join(ErrMalformed, err)
		}
	}
	return ListMeta{}, errors.Join(ErrMalformed, io.ErrUnexpectedEOF)
}

// EitherEnd returns the metadata of a list by its head or, where that does not hold
// it, by the end of its JSON; a tail of nothing is none.
func EitherEnd(head, tail []byte) (ListMeta, error) {
	meta, err := HeadOf(head)
	if err == nil {
		return meta, nil
	}
	if end, bad := TailOf(tail); bad == nil {
		return end, nil
	}
	return meta, err
}

// TailOf returns the metadata of a list whose JSON ends in tail, and has it behind
// its items, as a list of custom resources has.
func TailOf(tail []byte) (ListMeta, error) {
	const key = `"metadata":`
	at := bytes.LastIndex(tail, []byte(key))
	if at < 0 {
		return ListMeta{}, errors.Join(ErrMalformed, io.ErrUnexpectedEOF)
	}
	text, ends := bytes.CutSuffix(bytes.TrimSpace(tail[at+len(key):]), []byte("}"))
	if !ends || !json.Valid(text) {
		return ListMeta{}, errors.Join(ErrMalformed, io.ErrUnexpectedEOF)
	}
	return headJSON(slices.Concat([]byte("{"+key), text, []byte("}")))
}

// VersionOf returns the resourceVersion of an object, of which head is the
// beginning: in Protobuf or JSON, of whatever kind. It is an error if the head
// does not reach that far.
func VersionOf(head []byte) (uint64, error) {
	body, ok := bytes.CutPrefix(head, magic)
	if !ok {
		meta, err := headJSON(head)
		if err == nil && meta.Version == 0 {
			err = fmt.Errorf("%w: no resourceVersion", ErrMalformed)
		}
		return meta.Version, err
	}
	for _, field := range []protowire.Number{2, 1, 6} { // runtime.Unknown.raw: the object; its metadata; its resourceVersion
		var err error
		if body, err = enter(body, field); err != nil {
			return 0, err
		}
	}
	version, err := number(body)
	if err == nil && version == 0 {
		err = fmt.Errorf("%w: no resourceVersion", ErrMalformed)
	}
	return version, err
}
