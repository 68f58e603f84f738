package lean

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
)

// HeadSize is how many bytes of a list Continue needs to see: a list begins
// with its metadata, before its items, and continue tokens are short.
const HeadSize = 8 << 10

// Continue returns the continue token of a list, of which head is the
// beginning: in Protobuf or JSON, gzipped or not. The token is empty on the
// last page. It is an error if the head does not hold the list's metadata.
func Continue(head []byte) (string, error) {
	if bytes.HasPrefix(head, []byte{0x1f, 0x8b}) {
		zr, err := gzip.NewReader(bytes.NewReader(head))
		if err != nil {
			return "", errors.Join(ErrMalformed, err)
		}
		// The head of a gzipped body ends in the middle of it, as it must.
		plain, err := io.ReadAll(io.LimitReader(zr, HeadSize))
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return "", errors.Join(ErrMalformed, err)
		}
		head = plain
	}
	if body, ok := bytes.CutPrefix(head, magic); ok {
		return continueProtobuf(body)
	}
	return continueJSON(head)
}

// continueProtobuf goes down to the ListMeta: the messages around it are cut
// off by the end of the head, so that only their tags and lengths are looked at.
func continueProtobuf(body []byte) (string, error) {
	raw, err := enter(body, 2) // runtime.Unknown.raw: the list
	if err != nil {
		return "", err
	}
	raw, err = enter(raw, 1) // its metadata
	if err != nil {
		return "", err
	}
	var token string
	err = walk(raw, func(num protowire.Number, v value) {
		if num == 3 {
			token = string(v.bytes)
		}
	})
	return token, err
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

// continueJSON reads the top level up to the metadata.
func continueJSON(head []byte) (string, error) {
	dec := json.NewDecoder(bytes.NewReader(head))
	if _, err := dec.Token(); err != nil {
		return "", errors.Join(ErrMalformed, err)
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return "", errors.Join(ErrMalformed, err)
		}
		if key == "metadata" {
			var meta struct {
				Continue string `json:"continue"`
			}
			if err := dec.Decode(&meta); err != nil {
				return "", errors.Join(ErrMalformed, err)
			}
			return meta.Continue, nil
		}
		var skip json.RawMessage
		if err := dec.Decode(&skip); err != nil {
			return "", errors.Join(ErrMalformed, err)
		}
	}
	return "", errors.Join(ErrMalformed, io.ErrUnexpectedEOF)
}
