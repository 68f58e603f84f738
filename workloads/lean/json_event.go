package lean

import (
	"bytes"
	"strconv"
)

// eventJSON takes a metav1.WatchEvent apart.
func eventJSON(frame []byte) (Event, error) {
	ev := Event{Format: JSON}
	err := members(frame, func(key, value []byte) error {
		switch string(key) {
		case "type":
			kind, err := unquote(value)
			ev.Type = typeOf(kind)
			return err
		case "object":
			ev.Object = value
		}
		return nil
	})
	switch {
	case err != nil:
		return Event{}, err
	case len(ev.Object) == 0 || ev.Object[0] != '{':
		return Event{}, malformed("a watch event without an object")
	case ev.Type == "ERROR":
		return Event{}, statusJSON(ev.Object)
	}
	return ev, nil
}

func statusJSON(object []byte) error {
	var s StatusError
	err := members(object, func(key, value []byte) (err error) {
		switch string(key) {
		case "message":
			err = into(&s.Message, value)
		case "code":
			if s.Code, err = strconv.Atoi(string(value)); err != nil {
				err = malformed("a Status whose code is no number")
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	return &s
}

// inMetadata calls each for the members of an object's metadata. It goes no
// further than the metadata, which come before all that is large.
func inMetadata(object []byte, each func(key, value []byte) error) error {
	return found(members(object, func(key, value []byte) error {
		if string(key) != "metadata" {
			return nil
		}
		if err := members(value, each); err != nil {
			return err
		}
		return errFound
	}))
}

func versionJSON(object []byte) (version uint64, err error) {
	err = inMetadata(object, func(key, value []byte) error {
		if string(key) != "resourceVersion" {
			return nil
		}
		text, err := unquote(value)
		if err == nil {
			version, err = number(text)
		}
		return err
	})
	return version, err
}

func annotationJSON(object []byte, name string) (annotation []byte, err error) {
	err = inMetadata(object, func(key, value []byte) error {
		if string(key) != "annotations" {
			return nil
		}
		return members(value, func(key, value []byte) (err error) {
			if string(key) == name {
				annotation, err = unquote(value)
			}
			return err
		})
	})
	return annotation, err
}

// listJSON reads a list; nothing is handed on of one that is cut off.
func listJSON(body []byte, each func(object []byte)) (ListMeta, error) {
	var meta ListMeta
	var items []byte
	err := members(body, func(key, value []byte) error {
		switch string(key) {
		case "metadata":
			return members(value, func(key, value []byte) error {
				switch string(key) {
				case "resourceVersion":
					text, err := unquote(value)
					if err == nil {
						meta.Version, err = number(text)
					}
					return err
				case "continue":
					return into(&meta.Continue, value)
				}
				return nil
			})
		case "items":
			items = value
		}
		return nil
	})
	if err != nil || len(items) == 0 {
		return meta, err
	}
	return meta, elements(items, func(object []byte) error { each(object); return nil })
}

// feedLines is Feed for JSON: a frame is a line.
func (s *Splitter) feedLines(part []byte, each func(frame []byte) error) error {
	for len(part) > 0 {
		end := bytes.IndexByte(part, '\n')
		if end < 0 {
			if len(s.partial) == 0 {
				part = trim(part)
			}
			s.partial = append(s.partial, part...)
			switch {
			case len(s.partial) > 0 && s.partial[0] != '{':
				return malformed("a watch event that is no JSON object")
			case len(s.partial) > maxFrame:
				return malformed("a watch event of more than " + strconv.Itoa(maxFrame) + " bytes")
			}
			return nil
		}
		frame := part[:end]
		if len(s.partial) > 0 {
			frame = append(s.partial, frame...)
			s.partial = nil
		}
		part = part[end+1:]
		if frame = trim(frame); len(frame) == 0 {
			continue
		}
		if err := each(frame); err != nil {
			return err
		}
	}
	return nil
}
