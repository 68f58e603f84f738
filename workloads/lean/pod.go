package lean

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
)

// fields calls read for every field and returns what was wrong with any.
func fields(msg []byte, read func(protowire.Number, value) error) error {
	var bad error
	err := walk(msg, func(num protowire.Number, v value) {
		if e := read(num, v); e != nil {
			bad = errors.Join(bad, e)
		}
	})
	if bad != nil {
		return errors.Join(err, bad)
	}
	return err
}

// Read reads a pod's own bytes, as they are in a watch event or a list.
func (p *Pod) Read(raw []byte) error {
	*p = Pod{Containers: p.Containers[:0], Secrets: p.Secrets[:0], ConfigMaps: p.ConfigMaps[:0], Tokens: p.Tokens[:0]}
	return fields(raw, func(num protowire.Number, v value) error {
		switch num {
		case 1:
			return p.read(v.bytes)
		case 2:
			return p.spec(v.bytes)
		case 3:
			return p.status(v.bytes)
		}
		return nil
	})
}

func (p *Pod) spec(raw []byte) error {
	return fields(raw, func(num protowire.Number, v value) error {
		switch num {
		case 1:
			return p.volume(v.bytes)
		case 2:
			c, err := p.container(v.bytes)
			p.Containers = append(p.Containers, c)
			return err
		case 20: // an init container: what it names is watched like what the others do
			_, err := p.container(v.bytes)
			return err
		case 15: // imagePullSecrets
			return within(v.bytes, 1, func(name []byte) error {
				p.Secrets = append(p.Secrets, string(name))
				return nil
			})
		case 3:
			p.RestartPolicy = string(v.bytes)
		case 8:
			p.ServiceAccount = string(v.bytes)
		case 10:
			p.Node = string(v.bytes)
		case 11:
			p.HostNetwork = v.varint != 0
		case 19:
			p.Scheduler = string(v.bytes)
		}
		return nil
	})
}

func (p *Pod) container(raw []byte) (c Container, err error) {
	err = fields(raw, func(num protowire.Number, v value) error {
		switch num {
		case 1:
			c.Name = string(v.bytes)
		case 2:
			c.Image = string(v.bytes)
		case 7: // env: valueFrom, of a key
			return p.references(v.bytes, 3, 3, 4)
		case 19: // envFrom
			return p.referencesIn(v.bytes, 2, 3)
		}
		return nil
	})
	return c, err
}

// volume reads what a volume's source names.
func (p *Pod) volume(raw []byte) error {
	return within(raw, 2, func(source []byte) error {
		return fields(source, func(num protowire.Number, v value) error {
			switch num {
			case 6: // secret: its name is the first field
				return within(v.bytes, 1, func(name []byte) error {
					p.Secrets = append(p.Secrets, string(name))
					return nil
				})
			case 19:
				return p.name(v.bytes, &p.ConfigMaps)
			case 26: // projected
				return within(v.bytes, 1, p.projection)
			}
			return nil
		})
	})
}

// projection reads one source of a projected volume.
func (p *Pod) projection(raw []byte) error {
	return fields(raw, func(num protowire.Number, v value) error {
		switch num {
		case 1:
			return p.name(v.bytes, &p.Secrets)
		case 3:
			return p.name(v.bytes, &p.ConfigMaps)
		case 4:
			var t Token
			err := fields(v.bytes, func(num protowire.Number, v value) error {
				switch num {
				case 1:
					t.Audience = string(v.bytes)
				case 2:
					t.Seconds = int64(v.varint)
				}
				return nil
			})
			p.Tokens = append(p.Tokens, t)
			return err
		}
		return nil
	})
}

// references reads references to a ConfigMap or a Secret out of the field that
// holds them.
func (p *Pod) references(raw []byte, holder, configMap, secret protowire.Number) error {
	return within(raw, holder, func(raw []byte) error { return p.referencesIn(raw, configMap, secret) })
}

func (p *Pod) referencesIn(raw []byte, configMap, secret protowire.Number) error {
	return fields(raw, func(num protowire.Number, v value) error {
		switch num {
		case configMap:
			return p.name(v.bytes, &p.ConfigMaps)
		case secret:
			return p.name(v.bytes, &p.Secrets)
		}
		return nil
	})
}

// name reads a message that begins with a LocalObjectReference.
func (p *Pod) name(raw []byte, into *[]string) error {
	return within(raw, 1, func(reference []byte) error {
		return within(reference, 1, func(name []byte) error {
			*into = append(*into, string(name))
			return nil
		})
	})
}

// within calls read for every field with that number.
func within(raw []byte, want protowire.Number, read func([]byte) error) error {
	return fields(raw, func(num protowire.Number, v value) error {
		if num == want {
			return read(v.bytes)
		}
		return nil
	})
}
