package lean

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"
)

// maxFrame bounds one frame of a watch. etcd takes objects up to 1.5 MiB by
// default; what claims to be much larger is no watch event.
const maxFrame = 64 << 20

// Event is one event of a watch in Protobuf.
type Event struct {
	Type string // ADDED, MODIFIED, DELETED, BOOKMARK, ERROR
	// Object is the object's own bytes; of an ERROR, a Status. It is valid
	// until the next event is read.
	Object []byte
}

// StatusError is the Status that an ERROR event carries.
type StatusError struct {
	Code    int // as HTTP's: 410 where the resourceVersion is too old
	Message string
}

func (e *StatusError) Error() string { return fmt.Sprintf("the watch ended: %d %s", e.Code, e.Message) }

// buffers are shared by all watches: one that waits for its next event holds
// none.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// Events reads a watch's body and calls each for every event, until the body
// ends (io.EOF: the server closed it in good order), is cut off, is malformed,
// or carries an ERROR, which is returned as a *StatusError. A frame is four
// bytes of length, big-endian, and an encoded metav1.WatchEvent.
func Events(body io.Reader, each func(Event) error) error {
	var length [4]byte
	for {
		if _, err := io.ReadFull(body, length[:]); err != nil {
			return err
		}
		size := binary.BigEndian.Uint32(length[:])
		if size > maxFrame {
			return fmt.Errorf("%w: a frame of %d bytes", ErrMalformed, size)
		}
		if err := event(body, int64(size), each); err != nil {
			return err
		}
	}
}

// event reads one frame of that size.
func event(body io.Reader, size int64, each func(Event) error) error {
	buf := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(buf)
	buf.Reset()
	// Copied as it comes: a length alone must not make storm allocate it.
	if n, err := io.CopyN(buf, body, size); err != nil {
		if n < size && errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	ev, err := decode(buf.Bytes())
	if err != nil {
		return err
	}
	if ev.Type == "ERROR" {
		return statusError(ev.Object)
	}
	return each(ev)
}

// decode takes an encoded WatchEvent apart. The object inside is an encoded
// message of its own.
func decode(frame []byte) (Event, error) {
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

// ResourceVersion returns the resourceVersion of the event's object.
func (e Event) ResourceVersion() (string, error) {
	var m Meta
	err := object(e.Object, &m)
	return m.ResourceVersion, err
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
