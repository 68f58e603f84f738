package latency

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"

	"github.com/storm-harness/storm/internal/rundir"
)

// The V2 format of HdrHistogram: a header of cookie and length, then a zlib
// stream of a 40 byte header and the counts as zig-zag LEB128 numbers, a
// negative one being a run of empty buckets. Source: EncodableHistogram and
// ZigZagEncoding in github.com/HdrHistogram/HdrHistogram.
const (
	cookieCompressed = 0x1c849304
	cookiePlain      = 0x1c849303
	cookieMask       = ^uint32(0xf0)
	headerSize       = 40
)

// The geometry of a run directory's histograms: three digits need sub-buckets
// of 2,048, of which each further bucket uses the upper half.
const (
	halfBits   = 10
	halfBucket = 1 << halfBits
)

// maxPayload bounds what is inflated: nine bytes a bucket at most.
var maxPayload = 9 * (index(rundir.HistHighest) + 1)

// index returns the bucket of a value.
func index(us int64) int {
	bucket := max(0, bits.Len64(uint64(us))-halfBits-1)
	return bucket<<halfBits + int(us>>bucket)
}

// highest returns the largest value that falls into the bucket.
func highest(index int) int64 {
	bucket := index>>halfBits - 1
	sub := index&(halfBucket-1) + halfBucket
	if bucket < 0 {
		bucket, sub = 0, sub-halfBucket
	}
	return int64(sub+1)<<bucket - 1
}

// Decoder reads histograms and keeps its buffers for the next one. The zero
// value is ready; it is not safe for concurrent use.
type Decoder struct {
	raw     []byte
	in      bytes.Reader
	inflate io.ReadCloser
	plain   bytes.Buffer
	bins    []Bin
}

// Decode returns the bins of a Window's Hist, in order, valid until the next
// call; none for an empty text. It refuses every geometry but that of package
// rundir, and anything cut off or damaged.
func (d *Decoder) Decode(text string) ([]Bin, error) {
	if text == "" {
		return nil, nil
	}
	bins, err := d.decode(text)
	if err != nil {
		return nil, fmt.Errorf("histogram: %w", err)
	}
	return bins, nil
}

func (d *Decoder) decode(text string) ([]Bin, error) {
	var err error
	if d.raw, err = base64.StdEncoding.AppendDecode(d.raw[:0], []byte(text)); err != nil {
		return nil, err
	}
	if len(d.raw) < 8 || binary.BigEndian.Uint32(d.raw)&cookieMask != cookieCompressed {
		return nil, errors.New("not V2 compressed")
	}
	if n := binary.BigEndian.Uint32(d.raw[4:]); uint64(n) != uint64(len(d.raw)-8) {
		return nil, fmt.Errorf("has %d compressed bytes, its header says %d", len(d.raw)-8, n)
	}
	if err := d.unzip(d.raw[8:]); err != nil {
		return nil, err
	}
	plain := d.plain.Bytes()
	if len(plain) < headerSize {
		return nil, errors.New("cut off in its header")
	}
	if err := checkHeader(plain); err != nil {
		return nil, err
	}
	return d.counts(plain[headerSize:])
}

// unzip inflates into d.plain, no more than a histogram can need.
func (d *Decoder) unzip(packed []byte) error {
	d.in.Reset(packed)
	if d.inflate == nil {
		z, err := zlib.NewReader(&d.in)
		if err != nil {
			return err
		}
		d.inflate = z
	} else if err := d.inflate.(zlib.Resetter).Reset(&d.in, nil); err != nil {
		return err
	}
	d.plain.Reset()
	n, err := d.plain.ReadFrom(io.LimitReader(d.inflate, int64(headerSize+maxPayload+1)))
	if err != nil {
		return err
	}
	if n > int64(headerSize+maxPayload) {
		return errors.New("larger than any histogram can be")
	}
	return nil
}

func checkHeader(h []byte) error {
	if binary.BigEndian.Uint32(h)&cookieMask != cookiePlain {
		return errors.New("not V2 inside")
	}
	if n := binary.BigEndian.Uint32(h[4:]); uint64(n) != uint64(len(h)-headerSize) {
		return fmt.Errorf("has %d bytes of counts, its header says %d", len(h)-headerSize, n)
	}
	digits, lowest, top := binary.BigEndian.Uint32(h[12:]), binary.BigEndian.Uint64(h[16:]), binary.BigEndian.Uint64(h[24:])
	if digits != rundir.HistDigits || lowest != rundir.HistLowest || top != rundir.HistHighest {
		return fmt.Errorf("of %d…%d with %d digits, want %d…%d with %d", lowest, top, digits,
			rundir.HistLowest, rundir.HistHighest, rundir.HistDigits)
	}
	return nil
}

// counts reads the buckets' counts.
func (d *Decoder) counts(payload []byte) ([]Bin, error) {
	d.bins = d.bins[:0]
	last := index(rundir.HistHighest)
	at, total := 0, uint64(0)
	for len(payload) > 0 {
		v, n := zigzag(payload)
		if n == 0 {
			return nil, errors.New("cut off in its counts")
		}
		payload = payload[n:]
		switch {
		case v < 0 && v >= int64(at-last-1):
			at -= int(v)
		case v >= 0 && at <= last:
			if v > 0 {
				d.bins = append(d.bins, Bin{US: highest(at), N: uint64(v)})
			}
			at++
			total += uint64(v)
		default:
			return nil, errors.New("has more buckets than its range")
		}
		if total > math.MaxInt64 {
			return nil, errors.New("counts more than can be")
		}
	}
	return d.bins, nil
}

// zigzag reads a number of at most nine bytes, the ninth whole; n is 0 where
// it is cut off.
func zigzag(b []byte) (v int64, n int) {
	var u uint64
	for i := 0; i < 9; i++ {
		if i >= len(b) {
			return 0, 0
		}
		if i == 8 {
			u |= uint64(b[i]) << 56
			n = 9
			break
		}
		u |= uint64(b[i]&0x7f) << (7 * i)
		if b[i] < 0x80 {
			n = i + 1
			break
		}
	}
	return int64(u>>1) ^ -int64(u&1), n
}
