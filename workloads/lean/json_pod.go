package lean

import "strconv"

// ReadJSON reads a pod's JSON, as it is in a watch event or a list: the same
// that Read does.
func (p *Pod) ReadJSON(text []byte) error {
	*p = Pod{Containers: p.Containers[:0], Secrets: p.Secrets[:0], ConfigMaps: p.ConfigMaps[:0], Tokens: p.Tokens[:0]}
	return members(text, func(key, value []byte) error {
		switch string(key) {
		case "metadata":
			return p.readJSON(value)
		case "spec":
			return p.specJSON(value)
		case "status":
			return members(value, func(key, value []byte) error {
				switch string(key) {
				case "phase":
					return into(&p.Phase, value)
				case "podIP":
					return into(&p.PodIP, value)
				case "conditions":
					return elements(value, p.conditionJSON)
				case "containerStatuses":
					return elements(value, p.restartsJSON)
				}
				return nil
			})
		}
		return nil
	})
}

func (p *Pod) conditionJSON(text []byte) error {
	var of, status string
	err := members(text, func(key, value []byte) error {
		switch string(key) {
		case "type":
			return into(&of, value)
		case "status":
			return into(&status, value)
		}
		return nil
	})
	if of == "Ready" {
		p.Ready = status == "True"
	}
	return err
}

func (p *Pod) restartsJSON(text []byte) error {
	return members(text, func(key, value []byte) error {
		if string(key) != "restartCount" {
			return nil
		}
		n, err := strconv.ParseInt(string(value), 10, 32)
		p.Restarts = max(p.Restarts, int32(n))
		return err
	})
}

func (m *Meta) readJSON(text []byte) error {
	return members(text, func(key, value []byte) error {
		switch string(key) {
		case "name":
			return into(&m.Name, value)
		case "namespace":
			return into(&m.Namespace, value)
		case "uid":
			return into(&m.UID, value)
		case "resourceVersion":
			return into(&m.ResourceVersion, value)
		case "generation":
			var err error
			m.Generation, err = strconv.ParseInt(string(value), 10, 64)
			return err
		case "deletionTimestamp":
			m.Deleting = !isNull(value)
		}
		return nil
	})
}

func (p *Pod) specJSON(text []byte) error {
	return members(text, func(key, value []byte) error {
		switch string(key) {
		case "volumes":
			return elements(value, p.volumeJSON)
		case "containers":
			return elements(value, func(value []byte) error {
				c, err := p.containerJSON(value)
				p.Containers = append(p.Containers, c)
				return err
			})
		case "initContainers":
			return elements(value, func(value []byte) error {
				_, err := p.containerJSON(value)
				return err
			})
		case "imagePullSecrets":
			return elements(value, func(value []byte) error { return nameJSON(value, "name", &p.Secrets) })
		case "restartPolicy":
			return into(&p.RestartPolicy, value)
		case "serviceAccountName":
			return into(&p.ServiceAccount, value)
		case "nodeName":
			return into(&p.Node, value)
		case "schedulerName":
			return into(&p.Scheduler, value)
		case "hostNetwork":
			p.HostNetwork = string(value) == "true"
		}
		return nil
	})
}

func (p *Pod) containerJSON(text []byte) (c Container, err error) {
	err = members(text, func(key, value []byte) error {
		switch string(key) {
		case "name":
			return into(&c.Name, value)
		case "image":
			return into(&c.Image, value)
		case "env":
			return elements(value, func(value []byte) error {
				return member(value, "valueFrom", func(value []byte) error {
					return p.referencesJSON(value, "configMapKeyRef", "secretKeyRef")
				})
			})
		case "envFrom":
			return elements(value, func(value []byte) error {
				return p.referencesJSON(value, "configMapRef", "secretRef")
			})
		}
		return nil
	})
	return c, err
}

func (p *Pod) volumeJSON(text []byte) error {
	return members(text, func(key, value []byte) error {
		switch string(key) {
		case "secret":
			return nameJSON(value, "secretName", &p.Secrets)
		case "configMap":
			return nameJSON(value, "name", &p.ConfigMaps)
		case "projected":
			return member(value, "sources", func(value []byte) error { return elements(value, p.projectionJSON) })
		}
		return nil
	})
}

// projectionJSON reads one source of a projected volume.
func (p *Pod) projectionJSON(text []byte) error {
	return members(text, func(key, value []byte) error {
		switch string(key) {
		case "secret":
			return nameJSON(value, "name", &p.Secrets)
		case "configMap":
			return nameJSON(value, "name", &p.ConfigMaps)
		case "serviceAccountToken":
			if isNull(value) {
				return nil
			}
			var t Token
			err := members(value, func(key, value []byte) (err error) {
				switch string(key) {
				case "audience":
					return into(&t.Audience, value)
				case "expirationSeconds":
					if !isNull(value) {
						if t.Seconds, err = strconv.ParseInt(string(value), 10, 64); err != nil {
							return malformed("a token's expirationSeconds is no number")
						}
					}
				}
				return nil
			})
			p.Tokens = append(p.Tokens, t)
			return err
		}
		return nil
	})
}

// referencesJSON reads references to a ConfigMap or a Secret.
func (p *Pod) referencesJSON(text []byte, configMap, secret string) error {
	return members(text, func(key, value []byte) error {
		switch string(key) {
		case configMap:
			return nameJSON(value, "name", &p.ConfigMaps)
		case secret:
			return nameJSON(value, "name", &p.Secrets)
		}
		return nil
	})
}

// nameJSON appends the member that is a name, if there is one.
func nameJSON(text []byte, field string, names *[]string) error {
	return member(text, field, func(value []byte) error {
		var name string
		err := into(&name, value)
		*names = append(*names, name)
		return err
	})
}

// member calls read for the members of that name.
func member(text []byte, name string, read func(value []byte) error) error {
	return members(text, func(key, value []byte) error {
		if string(key) == name {
			return read(value)
		}
		return nil
	})
}
