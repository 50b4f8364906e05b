package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Value text is JSON with sets (`{1, 2}`, `set()`) and any value as key of an object, as in opa_value_parse of OPA's WASM
// runtime. It comes from src/policy/value/print.ts, so what is not of that form is a fault and not a caller's error.
// Strings are bytes: what is not UTF-8 passes unchanged.

// maxDepth is more than the host lets through.
const maxDepth = 5000

var errText = errors.New("not value text")

type reader struct {
	text []byte
	at   int
}

// parseArray reads an array and nothing behind it.
func parseArray(text []byte) ([]*ast.Term, error) {
	r := &reader{text: text}
	if r.next() != '[' {
		return nil, errText
	}
	terms, err := r.list(']', 0)
	if err != nil || r.at != len(text) {
		return nil, errText
	}
	return terms, nil
}

func (r *reader) next() byte {
	for r.at < len(r.text) && r.text[r.at] == ' ' {
		r.at++
	}
	if r.at == len(r.text) {
		return 0
	}
	return r.text[r.at]
}

func (r *reader) accept(c byte) bool {
	if r.next() != c {
		return false
	}
	r.at++
	return true
}

func (r *reader) word(word string, value ast.Value) (*ast.Term, error) {
	if r.at+len(word) > len(r.text) || string(r.text[r.at:r.at+len(word)]) != word {
		return nil, errText
	}
	r.at += len(word)
	return ast.NewTerm(value), nil
}

func (r *reader) value(depth int) (*ast.Term, error) {
	if depth > maxDepth {
		return nil, errText
	}
	switch c := r.next(); c {
	case '"':
		s, err := r.string()
		return ast.StringTerm(s), err
	case '[':
		terms, err := r.list(']', depth)
		return ast.ArrayTerm(terms...), err
	case '{':
		return r.objectOrSet(depth)
	case 't':
		return r.word("true", ast.Boolean(true))
	case 'f':
		return r.word("false", ast.Boolean(false))
	case 'n':
		return r.word("null", ast.Null{})
	case 's':
		return r.word("set()", ast.NewSet())
	default:
		return r.number()
	}
}

// list reads the values up to the closing byte; the opening one is the next.
func (r *reader) list(closing byte, depth int) ([]*ast.Term, error) {
	r.at++
	var terms []*ast.Term
	if r.accept(closing) {
		return terms, nil
	}
	for {
		term, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		terms = append(terms, term)
		if r.accept(',') {
			continue
		}
		if r.accept(closing) {
			return terms, nil
		}
		return nil, errText
	}
}

func (r *reader) objectOrSet(depth int) (*ast.Term, error) {
	start := r.at
	r.at++
	if r.accept('}') {
		return ast.ObjectTerm(), nil
	}
	var pairs [][2]*ast.Term
	for {
		key, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		if !r.accept(':') {
			if len(pairs) > 0 {
				return nil, errText
			}
			r.at = start
			members, err := r.list('}', depth)
			return ast.SetTerm(members...), err
		}
		value, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, [2]*ast.Term{key, value})
		if r.accept(',') {
			continue
		}
		if r.accept('}') {
			return ast.ObjectTerm(pairs...), nil
		}
		return nil, errText
	}
}

func (r *reader) number() (*ast.Term, error) {
	start := r.at
	for r.at < len(r.text) && (r.text[r.at]-'0' <= 9 || r.text[r.at] == '-' || r.text[r.at] == '+' ||
		r.text[r.at] == '.' || r.text[r.at]|0x20 == 'e') {
		r.at++
	}
	if start == r.at {
		return nil, errText
	}
	return ast.NumberTerm(json.Number(r.text[start:r.at])), nil
}

func (r *reader) string() (string, error) {
	r.at++
	start, escaped := r.at, false
	for ; r.at < len(r.text) && r.text[r.at] != '"'; r.at++ {
		if r.text[r.at] == '\\' {
			escaped = true
			r.at++
		}
	}
	if r.at >= len(r.text) {
		return "", errText
	}
	raw := r.text[start:r.at]
	r.at++
	if !escaped {
		return string(raw), nil
	}
	return unescape(raw)
}

// unescape knows the escapes that JSON.stringify writes: of `\u` only control characters.
func unescape(raw []byte) (string, error) {
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			out = append(out, raw[i])
			continue
		}
		i++
		switch raw[i] {
		case '"', '\\', '/':
			out = append(out, raw[i])
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			if i+4 >= len(raw) {
				return "", errText
			}
			unit, err := strconv.ParseUint(string(raw[i+1:i+5]), 16, 16)
			if err != nil {
				return "", errText
			}
			out = utf8.AppendRune(out, rune(unit))
			i += 4
		default:
			return "", errText
		}
	}
	return string(out), nil
}

// appendValue writes ground values, which is all that builtins return.
func appendValue(out []byte, value ast.Value) []byte {
	switch v := value.(type) {
	case ast.Null:
		return append(out, "null"...)
	case ast.Boolean:
		return strconv.AppendBool(out, bool(v))
	case ast.Number:
		return append(out, v...)
	case ast.String:
		return appendString(out, string(v))
	case *ast.Array:
		return append(appendList(append(out, '['), v.Foreach), ']')
	case ast.Set:
		if v.Len() == 0 {
			return append(out, "set()"...)
		}
		return append(appendList(append(out, '{'), v.Foreach), '}')
	case ast.Object:
		out = append(out, '{')
		first := true
		v.Foreach(func(key, member *ast.Term) {
			if !first {
				out = append(out, ',')
			}
			first = false
			out = append(appendValue(out, key.Value), ':')
			out = appendValue(out, member.Value)
		})
		return append(out, '}')
	default:
		panic(fmt.Sprintf("a result of type %T", value))
	}
}

func appendList(out []byte, each func(func(*ast.Term))) []byte {
	first := true
	each(func(term *ast.Term) {
		if !first {
			out = append(out, ',')
		}
		first = false
		out = appendValue(out, term.Value)
	})
	return out
}

func appendString(out []byte, s string) []byte {
	const hex = "0123456789abcdef"
	out = append(out, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c < 0x20:
			out = append(out, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			out = append(out, c)
		}
	}
	return append(out, '"')
}
