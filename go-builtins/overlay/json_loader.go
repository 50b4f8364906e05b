// In place of gojsonschema's jsonLoader.go: loads schemas from values and texts, and those metaschemas that the
// library holds. A reference to anything else, by file or by network, is refused, and net/http is not linked.

package gojsonschema

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/xeipuuv/gojsonreference"
)

type remoteRefLimits struct {
	allowNet map[string]struct{}
	ctx      context.Context
}

func newAllowNetSet([]string) map[string]struct{} { return nil }

// JSONLoader is gojsonschema's.
type JSONLoader interface {
	JSONSource() any
	LoadJSON() (any, error)
	JSONReference() (gojsonreference.JsonReference, error)
	LoaderFactory() JSONLoaderFactory
}

// JSONLoaderFactory is gojsonschema's.
type JSONLoaderFactory interface {
	New(source string) JSONLoader
	withRemoteRefLimits(limits remoteRefLimits) JSONLoaderFactory
}

// DefaultJSONLoaderFactory makes loaders of references.
type DefaultJSONLoaderFactory struct{}

// New makes a loader of a reference.
func (DefaultJSONLoaderFactory) New(source string) JSONLoader { return &referenceLoader{source} }

func (d DefaultJSONLoaderFactory) withRemoteRefLimits(remoteRefLimits) JSONLoaderFactory { return d }

type referenceLoader struct{ source string }

// NewReferenceLoader makes a loader of a reference.
func NewReferenceLoader(source string) JSONLoader { return &referenceLoader{source} }

func (l *referenceLoader) JSONSource() any { return l.source }

func (l *referenceLoader) JSONReference() (gojsonreference.JsonReference, error) {
	return gojsonreference.NewJsonReference(l.source)
}

func (*referenceLoader) LoaderFactory() JSONLoaderFactory { return &DefaultJSONLoaderFactory{} }

func (l *referenceLoader) LoadJSON() (any, error) {
	reference, err := gojsonreference.NewJsonReference(l.source)
	if err != nil {
		return nil, err
	}
	target := reference
	target.GetUrl().Fragment = ""
	if metaSchema := drafts.GetMetaSchema(target.String()); metaSchema != "" && !reference.HasFileScheme {
		return decodeJSONUsingNumber(strings.NewReader(metaSchema))
	}
	return nil, fmt.Errorf("remote reference loading disabled: %s", reference.String())
}

// textLoader loads the first JSON value of a text.
type textLoader struct{ source string }

// NewStringLoader makes a loader of JSON text.
func NewStringLoader(source string) JSONLoader { return &textLoader{source} }

func (l *textLoader) JSONSource() any { return l.source }

func (l *textLoader) LoadJSON() (any, error) {
	return decodeJSONUsingNumber(strings.NewReader(l.source))
}

func (*textLoader) JSONReference() (gojsonreference.JsonReference, error) {
	return gojsonreference.NewJsonReference("#")
}

func (*textLoader) LoaderFactory() JSONLoaderFactory { return &DefaultJSONLoaderFactory{} }

// valueLoader loads a Go value by way of its JSON, so that numbers become json.Number.
type valueLoader struct{ source any }

// NewGoLoader makes a loader of a Go value.
func NewGoLoader(source any) JSONLoader { return &valueLoader{source} }

func (l *valueLoader) JSONSource() any { return l.source }

func (l *valueLoader) LoadJSON() (any, error) {
	text, err := json.Marshal(l.source)
	if err != nil {
		return nil, err
	}
	return decodeJSONUsingNumber(bytes.NewReader(text))
}

func (*valueLoader) JSONReference() (gojsonreference.JsonReference, error) {
	return gojsonreference.NewJsonReference("#")
}

func (*valueLoader) LoaderFactory() JSONLoaderFactory { return &DefaultJSONLoaderFactory{} }

func decodeJSONUsingNumber(r io.Reader) (any, error) {
	var document any
	decoder := json.NewDecoder(r)
	decoder.UseNumber()
	if err := decoder.Decode(&document); err != nil {
		return nil, err
	}
	return document, nil
}
