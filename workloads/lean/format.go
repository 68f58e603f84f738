package lean

import "errors"

// Format is an encoding of watches and lists.
type Format uint8

// The formats that the API server has for its own resources. Custom resources
// have JSON alone.
const (
	Protobuf Format = iota
	JSON
)

// Event takes one frame of a watch apart. An ERROR is returned as a
// *StatusError.
func (f Format) Event(frame []byte) (Event, error) {
	if f == JSON {
		return eventJSON(frame)
	}
	return DecodeEvent(frame)
}

// List reads a list: it calls each for every object, as an event of the type
// LISTED, and returns the list's metadata.
func (f Format) List(body []byte, each func(Event)) (ListMeta, error) {
	hand := func(object []byte) { each(Event{Type: "LISTED", Object: object, Format: f}) }
	if f == JSON {
		return listJSON(body, hand)
	}
	return List(body, hand)
}

// Pod reads the event's object as a pod.
func (e Event) Pod(p *Pod) error {
	if e.Format == JSON {
		return p.ReadJSON(e.Object)
	}
	return p.Read(e.Object)
}

// Version returns the resourceVersion of the event's object, which is a number
// in every server that storm knows; 0 where there is none.
func (e Event) Version() (uint64, error) {
	if e.Format == JSON {
		return versionJSON(e.Object)
	}
	return version(e.Object)
}

// Annotation returns the value of an annotation of the event's object, which is
// as valid as the frame is; nil where there is none.
func (e Event) Annotation(name string) ([]byte, error) {
	if e.Format == JSON {
		return annotationJSON(e.Object, name)
	}
	return annotation(e.Object, name)
}

// errFound ends a walk that has what it was for.
var errFound = errors.New("found")

// found is err, unless it is the end of a walk that has what it was for.
func found(err error) error {
	if errors.Is(err, errFound) {
		return nil
	}
	return err
}
