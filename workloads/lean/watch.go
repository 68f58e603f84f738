package lean

import (
	"bytes"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// maxFrame bounds one frame of a watch. etcd takes objects up to 1.5 MiB by
// default; what claims to be much larger is no watch event.
const maxFrame = 64 << 20

// Event is one event of a watch, or one object of a list.
type Event struct {
	Type string // ADDED, MODIFIED, DELETED, BOOKMARK; of a list LISTED
	// Object is the object's own bytes, as valid as the frame is.
	Object []byte
	Format Format
}

// StatusError is the Status that an ERROR event carries.
type StatusError struct {
	Code    int // as HTTP's: 410 where the resourceVersion is too old
	Message string
}

func (e *StatusError) Error() string { return fmt.Sprintf("the watch ended: %d %s", e.Code, e.Message) }

// DecodeEvent takes an encoded metav1.WatchEvent apart. The object inside is an
// encoded message of its own. An ERROR is returned as a *StatusError.
func DecodeEvent(frame []byte) (Event, error) {
	// The event itself carries the prefix only with some servers.
	if bytes.HasPrefix(frame, magic) {
		raw, err := Unwrap(frame)
		if err != nil {
			return Event{}, err
		}
		frame = raw
	}
	var ev Event
	var object []byte
	var inner error
	err := walk(frame, func(num protowire.Number, v value) {
		switch num {
		case 1:
			ev.Type = typeOf(v.bytes)
		case 2:
			inner = errors.Join(inner, walk(v.bytes, func(num protowire.Number, v value) {
				if num == 1 {
					object = v.bytes
				}
			}))
		}
	})
	if err = errors.Join(err, inner); err != nil {
		return Event{}, err
	}
	if ev.Object, err = Unwrap(object); err != nil {
		return Event{}, err
	}
	if ev.Type == "ERROR" {
		return Event{}, statusError(ev.Object)
	}
	return ev, nil
}

// typeOf returns the type without allocating the known ones again.
func typeOf(b []byte) string {
	for _, t := range []string{"ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"} {
		if string(b) == t {
			return t
		}
	}
	return string(b)
}

// version returns the resourceVersion of an object.
func version(object []byte) (uint64, error) {
	var version uint64
	var bad error
	err := walk(object, func(num protowire.Number, v value) {
		if num == 1 {
			bad = errors.Join(bad, walk(v.bytes, func(num protowire.Number, v value) {
				if num == 6 {
					var err error
					version, err = number(v.bytes)
					bad = errors.Join(bad, err)
				}
			}))
		}
	})
	return version, errors.Join(err, bad)
}

// annotation returns the value of an annotation of an object.
func annotation(object []byte, name string) (text []byte, err error) {
	err = within(object, 1, func(metadata []byte) error {
		return within(metadata, 12, func(entry []byte) error {
			var key, content []byte
			err := walk(entry, func(num protowire.Number, v value) {
				switch num {
				case 1:
					key = v.bytes
				case 2:
					content = v.bytes
				}
			})
			if string(key) == name {
				text = content
			}
			return err
		})
	})
	return text, err
}

// number reads a decimal number.
func number(b []byte) (uint64, error) {
	var n uint64
	for _, c := range b {
		if c < '0' || c > '9' || n > (1<<64-1-9)/10 {
			return 0, fmt.Errorf("%w: the resourceVersion %q is no number", ErrMalformed, b)
		}
		n = 10*n + uint64(c-'0')
	}
	return n, nil
}

// initialEnd is the annotation of the bookmark that follows the last of the
// initial events of a streaming list (KEP-3157).
var initialEnd = []byte("k8s.io/initial-events-end")

// EndsInitial says whether the event is the bookmark behind the last initial
// event of a streaming list.
func (e Event) EndsInitial() bool {
	return e.Type == "BOOKMARK" && bytes.Contains(e.Object, initialEnd)
}

func statusError(raw []byte) error {
	var s StatusError
	err := walk(raw, func(num protowire.Number, v value) {
		switch num {
		case 3:
			s.Message = string(v.bytes)
		case 6:
			s.Code = int(int32(v.varint))
		}
	})
	if err != nil {
		return err
	}
	return &s
}
