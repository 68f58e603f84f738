package client

// tailSize is as much as a Tail holds: more than the metadata of any list.
const tailSize = 8 << 10

// Tail holds the end of a body: there a list of custom resources has its metadata.
type Tail struct{ last []byte }

// Bytes returns the last of what was written, 8 KiB at most; nothing of no Tail.
func (t *Tail) Bytes() []byte {
	if t == nil {
		return nil
	}
	return t.last[max(0, len(t.last)-tailSize):]
}

// Write implements io.Writer; it never fails.
func (t *Tail) Write(p []byte) (int, error) {
	if len(t.last)+len(p) > 2*tailSize { // moved now and then, not with every part
		t.last = append(t.last[:0], t.Bytes()...)
	}
	t.last = append(t.last, p[max(0, len(p)-tailSize):]...)
	return len(p), nil
}
