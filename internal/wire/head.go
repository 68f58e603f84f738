package wire

import (
	"fmt"
	"strconv"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// writeHead encodes the header fields of a request and appends their frames;
// the lock is held.
func (c *Conn) writeHead(id uint32, r *Request) {
	c.block.Reset()
	c.field(":method", r.Method, false)
	c.field(":scheme", "https", false)
	c.field(":authority", r.Authority, false)
	c.field(":path", r.Path, true)
	for _, f := range r.Fields {
		c.field(f.Name, f.Value, f.Once)
	}
	if r.Body != nil {
		c.field("content-length", strconv.Itoa(len(r.Body)), true)
	}
	block := c.block.Bytes()
	first := block[:min(len(block), c.frame)]
	rest := block[len(first):]
	c.write(func(w *http2.Framer) error {
		_ = w.WriteHeaders(http2.HeadersFrameParam{
			StreamID: id, BlockFragment: first, EndStream: len(r.Body) == 0, EndHeaders: len(rest) == 0,
		})
		for len(rest) > 0 {
			part := rest[:min(len(rest), c.frame)]
			rest = rest[len(part):]
			_ = w.WriteContinuation(id, len(rest) == 0, part)
		}
		return nil
	})
}

// field encodes one field. What is Sensitive is never put into the table.
func (c *Conn) field(name, value string, once bool) {
	_ = c.enc.WriteField(hpack.HeaderField{Name: name, Value: value, Sensitive: once})
}

// What a server may send as header fields: a table as large as its default, and
// a block that no API server comes near.
const (
	headTable = 4 << 10
	mostBlock = 256 << 10
)

// heads decodes the header fields of answers.
type heads struct {
	dec   *hpack.Decoder
	block []byte // of a head that comes in several frames
	head  Head
	bad   bool // a number is none
}

func newHeads() *heads {
	h := &heads{}
	h.dec = hpack.NewDecoder(headTable, h.field)
	h.dec.SetMaxStringLength(mostBlock)
	return h
}

func (h *heads) field(f hpack.HeaderField) {
	switch f.Name {
	case ":status":
		n, err := strconv.Atoi(f.Value)
		h.head.Status, h.bad = n, h.bad || err != nil || n < 100 || n > 999
	case "content-type":
		h.head.Type = f.Value
	case "content-encoding":
		h.head.Encoding = f.Value
	case "content-length":
		n, err := strconv.ParseInt(f.Value, 10, 64)
		h.head.Length, h.bad = n, h.bad || err != nil || n < 0
	case "retry-after":
		h.head.RetryAfter = f.Value
	case "grpc-status":
		h.head.Outcome = f.Value
	case "grpc-message":
		h.head.Message = f.Value
	}
}

// take takes a fragment of a block; whole says that it was the last.
func (h *heads) take(fragment []byte, whole bool) (Head, error) {
	if len(h.block)+len(fragment) > mostBlock {
		return Head{}, fmt.Errorf("%w: header fields of more than %d bytes", ErrMalformed, mostBlock)
	}
	if !whole {
		h.block = append(h.block, fragment...)
		return Head{}, nil
	}
	if len(h.block) > 0 {
		fragment = append(h.block, fragment...)
		h.block = nil
	}
	h.head, h.bad = Head{Length: -1}, false
	if _, err := h.dec.Write(fragment); err != nil {
		return Head{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err := h.dec.Close(); err != nil {
		return Head{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if h.bad {
		return Head{}, fmt.Errorf("%w: a status or a length that is no number", ErrMalformed)
	}
	return h.head, nil
}
