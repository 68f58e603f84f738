package lean

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// This file walks JSON without decoding it: an object's members and an array's
// elements are handed on as they lie in the text. What nobody asks for is only
// looked at for where it ends.

func malformed(what string) error { return fmt.Errorf("%w: %s", ErrMalformed, what) }

// members calls each for every member of a JSON object, the key without its
// quotes, until each returns an error. null has no members.
func members(text []byte, each func(key, value []byte) error) error {
	inside, err := enclosed(text, '{', '}')
	for err == nil && len(inside) > 0 {
		var key, value []byte
		if key, inside, err = cut(inside); err != nil {
			return err
		}
		if key, err = unquote(key); err != nil {
			return err
		}
		if inside = trim(inside); len(inside) == 0 || inside[0] != ':' {
			return malformed("JSON: a key without a value")
		}
		if value, inside, err = cut(inside[1:]); err != nil {
			return err
		}
		if err = each(key, value); err != nil {
			return err
		}
		inside, err = afterComma(inside)
	}
	return err
}

// elements calls each for every element of a JSON array, until each returns an
// error. null has no elements.
func elements(text []byte, each func(value []byte) error) error {
	inside, err := enclosed(text, '[', ']')
	for err == nil && len(inside) > 0 {
		var value []byte
		if value, inside, err = cut(inside); err != nil {
			return err
		}
		if err = each(value); err != nil {
			return err
		}
		inside, err = afterComma(inside)
	}
	return err
}

// enclosed returns what is between the brackets of an object or an array;
// nothing of null.
func enclosed(text []byte, open, end byte) ([]byte, error) {
	text = bytes.TrimRight(trim(text), blanks)
	switch {
	case isNull(text):
		return nil, nil
	case len(text) < 2 || text[0] != open || text[len(text)-1] != end:
		return nil, malformed("JSON: no " + string(open))
	}
	return trim(text[1 : len(text)-1]), nil
}

// afterComma returns what follows the comma between two members; nothing after
// the last.
func afterComma(rest []byte) ([]byte, error) {
	rest = trim(rest)
	switch {
	case len(rest) == 0:
		return nil, nil
	case rest[0] != ',':
		return nil, malformed("JSON: no comma")
	}
	if rest = trim(rest[1:]); len(rest) == 0 {
		return nil, malformed("JSON: nothing behind a comma")
	}
	return rest, nil
}

const blanks = " \t\r\n"

func trim(text []byte) []byte {
	for len(text) > 0 && (text[0] == ' ' || text[0] == '\t' || text[0] == '\r' || text[0] == '\n') {
		text = text[1:]
	}
	return text
}

func isNull(value []byte) bool { return string(value) == "null" }

// cut cuts the first value off text.
func cut(text []byte) (value, rest []byte, err error) {
	text = trim(text)
	end := 0
	switch {
	case len(text) == 0:
		return nil, nil, malformed("JSON: no value")
	case text[0] == '"':
		end, err = endOfString(text)
	case text[0] == '{' || text[0] == '[':
		end, err = endOfNest(text)
	default:
		if end = bytes.IndexAny(text, ",:]}\" \t\r\n"); end < 0 {
			end = len(text)
		}
		if end == 0 {
			err = malformed("JSON: no value")
		}
	}
	if err != nil {
		return nil, nil, err
	}
	return text[:end], text[end:], nil
}

// endOfString returns where the string ends that text begins with.
func endOfString(text []byte) (int, error) {
	for i := 1; ; {
		n := bytes.IndexByte(text[i:], '"')
		if n < 0 {
			return 0, malformed("JSON: a string without an end")
		}
		i += n
		back := 0 // an odd number of backslashes makes it a character of the string
		for text[i-1-back] == '\\' {
			back++
		}
		i++
		if back%2 == 0 {
			return i, nil
		}
	}
}

// endOfNest returns where the object or array ends that text begins with.
func endOfNest(text []byte) (int, error) {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1, nil
			}
		case '"':
			n, err := endOfString(text[i:])
			if err != nil {
				return 0, err
			}
			i += n - 1
		}
	}
	return 0, malformed("JSON: cut off")
}

// unquote returns a string's text: where it lies if it has nothing escaped;
// nothing of null.
func unquote(value []byte) ([]byte, error) {
	if isNull(value) {
		return nil, nil
	}
	if len(value) < 2 || value[0] != '"' {
		return nil, malformed("JSON: no string")
	}
	for _, b := range value[1 : len(value)-1] {
		if b < ' ' || b >= 0x80 || b == '\\' {
			var s string
			if err := json.Unmarshal(value, &s); err != nil {
				return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
			}
			return []byte(s), nil
		}
	}
	return value[1 : len(value)-1], nil
}

// into reads a string into a field; null leaves it as it is.
func into(field *string, value []byte) error {
	if isNull(value) {
		return nil
	}
	text, err := unquote(value)
	*field = string(text)
	return err
}
