package lean

import (
	"encoding/binary"
	"fmt"
)

// Splitter cuts a watch's body, which comes in parts of any size, into frames.
// One that waits for its next event holds nothing.
type Splitter struct {
	Format  Format
	partial []byte
}

// Feed takes the next part of the body and calls each for every frame that is
// complete with it; frame is valid during the call. It stops at the first
// error, of the body's form or of each's, after which the Splitter is of no
// more use.
func (s *Splitter) Feed(part []byte, each func(frame []byte) error) error {
	if s.Format == JSON {
		return s.feedLines(part, each)
	}
	if len(s.partial) > 0 {
		// Only what the frame lacks is copied, so that a long part with many
		// frames is cut where it lies.
		for len(part) > 0 {
			lacks, err := lacking(s.partial)
			if err != nil {
				return err
			}
			n := min(lacks, len(part))
			s.partial = append(s.partial, part[:n]...)
			part = part[n:]
			if lacks, err = lacking(s.partial); err != nil {
				return err
			}
			if lacks == 0 {
				frame := s.partial[4:]
				s.partial = nil
				if err := each(frame); err != nil {
					return err
				}
				break
			}
		}
		if len(s.partial) > 0 {
			return nil
		}
	}
	for len(part) > 0 {
		lacks, err := lacking(part)
		if err != nil {
			return err
		}
		if lacks > 0 {
			s.partial = append([]byte(nil), part...)
			return nil
		}
		size := 4 + int(binary.BigEndian.Uint32(part))
		if err := each(part[4:size]); err != nil {
			return err
		}
		part = part[size:]
	}
	return nil
}

// Partial says whether a frame has begun that is not complete.
func (s *Splitter) Partial() bool { return len(s.partial) > 0 }

// lacking returns how many bytes a frame that begins like this lacks, at least:
// as long as its length is not there, that of the length alone.
func lacking(b []byte) (int, error) {
	if len(b) < 4 {
		return 4 - len(b), nil
	}
	size := binary.BigEndian.Uint32(b)
	if size > maxFrame {
		return 0, fmt.Errorf("%w: a frame of %d bytes", ErrMalformed, size)
	}
	return max(0, 4+int(size)-len(b)), nil
}
