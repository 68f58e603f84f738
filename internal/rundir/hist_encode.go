package rundir

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"math"
	"sync"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// The cookies of HdrHistogram's V2 encoding, and the length of its header
// (HdrHistogram's AbstractHistogram, encodeIntoCompressedByteBuffer).
const (
	cookie           = 0x1c849303 | 0x10
	cookieCompressed = 0x1c849304 | 0x10
	histHeader       = 40
)

// encoder encodes histograms. It is used again because a compressor is a
// megabyte: the library makes one for each histogram, which for a window of
// every series each second was an eighth of what storm took in a quickstart.
type encoder struct {
	plain, packed bytes.Buffer
	zip           *zlib.Writer
	varint        [binary.MaxVarintLen64]byte
}

var encoders = sync.Pool{New: func() any {
	e := &encoder{}
	e.zip, _ = zlib.NewWriterLevel(&e.packed, zlib.BestSpeed) // fails for a level there is not
	return e
}}

// encode returns the histogram in the V2 compressed encoding, in base64.
func (e *encoder) encode(h *hdrhistogram.Histogram) (string, error) {
	s := h.Export()
	e.plain.Reset()
	var head [histHeader]byte
	e.plain.Write(head[:]) // filled in below
	e.counts(s.Counts)
	b := e.plain.Bytes()
	put := binary.BigEndian
	put.PutUint32(b[0:], cookie)
	put.PutUint32(b[4:], uint32(len(b)-histHeader))
	// b[8:12] is an offset of 0: counts are in their own order.
	put.PutUint32(b[12:], uint32(s.SignificantFigures))
	put.PutUint64(b[16:], uint64(s.LowestTrackableValue))
	put.PutUint64(b[24:], uint64(s.HighestTrackableValue))
	put.PutUint64(b[32:], math.Float64bits(1)) // a value is itself, not a part of something

	e.packed.Reset()
	e.packed.Write(head[:8])
	e.zip.Reset(&e.packed)
	if _, err := e.zip.Write(b); err != nil {
		return "", err
	}
	if err := e.zip.Close(); err != nil {
		return "", err
	}
	out := e.packed.Bytes()
	put.PutUint32(out[0:], cookieCompressed)
	put.PutUint32(out[4:], uint32(len(out)-8))
	return base64.StdEncoding.EncodeToString(out), nil
}

// counts writes the counts up to the last that is not 0, each as a zigzag
// LEB128, and runs of zeros as one negative number.
func (e *encoder) counts(counts []int64) {
	zeros := int64(0)
	for _, n := range counts {
		if n == 0 {
			zeros++
			continue
		}
		switch {
		case zeros == 1:
			e.varintOf(0)
		case zeros > 1:
			e.varintOf(-zeros)
		}
		zeros = 0
		e.varintOf(n)
	}
}

func (e *encoder) varintOf(n int64) {
	e.plain.Write(e.varint[:binary.PutVarint(e.varint[:], n)])
}
