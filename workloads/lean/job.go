package lean

import "google.golang.org/protobuf/encoding/protowire"

// Job is what is read of a Job.
type Job struct {
	Meta
	Complete, Failed bool // its condition of that type is True
}

// Read reads a Job's own bytes, as they are in a watch event or a list.
func (j *Job) Read(raw []byte) error {
	*j = Job{}
	return fields(raw, func(num protowire.Number, v value) error {
		switch num {
		case 1:
			return j.read(v.bytes)
		case 3: // status
			return within(v.bytes, 1, j.condition)
		}
		return nil
	})
}

func (j *Job) condition(raw []byte) error {
	var kind, status string
	err := fields(raw, func(num protowire.Number, v value) error {
		switch num {
		case 1:
			kind = string(v.bytes)
		case 2:
			status = string(v.bytes)
		}
		return nil
	})
	if status == "True" {
		j.Complete = j.Complete || kind == "Complete"
		j.Failed = j.Failed || kind == "Failed"
	}
	return err
}

// Meta returns the metadata of the event's object, whatever its kind.
func (e Event) Meta() (Meta, error) {
	var m Meta
	err := object(e.Object, &m)
	return m, err
}
