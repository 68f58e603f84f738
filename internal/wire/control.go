package wire

import (
	"golang.org/x/net/http2"
)

// settings takes the server's SETTINGS, and acknowledges them.
func (r *reader) settings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		return nil
	}
	r.mu.Lock()
	err := f.ForeachSetting(func(s http2.Setting) error {
		if err := s.Valid(); err != nil {
			return err
		}
		switch s.ID {
		case http2.SettingMaxConcurrentStreams:
			r.most.Store(int64(s.Val))
		case http2.SettingMaxFrameSize:
			r.frame = int(min(s.Val, initialMaxFrame)) // larger ones gain nothing
		case http2.SettingHeaderTableSize:
			r.enc.SetMaxDynamicTableSizeLimit(s.Val)
		case http2.SettingInitialWindowSize:
			change := int64(s.Val) - r.initial
			r.initial = int64(s.Val)
			for _, open := range r.streams {
				open.window += change
			}
		}
		return nil
	})
	if err != nil {
		r.mu.Unlock()
		return err
	}
	r.write((*http2.Framer).WriteSettingsAck)
	r.resume()
	r.flush()
	if !r.settled {
		if !f.HasDuplicates() {
			r.settled = true
			close(r.ready)
			return nil
		}
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	return nil
}

// goAway takes the server's word that it closes the connection: what it will
// not act on ends now, the rest goes on.
func (r *reader) goAway(f *http2.GoAwayFrame) {
	r.mu.Lock()
	r.away = &GoAwayError{Code: f.ErrCode}
	var unseen []*Stream
	for id, s := range r.streams {
		if id > f.LastStreamID {
			unseen = append(unseen, s)
			r.drop(id)
		}
	}
	away := r.away
	r.mu.Unlock()
	for _, s := range unseen {
		s.end(away)
	}
}

// gone returns an error once the last stream of a connection that goes away
// has ended.
func (r *reader) gone() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.away != nil && len(r.streams) == 0 {
		return r.away
	}
	return nil
}
